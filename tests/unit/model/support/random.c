/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random — resources made at random, out of few names, so that they meet.
 */
#include "random_text.h"

struct resource *
random_resource(struct rng *rng)
{
	static void (*const kinds[])(struct text *) = {put_service, put_entry,
	    put_routes, put_routes, put_rule, put_rule, put_sidecar,
	    put_gateway, put_peers, put_access, put_tokens, put_workload,
	    put_mesh, put_telemetry, put_delegated};
	struct resource *r = NULL;

	while (r == NULL)
		r = random_try(rng, 0, kinds[rng_below(rng, ARRAY_LEN(kinds))]);
	return r;
}

struct resource *
random_own(struct rng *rng, uint64_t head)
{
	static void (*const kinds[])(struct text *) = {put_peers, put_peers,
	    put_access, put_access, put_tokens, put_telemetry, put_sidecar,
	    put_gateway, put_workload};

	return random_valid(rng, head, kinds[head % ARRAY_LEN(kinds)]);
}

void
random_place(struct rng *rng, struct view_input *in)
{
	static const struct label labels[] = {
	    {{"app", 3}, {"web", 3}}, {{"istio", 5}, {"ingress", 7}}};

	in->ns = slice_str(few_spaces[rng_below(rng, ARRAY_LEN(few_spaces))]);
	in->proxy = rng_below(rng, 3) == 0 ? VIEW_ROUTER : VIEW_SIDECAR;
	in->labels = (struct labels){&labels[in->proxy == VIEW_ROUTER], 1};
}

void
random_exposed(struct rng *rng, struct view_input *in)
{
	static const struct label labels[] = {{{"app", 3}, {"web", 3}}};
	static const struct view_exposed_input exposed[] = {
	    {.service = {"web", 3},
		.ns = {"shop", 4},
		.port = 80,
		.protocol = {"http", 4},
		.addr = {ADDR_V4, {10, 0, 0, 5}, 80},
		.target = {ADDR_V4, {127, 0, 0, 1}, 8080},
		.account = {"web", 3},
		.labels = {labels, 1}},
	    {.service = {"db", 2},
		.ns = {"pay", 3},
		.port = 3306,
		.protocol = {"tcp", 3},
		.addr = {ADDR_V4, {10, 0, 0, 5}, 3306},
		.target = {ADDR_V4, {127, 0, 0, 1}, 3306},
		.account = {"db", 2}},
	    {.service = {"cart", 4},
		.ns = {"pay", 3},
		.port = 9000,
		.protocol = {"http", 4},
		.addr = {ADDR_V4, {10, 0, 0, 5}, 8080},
		.target = {ADDR_V4, {127, 0, 0, 1}, 9000},
		.account = {"cart", 4}},
	    {.service = {"web", 3},
		.ns = {"shop", 4},
		.port = 80,
		.protocol = {"tcp", 3},
		.addr = {ADDR_V4, {10, 0, 0, 5}, 80},
		.target = {ADDR_V4, {127, 0, 0, 1}, 8081},
		.account = {"cart", 4}}};
	size_t first = rng_below(rng, ARRAY_LEN(exposed));

	in->exposed = &exposed[first]; /* so policies are of somebody */
	in->exposed_count = rng_below(rng, ARRAY_LEN(exposed) + 1 - first);
}

void
random_machine(struct rng *rng, struct view_input *in)
{
	static const struct addr own = {ADDR_V4, {10, 0, 0, 5}, 0};
	static const struct view_upstream_input upstreams[] = {
	    {.name = {"a", 1}, .host = {"web.shop", 8}, .ns = {"shop", 4}},
	    {.name = {"b", 1}, .host = {"example.com", 11}, .ns = {"pay", 3}}};
	in->addrs = &own;
	in->addr_count = rng_below(rng, 2);
	in->upstreams = upstreams; /* so there are scopes of others */
	in->upstream_count = rng_below(rng, ARRAY_LEN(upstreams) + 1);
	random_exposed(rng, in);
}
