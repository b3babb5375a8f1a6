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

#include "matter.h"

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
    const struct discovery_catalog *catalog, struct discovery *d,
    struct discovery_output *out)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct discovery_input from = {
	    .catalog = catalog,
	    .resources = in->resources,
	    .resource_count = in->resource_count,
	    .now_s = server_now_ms(s) / 1000,
	    .network = in->network,
	    .families = DISCOVERY_V4 | DISCOVERY_V6,
	};

	arena_init(&arena, DISCOVERY_BYTES_MAX);
	from.revocations =
	    list_revocations(&s->registry, &arena, &from.revocation_count);
	if (from.revocations == NULL)
		return ERR_NO_MEMORY;
	return discovery_update(d, &from, out);
}

void
matter_init(struct matter *m)
{
	*m = (struct matter){
	    .catalog = discovery_catalog_new(), .discovery = discovery_new()};
	overlay_init(&m->overlay);
}

void
matter_fini(struct matter *m)
{
	for (size_t i = 0; i < m->in.resource_count; i++) {
		struct resource *r = (struct resource *)(uintptr_t)m->all[i];

		resource_unref(&r);
	}
	mem_free(&m->all);
	overlay_fini(&m->overlay);
	discovery_free(&m->discovery);
	discovery_catalog_free(&m->catalog);
}

enum err
matter_gather(struct matter *m, const struct server *s,
    const struct explain_documents *docs, struct slice ns, struct fault *why)
{
	struct discovery_output found;
	enum err e = overlay_read(&m->overlay, s, docs, ns, why);

	if (e != OK)
		return e;
	m->all = overlay_all(&m->overlay, &s->cache, &m->in.resource_count);
	for (size_t i = 0; i < m->in.resource_count; i++)
		m->all[i] = resource_ref(m->all[i]);
	m->in.domain = S(MESH_DOMAIN);
	m->in.trust_domain = slice_str(s->mesh.trust_domain);
	m->in.network = S(MESH_NETWORK);
	m->in.generation = s->cache.revision;
	m->in.resources = m->all;
	take_records(s, m->catalog);
	e = discover(s, &m->in, m->catalog, m->discovery, &found);
	if (e != OK)
		return fault_set(why, e, "discovery: %s", err_text(e));
	m->in.services = found.services;
	m->in.service_count = found.service_count;
	m->in.servings = found.servings;
	m->in.serving_count = found.serving_count;
	return OK;
}

enum err
matter_view(const struct matter *m, const struct explain_place *place,
    struct view **out, struct fault *why)
{
	struct view_input in = m->in;

	explain_view_input(place, &in);
	return view_compile(&in, out, why);
}

enum err
server_explain_access(const struct server *s, const struct explain_access *ask,
    struct arena *arena, struct value **out, struct fault *why)
{
	AUTO(matter_fini) struct matter m;
	AUTO(view_unref) struct view *view = NULL;
	struct view_exposed_input workload;
	enum err e;

	matter_init(&m);
	e = matter_gather(&m, s, /* docs */ NULL, SLICE_NONE, why);
	if (e == OK)
		e = explain_access_workload(
		    ask->question, &m.in, arena, &workload, why);
	if (e != OK)
		return e;
	m.in.exposed = &workload;
	m.in.exposed_count = 1;
	e = view_compile(&m.in, &view, why);
	if (e == OK)
		e = model_explain_access(view, ask, arena, out, why);
	if (e == OK && *out != NULL)
		*out = value_copy(*out, arena); /* it borrows from the view */
	return e;
}

enum err
server_view(const struct server *s, const struct explain_place *place,
    const struct explain_documents *with, struct view **out, struct fault *why)
{
	AUTO(matter_fini) struct matter m;
	enum err e;

	matter_init(&m);
	e = matter_gather(&m, s, with, place->ns, why);
	return e == OK ? matter_view(&m, place, out, why) : e;
}
