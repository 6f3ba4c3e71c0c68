/* SPDX-License-Identifier: MIT
 *
 * replay: see the header.
 */
#include "report/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Forks whose child has not called execve, with what was charged for them: by
 * the number of the request until the child is known, by its space then. */
struct copy {
	uint64_t fork;
	uint32_t space; /* 0: not known yet */
	uint64_t pages;
};

struct forks {
	struct copy *copy;
	size_t nr, room;
	uint64_t pages; /* of all */
};

static void forks_add(struct forks *f, uint64_t fork, uint64_t pages)
{
	if (f->nr == f->room) {
		size_t room = f->room ? 2 * f->room : 64;
		struct copy *more = realloc(f->copy, room * sizeof(*more));

		if (!more)
			return; /* that one is charged whole */
		f->copy = more;
		f->room = room;
	}
	f->copy[f->nr++] = (struct copy){ fork, 0, pages };
	f->pages += pages;
}

static struct copy *forks_find(struct forks *f, uint64_t fork, uint32_t space)
{
	for (size_t i = 0; i < f->nr; i++)
		if (fork ? f->copy[i].fork == fork && !f->copy[i].space : f->copy[i].space == space)
			return &f->copy[i];
	return NULL;
}

static void forks_remove(struct forks *f, struct copy *copy)
{
	if (!copy)
		return;
	f->pages -= copy->pages;
	*copy = f->copy[--f->nr];
}

static void forks_note(struct forks *f, const struct journal_event *e)
{
	struct copy *copy;

	switch (e->kind) {
	case JOURNAL_SPACE:
		if (e->space.origin == JOURNAL_EXECED && e->space.from) {
			forks_remove(f, forks_find(f, 0, e->space.from));
		} else if (e->space.origin == JOURNAL_FORKED && e->space.fork) {
			copy = forks_find(f, e->space.fork, 0);
			if (copy)
				copy->space = e->space.id;
		}
		break;
	case JOURNAL_GONE:
		if (e->gone)
			forks_remove(f, forks_find(f, 0, e->gone));
		break;
	case JOURNAL_FORK_GONE:
		if (e->fork_gone)
			forks_remove(f, forks_find(f, e->fork_gone, 0));
		break;
	default:
		break;
	}
}

static void judge(struct forks *f, const struct replay_terms *terms, const struct journal_event *e,
		  struct replay_request *ret)
{
	uint64_t spared = f->pages - f->pages / 100 * terms->fork_percent - f->pages % 100 * terms->fork_percent / 100;
	bool fork = e->request.op == OP_FORK;

	ret->r = e->request;
	ret->time_ns = e->time_ns;
	ret->held = e->request.committed + e->request.reserved;
	ret->held = ret->held > spared ? ret->held - spared : 0;
	ret->asked = e->request.pages;
	if (fork)
		ret->asked = ret->asked / 100 * terms->fork_percent + ret->asked % 100 * terms->fork_percent / 100;
	ret->need = ret->held + ret->asked;
	if (fork && terms->fork_percent < 100 && !(e->request.flags & JOURNAL_REFUSED))
		forks_add(f, e->request.number, e->request.pages);
}

static int open_reader(int fd, const char *path, struct journal_reader **ret, struct err *err)
{
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : journal_reader_new(ret, fd);

	if (r == 0)
		return 0;
	if (r == -EPROTO)
		return err_set(err, EXIT_SURETY, "cannot read the record '%s': it is one of another version (record it anew)",
			       path);
	if (r == -EBADMSG)
		return err_set(err, EXIT_SURETY, "cannot read the record '%s': it is none, or its front is damaged (surety run "
			       "--record FILE makes one)", path);
	return err_set(err, EXIT_SURETY, "cannot read the record '%s': %s (give the file that --record wrote)", path,
		       strerror(-r));
}

static int read_failed(const struct journal_reader *reader, const char *path, int error, struct err *err)
{
	if (error == -EBADMSG)
		return err_set(err, EXIT_SURETY, "cannot read the record '%s': it is damaged in the block at byte %llu (record "
			       "it anew)", path, (unsigned long long)journal_offset(reader));
	return err_set(err, EXIT_SURETY, "cannot read the record '%s': %s (copy it to another disk)", path, strerror(-error));
}

int replay_run(int fd, const char *path, const struct replay_terms *terms, replay_fn *fn, void *ctx, bool *ret_cut,
	       struct err *err)
{
	struct journal_reader *reader;
	struct replay_request request;
	struct journal_event event;
	struct forks forks = { 0 };
	int r, stopped = 0;

	if (open_reader(fd, path, &reader, err) < 0)
		return -1;
	while ((r = journal_next(reader, &event)) == 1 && stopped == 0) {
		if (event.kind == JOURNAL_REQUEST)
			judge(&forks, terms, &event, &request);
		else
			forks_note(&forks, &event);
		stopped = fn(ctx, &event, event.kind == JOURNAL_REQUEST ? &request : NULL);
	}
	if (r < 0)
		stopped = read_failed(reader, path, r, err);
	if (ret_cut)
		*ret_cut = journal_cut(reader);
	free(forks.copy);
	journal_reader_free(reader);
	return stopped;
}

bool replay_refused(const struct replay_terms *terms, const struct journal_head *head, uint64_t limit_pages,
		    const struct replay_request *request)
{
	const struct limit limit = {
		.mode = terms->mode,
		.limit_pages = limit_pages,
		.ram_pages = head->limit.ram_pages,
		.swap_pages = terms->mode == OVERCOMMIT_GUESS ? head->limit.swap_pages : 0,
	};
	static const struct requester anybody = { .cap_sys_admin = true };

	if (terms->mode != OVERCOMMIT_NEVER && (request->r.flags & JOURNAL_NORESERVE))
		return false;
	return limit_decide(&limit, request->held, request->asked, &anybody) != VERDICT_GRANT;
}

int replay_head(int fd, const char *path, struct journal_head *ret, struct err *err)
{
	struct journal_reader *reader;

	if (open_reader(fd, path, &reader, err) < 0)
		return -1;
	*ret = *journal_head(reader);
	journal_reader_free(reader);
	return 0;
}
