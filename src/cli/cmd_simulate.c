/* SPDX-License-Identifier: MIT
 *
 * surety simulate: what a script of memory operations would come to.
 *
 * Decides which limit counts: the options before the script's own lines.  The
 * model says the rest; no call of the script is made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cli/cmd.h"
#include "cli/simulate.h"
#include "cli/value.h"
#include "sys/cgroupfs.h"

enum { TEXT_MAX = 64 << 20, STACK_LIMIT = 1 << 30 }; /* a script; RLIMIT_STACK of its processes */

static int cannot_read(const char *path, int error, struct err *err)
{
	return err_set(err, EXIT_SURETY, "cannot read script '%s': %s (give a file, or - for the standard input)",
		       quote_word(path).text, strerror(error));
}

/* All of FD.  Returns 0 with *RET to be freed, or -errno. */
static int read_all(int fd, char **ret, size_t *ret_len)
{
	autofree char *text = NULL;
	size_t len = 0, room = 0;
	ssize_t n;

	for (;;) {
		if (len == room) {
			char *larger = realloc(text, room = room ? room * 2 : 65536);

			if (!larger)
				return -ENOMEM;
			text = larger;
		}
		n = read(fd, text + len, room - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > TEXT_MAX)
			return -EFBIG;
	}
	*ret = text;
	*ret_len = len;
	text = NULL;
	return 0;
}

static int load(const char *path, struct script **ret, struct err *err)
{
	bool standard = !strcmp(path, "-");
	autoclose int opened = standard ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	size_t len = 0;
	int r;

	if (!standard && opened < 0)
		return cannot_read(path, errno, err);
	r = read_all(standard ? STDIN_FILENO : opened, &text, &len);
	if (r < 0)
		return cannot_read(path, -r, err);
	return script_parse(standard ? "standard input" : path, text, len, ret, err);
}

static uint64_t option_or(uint64_t option, uint64_t own)
{
	return option == OPT_UNSET ? own : option;
}

static bool by_ratio(const struct simulate_opts *opts, const struct script_settings *set)
{
	return opts->limit_bytes == OPT_UNSET && (opts->ratio != OPT_UNSET || set->has_ratio);
}

/* RAM plus swap, of the machine where nothing says it and MODE wants it. */
static int memory_pages(const struct simulate_opts *opts, const struct script_settings *set, bool wanted, uint64_t *ret,
			struct err *err)
{
	struct memory_totals totals = { 0 };
	int r;

	*ret = option_or(opts->memory_bytes, set->memory) >> PAGE_SHIFT;
	if (!wanted || opts->memory_bytes != OPT_UNSET || set->has_memory)
		return 0;
	r = cgroupfs_memory_totals("", getpid(), &totals);
	if (r < 0)
		return err_set(err, EXIT_SURETY, "cannot read the RAM and swap of '/proc/meminfo': %s (give --memory)",
			       strerror(-r));
	*ret = (totals.ram_bytes >> PAGE_SHIFT) + (totals.swap_bytes >> PAGE_SHIFT);
	return 0;
}

static int configure(const struct simulate_opts *opts, const struct script *script, enum overcommit mode,
		     struct model_config *ret, struct err *err)
{
	const struct script_settings *set = &script->settings;
	bool has_limit = opts->limit_bytes != OPT_UNSET || set->has_limit;
	struct limit *limit = &ret->limit;

	memset(ret, 0, sizeof(*ret));
	ret->as = (enum model_as)opts->as;
	ret->program_pages = bytes_to_pages(opts->program_bytes);
	ret->program_vm_pages = bytes_to_pages(opts->program_mapped_bytes);
	ret->stack_limit_pages = STACK_LIMIT >> PAGE_SHIFT;
	(void)sscanf(opts->kernel, "%u.%u", &ret->kernel_major, &ret->kernel_minor); /* checked when it was given */
	limit->mode = mode;
	limit->by_ratio = by_ratio(opts, set);
	limit->ratio = option_or(opts->ratio, set->ratio);
	limit->limit_pages = has_limit ? option_or(opts->limit_bytes, set->limit) >> PAGE_SHIFT : UINT64_MAX;
	limit->admin_reserve_pages = option_or(opts->admin_reserve_bytes, set->admin_reserve) >> PAGE_SHIFT;
	limit->user_reserve_pages = option_or(opts->user_reserve_bytes, set->user_reserve) >> PAGE_SHIFT;
	return memory_pages(opts, set, limit->by_ratio || mode == OVERCOMMIT_GUESS, &limit->ram_pages, err);
}

static int add_mode(struct simulation *s, const struct simulate_opts *opts, enum overcommit mode, struct err *err)
{
	struct model_config config;

	if (configure(opts, s->script, mode, &config, err) < 0)
		return -1;
	s->mode[s->nr] = mode;
	s->model[s->nr] = model_new(s->script, &config);
	if (!s->model[s->nr])
		return err_set(err, EXIT_SURETY, "cannot simulate '%s': %s (the script is too long)",
			       quote_word(opts->script).text, strerror(ENOMEM));
	s->nr++;
	return 0;
}

static int add_modes(struct simulation *s, const struct simulate_opts *opts, struct err *err)
{
	static const enum overcommit all[SIMULATE_MODES] = { OVERCOMMIT_GUESS, OVERCOMMIT_ALWAYS, OVERCOMMIT_NEVER };

	if (opts->mode != SIMULATE_AUTO)
		return add_mode(s, opts, (enum overcommit)opts->mode, err);
	if (s->script->settings.has_mode)
		return add_mode(s, opts, s->script->settings.mode, err);
	for (int i = 0; i < SIMULATE_MODES; i++)
		if (add_mode(s, opts, all[i], err) < 0)
			return -1;
	return 0;
}

static int run(const struct simulation *s, struct err *err)
{
	struct outcome outcome[SIMULATE_MODES];

	simulate_begin(s);
	for (size_t i = 0; i < s->script->nr_ops; i++) {
		const struct script_op *op = &s->script->ops[i];

		for (int k = 0; k < s->nr; k++)
			if (model_run(s->model[k], op, &outcome[k]) < 0)
				return err_set(err, EXIT_SURETY, "cannot simulate line %u: %s (the script is too long)",
					       op->line, strerror(ENOMEM));
		simulate_step(s, op, outcome);
	}
	simulate_end(s);
	if (fflush(stdout) || ferror(stdout))
		return err_set(err, EXIT_SURETY, "cannot write 'standard output': %s (is the disk full?)", strerror(errno));
	return 0;
}

int cmd_simulate(const struct simulate_opts *opts, struct err *err)
{
	struct simulation s = { .json = opts->json };
	struct script *script;
	int status;

	if (!opts->script)
		return err_set(err, EXIT_SURETY, "no script given: surety simulate has nothing to read "
			       "(give a file, or - for the standard input)");
	if (opts->limit_bytes != OPT_UNSET && opts->ratio != OPT_UNSET)
		return err_set(err, EXIT_SURETY, "cannot use '--overcommit-ratio': the limit is given as a size already "
			       "(give one of them)");
	if (load(opts->script, &script, err) < 0)
		return -1;
	s.script = script;
	status = add_modes(&s, opts, err) < 0 ? -1 : run(&s, err);
	for (int i = 0; i < s.nr; i++)
		model_free(s.model[i]);
	script_free(script);
	return status;
}
