/* SPDX-License-Identifier: MIT
 *
 * load: the programs into the kernel, and their names into bpffs.
 *
 * Everything is pinned below a name of its own and then renamed: whoever finds
 * PINS_DIR finds all of it.  Until a group is attached the hooks change nothing.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "engine/bpf/pins.h"
#include "surety.skel.h"

#define BPF_FS_MAGIC 0xcafe4a11

static char complaint[160]; /* libbpf's first: what comes after only follows from it */

static int listen_to(enum libbpf_print_level level, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static int listen_to(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_WARN && !complaint[0]) {
		(void)vsnprintf(complaint, sizeof(complaint), fmt, args);
		complaint[strcspn(complaint, "\n")] = '\0';
	}
	return 0;
}

static const char *load_advice(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return geteuid() ? "run it as root" :
				   "this host forbids tracing programs (kernel lockdown, or a container); the seccomp "
				   "engine works without: surety run";
	case EOPNOTSUPP:
	case ENOENT:
	case ESRCH:
	case EINVAL: return "Linux 6.12 with BTF is needed; surety run works without";
	case ENOMEM: return "out of memory";
	default: return "surety run works without";
	}
}

/* The function that a program hooks; NULL for one that is only run by us. */
static const char *hooked(const struct bpf_program *prog)
{
	const char *slash = strchr(bpf_program__section_name(prog), '/');

	return slash ? slash + 1 : NULL;
}

static int fail_load(struct bpf_object *obj, int error, struct err *err)
{
	struct bpf_program *prog;

	/* What is wrong before the first program is loaded is told by libbpf alone. */
	if (error == ESRCH || error == ENOENT)
		return err_set(err, EXIT_SURETY, "cannot load the bpf engine's 'programs': %s (%s)", complaint,
			       load_advice(error));
	bpf_object__for_each_program(prog, obj) {
		if (bpf_program__fd(prog) >= 0 || !bpf_program__autoload(prog))
			continue;
		return err_set(err, EXIT_SURETY, "cannot load program '%s' on %s: %s (%s)", bpf_program__name(prog),
			       hooked(prog) ? hooked(prog) : "request", strerror(error), load_advice(error));
	}
	return err_set(err, EXIT_SURETY, "cannot load the bpf engine's 'maps': %s (%s)", strerror(error),
		       load_advice(error));
}

/* Says which kernel function is missing, before the verifier says it in its way. */
static int check_kernel(struct bpf_object *obj, struct err *err)
{
	struct btf *btf = btf__load_vmlinux_btf();
	struct bpf_program *prog;
	int r = 0;

	if (!btf)
		return err_set(err, EXIT_SURETY, "cannot read '/sys/kernel/btf/vmlinux': %s (the kernel must have "
			       "CONFIG_DEBUG_INFO_BTF)", strerror(errno));
	bpf_object__for_each_program(prog, obj) {
		const char *name = hooked(prog);

		if (!name || !strncmp(bpf_program__section_name(prog), "tp_btf", 6) ||
		    btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) >= 0)
			continue;
		/* A kernel without 32-bit calls has no entry for them. */
		if (!strncmp(name, "__ia32_", 7))
			bpf_program__set_autoload(prog, false);
		else if (r == 0)
			r = err_set(err, EXIT_SURETY, "cannot hook '%s': this kernel has no such function (Linux 6.12 is "
				    "needed; surety run works without)", name);
	}
	btf__free(btf);
	return r;
}

static int pin(int fd, const char *name, struct err *err)
{
	char path[128];

	snprintf(path, sizeof(path), PINS_NEW "/%s", name);
	if (bpf_obj_pin(fd, path) < 0)
		return err_set(err, EXIT_SURETY, "cannot pin '%s': %s (is " PINS_ROOT " a bpf file system?)", path,
			       strerror(errno));
	return 0;
}

static int attach_all(struct bpf_object *obj, struct err *err)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj) {
		struct bpf_link *link;
		char name[64];
		int r;

		if (!bpf_program__autoload(prog) || !hooked(prog))
			continue;
		link = bpf_program__attach(prog);
		if (!link) {
			int error = errno;

			return err_set(err, EXIT_SURETY, "cannot attach to '%s': %s (%s)", hooked(prog), strerror(error),
				       load_advice(error));
		}
		snprintf(name, sizeof(name), "link-%s", bpf_program__name(prog));
		r = pin(bpf_link__fd(link), name, err);
		bpf_link__disconnect(link); /* the pin keeps it */
		bpf_link__destroy(link);
		if (r < 0)
			return r;
	}
	return 0;
}

static int pin_rest(const struct surety_bpf *s, struct err *err)
{
	const struct {
		int fd;
		const char *name;
	} rest[] = {
		{ bpf_map__fd(s->maps.table), "table" },
		{ bpf_map__fd(s->maps.cgroups), "cgroups" },
		{ bpf_map__fd(s->maps.spaces), "spaces" },
		{ bpf_map__fd(s->maps.objects), "objects" },
		{ bpf_map__fd(s->maps.events), "events" },
		{ bpf_program__fd(s->progs.surety_control), "control" },
		{ bpf_program__fd(s->progs.surety_seed), "seed" },
		{ bpf_program__fd(s->progs.surety_audit), "audit" },
	};

	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		if (pin(rest[i].fd, rest[i].name, err) < 0)
			return -1;
	return 0;
}

static int load(struct surety_bpf *s, struct err *err)
{
	struct surety_control start = { .op = CONTROL_START };
	int r;

	if (check_kernel(s->obj, err) < 0)
		return -1;
	r = surety_bpf__load(s);
	if (r < 0)
		return fail_load(s->obj, -r, err);
	r = pins_run(bpf_program__fd(s->progs.surety_control), &start, sizeof(start));
	if (r < 0)
		return err_set(err, EXIT_SURETY, "cannot start the bpf engine's 'ledger': %s (try again)", strerror(-r));
	pins_remove(PINS_NEW);
	if (mkdir(PINS_NEW, 0700) < 0)
		return err_set(err, EXIT_SURETY, "cannot make '" PINS_NEW "': %s (is " PINS_ROOT " a bpf file system?)",
			       strerror(errno));
	if (pin_rest(s, err) < 0 || attach_all(s->obj, err) < 0)
		return -1;
	if (rename(PINS_NEW, PINS_DIR) < 0)
		return err_set(err, EXIT_SURETY, "cannot name '" PINS_DIR "': %s (surety detach --all)", strerror(errno));
	return 0;
}

int load_pinned(struct err *err)
{
	struct surety_bpf *s;
	struct statfs fs;
	int r;

	libbpf_set_print(listen_to);
	if (statfs(PINS_ROOT, &fs) < 0 || fs.f_type != BPF_FS_MAGIC)
		return err_set(err, EXIT_SURETY, "cannot use '" PINS_ROOT "': it is no bpf file system (mount -t bpf bpf "
			       PINS_ROOT ")");
	s = surety_bpf__open();
	if (!s)
		return err_set(err, EXIT_SURETY, "cannot open the bpf engine's 'programs': %s (%s)", strerror(errno),
			       load_advice(errno));
	r = load(s, err);
	surety_bpf__destroy(s);
	if (r < 0)
		pins_remove(PINS_NEW);
	return r;
}
