/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource — one object of configuration: its key, its place, its spec.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "envelope.h"

enum { RESOURCE_MAGIC = 0x7e50c4e1, RESOURCE_ARENA_MAX = 64 << 20 };

/* What is behind a struct resource. */
struct box {
	struct resource r; /* first: a resource is its box */
	uint32_t magic;
	atomic_uint refs;
	struct arena arena;
};

/* --- keys ----------------------------------------------------------------- */

bool
resource_key_eq(const struct resource_key *a, const struct resource_key *b)
{
	return resource_key_cmp(a, b) == 0;
}

int
resource_key_cmp(const struct resource_key *a, const struct resource_key *b)
{
	int n = slice_cmp(a->group, b->group);

	if (n == 0)
		n = slice_cmp(a->kind, b->kind);
	if (n == 0)
		n = slice_cmp(a->ns, b->ns);
	return n != 0 ? n : slice_cmp(a->name, b->name);
}

char *
resource_key_format(const struct resource_key *k, char out[RESOURCE_KEY_MAX])
{
	(void)snprintf(out, RESOURCE_KEY_MAX, "%.*s/%.*s/%.*s",
	    SLICE_ARG(k->kind), SLICE_ARG(k->ns),
	    SLICE_ARG(k->name)); /* may be cut */
	return out;
}

/* --- the table of kinds --------------------------------------------------- */

static const struct resource_kind *const kinds[] = {
    &kind_service,
    &kind_virtual_service,
    &kind_destination_rule,
    &kind_service_entry,
    &kind_workload_entry,
    &kind_workload_group,
    &kind_peer_authentication,
    &kind_request_authentication,
    &kind_authorization_policy,
    &kind_wasm_plugin,
    &kind_traffic_extension,
    &kind_proxy_config,
};

const struct resource_kind *const *
resource_kinds(size_t *out_count)
{
	*out_count = ARRAY_LEN(kinds);
	return kinds;
}

const struct resource_kind *
resource_kind_find(struct slice word)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (slice_eq_nocase(word, slice_str(kinds[i]->kind)) ||
		    slice_eq_nocase(word, slice_str(kinds[i]->plural)) ||
		    slice_eq_nocase(word, slice_str(kinds[i]->alias)))
			return kinds[i];
	return NULL;
}

/* --- life ----------------------------------------------------------------- */

static struct box *
box_new(void)
{
	struct box *b = mem_new(sizeof(*b));

	b->magic = RESOURCE_MAGIC;
	atomic_init(&b->refs, 1);
	arena_init(&b->arena, RESOURCE_ARENA_MAX);
	return b;
}

static struct box *
box_of(const struct resource *r)
{
	struct box *b = (struct box *)(uintptr_t)r;

	CHECK(b->magic == RESOURCE_MAGIC);
	return b;
}

struct resource *
resource_ref(const struct resource *r)
{
	struct box *b = box_of(r);

	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return &b->r;
}

void
resource_unref(struct resource **rp)
{
	struct box *b;

	if (*rp == NULL)
		return;
	b = box_of(*rp);
	*rp = NULL;
	if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1)
		return;
	b->magic = 0;
	arena_fini(&b->arena);
	mem_free(&b);
}

static enum err
first_error(const struct findings *found, size_t before)
{
	return before < found->errors.count ? found->errors.items[before].code
					    : ERR_LIMIT;
}

/* As upstream: what could not be read whole gets no advice beside that. */
static void
read_spec(const struct value *doc, const struct resource_source *source,
    struct box *b, struct findings *found)
{
	size_t unread = found->unread;
	size_t count = found->warnings.count, dropped = found->warnings.dropped;

	envelope_read_spec(doc, source, &b->arena, &b->r, found);
	if (found->unread == unread)
		return;
	found->warnings.count = count;
	found->warnings.dropped = dropped;
}

enum err
resource_decode(const struct value *doc, const struct resource_source *source,
    struct resource **out, struct findings *found)
{
	size_t before = found->errors.count + found->errors.dropped;
	struct box *b = box_new();
	struct resource *r = &b->r;
	enum envelope_verdict verdict;

	verdict = envelope_read(doc, source, &b->arena, r, found);
	if (verdict == ENVELOPE_OK)
		read_spec(doc, source, b, found);
	if (verdict == ENVELOPE_SKIP) {
		resource_unref(&r);
		*out = NULL;
		return OK;
	}
	if (r->spec == NULL ||
	    found->errors.count + found->errors.dropped > before) {
		resource_unref(&r);
		return first_error(found, before);
	}
	*out = r;
	return OK;
}

/* --- order and access ----------------------------------------------------- */

int
resource_age_cmp(const struct resource *a, const struct resource *b)
{
	int n;

	if (a->created_ms != b->created_ms)
		return a->created_ms < b->created_ms ? -1 : 1;
	n = slice_cmp(a->key.name, b->key.name);
	return n != 0 ? n : slice_cmp(a->key.ns, b->key.ns);
}

const struct service_spec *
resource_service(const struct resource *r)
{
	CHECK(r->kind == &kind_service);
	return r->spec;
}

const struct virtual_service *
resource_virtual_service(const struct resource *r)
{
	CHECK(r->kind == &kind_virtual_service);
	return r->spec;
}

const struct destination_rule *
resource_destination_rule(const struct resource *r)
{
	CHECK(r->kind == &kind_destination_rule);
	return r->spec;
}
