/* SPDX-License-Identifier: Apache-2.0 */
/*
 * questions — many questions in one run: JSON in, JSON out, a line each.
 */
#ifndef MESHD_QUESTIONS_H
#define MESHD_QUESTIONS_H

#include "base/base.h"

/*
 * The answer to one; it and what it borrows live until the call returns. Not
 * OK: `why` is the answer.
 */
typedef enum err (*questions_answer_cb)(void *arg, const struct value *question,
    struct arena *arena, struct value **out, struct fault *why);

/*
 * Each line of the file is a question; empty ones are passed over. The n-th
 * line of the output is the answer to the n-th, or
 * {"error": {"code", "message"}}. Returns an exit status: not 0 if there was
 * any, after all were answered.
 */
int questions_run(const char *path, questions_answer_cb answer, void *arg);

#endif
