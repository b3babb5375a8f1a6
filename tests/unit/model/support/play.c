/* SPDX-License-Identifier: Apache-2.0 */
/*
 * play — a shop with web and cart, whose documents come and go in acts.
 */
#include "play.h"

#include <stdio.h>

#include "load.h"
#include "patched.h"
#include "unit.h"

struct resource *
resource_of(const char *text)
{
	AUTO(loaded_fini) struct loaded l;

	load(text, /* file */ NULL, &l);
	EXPECT_EQ(l.count, 1);
	return resource_ref(l.items[0]);
}

uint32_t
connections_of_web(const struct view *v, size_t endpoints)
{
	const struct view_cluster *c = view_find_cluster(
	    v, S("outbound|9000||web.shop.svc.cluster.local"));

	EXPECT_EQ(c->endpoint_count, endpoints);
	return c->policy->limits.connections;
}

void
play_init(struct play *p, const char *const *documents, size_t count)
{
	static const struct view_port_input port = {
	    80, {"http", 4}, {"http", 4}};
	static const struct view_port_input other = {
	    8080, {"http", 4}, {"http", 4}};
	static const struct view_service_input services[] = {
	    {{"cart", 4}, {"shop", 4}, &other, 1, {"a record", 8}},
	    {{"web", 3}, {"shop", 4}, &port, 1, {"a record", 8}}};
	static const struct label v1 = {{"version", 7}, {"v1", 2}};
	static const struct view_endpoint_input one = {.service = {"web", 3},
	    .service_ns = {"shop", 4},
	    .service_port = 80,
	    .addr = {ADDR_V4, {10, 0, 0, 1}, 80},
	    .tunnel = {ADDR_V4, {10, 0, 0, 1}, VIEW_TUNNEL_PORT},
	    .ns = {"shop", 4},
	    .account = {"web", 3},
	    .labels = {&v1, 1},
	    .weight = 1};
	static const struct view_serving servings[] = {
	    {{"cart", 4}, {"shop", 4}, 1, NULL, 0},
	    {{"web", 3}, {"shop", 4}, 1, &one, 1}};

	*p = (struct play){.in = {.ns = S("shop"),
			       .services = services,
			       .service_count = ARRAY_LEN(services),
			       .servings = servings,
			       .serving_count = ARRAY_LEN(servings),
			       .version = 1}};
	for (size_t i = 0; i < count; i++)
		p->documents[i] = resource_of(documents[i]);
}

void
play_fini(struct play *p)
{
	for (size_t i = 0; i < ARRAY_LEN(p->documents); i++)
		resource_unref(&p->documents[i]);
}

static size_t
clusters_of_web(const struct view *v)
{
	const struct view_cluster *c;
	size_t found = 0;

	for (size_t i = 0; (c = view_next_cluster(v, &i)) != NULL;) {
		if (!slice_ends(c->name, S("|web.shop.svc.cluster.local")))
			continue;
		found++;
		EXPECT_EQ(view_find_cluster(v, c->name), c);
		EXPECT_EQ(
		    c->usable_count, slice_eq(c->subset, S("v2")) ? 0 : 1);
	}
	return found;
}

static void
expect_act(const struct view *v, const struct act *act)
{
	const struct http_attrs a = {.authority = S("web"), .path = S("/")};
	const struct view_host *h = view_find_host(v, NULL, S("web"), 80);
	const struct view_http_route *r = view_route_http(h, &a, NULL).route;
	const struct view_cluster *c = r->destinations[0].cluster;
	size_t problems;

	(void)view_problems(v, &problems);
	EXPECT_EQ(r->timeout_us, act->timeout * 1000000);
	EXPECT_EQ(c != NULL, act->is_led);
	EXPECT_TRUE(c == NULL ||
		    view_cluster_now(v, c) == view_find_cluster(v, c->name));
	EXPECT_EQ(clusters_of_web(v), act->clusters);
	EXPECT_EQ(problems, act->problems);
}

struct view *
compile_act(struct play *p, const struct act *act, const struct view *before)
{
	AUTO(view_unref) struct view *alone = NULL;
	struct view_input in = p->in;
	struct view *v;

	in.resources = p->there;
	for (const char *c = act->there; *c != '\0'; c++)
		p->there[in.resource_count++] = p->documents[*c - '0'];
	EXPECT_OK(view_compile(&in, &alone, NULL));
	in.before = before;
	EXPECT_OK(view_compile(&in, &v, NULL));
	if (before == NULL)
		return v;
	if (is_patch(v, before) != act->is_patch)
		printf("with %s\n", act->there);
	EXPECT_EQ(is_patch(v, before), act->is_patch);
	(void)compare_views(before, v, alone);
	return v;
}

void
play(struct play *p, const struct act *acts, size_t count)
{
	struct view *v = NULL;

	for (size_t i = 0; i < count; i++) {
		struct view *before = v;

		v = compile_act(p, &acts[i], before);
		if (acts[i].clusters > 0)
			expect_act(v, &acts[i]);
		if (before != NULL)
			view_unref(&before);
	}
	view_unref(&v);
}

void
play_from_each(struct play *p, const struct act *acts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		play(p, &acts[i], count - i);
}
