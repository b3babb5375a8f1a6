/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delegates — the rules of a VirtualService, those of its delegates put in.
 *
 * A rule that names a delegate stands for the delegate's rules, each with what
 * both ask of a request. One that could not be met by any request that the
 * root's match lets through is left out, as upstream does, and reported.
 */
#include "delegates.h"
#include "inside.h"

/* --- do two tests of one text contradict ---------------------------------- */

/*
 * May a request pass both? The delegate's test has to be narrower: upstream
 * compares texts, and lets no regular expression stand beside another test.
 */
static bool
is_narrower(const struct string_match *root, const struct string_match *leaf)
{
	if (root == NULL || leaf == NULL)
		return true;
	if (root->regex.len > 0 || leaf->regex.len > 0)
		return false;
	if (root->exact.len > 0)
		return leaf->prefix.len == 0 &&
		       slice_eq(root->exact, leaf->exact);
	if (root->prefix.len == 0)
		return false;
	return leaf->prefix.len > 0 ? slice_starts(leaf->prefix, root->prefix)
				    : slice_starts(leaf->exact, root->prefix) &&
					  leaf->exact.len > 0;
}

static const struct message_entry *
entry_of(const struct message_entry *items, size_t count, struct slice key)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(items[i].key, key))
			return &items[i];
	return NULL;
}

/* Lists of entries, as LIST_OF() lays them out. */
struct entries {
	const struct message_entry *items;
	size_t count;
};

static bool
are_narrower(const struct entries *root, const struct entries *leaf)
{
	for (size_t i = 0; i < leaf->count; i++) {
		const struct message_entry *e =
		    entry_of(root->items, root->count, leaf->items[i].key);

		if (e != NULL &&
		    !is_narrower(e->message, leaf->items[i].message))
			return false;
	}
	return true;
}

static bool
labels_agree(const struct labels *root, const struct labels *leaf)
{
	for (size_t i = 0; i < leaf->count; i++) {
		struct slice v = labels_get(root, leaf->items[i].key);

		if (v.ptr != NULL && !slice_eq(v, leaf->items[i].value))
			return false;
	}
	return true;
}

static bool
gateways_agree(const struct http_match *root, const struct http_match *leaf)
{
	if (root->gateways.count == 0 || leaf->gateways.count == 0)
		return true;
	if (root->gateways.count < leaf->gateways.count)
		return false;
	for (size_t i = 0; i < leaf->gateways.count; i++) {
		size_t j = 0;

		while (
		    j < root->gateways.count &&
		    !slice_eq(root->gateways.items[j], leaf->gateways.items[i]))
			j++;
		if (j == root->gateways.count)
			return false;
	}
	return true;
}

#define ENTRIES(list) (&(struct entries){(list).items, (list).count})

static bool
agree(const struct http_match *root, const struct http_match *leaf)
{
	return is_narrower(root->uri, leaf->uri) &&
	       is_narrower(root->scheme, leaf->scheme) &&
	       is_narrower(root->method, leaf->method) &&
	       is_narrower(root->authority, leaf->authority) &&
	       are_narrower(ENTRIES(root->headers), ENTRIES(leaf->headers)) &&
	       are_narrower(ENTRIES(root->without_headers),
		   ENTRIES(leaf->without_headers)) &&
	       are_narrower(
		   ENTRIES(root->query_params), ENTRIES(leaf->query_params)) &&
	       root->ignore_uri_case == leaf->ignore_uri_case &&
	       (root->port == 0 || leaf->port == 0 ||
		   root->port == leaf->port) &&
	       (root->source_namespace.len == 0 ||
		   slice_eq(root->source_namespace, leaf->source_namespace)) &&
	       labels_agree(&root->source_labels, &leaf->source_labels) &&
	       gateways_agree(root, leaf);
}

bool
delegate_fits(const struct http_route *root, const struct http_route *leaf)
{
	for (size_t i = 0; root->match.count > 0 && i < leaf->match.count;
	     i++) {
		size_t j = 0;

		while (j < root->match.count &&
		       !agree(&root->match.items[j], &leaf->match.items[i]))
			j++;
		if (j == root->match.count)
			return false;
	}
	return true;
}

/* --- both together -------------------------------------------------------- */

/* "root-leaf", or the one that there is. */
static struct slice
join_names(struct builder *b, struct slice root, struct slice leaf)
{
	if (root.len == 0 || leaf.len == 0)
		return root.len > 0 ? root : leaf;
	return take_printf(b, "%.*s-%.*s", SLICE_ARG(root), SLICE_ARG(leaf));
}

/* Of a name in both the delegate's counts. */
static struct entries
join_entries(
    struct builder *b, const struct entries *root, const struct entries *leaf)
{
	struct message_entry *items =
	    take(b, root->count + leaf->count, sizeof(*items));
	struct entries out = {items, 0};

	for (size_t i = 0; items != NULL && i < root->count; i++)
		if (entry_of(leaf->items, leaf->count, root->items[i].key) ==
		    NULL)
			items[out.count++] = root->items[i];
	for (size_t i = 0; items != NULL && i < leaf->count; i++)
		items[out.count++] = leaf->items[i];
	return out;
}

static struct labels
join_labels(
    struct builder *b, const struct labels *root, const struct labels *leaf)
{
	struct label *items =
	    take(b, root->count + leaf->count, sizeof(*items));
	struct labels out = {items, 0};

	for (size_t i = 0; items != NULL && i < root->count; i++)
		if (labels_get(leaf, root->items[i].key).ptr == NULL)
			items[out.count++] = root->items[i];
	for (size_t i = 0; items != NULL && i < leaf->count; i++)
		items[out.count++] = leaf->items[i];
	return out;
}

#define JOIN(out, root, leaf, list)                                            \
	do {                                                                   \
		struct entries joined_ = join_entries(                         \
		    b, ENTRIES((root)->list), ENTRIES((leaf)->list));          \
                                                                               \
		(out)->list.items = joined_.items;                             \
		(out)->list.count = joined_.count;                             \
	} while (0)

static void
join_match(struct builder *b, const struct http_match *root,
    const struct http_match *leaf, struct http_match *out)
{
	*out = *leaf;
	out->name = join_names(b, root->name, leaf->name);
	out->uri = leaf->uri != NULL ? leaf->uri : root->uri;
	out->scheme = leaf->scheme != NULL ? leaf->scheme : root->scheme;
	out->method = leaf->method != NULL ? leaf->method : root->method;
	out->authority =
	    leaf->authority != NULL ? leaf->authority : root->authority;
	JOIN(out, root, leaf, headers);
	JOIN(out, root, leaf, without_headers);
	JOIN(out, root, leaf, query_params);
	out->port = leaf->port != 0 ? leaf->port : root->port;
	out->source_labels =
	    join_labels(b, &root->source_labels, &leaf->source_labels);
	if (leaf->source_namespace.len == 0)
		out->source_namespace = root->source_namespace;
	if (leaf->gateways.count == 0)
		out->gateways = root->gateways;
}

/* False if it does not fit. */
static bool
join_matches(struct builder *b, const struct http_route *root,
    const struct http_route *leaf, struct http_route *out)
{
	size_t most = root->match.count * leaf->match.count, n = 0;
	struct http_match *items;

	if (root->match.count == 0 || leaf->match.count == 0) {
		out->match = root->match.count == 0 ? leaf->match : root->match;
		return true;
	}
	if (!delegate_fits(root, leaf))
		return false;
	items = take(b, most, sizeof(*items));
	for (size_t i = 0; items != NULL && i < leaf->match.count; i++)
		for (size_t j = 0; j < root->match.count; j++)
			if (agree(&root->match.items[j], &leaf->match.items[i]))
				join_match(b, &root->match.items[j],
				    &leaf->match.items[i], &items[n++]);
	out->match.items = items;
	out->match.count = n;
	return items != NULL;
}

static bool
has(const struct http_route *r, const char *field)
{
	return message_has(&http_route_message, r, field);
}

/* What the delegate leaves open is as the root says. */
static void
inherit(const struct http_route *root, struct http_route *out)
{
	if (out->rewrite == NULL)
		out->rewrite = root->rewrite;
	if (out->direct_response == NULL)
		out->direct_response = root->direct_response;
	if (!has(out, "timeout"))
		out->timeout = root->timeout;
	if (out->retries == NULL)
		out->retries = root->retries;
	if (out->fault == NULL)
		out->fault = root->fault;
	if (out->mirror == NULL)
		out->mirror = root->mirror;
	if (!has(out, "mirrorPercent") && has(root, "mirrorPercent")) {
		out->mirror_percent = root->mirror_percent;
		message_mark(&http_route_message, out, "mirrorPercent");
	}
	if (out->mirror_percentage == NULL)
		out->mirror_percentage = root->mirror_percentage;
	if (out->mirrors.count == 0)
		out->mirrors = root->mirrors;
	if (out->cors_policy == NULL)
		out->cors_policy = root->cors_policy;
	if (out->headers == NULL)
		out->headers = root->headers;
}

/* --- gateways ------------------------------------------------------------- */

static void
full_gateways(struct builder *b, struct http_match *m, struct slice ns)
{
	struct slice *items = take(b, m->gateways.count, sizeof(*items));

	for (size_t i = 0; items != NULL && i < m->gateways.count; i++) {
		struct slice text = m->gateways.items[i], of, name;

		gateway_name_split(text, ns, &of, &name);
		items[i] = gateways_have_mesh(&text, 1)
			       ? text
			       : take_printf(b, "%.*s/%.*s", SLICE_ARG(of),
				     SLICE_ARG(name));
	}
	if (items != NULL)
		m->gateways.items = items;
}

static bool
names_gateways(const struct http_route *r)
{
	for (size_t i = 0; i < r->match.count; i++)
		if (r->match.items[i].gateways.count > 0)
			return true;
	return false;
}

/* Two namespaces meet in a merged rule: names get theirs before. */
static struct http_route
with_full_names(
    struct builder *b, const struct http_route *r, const struct resource *of)
{
	struct http_route out = *r;
	struct http_match *items;

	if (!names_gateways(r))
		return out;
	items = take(b, r->match.count, sizeof(*items));
	for (size_t i = 0; items != NULL && i < r->match.count; i++) {
		items[i] = r->match.items[i];
		full_gateways(b, &items[i], of->key.ns);
	}
	if (items != NULL)
		out.match.items = items;
	return out;
}

/* --- the list ------------------------------------------------------------- */

static void
add_rule(struct builder *b, struct http_rules *to,
    const struct http_route *spec, const struct resource *owner)
{
	struct http_rule *r = take(b, 1, sizeof(*r));

	if (r == NULL)
		return;
	*r = (struct http_rule){spec, owner};
	rows_add(&to->rows, r);
}

static void
add_merged(struct builder *b, struct http_rules *to,
    const struct http_route *root, const struct resource *of,
    const struct http_route *leaf, const struct resource *delegate)
{
	struct http_route *merged = take(b, 1, sizeof(*merged));
	struct origin o = origin_of(delegate, leaf->head.line);
	char key[RESOURCE_KEY_MAX];

	if (merged == NULL)
		return;
	*merged = *leaf;
	if (!join_matches(b, root, leaf, merged)) {
		add_loss(b, &o,
		    "this rule takes nothing: what it matches is not within "
		    "what %s lets through to it",
		    resource_key_format(&of->key, key));
		return;
	}
	merged->name = join_names(b, root->name, leaf->name);
	inherit(root, merged);
	add_rule(b, to, merged, delegate);
}

static const struct resource *
find_delegate(struct builder *b, const struct resource *root,
    const struct delegate_spec *d)
{
	struct slice ns = d->ns.len > 0 ? d->ns : root->key.ns;
	const struct resource *r =
	    find_resource(b->v, &kind_virtual_service, ns, d->name);

	return r != NULL && resource_virtual_service(r)->hosts.count == 0
		   ? r
		   : NULL;
}

static void
add_delegated(struct builder *b, struct http_rules *to,
    const struct http_route *root, const struct resource *of)
{
	const struct delegate_spec *d = root->delegate;
	const struct resource *r = find_delegate(b, of, d);
	struct origin o = origin_of(of, d->head.line);
	const struct virtual_service *vs;
	struct http_route full;

	vs = r != NULL ? resource_virtual_service(r) : NULL;
	if (vs == NULL || !is_exported(b, r, of->key.ns)) {
		add_loss(b, &o, "this rule takes nothing: the delegate %.*s %s",
		    SLICE_ARG(d->name),
		    r == NULL ? "is not there" : "is not exported to it");
		return;
	}
	full = with_full_names(b, root, of);
	for (size_t i = 0; i < vs->http.count; i++) {
		struct http_route leaf =
		    with_full_names(b, &vs->http.items[i], r);

		add_merged(b, to, &full, of, &leaf, r);
	}
}

static struct http_rules *
make(struct builder *b, const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);
	struct http_rules *rules = mem_new(sizeof(*rules));

	for (size_t i = 0; i < vs->http.count; i++)
		if (vs->http.items[i].delegate != NULL)
			add_delegated(b, rules, &vs->http.items[i], r);
		else
			add_rule(b, rules, &vs->http.items[i], r);
	return rules;
}

struct http_rules *
http_rules_of(struct builder *b, const struct resource *r)
{
	struct slice key = slice_of(&r, sizeof(r));
	struct http_rules *rules = map_get(&b->http_rules, key);

	if (rules != NULL)
		return rules;
	rules = make(b, r);
	(void)map_put(&b->http_rules, key, rules); /* was not there */
	return rules;
}

void
http_rules_drop(void *value)
{
	struct http_rules *rules = value;

	rows_fini(&rules->rows);
	rows_fini(&rules->hosts);
	rows_fini(&rules->parts);
	mem_free(&rules);
}

/* --- where they lead ------------------------------------------------------ */

static void
each_of_http(struct builder *b, const struct http_rule *rule,
    destination_cb meet, void *arg)
{
	const struct http_route *r = rule->spec;

	for (size_t i = 0; i < r->route.count; i++)
		meet(b, r->route.items[i].destination, rule->owner, rule, arg);
	if (r->mirror != NULL)
		meet(b, r->mirror, rule->owner, rule, arg);
	for (size_t i = 0; i < r->mirrors.count; i++)
		if (r->mirrors.items[i].destination != NULL)
			meet(b, r->mirrors.items[i].destination, rule->owner,
			    rule, arg);
}

void
each_lead(struct builder *b, const struct http_rules *rules,
    const struct resource *r, destination_cb meet, void *arg)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < rules->rows.count; i++)
		each_of_http(b, rules->rows.items[i], meet, arg);
	for (size_t i = 0; i < vs->tcp.count; i++)
		for (size_t j = 0; j < vs->tcp.items[i].route.count; j++)
			meet(b, vs->tcp.items[i].route.items[j].destination, r,
			    NULL, arg);
	for (size_t i = 0; i < vs->tls.count; i++)
		for (size_t j = 0; j < vs->tls.items[i].route.count; j++)
			meet(b, vs->tls.items[i].route.items[j].destination, r,
			    NULL, arg);
}
