/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files — configuration from the command line: files, folders, stdin.
 */
#ifndef MESHD_FILES_H
#define MESHD_FILES_H

#include "base/base.h"
#include "model/model.h"

enum { FILES_MAX = 10000, FILES_DOCS_MAX = 100000 };

/* One document and where it came from; text lives as long as `struct files`. */
struct files_doc {
	const struct value *root;
	const char *file;
	const char *place; /* as in struct resource_source */
};

struct files {
	struct arena arena;
	struct files_doc *docs;
	size_t count;
	size_t cap;
	size_t file_count;
	struct findings
	    found; /* mistakes of syntax and, after decoding, more */
};

void files_init(struct files *f);
void files_fini(struct files *f);

/*
 * Reads what `path` names: a file, "-", or a folder, of which *.yaml, *.yml
 * and *.json are read in the order of their names, not deeper. Mistakes of
 * syntax go to f->found; ERR_… and words only if it cannot be read at all.
 */
MUST_USE enum err files_read(
    struct files *f, const char *path, struct fault *why);

/*
 * Decodes all documents, adding to f->found, which is then in the order of
 * the files; `each` takes every resource that was right. ERR_INVALID if there
 * were mistakes.
 */
MUST_USE enum err files_decode(struct files *f, struct slice ns,
    void (*each)(void *arg, struct resource *r), void *arg);

#endif
