/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies — one exposed workload under the policies of a YAML.
 */
#include <stdio.h>

#include "policies.h"
#include "unit.h"

void
guarded_init(struct guarded *g, const char *yaml)
{
	static const struct label labels[] = {
	    {{"app", 3}, {"web", 3}}, {{"version", 7}, {"v1", 2}}};
	const struct view_exposed_input web = {.service = S("web"),
	    .ns = S("default"),
	    .port = 80,
	    .protocol = S("http"),
	    .account = S("web"),
	    .labels = {labels, 2}};
	struct view_input in = {.exposed = &web, .exposed_count = 1};
	const struct view_exposed *e;

	*g = (struct guarded){.v = NULL};
	load(yaml, "p.yaml", &g->l);
	EXPECT_OK(g->l.e);
	in.resources = (const struct resource *const *)g->l.items;
	in.resource_count = g->l.count;
	EXPECT_OK(view_compile(&in, &g->v, NULL));
	e = view_find_exposed_host(g->v, S("web"), 80);
	EXPECT_TRUE(e != NULL);
	g->web = view_guard_now(g->v, e->guard);
}

void
guarded_fini(struct guarded *g)
{
	view_unref(&g->v);
	loaded_fini(&g->l);
}

bool
header_in_text(void *arg, struct slice name, struct slice *out)
{
	struct slice rest = slice_str(arg);

	while (rest.len > 0) {
		struct slice line = slice_split(&rest, '\n');

		if (!slice_eq_nocase(slice_split(&line, ':'), name))
			continue;
		*out = slice_trim(line);
		return true;
	}
	return false;
}

static void
put_identity(
    struct access_question *q, const char *from, char *text, size_t len)
{
	const char *slash = from != NULL ? strchr(from, '/') : NULL;

	if (from == NULL)
		return;
	if (strncmp(from, "spiffe:", 7) == 0)
		(void)snprintf(text, len, "%s", from);
	else
		(void)snprintf(text, len,
		    "spiffe://mesh.internal/ns/%.*s/sa/%s", (int)(slash - from),
		    from, slash + 1);
	q->identity = slice_str(text);
}

static void
put_addrs(struct access_question *q, const struct call *c)
{
	if (c->source != NULL)
		EXPECT_OK(addr_parse_ip(slice_str(c->source), &q->source));
	if (c->remote != NULL)
		EXPECT_OK(addr_parse_ip(slice_str(c->remote), &q->remote));
	EXPECT_OK(addr_parse(
	    slice_str(c->to != NULL ? c->to : "10.0.0.1:80"), &q->destination));
}

struct access_decision
guarded_ask(const struct guarded *g, const struct call *c)
{
	char identity[512];
	struct http_attrs http = {
	    .method = slice_str(c->method != NULL ? c->method : "GET"),
	    .authority = slice_str(c->host != NULL ? c->host : "web"),
	    .path = slice_str(c->path),
	    .header = c->headers != NULL ? header_in_text : NULL,
	    .arg = (void *)(uintptr_t)c->headers};
	struct access_question q = {.http = c->path != NULL ? &http : NULL,
	    .sni = slice_str(c->sni),
	    .claims = {.tree = c->claims},
	    .metadata = c->metadata};
	struct access_decision plain, found;

	put_identity(&q, c->from, identity, sizeof(identity));
	put_addrs(&q, c);
	found = view_access_decide(g->web->access, &q, NULL);
	plain = view_access_decide_plainly(g->web->access, &q);
	if (g->seed != 0 &&
	    (found.rule != plain.rule || found.ask != plain.ask ||
		found.audit != plain.audit || found.dry != plain.dry))
		printf("seed %llu\n", (unsigned long long)g->seed);
	EXPECT_EQ(found.allowed, plain.allowed);
	EXPECT_EQ(found.rule, plain.rule);
	EXPECT_EQ(found.ask, plain.ask);
	EXPECT_EQ(found.audit, plain.audit);
	EXPECT_EQ(found.dry, plain.dry);
	EXPECT_EQ(found.dry_denied, plain.dry_denied);
	return found;
}

bool
guarded_allows(const struct guarded *g, const struct call *c)
{
	return guarded_ask(g, c).allowed;
}
