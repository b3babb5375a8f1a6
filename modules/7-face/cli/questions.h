/* SPDX-License-Identifier: Apache-2.0 */
/*
 * questions — many questions at once: a JSON object a line comes in, and one
 * a line goes out, in the same order.
 */
#ifndef MESHD_QUESTIONS_H
#define MESHD_QUESTIONS_H

#include "base/base.h"

enum { QUESTION_BYTES_MAX = 1 << 20 }; /* of one line */

/*
 * The answer to one question, made in the arena, which is given back when it
 * is printed. NULL, with words, if there is none.
 */
typedef const struct value *(*question_cb)(void *arg,
    const struct value *question, struct arena *arena, struct fault *why);

/*
 * Reads `path`, or standard input if it is "-". What cannot be answered is
 * {"fault": {code, message}}, and lets the exit status that is returned be
 * CLI_EXIT_INVALID. Empty lines are passed over.
 */
int questions_run(const char *path, question_cb answer, void *arg);

#endif
