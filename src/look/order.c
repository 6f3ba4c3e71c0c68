/* SPDX-License-Identifier: MIT
 *
 * order: sums, sorting, the tree and groups of what was seen.  Reads nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "look/look.h"

uint64_t look_unused(uint64_t committed, uint64_t used)
{
	return committed > used ? committed - used : 0;
}

static void add(uint64_t *sum, uint64_t pages)
{
	if (__builtin_add_overflow(*sum, pages, sum))
		*sum = UINT64_MAX;
}

void look_sum_add(struct look_sum *sum, const struct look_process *p)
{
	sum->processes++;
	sum->threads += p->threads;
	if (p->space_of != p->pid)
		return;
	add(&sum->committed, p->committed);
	add(&sum->used, p->used);
	add(&sum->noreserve, p->noreserve);
	add(&sum->stacks, p->stacks);
}

struct look_sum look_sum(const struct look *l)
{
	struct look_sum sum = { 0 };

	for (size_t i = 0; i < l->nr; i++)
		look_sum_add(&sum, &l->process[i]);
	return sum;
}

uint64_t look_objects_charged(const struct look *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < l->nr_objects; i++)
		add(&sum, l->object[i].charged);
	return sum;
}

uint64_t look_objects_noreserve(const struct look *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < l->nr_objects; i++)
		add(&sum, l->object[i].noreserve);
	return sum;
}

static uint64_t key_of(const struct look_sum *sum, enum look_key key)
{
	switch (key) {
	case LOOK_BY_COMMITTED:
		return sum->committed;
	case LOOK_BY_USED:
		return sum->used;
	case LOOK_BY_UNUSED:
		return look_unused(sum->committed, sum->used);
	case LOOK_BY_NORESERVE:
		return sum->noreserve;
	case LOOK_BY_STACKS:
		return sum->stacks;
	case LOOK_BY_PID:
		break;
	}
	return 0;
}

static int by_key(const void *a, const void *b, void *ctx)
{
	const struct look_process *x = a, *y = b;
	struct look_sum of_x = { 0 }, of_y = { 0 };
	enum look_key key = *(enum look_key *)ctx;
	uint64_t kx, ky;

	look_sum_add(&of_x, x);
	look_sum_add(&of_y, y);
	kx = key_of(&of_x, key);
	ky = key_of(&of_y, key);
	if (kx != ky)
		return kx > ky ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

void look_sort(struct look *l, enum look_key key)
{
	if (l->nr)
		qsort_r(l->process, l->nr, sizeof(*l->process), by_key, &key);
}

/* Children of a row as a list of indices, in the order that they stand in. */
struct links {
	UT_hash_handle hh;
	pid_t pid;
	size_t index, first, last, next; /* + 1; 0 ends */
	bool child;
};

/* Whether somebody above INDEX is INDEX itself: ids read at different moments. */
static bool in_circle(const struct look *l, struct links *by_id, struct links *node, size_t index)
{
	pid_t parent = l->process[index].ppid;

	for (size_t steps = 0; steps <= l->nr; steps++) {
		struct links *up;

		HASH_FIND_INT(by_id, &parent, up);
		if (!up)
			return false;
		if (up == &node[index])
			return true;
		parent = l->process[up->index].ppid;
	}
	return true;
}

static void link_children(const struct look *l, struct links *by_id, struct links *node)
{
	for (size_t i = 0; i < l->nr; i++) {
		struct links *up;

		HASH_FIND_INT(by_id, &l->process[i].ppid, up);
		if (!up || in_circle(l, by_id, node, i))
			continue;
		node[i].child = true;
		if (up->last)
			node[up->last - 1].next = i + 1;
		else
			up->first = i + 1;
		up->last = i + 1;
	}
}

/* Writes the rows below I, itself first, without recursion: a chain may be long. */
static size_t put_tree(const struct look *l, struct links *node, size_t i, struct look_process *out, size_t at,
		       size_t *stack)
{
	size_t depth = 0;

	stack[0] = i + 1;
	for (;;) {
		size_t here = stack[depth] - 1;

		out[at] = l->process[here];
		out[at++].depth = (uint32_t)depth;
		if (node[here].first) {
			stack[++depth] = node[here].first;
			continue;
		}
		while (depth && !node[stack[depth] - 1].next)
			depth--;
		if (!depth)
			return at;
		stack[depth] = node[stack[depth] - 1].next;
	}
}

int look_tree(struct look *l)
{
	struct links *node = calloc(l->nr + 1, sizeof(*node)), *by_id = NULL;
	struct look_process *out = calloc(l->nr + 1, sizeof(*out));
	size_t *stack = calloc(l->nr + 1, sizeof(*stack));
	size_t at = 0;

	if (!node || !out || !stack) {
		free(node);
		free(out);
		free(stack);
		return -ENOMEM;
	}
	for (size_t i = 0; i < l->nr; i++) {
		node[i].pid = l->process[i].pid;
		node[i].index = i;
		HASH_ADD_INT(by_id, pid, &node[i]);
	}
	link_children(l, by_id, node);
	for (size_t i = 0; i < l->nr; i++)
		if (!node[i].child)
			at = put_tree(l, node, i, out, at, stack);
	HASH_CLEAR(hh, by_id);
	free(node);
	free(stack);
	free(l->process);
	l->process = out;
	l->room = l->nr + 1;
	return 0;
}

static int by_sum(const void *a, const void *b, void *ctx)
{
	const struct look_group *x = a, *y = b;
	uint64_t kx = key_of(&x->sum, *(enum look_key *)ctx), ky = key_of(&y->sum, *(enum look_key *)ctx);

	return kx != ky ? (kx > ky ? -1 : 1) : x->name < y->name ? -1 : x->name > y->name;
}

ssize_t look_group(const struct look *l, enum look_by by, enum look_key key, struct look_group **ret)
{
	struct look_group *group = NULL;
	size_t nr = 0;

	for (size_t i = 0; i < l->nr; i++) {
		const struct look_process *p = &l->process[i];
		uint32_t name = by == LOOK_CGROUP ? p->cgroup : by == LOOK_EXE ? p->exe : 0;
		uid_t uid = by == LOOK_USER ? p->uid : 0;
		size_t at;

		for (at = 0; at < nr; at++)
			if (group[at].name == name && group[at].uid == uid)
				break;
		if (at == nr) {
			struct look_group *more = realloc(group, (nr + 1) * sizeof(*more));

			if (!more) {
				free(group);
				return -ENOMEM;
			}
			group = more;
			group[nr++] = (struct look_group){ .name = name, .uid = uid };
		}
		look_sum_add(&group[at].sum, p);
	}
	if (nr)
		qsort_r(group, nr, sizeof(*group), by_sum, &key);
	*ret = group;
	return (ssize_t)nr;
}
