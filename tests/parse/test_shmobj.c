/* SPDX-License-Identifier: MIT
 *
 * sys/shmobj: texts of /proc/sysvipc/shm, and descriptors of this very process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "sys/shmobj.h"

enum { PAGE = 4096 };

struct segs {
	int nr;
	int stop_at;
	struct shmobj_sysv seg[400];
};

static struct segs segs;

static int see_seg(void *ctx, const struct shmobj_sysv *seg)
{
	struct segs *to = ctx;

	assert_true(to->nr < 400);
	to->seg[to->nr++] = *seg;
	return to->nr == to->stop_at ? 42 : 0;
}

static int walk(const char *fixture)
{
	char name[64];

	memset(&segs, 0, sizeof(segs));
	snprintf(name, sizeof(name), "sysvipc/%s", fixture);
	return shmobj_walk_sysv(fixture_path(name), see_seg, &segs);
}

static void test_sysv_text(void **state)
{
	static const char *const bad[] = { "empty", "cut", "short", "word", "perms", "overflow", "blank", "long" };

	(void)state;
	assert_int_equal(walk("ok"), 0);
	assert_int_equal(segs.nr, 3);
	assert_int_equal(segs.seg[0].shmid, 0);
	assert_int_equal(segs.seg[0].size_bytes, 100000);
	assert_int_equal(segs.seg[0].cpid, 2817);
	assert_int_equal(segs.seg[0].ctime, 1700000000);
	assert_int_equal(segs.seg[0].perms, 0600);
	assert_false(segs.seg[0].dest);
	assert_int_equal(segs.seg[1].key, (int32_t)0xbeefcafe);
	assert_int_equal(segs.seg[1].shmid, 32769);
	assert_int_equal(segs.seg[1].perms, 01666);
	assert_true(segs.seg[1].dest);
	assert_int_equal(segs.seg[1].cpid, 10);
	assert_int_equal(segs.seg[1].lpid, 11);
	assert_int_equal(segs.seg[1].nattch, 2);
	assert_int_equal(segs.seg[1].rss_bytes, 4096);
	assert_int_equal(segs.seg[1].swap_bytes, 8192);
	assert_true(segs.seg[2].size_bytes == UINT64_MAX);
	assert_int_equal(segs.seg[2].shmid, INT32_MAX);
	assert_int_equal(segs.seg[2].ctime, -2);
	assert_true(segs.seg[2].rss_bytes == (uint64_t)-4096);

	assert_int_equal(walk("header"), 0);
	assert_int_equal(segs.nr, 0);
	assert_int_equal(walk("nothing"), -ENOENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(walk(bad[i]), -EBADMSG);
		assert_true(segs.nr <= 1);
	}
	memset(&segs, 0, sizeof(segs));
	segs.stop_at = 2;
	assert_int_equal(shmobj_walk_sysv(fixture_path("sysvipc/ok"), see_seg, &segs), 42);
	assert_int_equal(segs.nr, 2);
}

static const struct shmobj_sysv *find_seg(int shmid)
{
	memset(&segs, 0, sizeof(segs));
	assert_int_equal(shmobj_walk_sysv("/proc", see_seg, &segs), 0);
	for (int i = 0; i < segs.nr; i++)
		if (segs.seg[i].shmid == shmid)
			return &segs.seg[i];
	return NULL;
}

static void test_sysv_live(void **state)
{
	enum { SEGMENTS = 60 }; /* more than one read(2) gives */
	const struct shmobj_sysv *seg;
	int shmid[SEGMENTS];
	char *p;

	(void)state;
	shmid[0] = shmget(IPC_PRIVATE, 10 * PAGE + 1, IPC_CREAT | 0640);
	if (shmid[0] < 0)
		skip();
	p = shmat(shmid[0], NULL, 0);
	assert_true(p != (void *)-1);
	p[0] = p[3 * PAGE] = 1;
	for (int i = 1; i < SEGMENTS; i++)
		shmid[i] = shmget(IPC_PRIVATE, (size_t)i * PAGE, IPC_CREAT | 0600);

	seg = find_seg(shmid[0]);
	assert_non_null(seg);
	assert_int_equal(seg->size_bytes, 10 * PAGE + 1);
	assert_int_equal(seg->perms, 0640);
	assert_int_equal(seg->cpid, getpid());
	assert_int_equal(seg->lpid, getpid());
	assert_int_equal(seg->nattch, 1);
	assert_int_equal(seg->rss_bytes + seg->swap_bytes, 2 * PAGE);
	assert_false(seg->dest);
	for (int i = 1; i < SEGMENTS; i++) {
		seg = find_seg(shmid[i]);
		assert_non_null(seg);
		assert_int_equal(seg->size_bytes, i * PAGE);
		assert_int_equal(shmctl(shmid[i], IPC_RMID, NULL), 0);
	}
	assert_int_equal(shmctl(shmid[0], IPC_RMID, NULL), 0);
	seg = find_seg(shmid[0]);
	assert_non_null(seg);
	assert_true(seg->dest);
	shmdt(p);
	assert_null(find_seg(shmid[0]));
}

static void assert_kind(int fd, enum file_kind kind)
{
	struct shmobj obj;

	assert_true(fd >= 0);
	assert_int_equal(shmobj_stat_fd("/proc", getpid(), fd, &obj), 0);
	assert_int_equal(obj.kind, kind);
}

static void test_kinds(void **state)
{
	char shm[] = "/dev/shm/test_shmobj.XXXXXX", plain[] = "/var/tmp/test_shmobj.XXXXXX";
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int dir = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC), proc = open("/proc/self/stat", O_RDONLY);
	int memfd = memfd_create("a b\n(deleted)", MFD_CLOEXEC), huge = memfd_create("h", MFD_HUGETLB);
	int file = mkstemp(shm), other = mkstemp(plain), sock = socket(AF_UNIX, SOCK_STREAM, 0), pipes[2];
	struct shmobj obj;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_kind(zero, FILE_ZERO);
	assert_kind(null, FILE_PLAIN);
	assert_kind(dir, FILE_PLAIN);
	assert_kind(proc, FILE_PLAIN);
	assert_kind(pipes[0], FILE_PLAIN);
	assert_kind(sock, FILE_PLAIN);
	assert_kind(memfd, FILE_SHMEM);
	assert_kind(file, FILE_SHMEM);
	assert_kind(other, FILE_PLAIN);
	if (huge >= 0)
		assert_kind(huge, FILE_HUGETLB);

	assert_int_equal(shmobj_stat_fd("/proc", getpid(), zero, &obj), 0);
	assert_int_equal(obj.rdev, makedev(1, 5));
	assert_string_equal(obj.path, "/dev/zero");
	assert_true(shmobj_fd_writable("/proc", getpid(), zero));
	assert_true(shmobj_fd_writable("/proc", getpid(), 9999));
	assert_false(shmobj_fd_writable("/proc", getpid(), proc));
	close(zero);
	close(null);
	close(dir);
	close(proc);
	close(memfd);
	close(huge);
	close(file);
	close(other);
	close(sock);
	close(pipes[0]);
	close(pipes[1]);
	unlink(shm);
	unlink(plain);
}

static void test_figures(void **state)
{
	int fd = memfd_create("figures", MFD_CLOEXEC);
	struct shmobj obj;
	struct stat st;

	(void)state;
	assert_int_equal(ftruncate(fd, 100 * PAGE + 1), 0);
	assert_int_equal(shmobj_stat_fd("/proc", getpid(), fd, &obj), 0);
	assert_int_equal(obj.size_bytes, 100 * PAGE + 1);
	assert_int_equal(obj.pages, 0);
	assert_int_equal(pwrite(fd, "xx", 2, 7 * PAGE - 1), 2);
	assert_int_equal(fallocate(fd, 0, 50 * PAGE, 10 * PAGE), 0);
	assert_int_equal(shmobj_stat_fd("/proc", getpid(), fd, &obj), 0);
	assert_int_equal(obj.pages, 12);
	assert_int_equal(obj.nlink, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(obj.dev == st.st_dev && obj.ino == st.st_ino);
	assert_string_equal(obj.path, "/memfd:figures (deleted)");
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 50 * PAGE, 5 * PAGE), 0);
	assert_int_equal(shmobj_stat_fd("/proc", getpid(), fd, &obj), 0);
	assert_int_equal(obj.pages, 7);
	close(fd);
}

/* By mapping and by name: the same object. */
static void test_other_ways(void **state)
{
	char shm[] = "/dev/shm/test_shmobj.XXXXXX";
	int fd = mkstemp(shm);
	struct shmobj by_fd, by_name, by_map;
	uint64_t start, now_ns;
	struct timespec now;
	char *p, *anon;
	int r;

	(void)state;
	assert_int_equal(ftruncate(fd, 8 * PAGE), 0);
	p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	p[0] = p[5 * PAGE] = 1;
	assert_int_equal(shmobj_stat_fd("/proc", getpid(), fd, &by_fd), 0);
	assert_int_equal(by_fd.pages, 2);
	clock_gettime(CLOCK_REALTIME, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	if (by_fd.born_ns) {
		assert_true(by_fd.born_ns <= now_ns);
		assert_true(by_fd.born_ns > now_ns - UINT64_C(60000000000));
	}

	assert_int_equal(shmobj_stat_path(shm, &by_name), 0);
	assert_true(by_name.dev == by_fd.dev && by_name.ino == by_fd.ino);
	assert_int_equal(by_name.kind, FILE_SHMEM);
	assert_int_equal(by_name.pages, 2);
	assert_int_equal(by_name.nlink, 1);
	assert_int_equal(shmobj_stat_path("/dev/shm/test_shmobj.nothing", &by_name), -ENOENT);

	start = (uintptr_t)p;
	r = shmobj_stat_map("/proc", getpid(), start, start + 8 * PAGE, &by_map);
	if (r == -EPERM) {
		print_message("no right to map_files\n");
	} else {
		assert_int_equal(r, 0);
		assert_true(by_map.dev == by_fd.dev && by_map.ino == by_fd.ino);
		assert_int_equal(by_map.kind, FILE_SHMEM);
		assert_int_equal(by_map.pages, 2);
		assert_string_equal(by_map.path, shm);
		assert_int_equal(shmobj_stat_map("/proc", getpid(), start, start + PAGE, &by_map), -ENOENT);
		/* a shared anonymous object has no other name */
		anon = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		start = (uintptr_t)anon;
		assert_int_equal(shmobj_stat_map("/proc", getpid(), start, start + 4 * PAGE, &by_map), 0);
		assert_int_equal(by_map.kind, FILE_SHMEM);
		assert_int_equal(by_map.size_bytes, 4 * PAGE);
		munmap(anon, 4 * PAGE);
	}
	munmap(p, 8 * PAGE);
	close(fd);
	unlink(shm);
}

static void test_errors(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct shmobj obj;
	pid_t pid;

	(void)state;
	assert_int_equal(shmobj_stat_fd("/proc", getpid(), -1, &obj), -EBADF);
	close(fd);
	assert_int_equal(shmobj_stat_fd("/proc", getpid(), fd, &obj), -EBADF);
	assert_int_equal(shmobj_stat_fd("/proc", INT32_MAX, 0, &obj), -ESRCH);
	assert_int_equal(shmobj_stat_fd("/nothing", getpid(), 0, &obj), -ESRCH);
	assert_int_equal(shmobj_scan_fds("/proc", INT32_MAX, NULL, NULL), -ESRCH);

	/* of a zombie the directory is there, the descriptors are not; it belongs to root */
	pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	assert_int_equal(shmobj_stat_fd("/proc", pid, 0, &obj), geteuid() ? -EACCES : -EBADF);
	assert_int_equal(shmobj_scan_fds("/proc", pid, NULL, NULL), geteuid() ? -EACCES : 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

struct found {
	int nr;
	int stop_at;
	int fd[2000];
	ino_t ino[2000];
};

static int see_fd(void *ctx, int fd, const struct shmobj *obj)
{
	struct found *found = ctx;

	assert_int_equal(obj->kind, FILE_SHMEM);
	assert_true(found->nr < 2000);
	found->fd[found->nr] = fd;
	found->ino[found->nr++] = obj->ino;
	return found->nr == found->stop_at ? 42 : 0;
}

static struct found found;

/* The inode that the scan told for FD; 0: FD did not come, or came twice. */
static ino_t found_ino(int fd)
{
	ino_t ino = 0;
	int times = 0;

	for (int i = 0; i < found.nr; i++) {
		if (found.fd[i] == fd) {
			ino = found.ino[i];
			times++;
		}
	}
	return times == 1 ? ino : 0;
}

static void test_scan(void **state)
{
	/* a name that a memfd would have, on whatever / is */
	char fake[] = "/memfd:test_shmobj.XXXXXX";
	int fds[400], plain, proc, one, two, other, before;

	(void)state;
	memset(&found, 0, sizeof(found));
	assert_int_equal(shmobj_scan_fds("/proc", getpid(), see_fd, &found), 0);
	before = found.nr; /* our own standard output may be a file on tmpfs */
	memset(&found, 0, sizeof(found));

	for (int i = 0; i < 400; i++) /* more than one getdents64(2) gives */
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	proc = open("/proc/self/stat", O_RDONLY | O_CLOEXEC); /* no block device either, and not tmpfs */
	one = memfd_create("one", MFD_CLOEXEC);
	two = dup(one);
	other = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	plain = mkstemp(fake);
	assert_int_equal(shmobj_scan_fds("/proc", getpid(), see_fd, &found), 0);
	assert_int_equal(found.nr, before + 3);
	assert_true(found_ino(one) != 0);
	assert_true(found_ino(two) == found_ino(one)); /* the same object twice */
	assert_true(found_ino(other) != 0 && found_ino(other) != found_ino(one));

	memset(&found, 0, sizeof(found));
	found.stop_at = 1;
	assert_int_equal(shmobj_scan_fds("/proc", getpid(), see_fd, &found), 42);
	assert_int_equal(found.nr, 1);

	for (int i = 0; i < 400; i++)
		close(fds[i]);
	close(proc);
	close(one);
	close(two);
	close(other);
	if (plain >= 0) {
		close(plain);
		unlink(fake);
	}
}

/* What is not ours to read is an error, not an empty answer. */
static void test_denied(void **state)
{
	struct shmobj obj;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		int r = 0;

		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(9);
		r |= shmobj_stat_fd("/proc", getppid(), 0, &obj) != -EACCES;
		r |= (shmobj_scan_fds("/proc", getppid(), see_fd, &found) != -EACCES) << 1;
		_exit(r);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sysv_text), cmocka_unit_test(test_sysv_live),  cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_figures),	  cmocka_unit_test(test_other_ways), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_scan),	  cmocka_unit_test(test_denied),
	};

	return cmocka_run_group_tests_name("shmobj", tests, NULL, NULL);
}
