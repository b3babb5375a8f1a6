/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource — one object of configuration: its key, its place, its spec.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "copy.h"
#include "envelope.h"
#include "validate.h"

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
	(void)snprintf(out, RESOURCE_KEY_MAX, "%.*s/%.*s%s%.*s",
	    SLICE_ARG(k->kind), SLICE_ARG(k->ns), k->ns.len > 0 ? "/" : "",
	    SLICE_ARG(k->name)); /* may be cut */
	return out;
}

/* --- the table of kinds --------------------------------------------------- */

static const struct resource_kind *const kinds[] = {
    &kind_service,
    &kind_tls_secret,
    &kind_virtual_service,
    &kind_destination_rule,
    &kind_gateway,
    &kind_sidecar,
    &kind_service_entry,
    &kind_workload_entry,
    &kind_workload_group,
    &kind_peer_authentication,
    &kind_request_authentication,
    &kind_authorization_policy,
    &kind_telemetry,
    &kind_wasm_plugin,
    &kind_traffic_extension,
    &kind_proxy_config,
    &kind_mesh_config,
    &kind_network,
    &kind_rate_limit_policy,
    &kind_health_check_policy,
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
    struct arena *a, struct resource *r, struct findings *found)
{
	size_t unread = found->unread;
	size_t count = found->warnings.count, dropped = found->warnings.dropped;

	envelope_read_spec(doc, source, a, r, found);
	if (found->unread == unread)
		return;
	found->warnings.count = count;
	found->warnings.dropped = dropped;
}

static bool
copy_pointed(struct resource *r, struct arena *a)
{
	if (!copy_text(&r->key.ns, a) || !copy_text(&r->key.name, a) ||
	    !copy_text(&r->file, a) || !copy_labels(&r->labels, a) ||
	    !copy_labels(&r->annotations, a))
		return false;
	r->spec = message_copy(r->kind->spec, r->spec, a);
	return r->spec != NULL;
}

/*
 * From where it was decoded into one block of its own. Of very many resources
 * each is kept, so the first copy finds out how large that has to be.
 */
struct resource *
resource_copy(const struct resource *r)
{
	AUTO(arena_fini) struct arena sizes;
	struct resource once = *r, *out;
	struct box *b = box_new();

	arena_init(&sizes, RESOURCE_ARENA_MAX);
	sizes.secret = b->arena.secret = r->kind->sealed;
	b->r = *r;
	out = &b->r;
	if (!copy_pointed(&once, &sizes) ||
	    arena_reserve(&b->arena, sizes.used) != OK ||
	    !copy_pointed(&b->r, &b->arena))
		resource_unref(&out);
	return out;
}

static void
report_full(const struct value *doc, const struct resource_source *source,
    struct findings *found)
{
	struct check c = {.file = source->file,
	    .found = found,
	    .line = doc->line,
	    .column = doc->column};

	check_error(&c, ERR_LIMIT, "the resource is too large");
}

enum err
resource_decode(const struct value *doc, const struct resource_source *source,
    struct resource **out, struct findings *found)
{
	AUTO(arena_fini) struct arena arena;
	size_t before = found->errors.count + found->errors.dropped;
	struct resource read = {0}, *r = NULL;
	enum envelope_verdict verdict;
	bool wrong;

	arena_init(&arena, RESOURCE_ARENA_MAX);
	verdict = envelope_read(doc, source, &arena, &read, found);
	if (verdict == ENVELOPE_SKIP) {
		*out = NULL;
		return OK;
	}
	if (verdict == ENVELOPE_OK) {
		arena.secret = read.kind->sealed;
		read_spec(doc, source, &arena, &read, found);
	}
	wrong = read.spec == NULL ||
		found->errors.count + found->errors.dropped > before;
	if (read.spec == NULL || (wrong && !source->keep_wrong))
		return first_error(found, before);
	r = resource_copy(&read);
	if (r == NULL)
		report_full(doc, source, found);
	else
		*out = r;
	return wrong || r == NULL ? first_error(found, before) : OK;
}

/* --- order and access ----------------------------------------------------- */

static struct slice
name_and_namespace(const struct resource *r, char out[RESOURCE_KEY_MAX])
{
	return slice_join(SLICES(r->key.name, S("."), r->key.ns), out,
	    RESOURCE_KEY_MAX); /* a key fits */
}

int
resource_age_cmp(const struct resource *a, const struct resource *b)
{
	struct slice name = a->key.name, other = b->key.name;
	size_t common = MIN(name.len, other.len);
	char x[RESOURCE_KEY_MAX], y[RESOURCE_KEY_MAX];
	int n;

	if (a->created_ms != b->created_ms)
		return a->created_ms < b->created_ms ? -1 : 1;
	n = slice_cmp(slice_sub(name, 0, common), slice_sub(other, 0, common));
	if (n != 0)
		return n; /* whatever follows: mostly it is told here */
	if (name.len == other.len)
		return slice_cmp(a->key.ns, b->key.ns);
	return slice_cmp(name_and_namespace(a, x), name_and_namespace(b, y));
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
