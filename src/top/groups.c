/* SPDX-License-Identifier: MIT
 *
 * groups: see the header.
 */
#include "top/groups.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/figures.h"

enum { PERIOD_S = 3 };

struct groups {
	int nr;
	struct group_row row[GROUPS_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct groups known;

static void take_group(void *ctx, const struct control_ref *ref)
{
	struct groups *groups = ctx;
	struct err ignored; /* it ended meanwhile, or is of another version */
	json_t *figures = control_ask(ref, &ignored);

	if (!figures || figures_check(figures, &ignored) < 0) {
		json_decref(figures);
		return;
	}
	if (groups->nr < GROUPS_MAX) {
		struct group_row *row = &groups->row[groups->nr];

		figures_label(figures, row->name);
		row->committed_bytes = figures_bytes(figures, "Committed_AS");
		row->limit_bytes = figures_bytes(figures, "CommitLimit");
		row->refusals = figures_bytes(figures, "refusals");
	}
	groups->nr++;
	json_decref(figures);
}

static void *ask(void *ctx)
{
	(void)ctx;
	for (;;) {
		struct groups now = { 0 };

		control_list(take_group, &now);
		pthread_mutex_lock(&lock);
		known = now;
		pthread_mutex_unlock(&lock);
		sleep(PERIOD_S);
	}
	return NULL;
}

void groups_start(void)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;

	sigfillset(&all); /* SIGWINCH is for who draws */
	if (pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 128 << 10);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	(void)pthread_create(&thread, &attr, ask, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
}

int groups_get(struct group_row rows[GROUPS_MAX])
{
	int nr;

	pthread_mutex_lock(&lock);
	nr = known.nr;
	memcpy(rows, known.row, sizeof(known.row));
	pthread_mutex_unlock(&lock);
	return nr;
}
