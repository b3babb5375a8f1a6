/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view — what is stored and who is alive, compiled as for a proxy.
 *
 * Made anew for each question: operators ask seldom. The server has no
 * listeners and calls nobody, so any family of addresses is as good.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "ca/ca.h"
#include "discovery/discovery.h"
#include "gossip/gossip.h"
#include "model/model.h"

#include "inside.h"

static enum err
catalog_of(const struct server *s, struct discovery_catalog *catalog)
{
	const struct gossip_member *m;
	enum err e = OK;

	for (size_t i = 0; e == OK && s->gossip != NULL &&
			   (m = gossip_member_next(s->gossip, &i)) != NULL;) {
		struct gossip_record r;
		bool changed;

		if (!gossip_record_get(s->gossip, &m->id, &r))
			continue;
		e = discovery_catalog_put(catalog, &r, &changed);
		if (e == ERR_PARSE)
			e = OK; /* no agent uses it either */
	}
	return e;
}

/* NULL if the arena is full. */
static const struct ca_revocation *
revocations_of(const struct server *s, struct arena *arena, size_t *out_count)
{
	const struct map *from = &s->registry.revocations;
	struct ca_revocation *out =
	    arena_alloc_array(arena, MAX(from->count, 1), sizeof(*out));
	struct slice what;
	size_t n = 0;
	void *value;

	for (size_t i = 0; out && map_next(from, &i, &what, &value);) {
		const struct registry_revocation *r = value;

		out[n++] = (struct ca_revocation){what, r->since_ms};
	}
	*out_count = n;
	return out;
}

static enum err
discover(const struct server *s, const struct discovery_catalog *catalog,
    const struct view_input *v, struct arena *arena,
    struct discovery_output *out)
{
	struct discovery_input in = {
	    .catalog = catalog,
	    .resources = v->resources,
	    .resource_count = v->resource_count,
	    .now_s = server_now_ms(s) / 1000,
	    .network = S(MESH_NETWORK),
	    .families = DISCOVERY_V4 | DISCOVERY_V6,
	};

	in.revocations = revocations_of(s, arena, &in.revocation_count);
	return in.revocations == NULL ? ERR_NO_MEMORY
				      : discovery_compile(&in, arena, out);
}

enum err
server_view(const struct server *s, struct slice ns, struct view **out,
    struct fault *why)
{
	AUTO(discovery_catalog_free)
	struct discovery_catalog *catalog = discovery_catalog_new();
	AUTO(mem_free) const struct resource **all = NULL;
	AUTO(arena_fini) struct arena arena = {0};
	struct discovery_output d;
	struct view_input in = {.domain = S(MESH_DOMAIN),
	    .trust_domain = slice_str(s->mesh.trust_domain),
	    .ns = ns,
	    .network = S(MESH_NETWORK),
	    .generation = s->cache.revision};
	enum err e = catalog_of(s, catalog);

	arena_init(&arena, DISCOVERY_BYTES_MAX);
	all = cache_sorted(&s->cache, &in.resource_count);
	in.resources = all;
	if (e == OK)
		e = discover(s, catalog, &in, &arena, &d);
	if (e != OK)
		return fault_set(why, e, "discovery: %s", err_text(e));
	in.services = d.services;
	in.service_count = d.service_count;
	in.endpoints = d.endpoints;
	in.endpoint_count = d.endpoint_count;
	return view_compile(&in, out, why);
}
