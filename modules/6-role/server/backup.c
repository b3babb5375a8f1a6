/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup — a copy of the mesh in a file, and a server's state from it.
 *
 * What makes a mesh this one is in the store; the rest of the state directory
 * is this server's alone and is made anew. The key that opens what the store
 * has sealed is never in the same file.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "store/store.h"

#include "inside.h"
#include "paths.h"
#include "state.h"

#include <inttypes.h>

struct backup_call {
	char *path;
	server_backup_cb cb;
	void *arg;
};

static void
on_backup(enum err e, const struct fault *why, uint64_t revision, void *arg)
{
	struct backup_call *call = arg;

	if (e == OK)
		log_info("a backup is written", "file=%s revision=%" PRIu64,
		    call->path, revision);
	else
		log_error("no backup is written", "file=%s why=\"%s\"",
		    call->path, why->text);
	call->cb(call->arg, e, why, revision);
	mem_free(&call->path);
	mem_free(&call);
}

void
server_backup(
    struct server *s, const char *path, server_backup_cb cb, void *arg)
{
	struct backup_call *call = mem_new(sizeof(*call));

	*call = (struct backup_call){mem_strndup(path, strlen(path)), cb, arg};
	store_backup(s->store, path, on_backup, call);
}

/* --- back from it ----------------------------------------------------------
 */

static enum err
fill(const struct server_restore_spec *spec, struct slice key, int64_t now_ms,
    struct server_restored *out, struct fault *why)
{
	char store[SERVER_PATH_MAX], seal[SERVER_PATH_MAX];
	struct store_restored r = {0};
	enum err e = path_of(spec->state_dir, PATH_STORE, store, why);

	if (e == OK)
		e = path_of(spec->state_dir, PATH_SEAL, seal, why);
	if (e == OK)
		e = store_restore(spec->file, store, (const uint8_t *)key.ptr,
		    now_ms, &r, why);
	if (e == OK)
		e = file_replace(seal, key, 0600, why);
	*out = (struct server_restored){r.revision, r.time_ms};
	return e;
}

static enum err
restore(const struct server_restore_spec *spec, struct slice key,
    struct server_restored *out, struct fault *why)
{
	bool made = false;
	enum err e = state_make(spec->state_dir, &made, why);

	if (e == OK)
		e = state_check_empty(spec->state_dir, why);
	if (e != OK)
		return e;
	e = fill(spec, key, clock_wall_ms(&clock_system), out, why);
	if (e == OK)
		e = state_give(spec->state_dir, why);
	if (e != OK)
		state_remove(spec->state_dir, made);
	return e;
}

enum err
server_restore(const struct server_restore_spec *spec,
    struct server_restored *out, struct fault *why)
{
	AUTO(buf_fini) struct buf key = BUF_SECRET(CRYPTO_KEY_LEN + 1);
	enum err e = file_read_private(spec->key_file, &key, why);

	if (e == ERR_NOT_FOUND)
		return fault_set(why, e,
		    "%s is not there; a backup is restored with the key that "
		    "its secrets were sealed under: name it with --key",
		    spec->key_file);
	if (e != OK)
		return e;
	if (buf_len(&key) != CRYPTO_KEY_LEN)
		return fault_set(why, ERR_CORRUPT,
		    "%s is %zu bytes long, not %d: it is no sealing key",
		    spec->key_file, buf_len(&key), CRYPTO_KEY_LEN);
	return restore(spec, buf_slice(&key), out, why);
}
