/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err — what went wrong, as a code for programs and as words for people.
 *
 * Every function that can fail returns an enum err. Where a human will read
 * the outcome (configuration, CLI, CA, start-up) it also takes a struct fault;
 * the data plane moves codes only.
 */
#ifndef MESHD_ERR_H
#define MESHD_ERR_H

#include "attr.h"

/*	X(name, text, breaks the connection rather than one stream)	*/
#define ERR_TABLE(X)                                                           \
	X(OK, "ok", 0)                                                         \
	X(ERR_AGAIN, "not ready yet", 0)                                       \
	X(ERR_EOF, "end of stream", 0)                                         \
	X(ERR_PARSE, "malformed input", 1)                                     \
	X(ERR_LIMIT, "limit exceeded", 0)                                      \
	X(ERR_INVALID, "invalid value", 0)                                     \
	X(ERR_UNSUPPORTED, "not supported yet", 0)                             \
	X(ERR_NOT_FOUND, "not found", 0)                                       \
	X(ERR_EXISTS, "already there", 0)                                      \
	X(ERR_CONFLICT, "changed by someone else", 0)                          \
	X(ERR_DENIED, "denied", 0)                                             \
	X(ERR_AUTH, "authentication failed", 1)                                \
	X(ERR_EXPIRED, "expired", 0)                                           \
	X(ERR_TIMEOUT, "timed out", 0)                                         \
	X(ERR_REFUSED, "connection refused", 1)                                \
	X(ERR_RESET, "connection reset", 1)                                    \
	X(ERR_UNREACHABLE, "unreachable", 1)                                   \
	X(ERR_PROTOCOL, "protocol violation", 1)                               \
	X(ERR_TLS, "TLS failure", 1)                                           \
	X(ERR_CLOSED, "closed", 0)                                             \
	X(ERR_CANCELLED, "cancelled", 0)                                       \
	X(ERR_BUSY, "busy", 0)                                                 \
	X(ERR_NO_MEMORY, "out of memory", 1)                                   \
	X(ERR_NO_SPACE, "no space left", 0)                                    \
	X(ERR_PERMISSION, "no permission", 0)                                  \
	X(ERR_IO, "input or output error", 1)                                  \
	X(ERR_CORRUPT, "corrupt data", 1)                                      \
	X(ERR_INTERNAL, "internal error", 1)

enum err {
#define X(name, text, fatal) name,
	ERR_TABLE(X)
#undef X
	    ERR_COUNT
};

/* "ERR_LIMIT"; a static string. */
const char *err_name(enum err e);

/* "limit exceeded"; a static string. */
const char *err_text(enum err e);

/* True if the whole connection is broken, false if one stream of it is. */
bool err_is_fatal(enum err e);

/* The code for an errno value; ERR_IO for what is not in the table. */
enum err err_from_errno(int errnum);

enum { FAULT_TEXT_MAX = 512, FAULT_FIELD_MAX = 256, FAULT_FILE_MAX = 256 };

/*
 * One failure in words, in the caller's storage. `line` and `column` count
 * from 1; 0 means that there is none. Text that does not fit ends in "...";
 * it is UTF-8, whatever it was made of and wherever it was cut.
 */
struct fault {
	enum err code;
	uint32_t line;
	uint32_t column;
	char file[FAULT_FILE_MAX];
	char field[FAULT_FIELD_MAX]; /* "spec.http[0].route[1].weight" */
	char text[FAULT_TEXT_MAX];
	const char *id; /* static: "IST0101", "MSH0001"; NULL: it has none */
};

/*
 * enum err fault_set(struct fault *why, enum err code, const char *fmt, ...)
 *
 * Writes words (why may be NULL) and returns `code`, for `return fault_set`.
 * It starts afresh: the place of an earlier fault is forgotten. A macro, so
 * that compiler and analyzers see that what comes back is `code`.
 */
#define fault_set(why, code, ...)                                              \
	__extension__({                                                        \
		enum err fault_set_ = (code);                                  \
		fault_write(why, fault_set_, __VA_ARGS__);                     \
		fault_set_;                                                    \
	})

/*
 * enum err fault_prefix(struct fault *why, enum err code, const char *fmt, ...)
 *
 * Puts words before what is there already: "reading x: " … ; returns `code`,
 * which is the caller's because why may be NULL. A macro as above.
 */
#define fault_prefix(why, code, ...)                                           \
	__extension__({                                                        \
		enum err fault_prefix_ = (code);                               \
		fault_write_before(why, fault_prefix_, __VA_ARGS__);           \
		fault_prefix_;                                                 \
	})

/* What the two above do to *why. */
void fault_write(struct fault *why, enum err code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void fault_write_before(struct fault *why, enum err code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Adds where it was. `file` may be NULL, line and column 0. */
void fault_at(struct fault *why, const char *file, uint32_t line, uint32_t col);

/* Adds which field it was: "spec.hosts[0]". */
void fault_in(struct fault *why, const char *field);

/*
 * "file:line:column: field: text [id]" without the parts that are not there;
 * cut.
 */
void fault_format(const struct fault *why, char *out, size_t out_len);

/* A bounded list of faults: all the mistakes of a file at once. */
enum { FAULTS_MAX = 200 };

struct faults {
	struct fault *items; /* heap, grown on demand */
	size_t count;
	size_t dropped; /* what did not fit any more */
};

void faults_fini(struct faults *f);

/* Copies `why` in unless it is there; past FAULTS_MAX only counted. */
void faults_add(struct faults *f, const struct fault *why);

/* By line and column within a file; files stay in the order they came. */
void faults_sort(struct faults *f);

#endif
