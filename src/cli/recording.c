/* SPDX-License-Identifier: MIT
 *
 * recording: see the header.
 */
#include "cli/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "report/journal_write.h"
#include "sys/clock.h"

int recording_open(struct recording *rec, const struct run_opts *opts, struct err *err)
{
	memset(rec, 0, sizeof(*rec));
	rec->path = opts->record;
	rec->fd = -1;
	if (!rec->path)
		return 0;
	if (opts->engine == ENGINE_NULL)
		return err_set(err, EXIT_SURETY, "cannot use '--record': the null engine sees nothing (leave --engine out)");
	rec->fd = open(rec->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	if (rec->fd < 0)
		return err_set(err, EXIT_SURETY, "cannot write the record '%s': %s (give another --record FILE)", rec->path,
			       strerror(errno));
	return 0;
}

void recording_drop(struct recording *rec)
{
	close_fd(&rec->fd);
}

/* engine_recorder */
static void take_event(void *ctx, const struct journal_event *event)
{
	struct recording *rec = ctx;

	journal_put(rec->writer, event);
}

static void take_tick(void *ctx, uint64_t time_ns)
{
	struct recording *rec = ctx;

	rec->last_ns = time_ns;
	journal_tick(rec->writer, time_ns);
}

/* The words of the command with blanks between, as far as there is room. */
static void join_words(char *const *argv, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; argv[i] && used < size - 1; i++) {
		int n = snprintf(buf + used, size - used, "%s%s", i ? " " : "", argv[i]);

		used += n > 0 ? (size_t)n : 0;
	}
}

int recording_start(struct recording *rec, struct engine_config *cfg, struct err *err)
{
	struct journal_head head = { .started_ns = clock_ns(CLOCK_REALTIME), .limit = cfg->limit };
	struct utsname host;

	if (!rec->path)
		return 0;
	snprintf(head.group, sizeof(head.group), "%s", cfg->group);
	snprintf(head.engine, sizeof(head.engine), "%s", "seccomp");
	if (uname(&host) == 0)
		snprintf(head.kernel, sizeof(head.kernel), "%.63s", host.release);
	join_words(cfg->argv, head.command, sizeof(head.command));
	rec->writer = journal_writer_new(steal_fd(&rec->fd), &head);
	if (!rec->writer)
		return err_set(err, EXIT_SURETY, "cannot write the record '%s': %s (free some memory)", rec->path,
			       strerror(ENOMEM));
	rec->to = (struct engine_recorder){ rec, take_event, take_tick };
	cfg->recorder = &rec->to;
	return 0;
}

void recording_close(struct recording *rec, int status, const struct engine_status *st)
{
	struct journal_event event = { .kind = JOURNAL_FINISH, .time_ns = rec->last_ns };
	int r;

	if (!rec->writer)
		return;
	event.finish = (struct journal_finish){ status, st->charges + st->refusals, st->refusals };
	journal_put(rec->writer, &event);
	r = journal_writer_close(rec->writer);
	rec->writer = NULL;
	if (r < 0)
		warn_line("cannot write the record '%s': %s (it ends where that happened)", rec->path, strerror(-r));
}
