/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules — the rules of a policy as rows: who, what, when.
 *
 * Texts are borrowed from the resources, which the view holds.
 */
#include "parts.h"

/* The conditions of one source, one operation or all of `when`. */
struct gathering {
	struct builder *b;
	const struct trust *trust;
	struct slice ns;
	struct rows rows; /* struct access_condition */
};

static void
add_condition(struct gathering *g, struct slice key, const struct slice *items,
    size_t count, bool negated)
{
	struct written values = {items, count};
	struct access_condition *c;

	if (count == 0)
		return;
	c = take(g->b, 1, sizeof(*c));
	if (c == NULL)
		return;
	*c = condition_of(g->b, g->trust, key, g->ns, &values);
	c->negated = negated;
	rows_add(&g->rows, c);
}

#define ADD(g, key, yes, no)                                                   \
	do {                                                                   \
		add_condition((g), S(key), (yes).items, (yes).count, false);   \
		add_condition((g), S(key), (no).items, (no).count, true);      \
	} while (0)

static void
add_source(struct gathering *g, const struct authz_source *s)
{
	ADD(g, "source.principal", s->principals, s->not_principals);
	ADD(g, "request.auth.principal", s->request_principals,
	    s->not_request_principals);
	ADD(g, "source.serviceAccount", s->service_accounts,
	    s->not_service_accounts);
	ADD(g, "source.trustDomain", s->trust_domains, s->not_trust_domains);
	ADD(g, "source.namespace", s->namespaces, s->not_namespaces);
	ADD(g, "remote.ip", s->remote_ip_blocks, s->not_remote_ip_blocks);
	ADD(g, "source.ip", s->ip_blocks, s->not_ip_blocks);
}

static void
add_operation(struct gathering *g, const struct authz_operation *o)
{
	ADD(g, "request.host", o->hosts, o->not_hosts);
	ADD(g, "request.method", o->methods, o->not_methods);
	ADD(g, "request.path", o->paths, o->not_paths);
	ADD(g, "destination.port", o->ports, o->not_ports);
}

static void
add_when(struct gathering *g, const struct authz_condition *w)
{
	add_condition(g, w->key, w->values.items, w->values.count, false);
	add_condition(
	    g, w->key, w->not_values.items, w->not_values.count, true);
}

/* Takes the conditions out of the list. */
static struct access_all
all_of(struct gathering *g)
{
	struct access_condition *items =
	    take(g->b, g->rows.count, sizeof(*items));
	struct access_all all = {items, 0};

	for (size_t i = 0; items != NULL && i < g->rows.count; i++)
		items[all.count++] =
		    *(const struct access_condition *)g->rows.items[i];
	g->rows.count = 0;
	return all;
}

static void
put_from(
    struct gathering *g, const struct authz_rule *spec, struct access_rule *out)
{
	struct access_all *from = take(g->b, spec->from.count, sizeof(*from));

	for (size_t i = 0; from != NULL && i < spec->from.count; i++) {
		if (spec->from.items[i].source != NULL)
			add_source(g, spec->from.items[i].source);
		from[i] = all_of(g);
	}
	out->from = from;
	out->from_count = from != NULL ? spec->from.count : 0;
}

static void
put_to(
    struct gathering *g, const struct authz_rule *spec, struct access_rule *out)
{
	struct access_all *to = take(g->b, spec->to.count, sizeof(*to));

	for (size_t i = 0; to != NULL && i < spec->to.count; i++) {
		if (spec->to.items[i].operation != NULL)
			add_operation(g, spec->to.items[i].operation);
		to[i] = all_of(g);
	}
	out->to = to;
	out->to_count = to != NULL ? spec->to.count : 0;
}

static struct access_rule *
new_rule(struct builder *b, const struct access_policy *policy, size_t index)
{
	struct access_rule *r = take(b, 1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->policy = policy;
	r->index = index;
	r->origin = policy->origin;
	return r;
}

static void
add_rule(struct gathering *g, const struct authz_rule *spec,
    const struct access_policy *policy, size_t index, struct rows *out)
{
	struct access_rule *r = new_rule(g->b, policy, index);

	if (r == NULL)
		return;
	if (r->origin.line > 0 && spec->head.line > 0)
		r->origin.line = spec->head.line;
	put_from(g, spec, r);
	put_to(g, spec, r);
	for (size_t i = 0; i < spec->when.count; i++)
		add_when(g, &spec->when.items[i]);
	r->when = all_of(g);
	rows_add(out, r);
}

void
compile_rules(struct builder *b, const struct trust *t,
    const struct resource *r, const struct access_policy *policy,
    struct rows *out)
{
	const struct authorization_policy *spec = r->spec;
	struct gathering g = {.b = b, .trust = t, .ns = r->key.ns};

	for (size_t i = 0; i < spec->rules.count; i++)
		add_rule(&g, &spec->rules.items[i], policy, i, out);
	if (spec->rules.count == 0) {
		struct access_rule *never = new_rule(b, policy, 0);

		if (never != NULL) {
			never->never = S("the policy has no rule");
			rows_add(out, never);
		}
	}
	rows_fini(&g.rows);
}

/* --- connections ---------------------------------------------------------- */

static bool
asks_for_http(const struct access_all *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (access_subject_is_http(all->conditions[i].subject))
			return true;
	return false;
}

bool
rule_is_about_requests(const struct access_rule *r)
{
	bool http = asks_for_http(&r->when);

	for (size_t i = 0; i < r->from_count; i++)
		http = http || asks_for_http(&r->from[i]);
	for (size_t i = 0; i < r->to_count; i++)
		http = http || asks_for_http(&r->to[i]);
	return http;
}

bool
rule_skips_tcp(const struct access_rule *r, enum access_stage stage)
{
	return (stage == ACCESS_ALLOW || stage == ACCESS_DRY_ALLOW) &&
	       rule_is_about_requests(r);
}
