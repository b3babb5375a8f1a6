/* SPDX-License-Identifier: Apache-2.0 */
/*
 * documents — configuration from files, as a server is sent it.
 */
#ifndef MESHD_DOCUMENTS_H
#define MESHD_DOCUMENTS_H

#include "body.h"
#include "options.h"

struct files;

struct documents {
	struct body body;
	struct value *list; /* NULL: no room */
	/* Of each its "file" and "lines"; NULL: nobody wants them. */
	struct value *places;
};

void documents_init(struct documents *d);
void documents_fini(struct documents *d);

/*
 * Decodes all of `f`, so that mistakes are told with their place; `ns` is of
 * those that name none. Returns an exit status.
 */
int documents_add(struct documents *d, struct files *f, struct slice ns);

/*
 * Reads what -f names, adds it, and makes it the body's member "documents".
 * Returns an exit status.
 */
int documents_read(
    struct documents *d, struct files *f, const struct options *o);

#endif
