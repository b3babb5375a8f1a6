/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state — the state directory: this machine's keys and what a restart needs.
 *
 * Files are read within a bound and replaced at one stroke, all of mode 0600.
 * One process at a time has the directory.
 */
#ifndef MESHD_NODE_STATE_H
#define MESHD_NODE_STATE_H

#include "base/base.h"
#include "loop/loop.h"
#include "tls/tls.h"

/* Names of files; the xds snapshot and the catalog may be large. */
#define STATE_MEMBERSHIP "join.json"
#define STATE_NODE_CERT "node.pem"
#define STATE_EXPOSED "exposed.json"
#define STATE_CAPTURE "capture.json"
#define STATE_UNITS "units.json"
#define STATE_SNAPSHOT "snapshot"
#define STATE_CATALOG "catalog"
#define STATE_PEERS "peers"
#define STATE_REVOKED "revoked"

enum { STATE_PATH_MAX = 1024, STATE_FILE_MAX = 4 << 20 };

struct state {
	char dir[STATE_PATH_MAX];
	int lock_fd;
	struct saving *saving; /* NULL: not yet, or no more */
	struct tls_key *node_key;
	uint8_t gossip_secret[CRYPTO_ED25519_SECRET_LEN];
	uint8_t gossip_public[CRYPTO_ED25519_PUBLIC_LEN];
};

/*
 * Makes the directory (0700) and the keys if they are not there. ERR_BUSY:
 * another process has it. ERR_PERMISSION, ERR_CORRUPT, ERR_IO, in words.
 */
MUST_USE enum err state_open(
    struct state *s, const char *dir, struct fault *why);

/* Wipes the keys, gives the directory back. Harmless for a zeroed one. */
void state_close(struct state *s);

/* The path of a file in it; ERR_LIMIT. */
MUST_USE enum err state_path(
    const struct state *s, const char *file, char out[STATE_PATH_MAX]);

/* ERR_NOT_FOUND if it is not there yet. Appends. */
MUST_USE enum err state_read(const struct state *s, const char *file,
    struct buf *out, struct fault *why);
MUST_USE enum err state_write(const struct state *s, const char *file,
    struct slice bytes, struct fault *why);

/* --- saving.c --- */

/* From here on the next two may be called; jobs outlive the latter. */
void state_save_with(struct state *s, struct jobs *jobs, struct loop *loop);
void state_save_no_more(struct state *s);

/*
 * The same in a job, in the order of the calls; takes the bytes. What fails is
 * logged, and written again until it is there: of each file the latest.
 */
void state_write_later(
    const struct state *s, const char *file, struct buf *bytes);

/* Why something is not saved now, in words; or empty. */
struct slice state_trouble(const struct state *s);

/* An identity of a workload: its key and chain, in one file. */
MUST_USE enum err state_save_identity(const struct state *s, struct slice ns,
    struct slice account, const struct tls_identity *id, struct fault *why);

/* Calls each with every identity that is whole; others are named in the log. */
void state_load_identities(const struct state *s,
    void (*each)(void *arg, struct tls_identity *id), void *arg);

/* Removes all but the lock: this machine was never a member. */
void state_forget(const struct state *s);

#endif
