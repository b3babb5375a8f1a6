/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authn — RequestAuthentications as rows.
 */
#include <stdlib.h>

#include "parts.h"

/* The same list, but for types. */
#define LIST(out, member, counter, list)                                       \
	do {                                                                   \
		(out)->member = (list).items;                                  \
		(out)->counter = (list).count;                                 \
	} while (0)

static const struct slice default_param[] = {{"access_token", 12}};
static const struct authn_header default_header[] = {
    {{"authorization", 13}, {"Bearer ", 7}}};

static void
put_headers(
    struct builder *b, const struct jwt_rule *spec, struct authn_rule *out)
{
	struct authn_header *h = take(b, spec->from_headers.count, sizeof(*h));

	for (size_t i = 0; h != NULL && i < spec->from_headers.count; i++) {
		h[i].name = take_lower(b, spec->from_headers.items[i].name);
		h[i].prefix = spec->from_headers.items[i].prefix;
	}
	out->headers = h;
	out->header_count = h != NULL ? spec->from_headers.count : 0;
}

static void
put_places(
    struct builder *b, const struct jwt_rule *spec, struct authn_rule *out)
{
	put_headers(b, spec, out);
	LIST(out, params, param_count, spec->from_params);
	LIST(out, cookies, cookie_count, spec->from_cookies);
	if (out->header_count + out->param_count + out->cookie_count > 0)
		return;
	out->headers = default_header;
	out->header_count = ARRAY_LEN(default_header);
	out->params = default_param;
	out->param_count = ARRAY_LEN(default_param);
}

static void
put_outputs(
    struct builder *b, const struct jwt_rule *spec, struct authn_rule *out)
{
	size_t n = spec->output_claim_to_headers.count;
	struct authn_claim_header *h = take(b, n, sizeof(*h));

	out->forward = spec->forward_original_token;
	out->payload_header = take_lower(b, spec->output_payload_to_header);
	for (size_t i = 0; h != NULL && i < n; i++) {
		h[i].header = take_lower(
		    b, spec->output_claim_to_headers.items[i].header);
		h[i].claim = spec->output_claim_to_headers.items[i].claim;
	}
	out->claim_headers = h;
	out->claim_header_count = h != NULL ? n : 0;
}

static void
add_rule(struct builder *b, const struct resource *r,
    const struct jwt_rule *spec, struct rows *out)
{
	struct authn_rule *rule = take(b, 1, sizeof(*rule));

	if (rule == NULL)
		return;
	rule->origin = origin_of(r, spec->head.line);
	rule->issuer = spec->issuer;
	LIST(rule, audiences, audience_count, spec->audiences);
	LIST(rule, spaced, spaced_count, spec->space_delimited_claims);
	rule->jwks = spec->jwks;
	rule->jwks_uri = spec->jwks_uri;
	rule->timeout_us = spec->timeout;
	put_places(b, spec, rule);
	put_outputs(b, spec, rule);
	rows_add(out, rule);
}

/* Of one issuer in the order of the policies. */
static void
sort_by_issuer(struct rows *rules)
{
	for (size_t i = 1; i < rules->count; i++) {
		struct authn_rule *r = rules->items[i];
		size_t at = i;

		for (; at > 0; at--) {
			const struct authn_rule *before = rules->items[at - 1];

			if (slice_cmp(before->issuer, r->issuer) <= 0)
				break;
			rules->items[at] = rules->items[at - 1];
		}
		rules->items[at] = r;
	}
}

static const struct view_authn *
keep_rules(struct builder *b, const struct rows *rules)
{
	struct authn_rule *items;
	struct view_authn *out;

	if (rules->count == 0)
		return NULL;
	out = take(b, 1, sizeof(*out));
	items = take(b, rules->count, sizeof(*items));
	if (out == NULL || items == NULL)
		return NULL;
	for (size_t i = 0; i < rules->count; i++)
		items[i] = *(const struct authn_rule *)rules->items[i];
	out->rules = items;
	out->count = rules->count;
	return out;
}

const struct view_authn *
authn_of(struct builder *b, const struct policy_target *w)
{
	struct rows policies = {0}, rules = {0};
	const struct view_authn *out;

	select_policies(b->v, w, &kind_request_authentication, &policies);
	for (size_t i = 0; i < policies.count; i++) {
		const struct resource *r = policies.items[i];
		const struct request_authentication *spec = r->spec;

		for (size_t j = 0; j < spec->jwt_rules.count; j++)
			add_rule(b, r, &spec->jwt_rules.items[j], &rules);
	}
	sort_by_issuer(&rules);
	out = keep_rules(b, &rules);
	rows_fini(&policies);
	rows_fini(&rules);
	return out;
}
