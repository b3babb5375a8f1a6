/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view — what an agent would make of the stored configuration.
 *
 * The same steps that an agent takes: records of members and Services become
 * endpoints, they and the resources one view. Only the machine is missing that
 * would call: it has no services or listeners of its own, and every address
 * will do. Made anew for each question: operators ask seldom.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "discovery/discovery.h"
#include "model/model.h"

#include "inside.h"

/* What gossip knows; a record that is of no use is left out, as by agents. */
static void
take_records(const struct server *s, struct discovery_catalog *catalog)
{
	const struct gossip_member *m;
	size_t cursor = 0;

	while (s->gossip != NULL &&
	       (m = gossip_member_next(s->gossip, &cursor)) != NULL) {
		struct gossip_record r;
		bool news;

		if (!m->self && gossip_record_get(s->gossip, &m->id, &r) &&
		    discovery_catalog_put(catalog, &r, &news) != OK)
			log_debug("record is not used", "node=%s", m->name);
	}
}

static struct ca_revocation *
list_revocations(
    const struct registry *r, struct arena *arena, size_t *out_count)
{
	struct ca_revocation *out = arena_alloc_array(
	    arena, MAX(r->revocations.count, 1), sizeof(*out));
	struct slice what;
	size_t cursor = 0;
	void *value;

	*out_count = 0;
	while (out != NULL && map_next(&r->revocations, &cursor, &what, &value))
		out[(*out_count)++] = (struct ca_revocation){
		    what, registry_revoked_since(r, what)};
	return out;
}

static enum err
discover(const struct server *s, const struct view_input *in,
    const struct discovery_catalog *catalog, struct arena *arena,
    struct discovery_output *out)
{
	struct discovery_input from = {
	    .catalog = catalog,
	    .resources = in->resources,
	    .resource_count = in->resource_count,
	    .now_s = server_now_ms(s) / 1000,
	    .network = in->network,
	    .families = DISCOVERY_V4 | DISCOVERY_V6,
	};

	from.revocations =
	    list_revocations(&s->registry, arena, &from.revocation_count);
	if (from.revocations == NULL)
		return ERR_NO_MEMORY;
	return discovery_compile(&from, arena, out);
}

enum err
server_view(const struct server *s, struct slice ns,
    const struct labels *labels, struct view **out, struct fault *why)
{
	AUTO(mem_free) const struct resource **all = NULL;
	AUTO(discovery_catalog_free)
	struct discovery_catalog *catalog = discovery_catalog_new();
	AUTO(arena_fini) struct arena arena = {0};
	struct discovery_output found;
	struct view_input in = {
	    .domain = S(MESH_DOMAIN),
	    .trust_domain = slice_str(s->mesh.trust_domain),
	    .network = S(MESH_NETWORK),
	    .ns = ns,
	    .labels = *labels,
	    .generation = s->cache.revision,
	};
	enum err e;

	arena_init(&arena, DISCOVERY_BYTES_MAX);
	all = cache_sorted(&s->cache, NULL, NULL, &in.resource_count);
	in.resources = all;
	take_records(s, catalog);
	e = discover(s, &in, catalog, &arena, &found);
	if (e != OK)
		return fault_set(why, e, "discovery: %s", err_text(e));
	in.services = found.services;
	in.service_count = found.service_count;
	in.endpoints = found.endpoints;
	in.endpoint_count = found.endpoint_count;
	return view_compile(&in, out, why);
}

enum err
server_explain_access(const struct server *s, const struct explain_access *ask,
    struct arena *arena, struct value **out, struct fault *why)
{
	AUTO(mem_free) const struct resource **all = NULL;
	AUTO(view_unref) struct view *view = NULL;
	struct view_exposed_input workload;
	struct view_input in = {
	    .domain = S(MESH_DOMAIN),
	    .trust_domain = slice_str(s->mesh.trust_domain),
	    .exposed = &workload,
	    .exposed_count = 1,
	};
	enum err e;

	all = cache_sorted(&s->cache, NULL, NULL, &in.resource_count);
	in.resources = all;
	e = explain_access_workload(
	    ask->question, all, in.resource_count, arena, &workload, why);
	if (e == OK)
		e = view_compile(&in, &view, why);
	if (e != OK)
		return e;
	e = model_explain_access(view, ask, arena, out, why);
	if (e == OK && *out != NULL)
		*out = value_copy(*out, arena); /* it borrows from the view */
	return e;
}
