/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_text — the text of a resource, put together at random.
 */
#include "random_text.h"

#include "codec/codec.h"

enum { TEXT_MAX = 16 << 10, ARENA_MAX = 4 << 20 };

const char *const few_spaces[] = {"shop", "pay", "istio-system"};
const char *const few_names[] = {"web", "cart", "db"};
const char *const few_hosts[] = {"web", "cart.shop.svc.cluster.local",
    "db.pay.svc.cluster.local", "*.shop.svc.cluster.local", "api.example.com",
    "*.example.com", "example.com"};
const char *const few_ports[] = {"80", "8080", "3306"};

bool
maybe(struct text *t, uint64_t of)
{
	return rng_below(t->rng, of) == 0;
}

void
put(struct text *t, const char *s)
{
	CHECK(buf_add_slice(&t->b, slice_str(s)) == OK);
}

void
put2(struct text *t, const char *before, const char *s, const char *after)
{
	put(t, before);
	put(t, s);
	put(t, after);
}

void
put_head(struct text *t, const char *group, const char *kind)
{
	static const char *const years[] = {"2019", "2020", "2021", "2022"};

	struct rng *rng = t->rng, again;

	rng_init(&again, t->head);
	t->rng = t->head != 0 ? &again : rng;
	put2(t, "apiVersion: ", group, "\n");
	put2(t, "kind: ", kind, "\n");
	put2(t, "metadata: {name: ", ANY(t, few_names), "");
	put2(t, ", namespace: ", ANY(t, few_spaces), "");
	t->rng = rng;
	put(t, t->notes != NULL ? t->notes : "");
	put2(t, ", creationTimestamp: \"", ANY(t, years),
	    "-01-01T00:00:00Z\"}\nspec:\n");
}

void
put_export(struct text *t)
{
	static const char *const values[] = {"\"*\"", "\".\"", "shop", "pay"};

	if (maybe(t, 4))
		put2(t, "  exportTo: [", ANY(t, values), "]\n");
}

void
put_selector(struct text *t, const char *form, const char *end)
{
	static const char *const labels[] = {
	    "app: web", "app: db", "version: v1", "istio: ingress"};

	if (maybe(t, 2))
		put2(t, form, ANY(t, labels), end);
}

void
put_destination(struct text *t)
{
	static const char *const subsets[] = {"v1", "v2"};

	put2(t, "{destination: {host: \"", ANY(t, few_hosts), "\"");
	if (maybe(t, 2))
		put2(t, ", port: {number: ", ANY(t, few_ports), "}");
	if (maybe(t, 2))
		put2(t, ", subset: ", ANY(t, subsets), "");
	put(t, "}}");
}

static struct resource *
decode(struct text *t)
{
	AUTO(arena_fini) struct arena a;
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	struct slice text = buf_slice(&t->b);
	struct codec_documents docs;
	struct resource *r = NULL;

	arena_init(&a, ARENA_MAX);
	CHECK(codec_yaml_parse(text, "random", &a, &docs, &found.errors) == OK);
	if (resource_decode(docs.items[0].root, &source, &r, &found) != OK)
		return NULL; /* not all that is put together is valid */
	return r;
}

struct resource *
random_try(struct rng *rng, uint64_t head, void (*put_kind)(struct text *t))
{
	AUTO(buf_fini) struct buf memory = BUF(TEXT_MAX);
	struct text t = {.rng = rng, .b = memory, .head = head};
	struct resource *r;

	put_kind(&t);
	r = decode(&t);
	memory = t.b;
	return r;
}

struct resource *
random_valid(struct rng *rng, uint64_t head, void (*put_kind)(struct text *t))
{
	struct resource *r = NULL;

	while (r == NULL)
		r = random_try(rng, head, put_kind);
	return r;
}
