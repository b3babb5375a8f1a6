/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options — one table a command, from which flags, environment, meshd.conf and
 * --help all come.
 *
 * A setting is looked for as a flag, then as MESHD_<NAME> in the environment,
 * then in its section of meshd.conf, then its default holds.
 */
#ifndef MESHD_OPTIONS_H
#define MESHD_OPTIONS_H

#include "base/base.h"

enum option_type {
	OPTION_FLAG, /* no value */
	OPTION_TEXT, /* the last one counts */
	OPTION_LIST, /* each one counts; separated by commas in env and file */
	OPTION_NUMBER, /* decimal */
	OPTION_DURATION
};

struct option_row {
	const char *name; /* "trust-domain"; as a flag --trust-domain */
	char letter;      /* 'o' for -o, or 0 */
	enum option_type type;
	const char *value;   /* "NAME", for help; NULL for a flag */
	const char *initial; /* default, or NULL */
	bool setting;        /* also from environment and meshd.conf */
	const char *help;
};

enum { OPTIONS_MAX = 40, OPTION_VALUES_MAX = 64, OPTION_ARGS_MAX = 64 };

/* What was given: values[i] belong to rows[i]; text is borrowed. */
struct options {
	const struct option_row *rows;
	size_t row_count;
	struct option_values {
		const char *text[OPTION_VALUES_MAX];
		size_t count;
		const char *from; /* "flag", "environment", "meshd.conf:12" */
	} values[OPTIONS_MAX];
	const char *args[OPTION_ARGS_MAX]; /* what is no option */
	size_t arg_count;
	char **rest; /* what stands behind "--", ended by NULL; NULL: nothing */
	struct arena arena; /* text that came from files */
};

/* Frees what the file brought. */
void options_fini(struct options *o);

/*
 * Reads the words behind the subcommand. "--" ends options; "--name=value"
 * and "--name value" are the same; -h and --help set *out_help. ERR_INVALID
 * names the option and the nearest known one.
 */
MUST_USE enum err options_parse(struct options *o,
    const struct option_row *rows, size_t row_count, int argc, char **argv,
    bool *out_help, struct fault *why);

/* MESHD_TRUST_DOMAIN for "trust-domain"; only rows that are settings. */
MUST_USE enum err options_read_env(struct options *o, struct fault *why);

/* A section of meshd.conf, which several commands may share. */
struct option_section {
	const char *name;
	const char *const *settings; /* of all of them */
	size_t count;
	const char *const *sections; /* that the file may have; NULL-ended */
};

/*
 * The section of an INI file for what has no value yet. A file that is not
 * there is OK if `must_exist` is false; an unknown section, or a setting that
 * this one has not, is ERR_INVALID with its line and the nearest one.
 */
MUST_USE enum err options_read_file(struct options *o, const char *path,
    const struct option_section *section, bool must_exist, struct fault *why);

/* NULL if there is none; rows that are not in the table are a mistake. */
const char *options_text(const struct options *o, const char *name);
bool options_flag(const struct options *o, const char *name);
const struct option_values *options_list(
    const struct options *o, const char *name);
MUST_USE enum err options_number(const struct options *o, const char *name,
    uint64_t *out, struct fault *why);
MUST_USE enum err options_duration_us(const struct options *o, const char *name,
    uint64_t *out, struct fault *why);

/* The lines of --help, aligned. */
MUST_USE enum err options_help(
    const struct option_row *rows, size_t row_count, struct buf *out);

#endif
