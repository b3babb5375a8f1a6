/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hashing — what keeps the requests of one client at one endpoint.
 *
 * A destination's rules say it, but the key is looked for in the request, so
 * it belongs to the route. In a patch routes may outlive the DestinationRule
 * that they were made by, so they have texts of their own.
 */
#include "actions.h"

static const struct consistent_hash *
of_balancer(const struct load_balancer *lb)
{
	return lb != NULL ? lb->consistent_hash : NULL;
}

static const struct consistent_hash *
of_policy(const struct traffic_policy *p)
{
	return p != NULL ? of_balancer(p->load_balancer) : NULL;
}

static const struct consistent_hash *
of_port(const struct traffic_policy *p, int64_t port)
{
	for (size_t i = 0; p != NULL && i < p->port_level.count; i++) {
		const struct port_policy *at = &p->port_level.items[i];

		if (at->port != NULL && at->port->number == port)
			return of_balancer(at->load_balancer);
	}
	return NULL;
}

/* Upstream asks for a port's own only where the destination names it. */
static const struct consistent_hash *
find(const struct builder *b, struct service_row *s, uint16_t port,
    const struct destination_spec *spec)
{
	const struct merged_rule *rule = rule_of(b, s);
	const struct resource *from;
	const struct traffic_policy *all = find_policy(rule, &from),
				    *own = NULL;
	const struct subset_spec *subset = NULL;
	const struct consistent_hash *found = NULL;
	int64_t number = port;

	if (spec != NULL)
		number = spec->port != NULL ? spec->port->number : 0;
	if (spec != NULL && spec->subset.len > 0)
		subset = find_subset(rule, spec->subset, &from);
	if (subset != NULL)
		own = subset->traffic_policy;
	found = of_port(own, number);
	if (found == NULL)
		found = of_policy(own);
	if (found == NULL)
		found = of_port(all, number);
	return found != NULL ? found : of_policy(all);
}

bool
hashes_source(
    const struct builder *b, struct service_row *s, struct slice subset)
{
	const struct merged_rule *rule = rule_of(b, s);
	const struct resource *from;
	const struct subset_spec *of =
	    subset.len > 0 ? find_subset(rule, subset, &from) : NULL;
	const struct traffic_policy *own =
	    of != NULL ? of->traffic_policy : NULL;
	const struct consistent_hash *h;

	if (own != NULL && own->load_balancer != NULL)
		h = of_policy(own);
	else
		h = of_policy(find_policy(rule, &from));
	return h != NULL && h->use_source_ip;
}

static void
compile_cookie(struct builder *b, const struct hash_cookie *c,
    struct view_hash_policy *out)
{
	struct label *items = take(b, c->attributes.count, sizeof(*items));

	out->key = VIEW_HASH_BY_COOKIE;
	out->name = take_copy(b, c->name);
	out->path = take_copy(b, c->path);
	out->has_ttl = message_has(&hash_cookie_message, c, "ttl");
	out->ttl_us = c->ttl;
	for (size_t i = 0; items != NULL && i < c->attributes.count; i++)
		items[i] =
		    (struct label){take_copy(b, c->attributes.items[i].name),
			take_copy(b, c->attributes.items[i].value)};
	out->attributes = items;
	out->attribute_count = items != NULL ? c->attributes.count : 0;
}

bool
find_hash(struct builder *b, struct service_row *s, uint16_t port,
    const struct destination_spec *spec, struct view_hash_policy *out)
{
	const struct consistent_hash *h = find(b, s, port, spec);

	*out = (struct view_hash_policy){.key = VIEW_HASH_BY_SOURCE};
	if (h == NULL)
		return false;
	if (h->http_cookie != NULL) {
		compile_cookie(b, h->http_cookie, out);
	} else if (h->http_header_name.len > 0) {
		out->key = VIEW_HASH_BY_HEADER;
		out->name = take_copy(b, h->http_header_name);
	} else if (h->http_query_parameter_name.len > 0) {
		out->key = VIEW_HASH_BY_PARAMETER;
		out->name = take_copy(b, h->http_query_parameter_name);
	} else {
		return h->use_source_ip;
	}
	return true;
}
