/* SPDX-License-Identifier: Apache-2.0 */
/*
 * install — how a machine that reaches only this server gets the program.
 *
 * GET /install is a script, /install/meshd-linux-ARCH the program, and there
 * are the digests and a signature of them by the key that the port is pinned
 * by. Nobody has to say who he is, nothing of it is secret.
 */
#ifndef MESHD_ADMIN_INSTALL_H
#define MESHD_ADMIN_INSTALL_H

#include "inside.h"
#include "script.h"

struct install *install_open(struct admin *a);
void install_close(struct install **ip);

/* Whether it is asked for what is served here; not if `in` is NULL. */
bool install_takes(const struct install *in, const struct http_exchange *x);

/* Answers, now or later. */
void install_answer(
    struct install *in, struct http_exchange *x, const struct addr *from);

/*
 * Calls ready(arg), now or later, when the digests are those of the files as
 * they are; or when it is closed.
 */
void install_when_ready(
    struct install *in, void (*ready)(void *arg), void *arg);

/* The lines for this token, as of when it was last ready; in words. */
MUST_USE enum err install_lines(struct install *in, struct slice token,
    struct script_lines *out, struct fault *why);

#endif
