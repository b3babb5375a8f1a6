/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view — what an agent would make of the stored configuration.
 *
 * The same steps that an agent takes: records of members and Services become
 * endpoints, they and the resources one view, by discovery_view_input(). Unless
 * it is that of one machine (machine.c), whoever would call has no services or
 * listeners of its own, and every address will do. Made anew for each question:
 * operators ask seldom.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "codec/codec.h"
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

/* The hosts that the machine asked for. */
static enum err
fill_scope(
    const struct interest *i, struct arena *arena, struct discovery_scope *out)
{
	struct slice host, *hosts = arena_alloc_array(
			       arena, i->asked.count + 1, sizeof(*hosts));
	size_t count = 0;
	void *mark;

	if (hosts == NULL)
		return ERR_NO_MEMORY;
	for (size_t at = 0; map_next(&i->asked, &at, &host, &mark);)
		hosts[count++] = host;
	*out = (struct discovery_scope){
	    .domain = S(MESH_DOMAIN), .hosts = hosts, .count = count};
	return OK;
}

static enum err
discover(struct matter *m, const struct server *s)
{
	struct discovery_scope scope;
	struct discovery_output found;
	struct discovery_input mesh = {.catalog = m->catalog,
	    .resources = m->all,
	    .resource_count = m->in.resource_count,
	    .now_s = server_now_ms(s) / 1000,
	    .scope = m->interest != NULL ? &scope : NULL};
	enum err e = m->interest != NULL
			 ? fill_scope(m->interest, &m->arena, &scope)
			 : OK;

	mesh.revocations =
	    list_revocations(&s->registry, &m->arena, &mesh.revocation_count);
	if (e != OK || mesh.revocations == NULL)
		return ERR_NO_MEMORY;
	return discovery_view_input(
	    m->discovery, &m->self, &mesh, &found, &m->in);
}

void
matter_init(struct matter *m, const struct server *s)
{
	*m = (struct matter){.catalog = discovery_catalog_new(),
	    .discovery = discovery_new(),
	    .self = {.domain = S(MESH_DOMAIN),
		.trust_domain = slice_str(s->mesh.trust_domain),
		.network = S(MESH_NETWORK),
		.families = DISCOVERY_V4 | DISCOVERY_V6}};
	overlay_init(&m->overlay);
	arena_init(&m->arena, DISCOVERY_BYTES_MAX);
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
	arena_fini(&m->arena);
}

/* Agents are not sent what is sealed. */
static bool
has(const struct interest *i, const struct resource *r)
{
	char key[CACHE_KEY_MAX];

	return i == NULL ||
	       (!r->kind->sealed &&
		   interest_concerns(i, cache_key_text(&r->key, key)));
}

static void
keep_resources(struct matter *m, size_t count)
{
	m->in.resource_count = 0;
	for (size_t i = 0; i < count; i++)
		if (has(m->interest, m->all[i]))
			m->all[m->in.resource_count++] =
			    resource_ref(m->all[i]);
}

static void
list_resources(struct matter *m, const struct server *s)
{
	size_t count;

	m->all = overlay_all(&m->overlay, &s->cache, &count);
	keep_resources(m, count);
	m->in.resources = m->all;
}

static enum err
find_servings(struct matter *m, const struct server *s, struct fault *why)
{
	enum err e;

	take_records(s, m->catalog);
	e = discover(m, s);
	if (e != OK)
		return fault_set(why, e, "discovery: %s", err_text(e));
	m->in.generation = s->cache.revision;
	m->in.parse_yaml = codec_yaml_parse_one;
	return OK;
}

enum err
matter_gather(struct matter *m, const struct server *s,
    const struct explain_documents *docs, struct slice ns, struct fault *why)
{
	enum err e = overlay_read(&m->overlay, s, docs, ns, why);

	if (e != OK)
		return e;
	list_resources(m, s);
	return find_servings(m, s, why);
}

static bool
says_who_serves(const struct overlay *o)
{
	struct slice key;
	void *value;

	for (size_t i = 0; map_next(&o->by_key, &i, &key, &value);) {
		const struct overlaid *it = value;

		if (it->kind != NULL && discovery_reads(it->kind))
			return true;
	}
	return false;
}

enum err
matter_change(struct matter *m, const struct server *s,
    const struct matter *before, struct fault *why)
{
	m->in = before->in;
	list_resources(m, s);
	return says_who_serves(&m->overlay) ? find_servings(m, s, why) : OK;
}

enum err
matter_view(const struct matter *m, const struct explain_place *place,
    struct view **out, struct fault *why)
{
	struct view_input in = m->in;

	if (place != NULL)
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

	matter_init(&m, s);
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

	matter_init(&m, s);
	e = matter_gather(&m, s, with, place->ns, why);
	return e == OK ? matter_view(&m, place, out, why) : e;
}
