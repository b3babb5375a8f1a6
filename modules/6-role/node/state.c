/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state — the state directory: this machine's keys and what a restart needs.
 */
#define LOG_MODULE "node"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

#define NODE_KEY "node.key"
#define GOSSIP_KEY "gossip.key"
#define IDENTITIES "identities"
#define LOCK "lock"
#define SERVERS_STORE "mesh.db"

enum { IDENTITY_FILE_MAX = TLS_KEY_BYTES_MAX + TLS_CHAIN_BYTES_MAX };

static const char cert_begin[] = "-----BEGIN CERTIFICATE-----";

MUST_USE enum err
state_path(const struct state *s, const char *file, char out[STATE_PATH_MAX])
{
	int n = snprintf(out, STATE_PATH_MAX, "%s/%s", s->dir, file);

	return n < 0 || n >= STATE_PATH_MAX ? ERR_LIMIT : OK;
}

static enum err
make_dir(const char *path, struct fault *why)
{
	struct fault own = {0};
	enum err err = file_make_folder(path, 0700, NULL, &own);

	return err == OK ? OK
			 : fault_set(why, err,
			       "the state directory: %.400s; run as a user "
			       "that may, or choose another with --state",
			       own.text);
}

/* A server's files have names of ours, too: gossip.key, peers. */
static enum err
check_not_a_servers(const struct state *s, struct fault *why)
{
	char path[STATE_PATH_MAX];

	if (state_path(s, SERVERS_STORE, path) != OK || access(path, F_OK) != 0)
		return OK;
	return fault_set(why, ERR_EXISTS,
	    "%s is a server's; give the agent a folder of its own, see "
	    "--state",
	    s->dir);
}

/* --- the lock ------------------------------------------------------------- */

static enum err
lock_file(const struct state *s, struct fault *why)
{
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return fault_set(why, ERR_BUSY,
		    "another meshd uses the state directory %s; stop it, or "
		    "choose another with --state",
		    s->dir);
	return OK;
}

/* On a disk that broke services are called, too: what is there will do. */
static enum err
lock_as_it_is(struct state *s, const char *path, struct fault *why)
{
	s->lock_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->lock_fd < 0)
		return fault_set(why, ERR_PERMISSION,
		    "the state directory %s cannot be written: %s; mount it "
		    "so that it can, or choose another with --state",
		    s->dir, strerror(EROFS));
	return lock_file(s, why);
}

static enum err
lock(struct state *s, struct fault *why)
{
	char path[STATE_PATH_MAX];
	enum err err = state_path(s, LOCK, path);

	if (err != OK)
		return fault_set(why, err, "the path %s is too long", s->dir);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0 && errno == EROFS)
		return lock_as_it_is(s, path, why);
	if (s->lock_fd < 0) {
		err = err_from_errno(errno);
		return fault_set(why, err,
		    "the state directory %s is not ours to use: %s; run as "
		    "the user that owns it, or choose another with --state",
		    s->dir, strerror(errno));
	}
	return lock_file(s, why);
}

/* --- our two keys --------------------------------------------------------- */

static enum err
load_node_key(struct state *s, struct fault *why)
{
	char path[STATE_PATH_MAX];
	struct fault own = {0};
	enum err err = state_path(s, NODE_KEY, path);

	if (err != OK)
		return fault_set(why, err, "the path %s is too long", s->dir);
	err = tls_key_load(path, &s->node_key, &own);
	if (err != OK && err != ERR_NOT_FOUND)
		return fault_set(why, err, "%s%s", own.text,
		    err == ERR_PERMISSION
			? ""
			: "; restore it, or remove it and join again");
	if (err == OK)
		return OK;
	s->node_key = tls_key_new();
	return tls_key_save(s->node_key, path, why);
}

/* The file holds the seed's key pair as it is: public key, secret key. */
static enum err
load_gossip_key(struct state *s, struct fault *why)
{
	uint8_t both[sizeof(s->gossip_public) + sizeof(s->gossip_secret)];
	AUTO(buf_fini) struct buf file = BUF_SECRET(sizeof(both));
	enum err err = state_read(s, GOSSIP_KEY, &file, why);

	if (err == ERR_NOT_FOUND) {
		crypto_ed25519_new(s->gossip_public, s->gossip_secret);
		memcpy(both, s->gossip_public, sizeof(s->gossip_public));
		memcpy(both + sizeof(s->gossip_public), s->gossip_secret,
		    sizeof(s->gossip_secret));
		err = state_write(
		    s, GOSSIP_KEY, slice_of(both, sizeof(both)), why);
	} else if (err == OK && buf_slice(&file).len != sizeof(both)) {
		err = fault_set(why, ERR_CORRUPT,
		    "%s/%s is damaged; remove it and join again", s->dir,
		    GOSSIP_KEY);
	} else if (err == OK) {
		memcpy(both, buf_slice(&file).ptr, sizeof(both));
		memcpy(s->gossip_public, both, sizeof(s->gossip_public));
		memcpy(s->gossip_secret, both + sizeof(s->gossip_public),
		    sizeof(s->gossip_secret));
	}
	secret_wipe(both, sizeof(both));
	return err;
}

MUST_USE enum err
state_open(struct state *s, const char *dir, struct fault *why)
{
	char identities[STATE_PATH_MAX];
	enum err err;

	*s = (struct state){.lock_fd = -1};
	err = slice_to_cstr(slice_str(dir), s->dir, sizeof(s->dir));
	if (err == OK)
		err = state_path(s, IDENTITIES, identities);
	if (err != OK)
		return fault_set(
		    why, err, "the path of the state directory is too long");
	err = check_not_a_servers(s, why);
	if (err == OK)
		err = make_dir(dir, why);
	if (err == OK)
		err = lock(s, why);
	if (err == OK)
		err = make_dir(identities, why);
	if (err == OK) {
		file_sweep(dir);
		file_sweep(identities);
	}
	if (err == OK)
		err = load_node_key(s, why);
	if (err == OK)
		err = load_gossip_key(s, why);
	if (err != OK)
		state_close(s);
	return err;
}

void
state_close(struct state *s)
{
	if (s->dir[0] == '\0')
		return;
	tls_key_unref(&s->node_key);
	secret_wipe(s->gossip_secret, sizeof(s->gossip_secret));
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd); /* nothing was written to it */
	s->lock_fd = -1;
	s->dir[0] = '\0';
}

/* --- files ---------------------------------------------------------------- */

MUST_USE enum err
state_read(
    const struct state *s, const char *file, struct buf *out, struct fault *why)
{
	char path[STATE_PATH_MAX];

	if (state_path(s, file, path) != OK)
		return fault_set(
		    why, ERR_LIMIT, "the path %s is too long", s->dir);
	return file_read_private(path, out, why);
}

MUST_USE enum err
state_write(const struct state *s, const char *file, struct slice bytes,
    struct fault *why)
{
	char path[STATE_PATH_MAX];

	if (state_path(s, file, path) != OK)
		return fault_set(
		    why, ERR_LIMIT, "the path %s is too long", s->dir);
	return file_replace(path, bytes, 0600, why);
}

/* --- identities of workloads ---------------------------------------------- */

MUST_USE enum err
state_save_identity(const struct state *s, struct slice ns,
    struct slice account, const struct tls_identity *id, struct fault *why)
{
	char file[STATE_PATH_MAX];
	AUTO(secret_fini) struct secret key = {0};
	AUTO(buf_fini) struct buf text = BUF_SECRET(IDENTITY_FILE_MAX);
	int n = snprintf(file, sizeof(file), "%s/%.*s@%.*s.pem", IDENTITIES,
	    SLICE_ARG(ns), SLICE_ARG(account));
	enum err err;

	if (n < 0 || n >= (int)sizeof(file))
		return fault_set(why, ERR_LIMIT, "the name is too long");
	err = tls_key_pem(tls_identity_key(id), &key);
	if (err == OK)
		err = buf_add(&text, key.bytes, key.len);
	if (err == OK)
		err = tls_chain_pem(tls_identity_chain(id), &text);
	if (err != OK)
		err = fault_set(why, err, "the certificate is too long");
	else
		err = state_write(s, file, buf_slice(&text), why);
	return err;
}

static enum err
parse_identity(struct slice text, struct tls_identity **out, struct fault *why)
{
	const char *certs = NULL;
	AUTO(tls_key_unref) struct tls_key *key = NULL;
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	size_t at;
	enum err err;

	if (text.len > 0)
		certs = memmem(
		    text.ptr, text.len, cert_begin, sizeof(cert_begin) - 1);
	if (certs == NULL)
		return fault_set(why, ERR_CORRUPT, "there is no certificate");
	at = (size_t)(certs - text.ptr);
	err = tls_key_parse(slice_sub(text, 0, at), &key, why);
	if (err == OK)
		err = tls_chain_parse(
		    slice_sub(text, at, text.len - at), &chain, why);
	return err != OK ? err : tls_identity_new(chain, key, out, why);
}

static void
load_identity(const struct state *s, const char *name,
    void (*each)(void *arg, struct tls_identity *id), void *arg)
{
	char file[STATE_PATH_MAX];
	AUTO(buf_fini) struct buf text = BUF_SECRET(IDENTITY_FILE_MAX);
	AUTO(tls_identity_unref) struct tls_identity *id = NULL;
	struct fault why = {0};
	int n = snprintf(file, sizeof(file), "%s/%s", IDENTITIES, name);

	if (n < 0 || n >= (int)sizeof(file))
		return;
	if (state_read(s, file, &text, &why) != OK ||
	    parse_identity(buf_slice(&text), &id, &why) != OK)
		log_warn("identity is not used", "file=%s why=\"%s\"", file,
		    why.text);
	else
		each(arg, id);
}

void
state_load_identities(const struct state *s,
    void (*each)(void *arg, struct tls_identity *id), void *arg)
{
	char path[STATE_PATH_MAX];
	const struct dirent *e;
	DIR *dir;

	if (state_path(s, IDENTITIES, path) != OK)
		return;
	dir = opendir(path);
	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
		if (slice_ends(slice_str(e->d_name), S(".pem")))
			load_identity(s, e->d_name, each, arg);
	(void)closedir(dir); /* only read */
}

/* --- forgetting ----------------------------------------------------------- */

static void
remove_files(const char *path)
{
	char file[2 * STATE_PATH_MAX];
	const struct dirent *e;
	DIR *dir = opendir(path);

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || strcmp(e->d_name, LOCK) == 0 ||
		    strcmp(e->d_name, IDENTITIES) == 0)
			continue;
		(void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (unlink(file) != 0)
			log_warn("file was not removed", "file=\"%s\" why=%s",
			    file, strerror(errno));
	}
	(void)closedir(dir); /* only read */
}

void
state_forget(const struct state *s)
{
	char path[STATE_PATH_MAX];

	if (state_path(s, IDENTITIES, path) == OK)
		remove_files(path);
	remove_files(s->dir);
}
