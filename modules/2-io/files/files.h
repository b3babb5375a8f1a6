/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files — documents of configuration from the disk: files, folders, stdin.
 *
 * Blocks: for commands and for jobs, never on a loop.
 */
#ifndef MESHD_FILES_H
#define MESHD_FILES_H

#include "base/base.h"
#include "model/model.h"

enum {
	FILES_MAX = 10000,
	FILES_DOCS_MAX = 100000,
	FILES_BYTES = 1 << 30 /* that a command takes */
};

/* One document and where it came from; text lives as long as `struct files`. */
struct files_doc {
	const struct value *root;
	const char *file;
	const char *place; /* as in struct resource_source */
};

struct files {
	struct arena arena; /* of all of it */
	struct files_doc *docs;
	size_t count;
	size_t cap;
	size_t file_count;
	uint8_t digest[CRYPTO_SHA256_LEN]; /* of all names and contents */
	struct findings
	    found; /* mistakes of syntax and, after decoding, more */
};

/* `limit` bounds the memory that they may take: ERR_LIMIT. */
void files_init(struct files *f, size_t limit);
void files_fini(struct files *f);

/*
 * True for what is read of a folder: *.yaml, *.yml, *.json, and nothing that
 * begins with a dot or that an editor makes beside it.
 */
bool files_wants(const char *name);

/*
 * Reads what `path` names: a file, "-", or a folder, of which what
 * files_wants() is read in the order of the names, not deeper. Mistakes of
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

/*
 * The documents by their keys, of several with one key the last; `ns` is of
 * those that name none. Borrowed from `f`: map_fini(out, NULL).
 */
void files_index(const struct files *f, struct slice ns, struct map *out);

/* NULL: there is none. */
const struct files_doc *files_find(
    const struct map *index, const struct resource_key *key);

/*
 * A mistake in f->found for each document of our kinds whose key one before it
 * has: they cannot both be in force. ERR_INVALID if there is any.
 */
MUST_USE enum err files_check_once(struct files *f, struct slice ns);

#endif
