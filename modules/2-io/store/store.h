/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store — what the mesh must not forget: SQLite as a state machine.
 *
 * Every write is one mutation, a list of operations that happen all or not at
 * all. Applying it is deterministic: time, ids, randomness and the actor are
 * in it. Writes and reads run on the store's own thread; every callback runs
 * on the loop that the store was opened with, and never inside the call that
 * asked. What a callback is shown is lent for that call.
 *
 * Volatile things (health, heartbeats) and a server's own intermediate key do
 * not belong here.
 */
#ifndef MESHD_STORE_H
#define MESHD_STORE_H

#include "base/base.h"

struct loop;
struct store;       /* opaque */
struct store_watch; /* opaque */

enum {
	STORE_OPS_MAX = 20001,         /* operations of one mutation */
	STORE_MUTATION_MAX = 32 << 20, /* bytes of one mutation */
	STORE_NAME_MAX = 512,          /* bytes of any name, id or actor */
	STORE_QUEUE_MAX = 4096,        /* proposals waiting; then ERR_BUSY */
	STORE_LOG_MAX = 10000,         /* mutations kept in the log, */
	STORE_LOG_BYTES = 64 << 20,    /* and bytes, but for the newest */
	STORE_ROWS_MAX = 1000,         /* rows of one answer */
	STORE_HISTORY_MAX = 100        /* versions of one resource */
};

/*
 * One row of each kind. Text is as its owner wrote it; what is marked (key)
 * names the row. JSON columns are opaque here.
 */
struct store_resource {
	struct slice group;  /* (key) "networking.istio.io", "" for core */
	struct slice kind;   /* (key) */
	struct slice ns;     /* (key) "" where there is none */
	struct slice name;   /* (key) */
	struct slice labels; /* canonical JSON object */
	struct slice body;   /* canonical JSON of the whole resource */
};

struct store_token {
	struct slice id;     /* (key) */
	struct slice secret; /* sealed by store_seal() */
	struct slice bounds; /* JSON: what it grants */
	struct slice note;
	int64_t max_uses;
	int64_t expires_ms;
	int64_t uses;       /* counted by the store, ignored when put */
	int64_t revoked_ms; /* 0: not revoked; ignored when put */
};

struct store_node {
	struct slice name;       /* (key) */
	struct slice id;         /* hex; no two nodes have the same */
	struct slice key_hash;   /* hex SHA-256 of the node key's SPKI */
	struct slice gossip_key; /* hex Ed25519 public key */
	struct slice
	    grants; /* JSON: namespaces, accounts, network, since when */
	struct slice serials;  /* JSON: serials of its last certificates */
	struct slice token_id; /* that let it in */
};

struct store_cert {
	struct slice serial; /* (key) hex; never issued twice */
	struct slice identity;
	struct slice node;
	int64_t not_before_ms;
	int64_t expires_ms;
};

struct store_revocation {
	struct slice what; /* (key) a serial or an identity */
	struct slice reason;
	int64_t since_ms;   /* issued before this: no longer valid */
	int64_t expires_ms; /* after this nothing is left to revoke */
};

struct store_sealed {
	struct slice name; /* (key) "ca/root" */
	struct slice blob; /* sealed by store_seal() */
	struct slice info; /* JSON of what may be read without the key */
};

struct store_setting {
	struct slice name; /* (key) */
	struct slice value;
};

/* A key that a token let in; written by STORE_CONSUME_TOKEN only. */
struct store_token_use {
	struct slice token_id; /* (key) */
	struct slice key_hash; /* (key) */
	struct slice node;
};

enum store_table {
	STORE_RESOURCES,
	STORE_TOKENS,
	STORE_TOKEN_USES,
	STORE_NODES,
	STORE_CERTS,
	STORE_REVOCATIONS,
	STORE_SEALED,
	STORE_SETTINGS,
	STORE_TABLE_COUNT
};

enum store_outcome {
	STORE_UNCHANGED,
	STORE_CREATED,
	STORE_UPDATED,
	STORE_DELETED
};

struct store_row {
	enum store_table table;
	bool deleted;       /* in a change or a history: it is gone */
	uint64_t revision;  /* of the mutation that last changed it */
	int64_t created_ms; /* kept over updates */
	int64_t updated_ms;
	/* In a history only: who changed it to this, and how. */
	struct slice actor;
	enum store_outcome outcome;
	union {
		struct store_resource resource;
		struct store_token token;
		struct store_token_use token_use;
		struct store_node node;
		struct store_cert cert;
		struct store_revocation revocation;
		struct store_sealed sealed;
		struct store_setting setting;
	};
};

/* What revision a row must have for an operation to happen. */
enum { STORE_EXPECT_ANY = -1, STORE_EXPECT_ABSENT = 0 /* or a revision */ };

enum store_op_type {
	/*
	 * Writes `row` (revision and times in it are ignored). A row that is
	 * the same already stays as it is. ERR_CONFLICT when `expected` does
	 * not hold; a certificate's serial must always be new.
	 */
	STORE_PUT,
	/* Only the key in `row` counts. ERR_NOT_FOUND, ERR_CONFLICT. */
	STORE_DELETE,
	/*
	 * `row.token_use`: the token lets this key in. ERR_NOT_FOUND; revoked:
	 * ERR_DENIED; ERR_EXPIRED by the mutation's time; all uses taken by
	 * other keys: ERR_LIMIT. The same key may come again.
	 */
	STORE_CONSUME_TOKEN,
	/* `row.token.id`; revoking twice is no change. */
	STORE_REVOKE_TOKEN,
	/*
	 * Forgets certificates, revocations, and tokens with their uses that
	 * expired before the mutation's time less `keep_ms`.
	 */
	STORE_SWEEP
};

struct store_op {
	enum store_op_type type;
	int64_t expected; /* STORE_PUT and STORE_DELETE */
	int64_t keep_ms;  /* STORE_SWEEP */
	struct store_row row;
};

struct store_mutation {
	struct slice actor; /* "uid 0", "agent vm1": for the log */
	/*
	 * Chosen by the caller, or empty. A second mutation with the id of one
	 * that is still in the log changes nothing and gives its revision.
	 */
	struct slice request_id;
	int64_t time_ms; /* wall clock of who proposes */
	const struct store_op *ops;
	size_t op_count;
};

const char *store_outcome_name(enum store_outcome o); /* "created" */

struct store_result {
	enum err err;            /* OK: on the disk, and fsynced */
	const struct fault *why; /* words, when err is not OK */
	size_t failed_op;        /* which one was refused, if one was */
	uint64_t revision;       /* of this mutation; the last if no change */
	const enum store_outcome *outcomes; /* one an operation */
	size_t count;
};

struct store_config {
	const char *path;     /* the database file; copied */
	const uint8_t *key;   /* CRYPTO_KEY_LEN bytes, for sealing; copied */
	struct loop *loop;    /* kept; outlives the store */
	const char *test_vfs; /* a test's faulty disk; NULL */
};

typedef void (*store_open_cb)(enum err e, const struct fault *why, void *arg);
typedef void (*store_close_cb)(void *arg);
typedef void (*store_propose_cb)(const struct store_result *r, void *arg);

/*
 * Starts the thread, which opens or makes the file, takes it for itself and
 * checks it; on_open comes once. Refused in words: a file of another program
 * (left untouched), of a newer meshd, in use by another server, damaged, made
 * under another key, no permission, no room. After a failure only
 * store_close() is useful. Never NULL.
 */
struct store *store_open(
    const struct store_config *config, store_open_cb on_open, void *arg);

/*
 * What was asked before is still done and answered, then on_close comes, once
 * and last. Its watches end here: they are called no more and are freed, so
 * unwatch before or not at all. Leaves NULL; NULL inside is closed at once,
 * without a call. on_close may be NULL.
 */
void store_close(struct store **sp, store_close_cb on_close, void *arg);

/*
 * Copies the mutation. The answer comes when it is committed and fsynced, or
 * refused; waiting proposals share a commit but fail one by one. A failed
 * fsync leaves the outcome unknown: ERR_IO for it and for every later write,
 * until the server restarts.
 */
void store_propose(struct store *s, const struct store_mutation *m,
    store_propose_cb cb, void *arg);

/* Why the last write could not be made, if the disk was it; else empty. */
struct slice store_trouble(const struct store *s);

/* Rows as an answer; `next` continues a list, 0 when there is no more. */
struct store_rows {
	enum err err;
	const struct fault *why;
	uint64_t revision; /* of the whole store when it was read */
	const struct store_row *rows;
	size_t count;
	uint64_t next;
};

typedef void (*store_rows_cb)(const struct store_rows *rows, void *arg);

enum { STORE_WHERE_MAX = 4 };

struct store_query {
	enum store_table table;
	/* All must hold; `column` is a field's name above ("kind"); static. */
	struct {
		const char *column;
		struct slice equals;
	} where[STORE_WHERE_MAX];
	uint64_t after; /* `next` of the answer before, or 0 */
	size_t limit;   /* at most STORE_ROWS_MAX, which 0 means too */
};

/* Reads see what was proposed before them. In the order of their creation. */
void store_list(
    struct store *s, const struct store_query *q, store_rows_cb cb, void *arg);

/* The row that has the key in `which`; ERR_NOT_FOUND. */
void store_get(struct store *s, const struct store_row *which, store_rows_cb cb,
    void *arg);

/*
 * The versions of a resource that the log still has, newest first, at most
 * STORE_HISTORY_MAX. ERR_NOT_FOUND if the log has nothing about it.
 */
void store_history(struct store *s, const struct store_row *which,
    store_rows_cb cb, void *arg);

/*
 * Each resource that was changed after `revision`, or only the one with the
 * key in `which` (else NULL), as it was then; `deleted` if it was not there.
 * At most STORE_OPS_MAX. ERR_NOT_FOUND, in words, for a revision that the log
 * no longer reaches; ERR_INVALID for one that is to come.
 */
void store_as_of(struct store *s, uint64_t revision,
    const struct store_row *which, store_rows_cb cb, void *arg);

struct store_log_entry {
	uint64_t revision;
	int64_t time_ms;
	struct slice actor;
	struct slice request_id;
	struct slice what; /* "put VirtualService default/reviews; …" */
};

struct store_log {
	enum err err;
	const struct fault *why;
	const struct store_log_entry *entries; /* newest first */
	size_t count;
};

typedef void (*store_log_cb)(const struct store_log *log, void *arg);

/* Mutations with a revision below `before` (0: all), at most `limit`. */
void store_log_list(
    struct store *s, uint64_t before, size_t limit, store_log_cb cb, void *arg);

/*
 * Changes up to `revision` (0 while it is not known yet), each row in its
 * latest state. With `reset` everything known before is void. `current` is set
 * when nothing more is waiting: the watcher has seen the whole store. With an
 * `err` the rest is empty, and the next change tries again from there.
 */
struct store_changes {
	enum err err;
	const struct fault *why;
	uint64_t revision;
	bool reset;
	bool current;
	uint64_t read_us; /* monotonic; of a current watch right behind the
			   * commit */
	const struct store_row *rows;
	size_t count;
};

typedef void (*store_watch_cb)(const struct store_changes *c, void *arg);

/*
 * Everything after `since` (0: all there is), then every change as it happens.
 * A current watch hears of a mutation before its proposer does. A `since` that
 * the log has forgotten starts with a reset.
 */
struct store_watch *store_watch(
    struct store *s, uint64_t since, store_watch_cb cb, void *arg);

/* No call comes after this. Leaves NULL; accepts NULL inside. */
void store_unwatch(struct store_watch **wp);

/*
 * Secrets at rest, under the store's key and bound to `name`. Any thread.
 * `out` of store_unseal is initialised by it; ERR_AUTH if the blob was not
 * sealed with this key and name.
 */
MUST_USE enum err store_seal(const struct store *s, struct slice name,
    struct slice secret, struct buf *out);
MUST_USE enum err store_unseal(const struct store *s, struct slice name,
    struct slice sealed, struct secret *out);

/*
 * A copy of everything, as of one revision, while the store goes on: a file
 * of mode 0600, in place of what is at `path`, whole or not at all. Secrets in
 * it stay sealed. Copies the path; the call-back comes once.
 */
typedef void (*store_backup_cb)(
    enum err e, const struct fault *why, uint64_t revision, void *arg);
void store_backup(
    struct store *s, const char *path, store_backup_cb cb, void *arg);

/* What store_restore() brought back. */
struct store_restored {
	uint64_t revision; /* of the backup */
	int64_t time_ms;   /* when that was; 0: it is empty */
};

/*
 * Makes the store `to`, which is not there yet, from a backup; blocks, and
 * nobody uses either. What follows gets revisions that were never given out,
 * so that nobody takes what came after the backup for what comes now. Refused
 * in words: what store_open() refuses, ERR_EXISTS, a backup that is damaged or
 * was made under another key. Then nothing is left of it.
 */
MUST_USE enum err store_restore(const char *from, const char *to,
    const uint8_t key[CRYPTO_KEY_LEN], int64_t now_ms,
    struct store_restored *out, struct fault *why);

/* SHA-256 over the whole content, the same on every server; for tests. */
typedef void (*store_hash_cb)(
    enum err e, const uint8_t hash[CRYPTO_SHA256_LEN], void *arg);
void store_hash(struct store *s, store_hash_cb cb, void *arg);

#endif
