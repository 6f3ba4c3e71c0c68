/* SPDX-License-Identifier: MIT
 *
 * opts: what the command line asked for, one structure a command.
 *
 * Filled once, before anything is opened or started, and then only read.
 * Strings are borrowed from argv.  The members are named in options.def.
 */
#ifndef SURETY_CLI_OPTS_H
#define SURETY_CLI_OPTS_H

#include <stdbool.h>
#include <stdint.h>

/* A number that was not given and has no default. */
#define OPT_UNSET UINT64_MAX

/* In the order of the words in options.def.  enum overcommit (core/mode.h) and
 * enum on_refusal (engine/engine.h) are stored the same way. */
enum report_format {
	REPORT_TEXT,
	REPORT_JSON,
};

enum engine_choice {
	ENGINE_AUTO,
	ENGINE_SECCOMP,
	ENGINE_NULL,
	ENGINE_BPF,
};

enum { SIMULATE_AUTO = 3 }; /* behind the modes in options.def */
enum fork_end {
	FORK_END_TERM,
	FORK_END_KILL,
};

/* Sizes are bytes, checked: at least a page where 0 would make no sense, and
 * never beyond INT64_MAX. */
struct run_opts {
	uint64_t limit_bytes;         /* --limit, --overcommit-kbytes; or OPT_UNSET */
	uint64_t ratio;               /* per cent; OPT_UNSET when by limit, and in modes 0 and 1 */
	int mode;                     /* enum overcommit */
	uint64_t memory_bytes;        /* or OPT_UNSET */
	uint64_t swap_bytes;          /* or OPT_UNSET */
	uint64_t admin_reserve_bytes;
	uint64_t user_reserve_bytes;
	const char *fork_reserve;     /* or NULL */
	const char *fork_policy;      /* or NULL */
	int fork_end;                 /* enum fork_end */
	const char *fork_end_grace;
	int on_refusal;               /* enum on_refusal */
	const char *report;           /* "-" is stderr */
	int format;                   /* enum report_format */
	bool summary;
	const char *record;           /* or NULL */
	const char *name;             /* or NULL */
	int engine;                   /* enum engine_choice */
	char **command;               /* at least one word, NULL at the end */
};

/* As in run_opts. */
struct attach_opts {
	uint64_t limit_bytes, ratio;
	int mode;
	uint64_t memory_bytes, swap_bytes, admin_reserve_bytes, user_reserve_bytes;
	const char *target; /* a cgroup; or NULL */
};

struct detach_opts {
	bool all;
	const char *target;
};

struct groups_opts {
	bool json;
};

struct watch_opts {
	const char *report;
	int format;
	const char *target;
};

struct status_opts {
	bool json;
	const char *target; /* name of a group or a pid; or NULL */
};

struct audit_opts {
	bool json;
	const char *target; /* as above */
};

struct simulate_opts {
	uint64_t limit_bytes;  /* this and the next three: or OPT_UNSET */
	uint64_t ratio;        /* per cent */
	uint64_t memory_bytes;
	uint64_t admin_reserve_bytes, user_reserve_bytes;
	int mode;              /* enum overcommit, or SIMULATE_AUTO */
	int as;                /* enum model_as */
	const char *kernel;    /* "6.12" */
	uint64_t program_bytes, program_mapped_bytes;
	bool json;
	const char *script; /* a file, "-", or NULL */
};

/* In the order of the words in options.def, as enum look_key (look/look.h) is. */
enum ps_by {
	PS_BY_PROCESS,
	PS_BY_CGROUP,
	PS_BY_USER,
	PS_BY_EXE,
};

struct ps_opts {
	bool exact, human, tree, json;
	int by;              /* enum ps_by */
	int sort;            /* enum look_key */
	uint64_t lines;      /* or OPT_UNSET */
	const char *cgroup;  /* or NULL */
	const char *user;    /* or NULL */
	const char *target;  /* a pid; or NULL */
};

enum { MAPS_MODE_HOST = 3 };

struct maps_opts {
	int mode; /* enum overcommit, or MAPS_MODE_HOST */
	bool human, json;
	const char *target; /* a pid; or NULL */
};

/* In the order of the words in options.def. */
enum top_sort {
	TOP_COMMITTED,
	TOP_USED,
	TOP_UNUSED,
	TOP_STACKS,
	TOP_PID,
	TOP_SORT_NR
};

struct top_opts {
	uint64_t delay;     /* seconds */
	uint64_t times;     /* or OPT_UNSET */
	int sort;           /* enum top_sort */
	bool tree;
	const char *filter; /* or NULL */
	char **words;       /* the whole command line, for surety-top to read again */
};

struct check_opts {
	uint64_t headroom; /* per cent */
	uint64_t lines;
	bool human, json;
	char **command; /* or NULL: the host */
};

struct probe_opts {
	bool json;
	int engine; /* enum engine_choice */
};

struct explain_opts {
	uint64_t limit_bytes;  /* or OPT_UNSET */
	int mode;              /* enum overcommit */
	uint64_t fork_reserve; /* per cent */
	const char *html;      /* or NULL */
	bool json;
	const char *record;    /* the file; or NULL */
};

struct help_opts {
	const char *topic; /* name of a command, not yet looked up; or NULL */
};

union opts {
#define COMMAND(name, operands, synopsis, summary, description) struct name##_opts name;
#include "cli/commands.def"
#undef COMMAND
};

#endif
