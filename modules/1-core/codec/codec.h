/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec — bytes to values and back: YAML, JSON, INI, the delta stream, and
 * what asks a gRPC server for its health.
 *
 * Pure: no file, no socket. What is parsed lies in the caller's arena and may
 * borrow from the input, so the text must live as long as the arena. Every
 * parser is bounded by limits.h and refuses what it does not understand.
 */
#ifndef MESHD_CODEC_H
#define MESHD_CODEC_H

#include "base/base.h"

/* --- YAML 1.2 core schema ------------------------------------------------- */

/* One document of a file. Positions in it count from the file's beginning. */
struct codec_document {
	const struct value *root; /* NULL if it had a mistake */
	uint32_t index;           /* from 0, empty ones included */
	uint32_t line;            /* where it begins */
};

struct codec_documents {
	const struct codec_document
	    *items; /* in the arena; empty ones left out */
	size_t count;
	bool cut_short; /* LIMIT_DOC_BYTES, _NODES or the arena was reached */
};

/*
 * Reads every document of `text`, going on after one that is wrong. `file`
 * names it in faults and may be NULL. Refused, with line and column: bytes
 * that are no UTF-8, NUL, duplicate keys, keys that are not scalars, tags,
 * merge keys, aliases to a node that contains them, and what is too deep or
 * too large (aliases count with all that they stand for).
 *
 * Plain scalars: true and false in three cases; null, ~ and nothing; decimal,
 * 0x and 0o integers; floats, .inf and .nan. Anything quoted is a string, and
 * so are yes, no, on and off. (Kubernetes reads those four as booleans; where
 * a boolean is expected the model says so.) An integer outside int64 is a
 * float.
 *
 * OK if no document had a mistake, else the first fault's code.
 */
MUST_USE enum err codec_yaml_parse(struct slice text, const char *file,
    struct arena *arena, struct codec_documents *out, struct faults *faults);

/* A text inside of another one: a single document, or the first mistake. */
MUST_USE enum err codec_yaml_parse_one(struct slice text, struct arena *arena,
    const struct value **out, struct fault *why);

/*
 * Appends one document in block style, without "---": two spaces a level,
 * keys in their order, strings quoted only where they would not read back as
 * the same string, several lines as a literal block. Parsing it gives an equal
 * tree. ERR_LIMIT when `out` is full.
 */
MUST_USE enum err codec_yaml_emit(const struct value *v, struct buf *out);

/* --- JSON (RFC 8259) ------------------------------------------------------ */

/*
 * One text, nothing behind it. Duplicate keys are refused; depth and size are
 * bounded; an integer outside int64 is ERR_LIMIT. Line and column are those
 * of the mistake; nodes have none.
 */
MUST_USE enum err codec_json_parse(struct slice text, struct arena *arena,
    const struct value **out, struct fault *why);

/*
 * Canonical: keys in byte order, no space, shortest numbers, only what must
 * be escaped is. Equal values give equal bytes. ERR_INVALID for a float that
 * JSON cannot say (infinity, not a number) and for text that is no UTF-8.
 */
MUST_USE enum err codec_json_emit(const struct value *v, struct buf *out);

/* For people: keys in their own order, two spaces a level, a newline last. */
MUST_USE enum err codec_json_emit_pretty(
    const struct value *v, struct buf *out);

/* --- INI, for meshd.conf -------------------------------------------------- */

enum { CODEC_INI_LINE_MAX = 4096 };

struct codec_ini_entry {
	struct slice section; /* empty before the first section */
	struct slice key;
	struct slice value; /* without the space around it */
	uint32_t line;      /* of the key */
};

struct codec_ini {
	const struct codec_ini_entry *entries; /* in file order, repeats kept */
	size_t count;
};

/*
 * `[section]`, `key = value`, comments from ; or # at the beginning of a line
 * only, so that a value may hold both. An indented line continues the value
 * before it and becomes an entry of its own with the same key. All mistakes go
 * to `faults`; what was right is in `out` all the same. Text is copied.
 */
MUST_USE enum err codec_ini_parse(struct slice text, const char *file,
    struct arena *arena, struct codec_ini *out, struct faults *faults);

/* --- the delta stream ----------------------------------------------------- */

/*
 * envoy.service.discovery.v3.DeltaDiscoveryRequest and …Response as plain
 * structs; fields that we neither send nor read are skipped when decoding.
 * Decoded text and arrays lie in the arena. ERR_PARSE for bytes that are no
 * such message, ERR_LIMIT past LIMIT_GRPC_MESSAGE or CODEC_DELTA_ITEMS_MAX,
 * and when the arena is full.
 */
enum { CODEC_DELTA_ITEMS_MAX = 200000 }; /* of one array */

struct codec_delta_version {
	struct slice name;
	struct slice version;
};

/* Why one resource of a response is not in force; travels in error_detail. */
struct codec_delta_refusal {
	struct slice name;
	struct slice version;
	struct slice reason; /* words */
};

struct codec_delta_request {
	struct slice node_id;
	struct slice node_cluster;
	struct slice type_url;
	const struct slice *subscribe;
	size_t subscribe_count;
	const struct slice *unsubscribe;
	size_t unsubscribe_count;
	const struct codec_delta_version
	    *initial; /* what a client has already */
	size_t initial_count;
	struct slice response_nonce; /* empty: not an answer */
	bool refused;                /* error_detail is there: a NACK */
	int32_t error_code;          /* google.rpc.Code */
	struct slice error_message;
	const struct codec_delta_refusal *refusals;
	size_t refusal_count;
};

struct codec_delta_resource {
	struct slice name;
	struct slice version;
	struct slice type_url; /* of the body; empty if there is no body */
	struct slice body;
};

struct codec_delta_response {
	struct slice system_version;
	struct slice type_url;
	struct slice nonce;
	const struct codec_delta_resource *resources;
	size_t resource_count;
	const struct slice *removed;
	size_t removed_count;
};

/* Appends the message; no gRPC prefix. ERR_LIMIT when `out` is full. */
MUST_USE enum err codec_delta_request_encode(
    const struct codec_delta_request *m, struct buf *out);
MUST_USE enum err codec_delta_response_encode(
    const struct codec_delta_response *m, struct buf *out);

MUST_USE enum err codec_delta_request_decode(
    struct slice bytes, struct arena *arena, struct codec_delta_request *out);
MUST_USE enum err codec_delta_response_decode(
    struct slice bytes, struct arena *arena, struct codec_delta_response *out);

/* --- grpc.health.v1 ------------------------------------------------------- */

enum { CODEC_HEALTH_SERVING = 1 }; /* of the states; also 0, 2 and 3 */

/* Appends HealthCheckRequest; no gRPC prefix. An empty service is all. */
MUST_USE enum err codec_health_request_encode(
    struct slice service, struct buf *out);

/* The state of HealthCheckResponse. ERR_PARSE. */
MUST_USE enum err codec_health_response_decode(
    struct slice bytes, int32_t *out_status);

#endif
