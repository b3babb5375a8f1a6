/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes — a command that changes configuration: asked, and what came of it.
 */
#ifndef MESHD_CHANGES_H
#define MESHD_CHANGES_H

#include "body.h"
#include "command.h"

/*
 * Sends the body and prints, as -o says, what changed or would change; the
 * exit status of the command.
 */
int changes_ask(const struct options *o, const char *path,
    const struct body *body, bool dry_run);

#endif
