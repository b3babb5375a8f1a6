/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field — what a message of configuration may hold, as tables.
 *
 * One row says a field's name, type, presence, group, default, check and its
 * sentence of documentation. Decoding, defaults, validation and encoding read
 * the rows; a new kind is a new table, not new code.
 */
#ifndef MESHD_FIELD_H
#define MESHD_FIELD_H

#include "base/base.h"

enum field_type {
	FIELD_ANY,           /* only with FIELD_FOREIGN */
	FIELD_STRING,        /* struct slice */
	FIELD_BOOL,          /* bool */
	FIELD_INT,           /* int64_t, between min and max */
	FIELD_NUMBER,        /* double, between min and max */
	FIELD_ENUM,          /* int: a word's, upstream's number of it */
	FIELD_DURATION,      /* uint64_t in µs; text like "1h2m" or "0.25s" */
	FIELD_TREE,          /* const struct value *: a map, kept as it is */
	FIELD_INT_OR_STRING, /* struct int_or_string */
	FIELD_MESSAGE,       /* const struct of it *, NULL if absent */
	FIELD_STRING_MAP,    /* struct labels */
	FIELD_INT_MAP,       /* LIST_OF(struct int_entry), each as FIELD_INT */
	FIELD_MESSAGE_MAP    /* LIST_OF(struct message_entry) */
};

enum field_flags {
	FIELD_REPEATED = 1 << 0, /* LIST_OF the type */
	FIELD_REQUIRED = 1 << 1,
	FIELD_FOREIGN = 1 << 2, /* means something to Kubernetes only: warned */
	FIELD_NON_EMPTY = 1 << 3,  /* text or list has to hold something */
	FIELD_DEPRECATED = 1 << 4, /* accepted with a warning */
	/*
	 * Valid, but nothing acts on it yet: MSH0001. It is decoded, checked,
	 * kept and given back all the same. Also a flag of a word.
	 */
	FIELD_INERT = 1 << 5,
	/* The same, and its absence lets more through than it says: MSH0002. */
	FIELD_GUARD = 1 << 6,
	FIELD_SECRET = 1 << 7, /* a map of texts that only an admin is shown */
	/* Upstream's proto file calls it the same, so it has one spelling. */
	FIELD_ONE_NAME = 1 << 8
};

/* A list as it lies in a decoded message: an array in the arena. */
#define LIST_OF(type)                                                          \
	struct {                                                               \
		const type *items;                                             \
		size_t count;                                                  \
	}

struct label {
	struct slice key;
	struct slice value;
};

/* A map of strings, in the order of the file. */
struct labels {
	const struct label *items;
	size_t count;
};

/* The value of a label, or SLICE_NONE (ptr NULL) if it is not there. */
struct slice labels_get(const struct labels *l, struct slice key);

/* True if `l` has every pair of `wanted`; an empty `wanted` always fits. */
bool labels_match(const struct labels *l, const struct labels *wanted);

struct int_or_string {
	bool is_string;
	int64_t number;
	struct slice text;
};

/* A member of a map of numbers. */
struct int_entry {
	struct slice key;
	int64_t number;
};

/* A member of a map of messages; `message` points at the decoded struct. */
struct message_entry {
	struct slice key;
	const void *message;
};

enum { FIELDS_MAX = 128 }; /* rows of one message */

/* Every decoded message begins with this. */
struct message_head {
	uint32_t line; /* where it begins in its file; 0 if unknown */
	uint32_t column;
	uint64_t present[FIELDS_MAX / 64]; /* a bit for each row of its table */
};

struct check; /* the state of a validation, see validate.h */
struct message;

/* One value of one field; reports through check_fault(). */
typedef void (*field_check_cb)(struct check *c, const void *value);

/* A whole message, for rules between its fields. */
typedef void (*message_check_cb)(struct check *c, const void *message);

struct field_word {
	const char *word; /* "LEAST_REQUEST" */
	int value;        /* upstream's number, which may stand for the word */
	uint32_t flags;   /* FIELD_DEPRECATED, FIELD_INERT, FIELD_GUARD */
};

struct field {
	const char *name;
	enum field_type type;
	uint32_t flags; /* enum field_flags */
	/* Same number: the last row of them that is there counts; 0: none. */
	uint8_t oneof;
	size_t offset;                  /* in the decoded struct */
	const struct message *of;       /* FIELD_MESSAGE, FIELD_MESSAGE_MAP */
	const struct field_word *words; /* FIELD_ENUM; ends with word NULL */
	int64_t min; /* of FIELD_INT, FIELD_NUMBER; min = max = 0: any */
	int64_t max;
	uint32_t most;         /* items of a list, members of a map; 0: any */
	uint32_t longest;      /* bytes of a text; 0: any */
	const char *otherwise; /* the default as YAML would say it, or NULL */
	field_check_cb check;  /* may be NULL; each item of a list or map */
	const char *doc;       /* one sentence */
};

struct message {
	const char *name; /* "HTTPRoute" */
	size_t size;      /* of the decoded struct */
	const struct field *fields;
	size_t field_count;
	message_check_cb check; /* may be NULL */
	const char *doc;
};

/* True if the row of this name was there; dies if there is no such row. */
bool message_has(
    const struct message *m, const void *decoded, const char *field);

/* From now on it is as if it had been there. */
void message_mark(const struct message *m, void *decoded, const char *field);

/*
 * What one decoding found, each with place and field path. What is inert is
 * apart, since it says nothing about the document: `id` is "MSH0001", or
 * "MSH0002" where its absence lets more through than the document says.
 */
struct findings {
	struct faults errors;
	struct faults warnings;
	struct faults inert;
	size_t guards; /* of them, and of those dropped: "MSH0002" */
	/* Errors that left something unread: wrong types, unknown names. */
	size_t unread;
};

void findings_fini(struct findings *f);

/* Of what is inert: it is "MSH0002", and its code is not OK. */
bool finding_guards(const struct fault *why);

/*
 * Adds to what is inert. When that is full, what lets more through takes the
 * place of what only does nothing, so that it is always told.
 */
void findings_add_inert(struct findings *f, const struct fault *why);

/*
 * As a list for programs: {"code", "id", "file", "line", "column", "field",
 * "message"}, without what is not there. NULL when the arena is full.
 */
struct value *faults_value(const struct faults *f, struct arena *a);

/*
 * Fills a struct of m->size from `v` (a map), defaults included, and runs the
 * checks; every mistake is reported, what is wrong is left at its default.
 * `path` is the prefix of field paths ("spec"). Text is copied to the arena.
 * NULL only when the arena is full (reported too).
 */
const void *message_decode(const struct message *m, const struct value *v,
    const char *file, const char *path, struct arena *arena,
    struct findings *found);

/* What was present, in the order of the rows; NULL when the arena is full. */
struct value *message_encode(
    const struct message *m, const void *decoded, struct arena *arena);

#endif
