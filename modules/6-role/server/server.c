/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server — opening and closing, and what may be asked at once.
 *
 *	store ── changes ──► cache ──► get, explain, the stream (life.c)
 *	  ▲
 *	  `── one mutation ── apply, delete (apply.c)
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "loop/loop.h"
#include "model/model.h"
#include "store/store.h"

#include "inside.h"
#include "life.h"

#include <string.h>
#include <unistd.h>

static bool
is_there(const char *dir, const char *file)
{
	char path[SERVER_PATH_MAX];

	return path_of(dir, file, path, NULL) == OK && access(path, F_OK) == 0;
}

/* Neither is any use without the other. */
static enum err
check_files(const char *dir, struct fault *why)
{
	bool key = is_there(dir, PATH_SEAL);
	bool store = is_there(dir, PATH_STORE);

	if (key == store)
		return OK;
	if (store)
		return fault_set(why, ERR_CORRUPT,
		    "%s/%s is missing, and nothing else opens the secrets in "
		    "%s; restore it from a backup",
		    dir, PATH_SEAL, PATH_STORE);
	return fault_set(why, ERR_CORRUPT,
	    "%s/%s is missing; restore it from a backup, or, if `meshd server "
	    "init` was interrupted, empty the folder and run it again",
	    dir, PATH_STORE);
}

static enum err
read_key(const char *dir, uint8_t key[CRYPTO_KEY_LEN], struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF_SECRET(CRYPTO_KEY_LEN + 1);
	char path[SERVER_PATH_MAX];
	struct slice bytes;
	enum err e = path_check_folder(dir, why);

	if (e == OK)
		e = check_files(dir, why);
	if (e == OK)
		e = path_of(dir, PATH_SEAL, path, why);
	if (e == OK)
		e = file_read_private(path, &text, why);
	if (e == ERR_NOT_FOUND)
		return fault_set(why, e,
		    "%s holds no mesh; `meshd server init` makes one", dir);
	if (e != OK)
		return e;
	bytes = buf_slice(&text);
	if (bytes.ptr == NULL || bytes.len != CRYPTO_KEY_LEN)
		return fault_set(why, ERR_CORRUPT,
		    "%s is %zu bytes long, not %d; restore it from a backup",
		    path, bytes.len, CRYPTO_KEY_LEN);
	memcpy(key, bytes.ptr, CRYPTO_KEY_LEN);
	return OK;
}

/* --- opening --- */

static void
on_changes(const struct store_changes *c, void *arg)
{
	life_take(server_of(arg), c);
}

static void
on_store_open(enum err e, const struct fault *why, void *arg)
{
	struct server *s = server_of(arg);

	if (s->closing)
		return;
	if (e != OK) {
		server_fail(s, e, why);
		return;
	}
	file_sweep(s->spec.state_dir); /* it is ours: the store is locked */
	s->watch = store_watch(s->store, 0, on_changes, s);
}

static void
on_failed_start(void *arg)
{
	struct server *s = server_of(arg);

	server_fail(s, s->start_fault.code, &s->start_fault);
}

static void
open_store(struct server *s)
{
	uint8_t key[CRYPTO_KEY_LEN];
	char path[SERVER_PATH_MAX];
	struct store_config config = {
	    .path = path, .key = key, .loop = s->spec.loop};

	if (read_key(s->spec.state_dir, key, &s->start_fault) != OK ||
	    path_of(s->spec.state_dir, PATH_STORE, path, &s->start_fault) !=
		OK) {
		loop_later(s->spec.loop, &s->later);
		return;
	}
	s->parts |= PART_STORE;
	s->store = store_open(&config, on_store_open, s);
	s->cache.store = s->store;
	s->cache.trust_domain = s->mesh.trust_domain;
	secret_wipe(key, sizeof(key));
}

struct server *
server_open(const struct server_spec *spec)
{
	struct server *s = mem_new(sizeof(*s));

	s->magic = SERVER_MAGIC;
	s->spec = *spec;
	if (s->spec.clock == NULL)
		s->spec.clock = &clock_system;
	s->began_us = loop_now_us(spec->loop);
	cache_init(&s->cache);
	s->cache.changed = feed_changed;
	s->cache.changed_arg = s;
	owned_init(&s->owned);
	mesh_init(&s->mesh);
	own_init(&s->own);
	registry_init(&s->registry);
	agents_open(s);
	s->revoked = gossip_revoked_new();
	feed_open(s);
	loop_later_init(&s->later, on_failed_start, s);
	open_store(s);
	return s;
}

/* --- closing --- */

void
server_close(struct server **sp, void (*on_closed)(void *arg), void *arg)
{
	struct server *s = *sp;

	*sp = NULL;
	s->on_closed = on_closed;
	s->closed_arg = arg;
	life_end(s);
}

/* --- asking --- */

/* A filter, taken apart. */
struct wanted {
	const struct server_filter *filter;
	const struct resource_kind *kind; /* NULL: all */
	struct resource_key after;
};

static bool
fits(const void *arg, const struct resource *r)
{
	const struct wanted *w = arg;
	const struct server_filter *f = w->filter;

	return (w->kind == NULL || r->kind == w->kind) &&
	       (f->ns.len == 0 || slice_eq(r->key.ns, f->ns)) &&
	       (f->name.len == 0 || slice_eq(r->key.name, f->name)) &&
	       (f->after.len == 0 || resource_key_cmp(&r->key, &w->after) > 0);
}

struct slice
server_resource_place(const struct resource *r, char out[SERVER_PLACE_MAX])
{
	return cache_key_text(&r->key, out);
}

/* As server_resource_place() writes it. */
static struct resource_key
read_place(struct slice text)
{
	struct resource_key k;

	k.group = slice_split(&text, '/');
	k.kind = slice_split(&text, '/');
	k.ns = slice_split(&text, '/');
	k.name = text;
	return k;
}

enum err
server_each_resource(struct server *s, const struct server_filter *filter,
    bool (*each)(void *arg, const struct resource *r), void *arg,
    struct fault *why)
{
	struct wanted w = {
	    .filter = filter, .after = read_place(filter->after)};
	AUTO(mem_free) const struct resource **all = NULL;
	size_t count;

	if (filter->kind.len > 0) {
		w.kind = resource_kind_find(filter->kind);
		if (w.kind == NULL)
			return fault_set(why, ERR_INVALID,
			    "there is no kind \"%.*s\"",
			    SLICE_ARG(filter->kind));
	}
	all = cache_sorted(&s->cache, fits, &w, &count);
	for (size_t i = 0; i < count; i++)
		if (!each(arg, all[i]))
			break;
	return OK;
}

void
server_status(const struct server *s, struct server_status *out)
{
	*out = (struct server_status){
	    .revision = s->cache.revision,
	    .resources = s->cache.by_key.count,
	    .quarantined = s->cache.bad.count,
	    .inert = s->cache.inert.all,
	    .guards = s->cache.inert.guards,
	    .uptime_us = loop_now_us(s->spec.loop) - s->began_us,
	    .name = slice_str(s->own.name),
	    .trust_domain = slice_str(s->mesh.trust_domain),
	    .nodes = s->registry.nodes.count,
	    .agents = agents_count(s),
	    .trouble = s->store != NULL ? store_trouble(s->store) : S(""),
	};

	if (s->listener != NULL && s->told)
		out->control = net_listener_addr(s->listener);
	if (s->gossip_ready)
		out->gossip_port = gossip_port(s->gossip);
}

void
server_each_inert(const struct server *s,
    bool (*each)(void *arg, const struct server_inert *row), void *arg)
{
	inert_each(&s->cache.inert, each, arg);
}

bool
server_folder(const struct server *s, struct server_folder *out)
{
	if (s->follow != NULL)
		follow_status(s->follow, out);
	return s->follow != NULL;
}
