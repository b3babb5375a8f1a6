/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology — what stands before a gateway: as MeshConfig says it of all, and
 * the annotation of a WorkloadGroup of those that have its labels.
 */
#include "../kinds/workload.h"
#include "doors.h"

#define CONFIG "proxy.istio.io/config"

enum { CONFIG_BYTES = 1 << 20 };

bool
is_behind_proxy(const struct mesh_proxy *p)
{
	return p != NULL && p->topology != NULL &&
	       p->topology->proxy_protocol != NULL;
}

/* One that is wrong is left out as a whole. */
static const struct mesh_proxy *
read_config(struct builder *b, struct slice text, struct arena *arena,
    struct findings *found, struct fault *why)
{
	const struct mesh_proxy *p;
	const struct value *v;

	if (b->in->parse_yaml(text, arena, &v, why) != OK)
		return NULL;
	if (v->type != VALUE_MAP) {
		(void)fault_set(why, ERR_PARSE, "it is no map");
		return NULL;
	}
	p = message_decode(&mesh_proxy_message, v, NULL, CONFIG, arena, found);
	if (p != NULL && found->errors.count == 0)
		return p;
	(void)fault_set(why, ERR_INVALID, "%s",
	    found->errors.count > 0 ? found->errors.items[0].text
				    : "it is too large");
	return NULL;
}

static bool
says_behind(struct builder *b, const struct resource *r, struct slice text)
{
	AUTO(findings_fini) struct findings found = {0};
	AUTO(arena_fini) struct arena arena = {0};
	struct origin o = origin_of(r, 0);
	const struct mesh_proxy *p;
	struct fault why = {0};

	if (text.len == 0 || b->in->parse_yaml == NULL)
		return false;
	arena_init(&arena, CONFIG_BYTES);
	p = read_config(b, text, &arena, &found, &why);
	if (p == NULL)
		add_problem(b, &o, "its annotation " CONFIG " is left out: %s",
		    why.text);
	else if (found.inert.count > 0)
		add_problem(b, &o,
		    "of its annotation " CONFIG " nothing but "
		    "gatewayTopology.proxyProtocol is in force yet");
	return is_behind_proxy(p);
}

/* As for a Gateway: the labels decide. */
static bool
is_of(const struct builder *b, const struct resource *r)
{
	const struct workload_group *g = r->spec;
	const struct view_scope *of = &b->scope->row;

	return slice_eq(r->key.ns, of->ns) && g->metadata != NULL &&
	       g->metadata->labels.count > 0 &&
	       labels_match(&of->labels, &g->metadata->labels);
}

bool
stands_behind_proxy(struct builder *b)
{
	bool behind = is_behind_proxy(b->mesh->default_config);
	struct rows all = {0};

	b->door = GROUP_MARK;
	rows_of_kind(b, &kind_workload_group, &all);
	for (size_t i = 0; i < all.count; i++) {
		const struct resource *r = all.items[i];
		const struct workload_group *g = r->spec;

		if (!is_of(b, r))
			continue;
		behind |=
		    says_behind(b, r, labels_get(&r->annotations, S(CONFIG)));
		behind |= says_behind(
		    b, r, labels_get(&g->metadata->annotations, S(CONFIG)));
	}
	b->door = 0;
	rows_fini(&all);
	return behind;
}
