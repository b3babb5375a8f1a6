/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effects — what is different for calls between two views of one place.
 *
 *	hosts      by name: new, gone, another protocol
 *	their rules   by what they ask: new, gone, other shares, other actions
 *	clusters   by name: other settings, more or fewer endpoints
 *	listeners  of calls from outside: new, gone, other chains
 *
 * Rows that both views share (patch.c) are passed by.
 */
#include "effects.h"

#include "diff.h"
#include "effects_guards.h"
#include "tree.h"

enum { ROW_BYTES = 256 << 20 }; /* that the words about one host may take */

struct telling {
	struct tree t;    /* of the row at hand, given back after it */
	struct tree told; /* what is said */
	struct value *list;
	struct slice to; /* that is told of now */
};

/* --- saying it ------------------------------------------------------------ */

static void
say(struct telling *x, struct slice text)
{
	struct tree *t = &x->told;
	struct value *map = tree_map(t);

	tree_put_text(t, map, "to", tree_printf(t, "%.*s", SLICE_ARG(x->to)));
	tree_put_text(t, map, "text", tree_printf(t, "%.*s", SLICE_ARG(text)));
	tree_add(t, x->list, map);
}

/* What was made to compare the row is of no use for the next one. */
static void
next_row(struct telling *x)
{
	arena_reset(x->t.arena);
}

static struct slice
words(struct telling *x, const struct value *v)
{
	switch (v->type) {
	case VALUE_STRING:
		return v->string;
	case VALUE_INT:
		return tree_printf(&x->t, "%lld", (long long)v->integer);
	case VALUE_BOOL:
		return v->boolean ? S("true") : S("false");
	default:
		return S("other");
	}
}

/* What is different in two maps of settings; `of` is in front. */
static void
say_settings(struct telling *x, struct slice of, const struct value *before,
    const struct value *after)
{
	struct diff d;

	if (diff_values(before, after, x->t.arena, &d) != OK) {
		x->t.full = true;
		return;
	}
	for (size_t i = 0; i < d.count; i++) {
		const struct difference *one = &d.items[i];

		if (one->before != NULL && one->after != NULL)
			say(x,
			    tree_printf(&x->t, "%.*s%s is now %.*s, not %.*s",
				SLICE_ARG(of), one->path,
				SLICE_ARG(words(x, one->after)),
				SLICE_ARG(words(x, one->before))));
		else
			say(x, tree_printf(&x->t, "%.*s%s is %s", SLICE_ARG(of),
				   one->path,
				   one->after != NULL    ? "new"
				   : one->before != NULL ? "gone"
							 : "at another place"));
	}
}

/* --- shares --------------------------------------------------------------- */

enum { SHARES_MAX = 64 };

struct share {
	struct slice who;
	double percent;
};

struct shares {
	struct share items[SHARES_MAX]; /* the rest of more is not told */
	size_t count;
};

/* "v2" of the host itself; else "ratings.default v2". */
static struct slice
who(struct telling *x, const struct view_host *h,
    const struct view_destination *d)
{
	const struct view_cluster *c = d->cluster;

	if (d->passes)
		return d->name;
	if (c == NULL)
		return tree_printf(
		    &x->t, "nobody (%.*s)", SLICE_ARG(d->missing));
	if (c->service == NULL)
		return c->name;
	if (c->service == h->service && c->subset.len > 0)
		return c->subset;
	if (c->service == h->service)
		return S("any instance");
	return tree_printf(&x->t, "%.*s.%.*s%s%.*s",
	    SLICE_ARG(c->service->name), SLICE_ARG(c->service->ns),
	    c->subset.len > 0 ? " " : "", SLICE_ARG(c->subset));
}

static struct share *
find_share(struct shares *s, struct slice name)
{
	for (size_t i = 0; i < s->count; i++)
		if (slice_eq(s->items[i].who, name))
			return &s->items[i];
	return NULL;
}

static void
collect_shares(struct telling *x, const struct view_host *h,
    const struct view_destination *items, size_t count, uint32_t total,
    struct shares *out)
{
	out->count = 0;
	for (size_t i = 0; i < count; i++) {
		double percent =
		    total > 0 ? 100.0 * (double)items[i].weight / (double)total
		    : i == 0  ? 100.0
			      : 0.0;
		struct slice name = who(x, h, &items[i]);
		struct share *same = find_share(out, name);

		if (same != NULL)
			same->percent += percent;
		else if (percent > 0.0 && out->count < SHARES_MAX)
			out->items[out->count++] =
			    (struct share){name, percent};
	}
}

static struct slice
amount(struct telling *x, double percent)
{
	return percent >= 100.0 ? S("all")
				: tree_printf(&x->t, "%.4g %%", percent);
}

/* "all to v1", "90 % to v1, 10 % to v2" */
static struct slice
list_of(struct telling *x, const struct shares *s)
{
	struct slice text = S("");

	for (size_t i = 0; i < s->count; i++)
		text = tree_printf(&x->t, "%.*s%s%.*s to %.*s", SLICE_ARG(text),
		    i > 0 ? ", " : "",
		    SLICE_ARG(amount(x, s->items[i].percent)),
		    SLICE_ARG(s->items[i].who));
	return s->count > 0 ? text : S("none");
}

/* "10 % now go to v2 (until now all to v1)": only what became more. */
static void
say_shares(struct telling *x, struct slice of, struct shares *before,
    const struct shares *after)
{
	struct slice text = S("");

	for (size_t i = 0; i < after->count; i++) {
		const struct share *now = &after->items[i];
		const struct share *old = find_share(before, now->who);

		if (old != NULL && now->percent <= old->percent + 0.001)
			continue;
		text = tree_printf(&x->t, "%.*s%s%.*s%s to %.*s",
		    SLICE_ARG(text), text.len > 0 ? ", " : "",
		    SLICE_ARG(amount(x, now->percent)),
		    text.len > 0 ? "" : " now go", SLICE_ARG(now->who));
	}
	if (text.len > 0)
		say(x, tree_printf(&x->t, "%.*s%.*s (until now %.*s)",
			   SLICE_ARG(of), SLICE_ARG(text),
			   SLICE_ARG(list_of(x, before))));
}

/* --- rules ---------------------------------------------------------------- */

/* "where path begins with /api: " */
static struct slice
rule_prefix(struct telling *x, struct slice asks)
{
	return asks.len > 0
		   ? tree_printf(&x->t, "where %.*s: ", SLICE_ARG(asks))
		   : S("");
}

/* What it does, but for where it sends. */
static struct value *
action_of(struct telling *x, const struct view_http_route *r)
{
	struct value *map = tree_map(&x->t);

	VALUE_EACH(tree_http_action(&x->t, r), it)
	{
		if (!slice_eq(it->key, S("cluster")) &&
		    !slice_eq(it->key, S("weightedClusters")) && map != NULL &&
		    value_set(map, it->key, value_share(it, x->t.arena)) != OK)
			x->t.full = true;
	}
	return map;
}

static void
compare_rules(struct telling *x, const struct view_host *h_before,
    const struct view_http_route *before, const struct view_host *h_after,
    const struct view_http_route *after)
{
	struct slice of = rule_prefix(x, tree_asked(&x->t, after));
	struct shares old, now;

	collect_shares(x, h_before, before->destinations,
	    before->destination_count, before->weight_total, &old);
	collect_shares(x, h_after, after->destinations,
	    after->destination_count, after->weight_total, &now);
	say_shares(x, of, &old, &now);
	say_settings(x, of, action_of(x, before), action_of(x, after));
}

/* The rules of one host before, by what they ask. */
static void
index_rules(struct telling *x, const struct view_host *h, struct map *out)
{
	for (size_t i = h->http_count; i > 0; i--)
		(void)map_put(out, tree_asked(&x->t, &h->http[i - 1]),
		    (void *)(uintptr_t)&h->http[i - 1]); /* the first counts */
}

static void
say_new_rule(struct telling *x, const struct view_host *h,
    const struct view_http_route *r)
{
	struct shares now;

	collect_shares(
	    x, h, r->destinations, r->destination_count, r->weight_total, &now);
	say(x, tree_printf(&x->t, "%.*sa rule of its own now, %.*s",
		   SLICE_ARG(rule_prefix(x, tree_asked(&x->t, r))),
		   SLICE_ARG(list_of(x, &now))));
}

static void
compare_http(struct telling *x, const struct view_host *before,
    const struct view_host *after)
{
	struct map old, now;

	map_init(&old);
	map_init(&now);
	index_rules(x, before, &old);
	index_rules(x, after, &now);
	for (size_t i = 0; i < after->http_count; i++) {
		const struct view_http_route *r = &after->http[i];
		struct slice asks = tree_asked(&x->t, r);
		const struct view_http_route *was = map_get(&old, asks);

		if (map_get(&now, asks) != r)
			continue; /* never asked: one before it is the same */
		if (was == NULL)
			say_new_rule(x, after, r);
		else
			compare_rules(x, before, was, after, r);
	}
	for (size_t i = 0; i < before->http_count; i++) {
		struct slice asks = tree_asked(&x->t, &before->http[i]);

		if (map_get(&now, asks) == NULL)
			say(x, tree_printf(&x->t,
				   "%.*sno rule of its own any more",
				   SLICE_ARG(rule_prefix(x, asks))));
	}
	map_fini(&old, NULL);
	map_fini(&now, NULL);
}

static bool
asks_alike(const struct view_tcp_route *a, const struct view_tcp_route *b)
{
	for (size_t i = 0; i < MIN(a->cidr_count, b->cidr_count); i++)
		if (a->cidrs[i].bits != b->cidrs[i].bits ||
		    !addr_ip_eq(&a->cidrs[i].base, &b->cidrs[i].base))
			return false;
	return a->cidr_count == b->cidr_count &&
	       slice_lists_eq(a->snis, a->sni_count, b->snis, b->sni_count);
}

static void
compare_tcp(struct telling *x, const struct view_host *before,
    const struct view_host *after)
{
	size_t most = MAX(before->tcp_count, after->tcp_count);

	for (size_t i = 0; i < most; i++) {
		struct shares old = {.count = 0}, now = {.count = 0};

		if (before->tcp_count == after->tcp_count &&
		    !asks_alike(&before->tcp[i], &after->tcp[i]))
			say(x, tree_printf(&x->t,
				   "rule %zu: is for other addresses, or other "
				   "names of servers, than until now",
				   i + 1));
		if (i < before->tcp_count)
			collect_shares(x, before, before->tcp[i].destinations,
			    before->tcp[i].destination_count,
			    before->tcp[i].weight_total, &old);
		if (i < after->tcp_count)
			collect_shares(x, after, after->tcp[i].destinations,
			    after->tcp[i].destination_count,
			    after->tcp[i].weight_total, &now);
		say_shares(x,
		    most > 1 ? tree_printf(&x->t, "rule %zu: ", i + 1) : S(""),
		    &old, &now);
	}
}

/* --- hosts ---------------------------------------------------------------- */

static struct slice
host_text(struct telling *x, const struct view_host *h)
{
	struct slice name = h->host;

	if (h->service != NULL && h->service->ns.len > 0 &&
	    !slice_eq(h->service->name, h->service->istio))
		name = tree_printf(&x->t, "%.*s.%.*s",
		    SLICE_ARG(h->service->name), SLICE_ARG(h->service->ns));
	if (h->port == 0)
		return name;
	return tree_printf(
	    &x->t, "%.*s:%u", SLICE_ARG(name), (unsigned)h->port);
}

static void
compare_host(struct telling *x, const struct view_host *before,
    const struct view_host *after)
{
	if (before->protocol != after->protocol)
		say(x, tree_printf(&x->t, "is now spoken to as %s, not %s",
			   view_protocol_name(after->protocol),
			   view_protocol_name(before->protocol)));
	compare_http(x, before, after);
	compare_tcp(x, before, after);
}

/* Either may be NULL: it is not there. */
static void
say_host(struct telling *x, const struct view_host *before,
    const struct view_host *after)
{
	x->to = host_text(x, after != NULL ? after : before);
	if (before == NULL)
		say(x, S("can be called now"));
	else if (after == NULL)
		say(x, S("can no longer be called"));
	else
		compare_host(x, before, after);
}

static const struct view_host *
if_named(const struct view_host *h, struct slice name)
{
	return h != NULL && slice_eq(h->name, name) ? h : NULL;
}

/* Both are in order. Where there are several of one name, at other listeners,
 * the first is compared with the first; one more is like the one before. */
static void
compare_hosts(
    struct telling *x, const struct view *before, const struct view *after)
{
	size_t i = 0, j = 0;
	const struct view_host *old = view_next_host(before, &i);
	const struct view_host *now = view_next_host(after, &j);
	const struct view_host *last_old = NULL, *last = NULL;

	while (old != NULL || now != NULL) {
		const struct view_host *was, *is = NULL;
		int order = old == NULL   ? 1
			    : now == NULL ? -1
					  : slice_cmp(old->name, now->name);

		was = order <= 0 ? old : if_named(last_old, now->name);
		if (order <= 0) {
			last_old = old;
			old = view_next_host(before, &i);
		}
		if (order >= 0) {
			is = last = now;
			now = view_next_host(after, &j);
		}
		if (was != is &&
		    (is != NULL || if_named(last, was->name) == NULL))
			say_host(x, was, is);
		next_row(x);
	}
}

/* --- clusters ------------------------------------------------------------- */

/* How it is secured is told apart, unless it is the same. */
static struct value *
settings_of(struct telling *x, const struct view_cluster *c, bool same_security)
{
	struct value *map = tree_map(&x->t);

	tree_put_text(
	    &x->t, map, "type", slice_str(view_cluster_type_name(c->type)));
	tree_put_text(&x->t, map, "balancer", slice_str(tree_chooser(c)));
	tree_put_bool(&x->t, map, "http2", c->http2);
	if (same_security)
		tree_put_text(&x->t, map, "sni", c->sni);
	VALUE_EACH(tree_policy(&x->t, c->policy), it)
	{
		if ((same_security || !slice_eq(it->key, S("tls"))) &&
		    map != NULL &&
		    value_set(map, it->key, value_share(it, x->t.arena)) != OK)
			x->t.full = true;
	}
	return map;
}

static void
compare_cluster(struct telling *x, const struct view_cluster *before,
    const struct view_cluster *after)
{
	bool same = before->security == after->security;
	struct slice of =
	    after->subset.len > 0
		? tree_printf(&x->t, "%.*s: ", SLICE_ARG(after->subset))
		: S("");

	x->to = after->name;
	if (after->service != NULL)
		x->to = tree_printf(&x->t, "%.*s.%.*s:%u",
		    SLICE_ARG(after->service->name),
		    SLICE_ARG(after->service->ns), (unsigned)after->port);
	if (!same)
		say(x, tree_printf(&x->t, "%.*s%s now (until now %s)",
			   SLICE_ARG(of), tree_security(after->security),
			   tree_security(before->security)));
	say_settings(
	    x, of, settings_of(x, before, same), settings_of(x, after, same));
	if (before->endpoint_count != after->endpoint_count)
		say(x, tree_printf(&x->t, "%.*s%zu endpoints, not %zu",
			   SLICE_ARG(of), after->endpoint_count,
			   before->endpoint_count));
}

static void
compare_clusters(
    struct telling *x, const struct view *before, const struct view *after)
{
	const struct view_cluster *c;

	for (size_t i = 0; (c = view_next_cluster(after, &i)) != NULL;) {
		const struct view_cluster *was =
		    view_find_cluster(before, c->name);

		if (was != NULL && was != c)
			compare_cluster(x, was, c);
		next_row(x);
	}
}

/* --- listeners ------------------------------------------------------------ */

static const struct view_listener *
find_named(
    const struct view_listener *const *all, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(all[i]->name, name))
			return all[i];
	return NULL;
}

/* Those of gateways have no names: they are known by what they take. */
static bool
is_alike(const struct view_chain *a, const struct view_chain *b)
{
	return slice_eq(a->name, b->name) && a->tls.mode == b->tls.mode &&
	       slice_lists_eq(a->match.snis, a->match.sni_count, b->match.snis,
		   b->match.sni_count);
}

static bool
has_chain(const struct view_listener *l, const struct view_chain *c)
{
	for (size_t i = 0; i < l->chain_count; i++)
		if (is_alike(&l->chains[i], c))
			return true;
	return false;
}

static struct slice
chain_name(struct telling *x, const struct view_chain *c)
{
	struct slice text = S("for any server");

	if (c->name.len > 0)
		return c->name;
	for (size_t i = 0; i < c->match.sni_count; i++)
		text = i == 0
			   ? tree_printf(
				 &x->t, "for %.*s", SLICE_ARG(c->match.snis[i]))
			   : tree_printf(&x->t, "%.*s or %.*s", SLICE_ARG(text),
				 SLICE_ARG(c->match.snis[i]));
	return text;
}

/* Several chains have one name, for plain text and for TLS. */
static bool
was_named(const struct view_listener *l, size_t at)
{
	struct slice name = l->chains[at].name;

	for (size_t i = 0; name.len > 0 && i < at; i++)
		if (slice_eq(l->chains[i].name, name))
			return true;
	return false;
}

/* Chains that `a` has and `b` has not. */
static void
say_chains(struct telling *x, const struct view_listener *a,
    const struct view_listener *b, const char *what)
{
	for (size_t i = 0; i < a->chain_count; i++) {
		struct slice name;

		if (has_chain(b, &a->chains[i]) || was_named(a, i))
			continue;
		name = chain_name(x, &a->chains[i]);
		say(x, tree_printf(&x->t, "the chain %.*s is %s",
			   SLICE_ARG(name), what));
	}
}

static void
compare_listener(struct telling *x, const struct listener_then *before,
    const struct listener_then *after)
{
	const struct view_listener *was = before->l, *is = after->l;

	if (was->reads_proxy_header != is->reads_proxy_header)
		say(x, is->reads_proxy_header
			   ? S("takes only what begins with a PROXY header")
			   : S("takes no PROXY header any more"));
	say_chains(x, is, was, "new, or ends TLS in another way");
	say_chains(x, was, is, "gone, or as it was no longer");
	VALUE_EACH(guards_compare(&x->t, before, after), it)
	say(x, it->string);
}

static void
compare_listeners(struct telling *x, const struct view *before,
    const struct view *after, enum view_direction d)
{
	size_t old_count, count;
	const struct view_listener *const *old =
	    view_listeners(before, NULL, d, &old_count);
	const struct view_listener *const *now =
	    view_listeners(after, NULL, d, &count);

	for (size_t i = 0; i < count; i++) {
		const struct view_listener *was =
		    find_named(old, old_count, now[i]->name);

		x->to = now[i]->name;
		if (was == NULL)
			say(x, S("listens now"));
		else
			compare_listener(x,
			    &(struct listener_then){before, was},
			    &(struct listener_then){after, now[i]});
	}
	for (size_t i = 0; i < old_count; i++) {
		x->to = old[i]->name;
		if (find_named(now, count, old[i]->name) == NULL)
			say(x, S("listens no longer"));
	}
}

struct value *
view_effects(
    const struct view *before, const struct view *after, struct arena *arena)
{
	AUTO(arena_fini) struct arena row = {0};
	struct telling x = {.t = {.arena = &row}, .told = {.arena = arena}};

	arena_init(&row, ROW_BYTES);
	x.list = tree_list(&x.told);
	compare_hosts(&x, before, after);
	compare_clusters(&x, before, after);
	compare_listeners(&x, before, after, VIEW_INBOUND);
	compare_listeners(&x, before, after, VIEW_GATEWAY);
	return x.t.full || x.told.full ? NULL : x.list;
}
