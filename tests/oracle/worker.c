/* SPDX-License-Identifier: MIT
 *
 * worker: one order after the other.
 */
#include "worker.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tally.h"

enum { PAGE = 4096 };

struct worker worker;

void worker_say(const struct answer *answer)
{
	if (send(WORKER_FD + worker.process, answer, sizeof(*answer), MSG_NOSIGNAL) != sizeof(*answer))
		_exit(99);
}

static void obey(const struct order *order)
{
	struct answer answer = { .kind = ANSWER_DONE, .shmid = -1 };
	int r;

	if (order->op.verb <= VERB_STACK)
		r = do_mapping(order);
	else if (order->op.verb <= VERB_DROP)
		r = do_process(order, &answer);
	else
		r = do_object(order, &answer);
	if (r == NOT_HERE)
		answer.kind = ANSWER_SKIPPED;
	else
		answer.error = r;
	worker_say(&answer);
}

_Noreturn void worker_serve(int process)
{
	static struct order order; /* not on the stack of a fork's child twice */
	const struct answer up = { .kind = ANSWER_UP };

	worker.process = process;
	if (!worker.stack) {
		/* A new image: a break of whole pages, so that a script's is the model's. */
		worker.brk = (uint64_t)syscall(SYS_brk, 0);
		worker.brk = (uint64_t)syscall(SYS_brk, (worker.brk + PAGE - 1) / PAGE * PAGE);
		worker.first_brk = worker.brk;
		worker.stack = tally_stack(getpid());
	}
	worker_say(&up);
	for (;;) {
		if (recv(WORKER_FD + worker.process, &order, sizeof(order), 0) != sizeof(order))
			_exit(0);
		obey(&order);
	}
}
