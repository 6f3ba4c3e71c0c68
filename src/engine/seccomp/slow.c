/* SPDX-License-Identifier: MIT
 *
 * slow: see the header.  The thread ends with the process: it may be waiting for
 * a server that never answers.
 */
#include "engine/seccomp/slow.h"

#include "engine/seccomp/ask.h"
#include "sys/procfs.h"

static uint64_t read_of(const struct seccomp_notif *req, struct program *program)
{
	struct exec_call call = ask_exec_call(req);
	pid_t tid = (pid_t)req->pid;

	return program_read(tid, call.dirfd, call.path, task_stack_rlimit(tid), program);
}

static void *slow_main(void *arg)
{
	struct slow *slow = arg;
	struct seccomp_notif req;
	struct program program;
	uint64_t pages;

	pthread_mutex_lock(&slow->lock);
	for (;;) {
		while (slow->nr == 0)
			pthread_cond_wait(&slow->wake, &slow->lock);
		req = slow->queue[slow->head];
		slow->head = (slow->head + 1) % SLOW_QUEUE;
		slow->nr--;
		pthread_mutex_unlock(&slow->lock);
		pages = read_of(&req, &program);
		slow->decide(slow->ctx, &req, pages, &program);
		pthread_mutex_lock(&slow->lock);
	}
	return NULL;
}

void slow_init(struct slow *slow, slow_decide_fn *decide, void *ctx)
{
	pthread_mutex_init(&slow->lock, NULL);
	pthread_cond_init(&slow->wake, NULL);
	slow->decide = decide;
	slow->ctx = ctx;
}

bool slow_put(struct slow *slow, const struct seccomp_notif *req)
{
	bool room;

	if (!slow->started)
		slow->started = pthread_create(&slow->thread, NULL, slow_main, slow) == 0;
	if (!slow->started)
		return false;
	pthread_mutex_lock(&slow->lock);
	room = slow->nr < SLOW_QUEUE;
	if (room) {
		slow->queue[(slow->head + slow->nr) % SLOW_QUEUE] = *req;
		slow->nr++;
		pthread_cond_signal(&slow->wake);
	}
	pthread_mutex_unlock(&slow->lock);
	return room;
}
