/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init — makes the state directory of a new mesh.
 *
 * A loop of its own turns until the store has everything on the disk. What
 * was made so far goes away again if a step fails.
 */
#include "base/base.h"
#include "loop/loop.h"
#include "store/store.h"

#include "inside.h"
#include "paths.h"
#include "state.h"

enum { ARENA_BYTES = 1 << 20 };

struct init {
	struct loop *loop;
	struct store *store;
	const struct mesh *mesh;
	int64_t now_ms;
	struct arena arena;
	struct store_op ops[MESH_OPS];
	enum err err;
	struct fault *why;
};

static void
on_closed(void *arg)
{
	struct init *in = arg;

	loop_stop(in->loop);
}

static void
finish(struct init *in, enum err e)
{
	in->err = e;
	store_close(&in->store, on_closed, in);
}

static void
on_stored(const struct store_result *r, void *arg)
{
	struct init *in = arg;

	if (r->err != OK)
		(void)fault_set(in->why, r->err, "%s", r->why->text);
	finish(in, r->err);
}

static void
on_open(enum err e, const struct fault *why, void *arg)
{
	struct init *in = arg;
	struct store_mutation m = {
	    .actor = S("server init"),
	    .time_ms = in->now_ms,
	    .ops = in->ops,
	    .op_count = ARRAY_LEN(in->ops),
	};

	if (e != OK)
		(void)fault_set(in->why, e, "%s", why->text);
	else if ((e = mesh_ops(in->mesh, in->store, &in->arena, in->ops)) != OK)
		(void)fault_set(in->why, e, "cannot seal the mesh's secrets");
	if (e != OK)
		finish(in, e);
	else
		store_propose(in->store, &m, on_stored, in);
}

static enum err
store_mesh(const struct mesh *mesh, const char *dir, const uint8_t *key,
    int64_t now_ms, struct fault *why)
{
	char path[SERVER_PATH_MAX];
	struct init in = {.mesh = mesh, .now_ms = now_ms, .why = why};
	enum err e = path_of(dir, PATH_STORE, path, why);

	if (e != OK)
		return e;
	in.loop = loop_new(NULL);
	arena_init(&in.arena, ARENA_BYTES);
	in.store = store_open(
	    &(struct store_config){.path = path, .key = key, .loop = in.loop},
	    on_open, &in);
	loop_run(in.loop);
	arena_fini(&in.arena);
	loop_free(&in.loop);
	return in.err;
}

/* --- the state directory --- */

static enum err
fill_dir(
    const struct mesh *mesh, const char *dir, int64_t now_ms, struct fault *why)
{
	AUTO(secret_fini) struct secret key;
	char path[SERVER_PATH_MAX];
	enum err e = path_of(dir, PATH_SEAL, path, why);

	secret_init(&key, CRYPTO_KEY_LEN);
	crypto_random(key.bytes, key.len);
	if (e == OK)
		e = file_replace(path, slice_of(key.bytes, key.len), 0600, why);
	return e == OK ? store_mesh(mesh, dir, key.bytes, now_ms, why) : e;
}

enum err
server_init(const struct server_init_spec *spec, struct fault *why)
{
	const struct clock *clock =
	    spec->clock != NULL ? spec->clock : &clock_system;
	const char *trust_domain = spec->trust_domain != NULL
				       ? spec->trust_domain
				       : SERVER_TRUST_DOMAIN;
	int64_t now_ms = clock_wall_ms(clock);
	AUTO(mesh_fini) struct mesh mesh;
	bool made = false;
	enum err e;

	mesh_init(&mesh);
	e = mesh_make(
	    &mesh, trust_domain, spec->ca_cert, spec->ca_key, now_ms, why);
	if (e == OK)
		e = state_make(spec->state_dir, &made, why);
	if (e == OK)
		e = state_check_new(spec->state_dir, why);
	if (e != OK)
		return e;
	e = fill_dir(&mesh, spec->state_dir, now_ms, why);
	if (e == OK)
		e = state_give(spec->state_dir, why);
	if (e != OK)
		state_remove(spec->state_dir, made);
	return e;
}
