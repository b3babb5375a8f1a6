/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api — one question to a server or an agent, and its answer.
 */
#ifndef MESHD_API_H
#define MESHD_API_H

#include "base/base.h"

struct options;

/* Who a command is for. */
enum api_role { API_SERVER, API_SERVER_HERE, API_AGENT, API_EITHER };

struct api_question {
	enum api_role role;
	const char *method;
	const char *path;         /* with query */
	const struct value *body; /* NULL: none */
};

struct api_answer {
	struct arena arena;
	unsigned status;
	const struct value *body; /* NULL if there was none */
};

void api_answer_fini(struct api_answer *a);

/*
 * Asks whom the options name, and waits: a server elsewhere by --token, if the
 * command is not for this machine alone; else --socket if it was given; else
 * the role's own, which for either is the server's if this machine has one.
 * Whatever the status, OK if an answer came; ERR_UNREACHABLE, in words that say
 * what to do, if nobody answers.
 */
MUST_USE enum err api_ask(const struct options *o, const struct api_question *q,
    struct api_answer *out, struct fault *why);

/*
 * Asks as above and hands on each line of the answer as it comes, until it
 * ends or `on_line` says false; `line` is lent, without its newline. An answer
 * that is no 2xx is in `out`, as above.
 */
MUST_USE enum err api_follow(const struct options *o,
    const struct api_question *q, bool (*on_line)(void *arg, struct slice line),
    void *arg, struct api_answer *out, struct fault *why);

/*
 * The whole of a simple command: asks, and prints the answer as -o says, a
 * table by `print`. Returns the exit status.
 */
int api_show(const struct options *o, enum api_role role, const char *path,
    void (*print)(const struct value *body));

/* The same for a POST whose answer says nothing to people: these read `done`.
 */
int api_do(const struct options *o, enum api_role role, const char *path,
    const struct value *body, const char *done);

/*
 * For an answer that is no 2xx: prints its message and its lists of errors to
 * stderr; returns the exit status that fits, CLI_EXIT_OK for 2xx.
 */
int api_refused(const struct api_answer *a);

/* Path with a query parameter, percent-encoded; for building `path`. */
MUST_USE enum err api_path_add(
    struct buf *path, const char *name, const char *value);

/* The same for what is "true" or not there. */
MUST_USE enum err api_path_flag(struct buf *path, const char *name, bool set);

#endif
