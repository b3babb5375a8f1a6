/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files — documents of configuration from the disk: files, folders, stdin.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"

#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, KEY_BYTES = 2048 };

void
files_init(struct files *f, size_t limit)
{
	*f = (struct files){0};
	arena_init(&f->arena, limit);
	f->arena.secret = true; /* one of many documents may be a Secret */
}

void
files_fini(struct files *f)
{
	findings_fini(&f->found);
	mem_free(&f->docs);
	arena_fini(&f->arena);
}

/* --- reading ----------------------------------------------------------------
 */

/* What is being read. */
struct reading {
	struct files *files;
	const char *file;
};

static enum err
add_one(void *arg, const struct value *root, const char *place)
{
	const struct reading *r = arg;
	struct files *f = r->files;

	if (f->count == FILES_DOCS_MAX)
		return ERR_LIMIT;
	if (f->count == f->cap) {
		size_t cap = MAX(f->cap * 2, 64);

		f->docs = mem_resize(f->docs, f->cap, cap, sizeof(*f->docs));
		f->cap = cap;
	}
	f->docs[f->count++] = (struct files_doc){root, r->file, place};
	return OK;
}

static enum err
add_doc(struct files *f, const struct value *root, const char *file,
    struct fault *why)
{
	struct reading r = {f, file};
	enum err e = resource_unfold(root, &f->arena, add_one, &r);

	return e == OK ? OK
		       : fault_set(why, e, "%s: more than %d documents", file,
			     FILES_DOCS_MAX);
}

/* Mistakes of syntax do not end the reading: all of them are to be seen. */
static enum err
parse(struct files *f, struct slice text, const char *file, struct fault *why)
{
	struct codec_documents docs = {0};
	enum err e =
	    codec_yaml_parse(text, file, &f->arena, &docs, &f->found.errors);

	if (e != OK && f->found.errors.count == 0)
		return fault_set(why, e, "%s: %s", file, err_text(e));
	for (size_t i = 0; i < docs.count; i++) {
		if (docs.items[i].root == NULL)
			continue;
		e = add_doc(f, docs.items[i].root, file, why);
		if (e != OK)
			return e;
	}
	return OK;
}

static enum err
keep_text(struct files *f, struct buf *text, struct slice *out)
{
	return arena_copy(&f->arena, buf_slice(text), out);
}

/* The digest so far and the digests of this one, digested. */
static void
digest(struct files *f, struct slice name, struct slice text)
{
	uint8_t parts[3][CRYPTO_SHA256_LEN];

	memcpy(parts[0], f->digest, sizeof(parts[0]));
	crypto_sha256(name, parts[1]);
	crypto_sha256(text, parts[2]);
	crypto_sha256(slice_of(parts, sizeof(parts)), f->digest);
}

static enum err
read_stdin(struct buf *out, struct fault *why)
{
	for (;;) {
		enum { STEP = 64 << 10 };
		char *room;
		ssize_t n;

		if (buf_reserve(out, STEP, &room) != OK)
			return fault_set(why, ERR_LIMIT,
			    "standard input is larger than %d bytes",
			    LIMIT_DOC_BYTES);
		n = read(STDIN_FILENO, room, STEP);
		if (n < 0 && errno != EINTR)
			return fault_set(why, err_from_errno(errno),
			    "cannot read standard input: %s", strerror(errno));
		if (n == 0)
			return OK;
		if (n > 0)
			buf_commit(out, (size_t)n);
	}
}

static enum err
read_one(struct files *f, const char *path, struct fault *why)
{
	AUTO(buf_fini)
	struct buf text = BUF_SECRET(LIMIT_DOC_BYTES + (64 << 10));
	bool is_stdin = strcmp(path, "-") == 0;
	struct slice name;
	struct slice kept;
	enum err e;

	if (++f->file_count > FILES_MAX)
		return fault_set(
		    why, ERR_LIMIT, "more than %d files", FILES_MAX);
	e = is_stdin ? read_stdin(&text, why) : file_read(path, &text, why);
	if (e != OK)
		return e;
	e = arena_copy(
	    &f->arena, is_stdin ? S("standard input") : slice_str(path), &name);
	if (e == OK)
		e = keep_text(f, &text, &kept);
	if (e != OK)
		return fault_set(why, e, "%s: %s", path, err_text(e));
	digest(f, name, kept);
	return parse(f, kept, name.ptr, why);
}

bool
files_wants(const char *name)
{
	struct slice s = slice_str(name);

	return s.ptr[0] != '.' &&
	       (slice_ends(s, S(".yaml")) || slice_ends(s, S(".yml")) ||
		   slice_ends(s, S(".json")));
}

static int
wanted(const struct dirent *d)
{
	return files_wants(d->d_name) ? 1 : 0;
}

static enum err
read_folder(struct files *f, const char *path, struct fault *why)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, wanted, alphasort);
	enum err e = OK;

	if (n < 0)
		return fault_set(why, err_from_errno(errno),
		    "cannot read the folder %s: %s", path, strerror(errno));
	if (n == 0)
		e = fault_set(why, ERR_NOT_FOUND,
		    "%s holds no .yaml, .yml or .json file", path);
	for (int i = 0; i < n; i++) {
		char file[PATH_BYTES];

		(void)snprintf(file, sizeof(file), "%s%s%s", path,
		    slice_ends(slice_str(path), S("/")) ? "" : "/",
		    names[i]->d_name);
		if (e == OK)
			e = read_one(f, file, why);
		mem_free(&names[i]);
	}
	mem_free(&names);
	return e;
}

enum err
files_read(struct files *f, const char *path, struct fault *why)
{
	struct stat st;

	if (strcmp(path, "-") != 0 && stat(path, &st) == 0 &&
	    S_ISDIR(st.st_mode))
		return read_folder(f, path, why);
	return read_one(f, path, why);
}

/* --- decoding --- */

enum err
files_decode(struct files *f, struct slice ns,
    void (*each)(void *arg, struct resource *r), void *arg)
{
	for (size_t i = 0; i < f->count; i++) {
		struct resource_source source = {.parse_json = codec_json_parse,
		    .file = f->docs[i].file,
		    .place = f->docs[i].place,
		    .ns = ns};
		struct resource *r = NULL;

		if (resource_decode(f->docs[i].root, &source, &r, &f->found) ==
			OK &&
		    r != NULL)
			each(arg, r);
	}
	faults_sort(&f->found.errors);
	faults_sort(&f->found.warnings);
	return f->found.errors.count > 0 ? ERR_INVALID : OK;
}

/* --- by their keys --- */

/* Empty for a key that is too long to be one. */
static struct slice
key_text(const struct resource_key *k, char out[KEY_BYTES])
{
	int n =
	    snprintf(out, KEY_BYTES, "%.*s/%.*s/%.*s/%.*s", SLICE_ARG(k->group),
		SLICE_ARG(k->kind), SLICE_ARG(k->ns), SLICE_ARG(k->name));

	return slice_of(out, n < 0 || n >= KEY_BYTES ? 0 : (size_t)n);
}

/* What had the key before, or NULL. */
static const struct files_doc *
put(struct map *index, const struct resource_key *k,
    const struct files_doc *doc)
{
	char text[KEY_BYTES];

	return map_put(
	    index, key_text(k, text), (void *)(uintptr_t)doc); /* borrowed */
}

void
files_index(const struct files *f, struct slice ns, struct map *out)
{
	map_init(out);
	for (size_t i = 0; i < f->count; i++) {
		struct resource_key k;

		if (resource_key_read(f->docs[i].root, ns, &k, NULL) == OK)
			(void)put(out, &k, &f->docs[i]); /* the last counts */
	}
}

const struct files_doc *
files_find(const struct map *index, const struct resource_key *key)
{
	char text[KEY_BYTES];

	return map_get(index, key_text(key, text));
}

static void
tell_twice(struct files *f, const struct resource_key *k,
    const struct files_doc *doc, const struct files_doc *before)
{
	char name[RESOURCE_KEY_MAX];
	struct fault why = {0};

	(void)fault_set(&why, ERR_INVALID,
	    "%s is in %s:%" PRIu32 " already; one of them has to go",
	    resource_key_format(k, name), before->file, before->root->line);
	fault_at(&why, doc->file, doc->root->line, 0);
	faults_add(&f->found.errors, &why);
}

static bool
is_ours(const struct resource_key *k)
{
	const struct resource_kind *kind = resource_kind_find(k->kind);

	return kind != NULL && slice_eq(k->group, slice_str(kind->group));
}

enum err
files_check_once(struct files *f, struct slice ns)
{
	size_t errors = f->found.errors.count;
	struct map seen;

	map_init(&seen);
	for (size_t i = 0; i < f->count; i++) {
		const struct files_doc *before;
		struct resource_key k;

		if (resource_key_read(f->docs[i].root, ns, &k, NULL) != OK ||
		    !is_ours(&k))
			continue;
		before = put(&seen, &k, &f->docs[i]);
		if (before != NULL)
			tell_twice(f, &k, &f->docs[i], before);
	}
	map_fini(&seen, NULL);
	return f->found.errors.count > errors ? ERR_INVALID : OK;
}
