/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes — a command that changes configuration: asked, and what came of it.
 */
#ifndef MESHD_CHANGES_H
#define MESHD_CHANGES_H

#include "body.h"
#include "command.h"

enum changes_how {
	CHANGES_DONE,  /* a line for each resource */
	CHANGES_DRY,   /* the same, and one for each difference */
	CHANGES_BLAST, /* and one for each effect on calls */
	CHANGES_DIFF   /* only what is different; CHANGES_DIFFERENT if it is */
};

enum { CHANGES_DIFFERENT = 100 }; /* none of enum cli_exit */

struct files;

/* What --dry-run and --blast say; in words if they do not go together. */
int changes_how(const struct options *o, enum changes_how *out);

/*
 * Sends the body to a path and prints, as -o says, what changed or would
 * change, and to stderr what that brings beside the rest, found again in `f`
 * (NULL: there are no files). Returns the exit status of the command.
 */
int changes_ask(const struct options *o, const char *path,
    const struct body *body, const struct files *f, enum changes_how how);

#endif
