/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value — a document as a tree, with the place of each node in its file.
 *
 * What codec makes of YAML and JSON and what model reads. Nodes live in an
 * arena; a map keeps the order of its keys and has no duplicate.
 */
#ifndef MESHD_VALUE_H
#define MESHD_VALUE_H

#include "arena.h"

enum value_type {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,   /* fits int64 */
	VALUE_FLOAT, /* everything else that is a number */
	VALUE_STRING,
	VALUE_LIST,
	VALUE_MAP
};

struct value_index;

struct value {
	enum value_type type;
	uint32_t line;   /* from 1; 0 for a tree made in memory */
	uint32_t column; /* from 1 */
	union {
		bool boolean;
		int64_t integer;
		double real;
		struct slice string;
		struct {
			struct arena *arena;
			struct value_index *index; /* once it has many keys */
		} map;                             /* private to value.c */
	};
	struct slice key;    /* inside a map */
	struct value *child; /* first of a list or map */
	struct value *last;
	struct value *next; /* sibling */
	size_t count;       /* children */
};

/* "string", "list" …, for messages. */
const char *value_type_name(enum value_type t);

/* The member of a map, or NULL; NULL too if `v` is NULL or no map. */
const struct value *value_get(const struct value *v, struct slice key);

/* Through nested maps by dots: "metadata.name". */
const struct value *value_get_path(const struct value *v, struct slice path);

/*
 * Along "a[1].b", one step: what stands there, or NULL; cuts the step off.
 * `get` finds a member by its name, as value_get() does.
 */
const struct value *value_step(const struct value *v, struct slice *path,
    const struct value *(*get)(const struct value *v, struct slice key));

/* The line of the last along such a path that has one; 0 if none has. */
uint32_t value_line(const struct value *v, struct slice path);

/* The string member, or `otherwise` if absent or no string. */
struct slice value_get_string(
    const struct value *v, struct slice key, struct slice otherwise);

/* The same for a whole number. */
int64_t value_get_int(
    const struct value *v, struct slice key, int64_t otherwise);

/* Makers; NULL when the arena is full. Text is borrowed, not copied. */
struct value *value_new(struct arena *a, enum value_type t) MUST_USE;
struct value *value_new_string(struct arena *a, struct slice s) MUST_USE;
struct value *value_new_int(struct arena *a, int64_t n) MUST_USE;
struct value *value_new_bool(struct arena *a, bool b) MUST_USE;

/* The same node to be put elsewhere, with the same children; see value_copy. */
struct value *value_share(const struct value *v, struct arena *a) MUST_USE;

/* Appends to a list. item may be NULL (arena full): ERR_NO_MEMORY. */
MUST_USE enum err value_append(struct value *list, struct value *item);

/* Adds to a map; ERR_EXISTS for a key that is there. Borrows the key. */
MUST_USE enum err value_set(
    struct value *map, struct slice key, struct value *item);

/*
 * For whole trees: what does not fit turns *map (or *list) to NULL, then the
 * rest does nothing, so that one look at the end is enough. Keys are borrowed,
 * text is copied, `item` may be NULL (arena full).
 */
void value_put(struct value **map, struct slice key, struct value *item);
void value_push(struct value **list, struct value *item);
void value_put_text(
    struct arena *a, struct value **map, struct slice key, struct slice text);
void value_put_int(
    struct arena *a, struct value **map, struct slice key, int64_t n);
void value_put_bool(
    struct arena *a, struct value **map, struct slice key, bool b);
void value_push_text(struct arena *a, struct value **list, struct slice text);
/* As base64url without padding. */
void value_put_bytes(
    struct arena *a, struct value **map, struct slice key, struct slice bytes);

/*
 * The whole tree with its texts and places; NULL when the arena is full. As
 * deep as the tree, which whoever parsed it has bounded.
 */
struct value *value_copy(const struct value *v, struct arena *a) MUST_USE;

/*
 * The lines of the maps in it, each before those within, as a list of numbers;
 * NULL when the arena is full. And back, into a tree of the same shape: what
 * is no such list of numbers leaves the rest without a line.
 */
struct value *value_lines(const struct value *v, struct arena *a) MUST_USE;
void value_set_lines(struct value *v, const struct value *lines);

/* Same type, same content; maps without regard to order. */
bool value_eq(const struct value *a, const struct value *b);

#define VALUE_EACH(parent, it)                                                 \
	for (const struct value *it = (parent) ? (parent)->child : NULL;       \
	     it != NULL; it = it->next)

#endif
