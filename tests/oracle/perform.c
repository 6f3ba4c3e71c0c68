/* SPDX-License-Identifier: MIT
 *
 * perform: makes the calls of a script, and prints the outcome of each
 * (docs/SCRIPTS.md).
 *
 *     perform [--files DIR] [--tmpfs DIR] [--ask] [--base] [--meminfo]
 *             [--kernel-limit | --attach SURETY] SCRIPT
 *
 * The first line says what each process holds of itself and has mapped, which is
 * in no count of the script.  Where the script needs what is not here, the only
 * line is "skip" and why.  Links nothing that decides: of surety it has the
 * reader of scripts alone.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "director.h"
#include "tally.h"
#include "worker.h"

static const char *missing(const struct script_settings *settings)
{
	static char why[64];
	unsigned int major = 0, minor = 0;
	struct utsname system;

	uname(&system);
	if (sscanf(system.release, "%u.%u", &major, &minor) != 2 || major < settings->kernel_major ||
	    (major == settings->kernel_major && minor < settings->kernel_minor)) {
		snprintf(why, sizeof(why), "needs Linux %u.%u", settings->kernel_major, settings->kernel_minor);
		return why;
	}
	if (settings->needs & NEED_HUGETLB && !tally_meminfo("HugePages_Free"))
		return "needs free huge pages";
	/* The workers have switched them off for themselves (crew_start). */
	return NULL;
}

static struct script *load(const char *path)
{
	const int room = 1 << 20;
	char *text = malloc((size_t)room);
	struct script *script;
	struct err err;
	int len = text ? tally_read(path, text, room) : -ENOMEM;

	if (len < 0)
		fail(path, strerror(-len));
	if (len == room - 1)
		fail(path, "too long");
	if (script_parse(path, text, (size_t)len, &script, &err) < 0)
		fail("script", err.text);
	free(text);
	return script;
}

static int usage(void)
{
	fprintf(stderr, "usage: perform [--files DIR] [--tmpfs DIR] [--ask] [--base] [--meminfo] "
			"[--kernel-limit | --attach SURETY] SCRIPT\n");
	return 99;
}

static int perform(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "files", required_argument, NULL, 'f' }, { "tmpfs", required_argument, NULL, 't' },
		{ "ask", no_argument, NULL, 'a' },	   { "base", no_argument, NULL, 'b' },
		{ "meminfo", no_argument, NULL, 'm' },	   { "kernel-limit", no_argument, NULL, 'k' },
		{ "attach", required_argument, NULL, 'l' }, { 0 },
	};
	struct options options = { .files = ".", .tmpfs = "/dev/shm" };
	struct script *script;
	const char *why;
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == 'f')
			options.files = optarg;
		else if (c == 't')
			options.tmpfs = optarg;
		else if (c == 'a')
			options.ask = true;
		else if (c == 'b')
			options.base = true;
		else if (c == 'm')
			options.meminfo = true;
		else if (c == 'k')
			options.kernel_limit = true;
		else if (c == 'l')
			options.surety = optarg;
		else
			return usage();
	}
	if (optind != argc - 1)
		return usage();
	script = load(argv[optind]);
	why = missing(&script->settings);
	if (why) {
		printf("skip %s\n", why);
		return 0;
	}
	return direct(script, &options);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--end"))
		_exit(0);
	if (argc == 3 && !strcmp(argv[1], "--worker"))
		worker_serve(atoi(argv[2]));
	return perform(argc, argv);
}
