/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource — one object of configuration: its key, its place, its spec.
 *
 * Counted and immutable once decoded; any thread may hold a reference.
 */
#ifndef MESHD_RESOURCE_H
#define MESHD_RESOURCE_H

#include "kinds.h"

/* Versions of one group are one kind, so a key has none. */
struct resource_key {
	struct slice group; /* "networking.istio.io"; empty for core */
	struct slice kind;
	struct slice ns;
	struct slice name;
};

bool resource_key_eq(
    const struct resource_key *a, const struct resource_key *b);

/* By group, kind, namespace, name. */
int resource_key_cmp(
    const struct resource_key *a, const struct resource_key *b);

enum { RESOURCE_KEY_MAX = 640 };

/* "VirtualService/default/reviews", "Network/east", for people. Returns out. */
char *resource_key_format(
    const struct resource_key *k, char out[RESOURCE_KEY_MAX]);

struct resource;

/* Where in the document the fields of the spec are. */
enum resource_shape {
	RESOURCE_NESTED, /* under `spec` */
	RESOURCE_FLAT    /* beside metadata, as core's Secret has them */
};

/* A kind that is built: a row of the table of kinds. */
struct resource_kind {
	const char *group;
	const char *kind;
	const char *plural; /* "virtualservices"; also accepted by commands */
	const char *alias;  /* "vs" */
	const char *const *versions; /* newest first; ends with NULL */
	const struct message *spec;
	enum resource_shape shape;
	bool mesh_wide; /* in no namespace: that of its key is empty */
	/* Holds keys: sealed at rest, wiped when released, not for agents. */
	bool sealed;
	uint32_t flags; /* FIELD_INERT, FIELD_GUARD: of all of it */
	/* Rules between spec and metadata; `c` is the document. May be NULL. */
	void (*check)(struct check *c, const struct resource *r);
};

extern const struct resource_kind kind_service;
extern const struct resource_kind kind_virtual_service;
extern const struct resource_kind kind_destination_rule;
extern const struct resource_kind kind_peer_authentication;
extern const struct resource_kind kind_request_authentication;
extern const struct resource_kind kind_authorization_policy;
extern const struct resource_kind kind_gateway;
extern const struct resource_kind kind_sidecar;
extern const struct resource_kind kind_service_entry;
extern const struct resource_kind kind_workload_entry;
extern const struct resource_kind kind_workload_group;
extern const struct resource_kind kind_telemetry;
extern const struct resource_kind kind_wasm_plugin;
extern const struct resource_kind kind_traffic_extension;
extern const struct resource_kind kind_proxy_config;
extern const struct resource_kind kind_mesh_config;
extern const struct resource_kind kind_network;
extern const struct resource_kind kind_tls_secret;
extern const struct resource_kind kind_rate_limit_policy;
extern const struct resource_kind kind_health_check_policy;

/* The rows, for commands and documentation. */
const struct resource_kind *const *resource_kinds(size_t *out_count);

/* By kind, plural or alias, whatever the case; NULL if there is none. */
const struct resource_kind *resource_kind_find(struct slice word);

struct resource {
	struct resource_key key;
	const struct resource_kind *kind;
	const char *version; /* as written, of kind->versions */
	struct labels labels;
	struct labels annotations;
	uint64_t revision;  /* 0: never stored */
	int64_t created_ms; /* Unix time; 0: unknown */
	struct slice file;  /* empty: not from a file */
	uint32_t line;      /* of the document */
	const void *spec;   /* of kind->spec; never NULL */
};

/* How what is inside of a text is read, such as JSON in `jwks`:
 * codec_json_parse(). */
typedef enum err (*resource_json_cb)(struct slice text, struct arena *arena,
    const struct value **out, struct fault *why);

/* What is known of a document from outside. Borrowed for the call. */
struct resource_source {
	resource_json_cb parse_json;
	const char *file; /* NULL: none */
	/*
	 * Where the reader of the document sees the spec, as resource_unfold()
	 * says it; NULL: at "spec", or beside metadata in a flat kind.
	 */
	const char *place;
	struct slice ns; /* where metadata names none; "default" if empty */
	struct slice trust_domain; /* the mesh's own; empty: not known */
	uint64_t revision;  /* 0: metadata.resourceVersion, if that is ours */
	int64_t created_ms; /* 0: metadata.creationTimestamp */
	/*
	 * A resource that has mistakes is given all the same, what was wrong
	 * left at its default: for whoever looks at it beside others.
	 */
	bool keep_wrong;
};

/*
 * Decodes, fills defaults and validates one document. All mistakes are added
 * to `found` at once. OK and *out NULL: a Kubernetes kind that means nothing
 * here, skipped with a warning. On failure the code is the first error's:
 * ERR_PARSE, ERR_INVALID, ERR_UNSUPPORTED, ERR_LIMIT; *out is NULL, or with
 * keep_wrong what could be read, if the kind is one of ours.
 */
MUST_USE enum err resource_decode(const struct value *doc,
    const struct resource_source *source, struct resource **out,
    struct findings *found);

/*
 * Only the key, as far as it can be read, with the namespace filled in; for
 * `delete -f` and for messages about a document that is wrong. Borrows.
 */
MUST_USE enum err resource_key_read(const struct value *doc,
    struct slice default_ns, struct resource_key *out, struct fault *why);

/* `place` is for resource_source; both live as long as document and arena. */
typedef enum err (*resource_unfold_cb)(
    void *arg, const struct value *doc, const char *place);

/*
 * The documents that are meant by one of a file, in their order: the items of
 * a List (lists in lists are not looked into); the MeshConfig or the Networks
 * that one of upstream's plain documents stands for; nothing for an empty
 * map; the document itself. Ends with the first that is not OK, or with
 * ERR_LIMIT when the arena is full.
 */
MUST_USE enum err resource_unfold(const struct value *doc, struct arena *arena,
    resource_unfold_cb cb, void *arg);

enum resource_encoding {
	RESOURCE_AS_WRITTEN = 0,
	RESOURCE_WITH_STATE = 1 << 0, /* resourceVersion, creationTimestamp */
	RESOURCE_SEALED = 1 << 1      /* "(sealed)" in place of secrets */
};

/*
 * The document again: apiVersion, kind, metadata, spec; maps of strings in
 * byte order, fields in the order of the tables, nothing that was not
 * written. Text is borrowed from `r`. NULL when the arena is full.
 */
struct value *resource_encode(
    const struct resource *r, unsigned flags, struct arena *arena);

/* One of its own with all that it says; NULL: there is no room. */
struct resource *resource_copy(const struct resource *r);

struct resource *resource_ref(const struct resource *r);
void resource_unref(struct resource **rp);

/*
 * Older first, by the millisecond; of one moment by "name.namespace" as a
 * text, as Istio does: who wins a conflict.
 */
int resource_age_cmp(const struct resource *a, const struct resource *b);

/* Typed access; dies on another kind. */
const struct service_spec *resource_service(const struct resource *r);
const struct virtual_service *resource_virtual_service(
    const struct resource *r);
const struct destination_rule *resource_destination_rule(
    const struct resource *r);

#endif
