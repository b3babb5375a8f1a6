/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server — the control plane of a mesh: its configuration, kept and asked.
 *
 * Assembles the store and what lives on it. Everything runs on the loop that
 * it was opened with. What the API and the command line may do, they do
 * through these calls.
 */
#ifndef MESHD_SERVER_H
#define MESHD_SERVER_H

#include "base/base.h"
#include "loop/loop.h"
#include "model/model.h"

enum {
	SERVER_APPLY_MAX = 5000, /* documents of one apply */
	SERVER_ACTOR_MAX = 128
};

struct server;

struct server_spec {
	struct loop *loop;
	const char *state_dir;     /* made with mode 0700 if it is not there */
	const struct clock *clock; /* NULL is the machine's */
	/* Once: OK, and it serves; else it only can be closed. */
	void (*on_ready)(void *arg, enum err e, const struct fault *why);
	void *arg;
};

/* Never NULL. */
struct server *server_open(const struct server_spec *spec);

/* What was asked is answered first; then on_closed(arg). */
void server_close(struct server **sp, void (*on_closed)(void *arg), void *arg);

/*
 * Makes the state directory of a new mesh: the key under which secrets are
 * sealed, and the store. ERR_EXISTS if there is one already.
 */
MUST_USE enum err server_init(const char *state_dir, struct fault *why);

/* --- configuration --- */

/* Who asks, for the log and for what is allowed. */
struct server_actor {
	char name[SERVER_ACTOR_MAX]; /* "uid 0" */
	bool may_write;
};

struct server_apply_result {
	enum err err;            /* OK: all of it is in force and on disk */
	const struct fault *why; /* one sentence, if err is not OK */
	const struct findings *found; /* mistakes and warnings in documents */
	struct server_change {
		struct resource_key key;
		const char *outcome; /* "created", "updated", "unchanged" … */
	} const *changes;
	size_t count;
	uint64_t revision;
};

typedef void (*server_apply_cb)(void *arg, const struct server_apply_result *r);

struct server_apply_spec {
	const struct value *const *docs;
	size_t count;
	struct slice ns; /* where a document names none; "default" if empty */
	const struct server_actor *actor;
	struct slice request_id; /* of the caller, or empty */
	bool dry_run;            /* says what would change */
};

/*
 * All documents or none. Checks them again, whatever the client did. A
 * document with metadata.resourceVersion is applied only onto that revision.
 * The call-back comes once, maybe before this returns.
 */
void server_apply(struct server *s, const struct server_apply_spec *spec,
    server_apply_cb cb, void *arg);

/* All or none; ERR_NOT_FOUND names what is not there. */
void server_delete(struct server *s, const struct resource_key *keys,
    size_t count, const struct server_actor *actor, server_apply_cb cb,
    void *arg);

/* Empty slices match everything. */
struct server_filter {
	struct slice kind; /* kind, plural or alias */
	struct slice ns;
	struct slice name;
};

/*
 * Calls each with what matches, by kind, namespace, name; false stops.
 * ERR_INVALID, in words, for a kind that there is none of.
 */
MUST_USE enum err server_each_resource(struct server *s,
    const struct server_filter *filter,
    bool (*each)(void *arg, const struct resource *r), void *arg,
    struct fault *why);

/* A view of all configuration and no proxy of its own, for explain. */
MUST_USE enum err server_view(
    struct server *s, struct slice ns, struct view **out, struct fault *why);

struct server_log_row {
	uint64_t revision;
	int64_t time_ms;
	struct slice actor;
	struct slice what;
};

/* The last `limit` changes, newest first. */
void server_log(struct server *s, size_t limit,
    void (*cb)(
	void *arg, enum err e, const struct server_log_row *rows, size_t count),
    void *arg);

struct server_status {
	uint64_t revision;
	size_t resources;
	uint64_t uptime_us;
	size_t quarantined; /* stored, but no longer understood */
};

void server_status(const struct server *s, struct server_status *out);

#endif
