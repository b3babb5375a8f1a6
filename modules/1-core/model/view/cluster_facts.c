/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_facts — what Envoy would be told of a cluster, under the names and
 * in the forms that recorded answers of upstream have.
 */
#include <stdlib.h>

#include "tree.h"

/* Go's form: "1m0s", "30ms", "2.5s". */
static struct slice
go_duration(struct tree *t, uint64_t us)
{
	enum { MS = 1000, SECOND = 1000000, MINUTE = 60 };
	unsigned long long s = us / SECOND;
	double rest = (double)(us % (SECOND * MINUTE)) / SECOND;

	if (us > 0 && us < SECOND)
		return tree_printf(t, "%gms", (double)us / MS);
	if (s >= MINUTE * MINUTE)
		return tree_printf(t, "%lluh%llum%gs", s / (MINUTE * MINUTE),
		    s / MINUTE % MINUTE, rest);
	if (s >= MINUTE)
		return tree_printf(t, "%llum%gs", s / MINUTE, rest);
	return tree_printf(t, "%gs", rest);
}

static bool
says(const struct view_outlier *o, const char *field)
{
	return message_has(&outlier_detection_message, o->written, field);
}

/* Only what is written: Envoy has the rest by default. */
static struct value *
outlier_facts(struct tree *t, const struct view_outlier *o)
{
	struct value *map = tree_map(t);

	if (o->written == NULL)
		return map;
	if (says(o, "consecutive5xxErrors"))
		tree_put_int(t, map, "consecutive5xx", o->after_5xx);
	if (says(o, "consecutiveGatewayErrors"))
		tree_put_int(
		    t, map, "consecutiveGatewayErrors", o->after_gateway);
	if (says(o, "interval"))
		tree_put_text(
		    t, map, "interval", go_duration(t, o->interval_us));
	if (says(o, "baseEjectionTime"))
		tree_put_text(
		    t, map, "baseEjectionTime", go_duration(t, o->ejection_us));
	if (says(o, "maxEjectionPercent") && o->most_percent > 0)
		tree_put_int(t, map, "maxEjectionPercent", o->most_percent);
	return map;
}

static struct value *
certificates(struct tree *t, const struct view_cluster *c)
{
	const struct client_tls *w = c->policy->tls;
	struct value *list = tree_list(t);

	if (c->security == VIEW_SECURITY_MESH)
		tree_add_text(t, list, S("default"));
	else if (w->mode == CLIENT_TLS_MUTUAL && w->credential_name.len > 0)
		tree_add_text(t, list,
		    tree_printf(t, "%s%.*s",
			slice_find(w->credential_name, ':') <
				w->credential_name.len
			    ? ""
			    : "kubernetes://",
			SLICE_ARG(w->credential_name)));
	else if (w->mode == CLIENT_TLS_MUTUAL)
		tree_add_text(t, list,
		    tree_printf(t, "file-cert:%.*s~%.*s",
			SLICE_ARG(w->client_certificate),
			SLICE_ARG(w->private_key)));
	return list;
}

static struct value *
alpn(struct tree *t, const struct view_cluster *c)
{
	struct value *list = tree_list(t);

	if (c->security == VIEW_SECURITY_MESH) {
		tree_add_text(t, list, S("istio-peer-exchange"));
		tree_add_text(t, list, S("istio"));
	}
	if (c->http2)
		tree_add_text(t, list, S("h2"));
	return list;
}

static void
put_security_facts(
    struct tree *t, struct value *map, const struct view_cluster *c)
{
	struct value *list = tree_list(t), *of = tree_map(t);

	if (c->security == VIEW_SECURITY_EACH) {
		tree_add_text(t, list, S("tlsMode-istio"));
		tree_add_text(t, list, S("tlsMode-disabled"));
		tree_put(t, map, "socketMatches", list);
	}
	if (c->security != VIEW_SECURITY_MESH &&
	    c->security != VIEW_SECURITY_TLS)
		return;
	tree_put_any(t, of, "sni", value_new_string(t->arena, c->sni));
	tree_put(t, of, "certificates", certificates(t, c));
	tree_put(t, of, "alpn", alpn(t, c));
	tree_put(t, map, "tls", of);
}

static int
by_text(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static struct slice
endpoint_fact(struct tree *t, const struct view_endpoint *e)
{
	char text[ENDPOINT_TEXT_MAX];

	return tree_printf(t, e->weight > 1 ? "%s weight %u" : "%s",
	    view_endpoint_written(e, text), (unsigned)e->weight);
}

static struct value *
endpoint_facts(struct tree *t, const struct view_cluster *c)
{
	struct value *list = tree_list(t);
	struct slice *all =
	    arena_alloc_array(t->arena, c->endpoint_count + 1, sizeof(*all));
	size_t count = 0;

	t->full = t->full || all == NULL;
	/* It resolves names itself. */
	for (size_t i = 0; all != NULL && i < c->endpoint_count; i++)
		if (!c->endpoints[i]->is_further)
			all[count++] = endpoint_fact(t, c->endpoints[i]);
	if (all != NULL)
		qsort(all, count, sizeof(*all), by_text);
	for (size_t i = 0; i < count; i++)
		tree_add_text(t, list, all[i]);
	return list;
}

/* Not where each call says where it goes, and not where none goes on. */
static bool
lists_endpoints(const struct view_cluster *c)
{
	return c->type != VIEW_CLUSTER_ORIGINAL_DST &&
	       c->type != VIEW_CLUSTER_DYNAMIC_DNS &&
	       (c->type != VIEW_CLUSTER_STATIC || c->endpoint_count > 0);
}

struct value *
tree_cluster_facts(struct tree *t, const struct view_cluster *c)
{
	const struct view_cluster_policy *p = c->policy;
	struct value *map = tree_map(t);

	tree_put_text(
	    t, map, "type", slice_str(view_cluster_type_name(c->type)));
	tree_put_text(t, map, "lb", slice_str(tree_chooser(c)));
	tree_put_text(t, map, "connectTimeout",
	    go_duration(t, p->connections.connect_timeout_us));
	tree_put(t, map, "limits", tree_limits(t, &p->limits));
	tree_put(t, map, "outlier", outlier_facts(t, &p->outlier));
	put_security_facts(t, map, c);
	if (lists_endpoints(c))
		tree_put_any(t, map, "endpoints", endpoint_facts(t, c));
	return map;
}
