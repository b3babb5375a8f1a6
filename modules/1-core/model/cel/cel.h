/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cel — expressions over what is known of a request, in bounded time.
 *
 * The Common Expression Language of filters and of tags: its whole grammar and
 * its macros, and of its functions those of `functions.c`. Whether a text is
 * an expression is what Istio says, which only parses. What it refers to is
 * looked at apart, and by nobody but us: cel_check().
 *
 * Evaluating is pure: attributes come from a callback. Errors are values
 * inside an expression (false && error is false) and an enum err outside.
 * A parsed expression never changes: any thread may evaluate it at once.
 */
#ifndef MESHD_CEL_H
#define MESHD_CEL_H

#include "base/base.h"

enum {
	CEL_TEXT_MAX = 100000, /* bytes of an expression */
	CEL_NODES_MAX = 10000,
	CEL_NESTING_MAX = 250, /* brackets in brackets, a.b.c, a + b + c */
	CEL_DEPTH_MAX = 1000,  /* of the tree that they make */
	CEL_STEPS_MAX = 20000, /* of an evaluation: nodes, and 64 bytes each */
	CEL_ITEMS_MAX = 10000  /* of a list that an evaluation makes */
};

struct cel; /* opaque */

/*
 * Parses; copies the text. ERR_PARSE for what is no expression, with the byte
 * where it goes wrong; ERR_LIMIT for what is too large; ERR_NO_MEMORY.
 */
MUST_USE enum err cel_parse(
    struct slice text, struct cel **out, struct fault *why);
void cel_free(struct cel **cp);

/*
 * What the expression refers to that is not there when it is evaluated: names
 * that are no attribute of Envoy's, functions that are none of ours or have
 * other arguments, regular expressions that are none.
 */
void cel_check(const struct cel *c, struct faults *out);

enum cel_type {
	CEL_ERROR,
	CEL_NULL,
	CEL_BOOL,
	CEL_INT,
	CEL_UINT,
	CEL_DOUBLE,
	CEL_STRING,
	CEL_BYTES,
	CEL_LIST,
	CEL_MAP,
	CEL_TIMESTAMP, /* `integer`: µs since 1970 */
	CEL_DURATION,  /* `integer`: µs */
	CEL_TYPE,      /* what type() gives; `text` is its name */
	CEL_OBJECT,    /* what the callback knows the members of */
	CEL_TYPES
};

struct cel_value {
	enum cel_type type;
	union {
		bool boolean;
		int64_t integer;
		uint64_t natural;
		double real;
		struct slice text; /* CEL_ERROR: what went wrong */
		struct {
			const struct cel_value *items; /* map: key, value, … */
			size_t count;                  /* pairs of a map */
		} list;
		const void *object;
	};
};

/* What an expression is evaluated over; `arg` goes to the callback. */
struct cel_scope {
	/*
	 * The member of an object, or of the scope itself if `object` is NULL;
	 * false if there is none. What it gives lives as long as the result,
	 * perhaps in the arena.
	 */
	bool (*member)(void *arg, const void *object, struct slice name,
	    struct arena *arena, struct cel_value *out);
	void *arg;
};

/*
 * The value, which lies in the arena, in the expression and in what the
 * callback gave. ERR_INVALID with words for an error, ERR_LIMIT after
 * CEL_STEPS_MAX, and when the arena is full.
 */
MUST_USE enum err cel_eval(const struct cel *c, const struct cel_scope *scope,
    struct arena *arena, struct cel_value *out, struct fault *why);

/* As a person would write it; a list and a map as such. For tags and logs. */
MUST_USE enum err cel_print(const struct cel_value *v, struct buf *out);

#endif
