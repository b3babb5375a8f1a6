/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect — records and local services become workloads.
 */
#include "inside.h"

enum { SOURCE_BYTES_MAX = 8 << 20 }; /* GOSSIP_OFFERS_MAX, decoded */

int
workload_age_cmp(const struct workload *a, const struct workload *b)
{
	int n;

	if (a->gone != b->gone)
		return a->gone ? 1 : -1;
	if (a->issued_s != b->issued_s)
		return a->issued_s < b->issued_s ? -1 : 1;
	/* Vouchers count seconds: of one second the name, which people know. */
	n = slice_cmp(a->node, b->node);
	if (n == 0)
		n = memcmp(&a->id, &b->id, sizeof(a->id));
	/* What one node says twice: as it said it. */
	return n != 0 ? n : (a > b) - (a < b);
}

static unsigned
family_bit(const struct addr *a)
{
	return a->family == ADDR_V4   ? DISCOVERY_V4
	       : a->family == ADDR_V6 ? DISCOVERY_V6
				      : 0;
}

unsigned
discovery_families(const struct addr *addrs, size_t count)
{
	unsigned families = 0;

	for (size_t i = 0; i < count; i++)
		if (!addr_is_loopback(&addrs[i]))
			families |= family_bit(&addrs[i]);
	return families;
}

/* The owner's order is its preference; the first that we can call. */
static const struct addr *
pick_addr(const struct addr *addrs, size_t count, unsigned families)
{
	for (size_t i = 0; i < count; i++)
		if (family_bit(&addrs[i]) & families)
			return &addrs[i];
	return NULL;
}

static struct addr
with_port(const struct addr *a, uint16_t port)
{
	struct addr out = *a;

	out.port = port;
	return out;
}

/*
 * Of the other family only the first: what else a machine has are mostly
 * bridges of its own, whose addresses others have, too.
 */
static void
place(struct workload *w, const struct addr *a, const struct addr *other,
    uint16_t tunnel_port)
{
	w->addr = with_port(a, w->port);
	if (tunnel_port == 0)
		return;
	w->tunnel = with_port(a, tunnel_port);
	if (other != NULL)
		w->other = with_port(other, tunnel_port);
}

static struct labels
labels_of(struct source *to, const struct gossip_service *s)
{
	struct label *items =
	    arena_alloc_array(&to->arena, s->label_count, sizeof(*items));

	to->is_full = to->is_full || items == NULL;
	if (items == NULL)
		return (struct labels){NULL, 0};
	for (size_t i = 0; i < s->label_count; i++)
		items[i] = (struct label){s->labels[i].key, s->labels[i].value};
	return (struct labels){items, s->label_count};
}

/* What is one for all workloads of a record, while they are read. */
struct record_reading {
	const struct discovery *d;
	const struct discovery_record *r;
	struct gossip_reading x;
	struct slice node;
	struct slice network;
};

static void
read_workload(const struct record_reading *from, const struct gossip_service *s,
    struct source *to, struct workload *w)
{
	const struct gossip_offers *o = &from->x.offers;
	const struct discovery_record *r = from->r;
	unsigned families = from->d->in.families;
	const struct addr *a = pick_addr(o->addrs, o->addr_count, families);
	const struct addr *other =
	    a != NULL
		? pick_addr(o->addrs, o->addr_count, families & ~family_bit(a))
		: NULL;

	*w = (struct workload){.node = from->node,
	    .network = from->network,
	    .locality = o->locality,
	    .name = s->name,
	    .ns = s->ns,
	    .account = s->account,
	    .protocol = s->protocol,
	    .labels = labels_of(to, s),
	    .port = s->port,
	    .weight = s->weight,
	    .index = (uint16_t)(from->x.index - 1),
	    .draws = w->draws,
	    .is_reachable = a != NULL,
	    .issued_s = r->issued_s,
	    .id = r->id};
	place(w, a != NULL ? a : &o->addrs[0], other, o->tunnel_port);
	(void)workload_judge(from->d, r, s, to, w); /* for the first time */
}

enum use
use_of(const struct discovery *d, const struct discovery_record *r)
{
	const struct discovery_input *in = &d->in;

	if (r->offers == NULL || r->expires_s <= in->now_s ||
	    ca_node_is_revoked(in->revocations, in->revocation_count,
		slice_str(r->name), r->issued_s * INT64_C(1000)))
		return USE_NOT; /* or nobody would let us in there */
	return r->name_lost ? USE_REFUSED : USE_ALL;
}

/* Offers were checked when they came. */
static void
open_record(const struct discovery *d, const struct discovery_record *r,
    struct record_reading *out)
{
	enum err e;

	out->d = d;
	out->r = r;
	e = gossip_offers_open(blob_bytes(r->offers), &out->x);
	CHECK(e == OK);
}

/* A node that nobody can call offers nothing. */
static bool
is_empty(const struct record_reading *x)
{
	return x->x.offers.addr_count == 0 || x->x.offers.service_count == 0;
}

static size_t
count_wanted(const struct discovery *d, const struct discovery_record *r)
{
	struct record_reading x;
	struct gossip_service s;
	size_t count = 0;

	open_record(d, r, &x);
	if (d->in.scope == NULL)
		return x.x.offers.service_count;
	while (gossip_offers_next(&x.x, &s))
		count += scoping_wants(d, &s) != WANTED_NOT;
	return count;
}

static enum err
read_workloads(struct record_reading *from, struct source *to)
{
	struct gossip_service s;
	size_t count = count_wanted(from->d, from->r);

	if (count == 0)
		return OK;
	to->workloads =
	    arena_alloc_array(&to->arena, count, sizeof(*to->workloads));
	if (to->workloads == NULL ||
	    arena_copy(&to->arena, slice_str(from->r->name), &from->node) !=
		OK ||
	    arena_copy(
		&to->arena, slice_str(from->r->network), &from->network) != OK)
		return ERR_NO_MEMORY;
	to->offers = blob_ref(from->r->offers);
	while (gossip_offers_next(&from->x, &s)) {
		enum wanted wanted = scoping_wants(from->d, &s);
		struct workload *w = &to->workloads[to->count];

		if (wanted == WANTED_NOT)
			continue;
		w->draws = wanted == WANTED_WITH_NAME;
		read_workload(from, &s, to, w);
		to->count++;
	}
	return to->is_full ? ERR_NO_MEMORY : OK;
}

enum err
source_read(const struct discovery *d, const struct discovery_record *r,
    enum use use, struct source *to)
{
	struct record_reading x;

	to->id = r->id;
	to->version = r->version;
	to->use = use;
	if (use == USE_NOT)
		return OK;
	open_record(d, r, &x);
	if (is_empty(&x))
		return OK;
	if (use == USE_ALL)
		return read_workloads(&x, to);
	to->conflict = arena_printf(&to->arena,
	    "what a second node %s offers is not used: the older node of that "
	    "name is alive",
	    r->name);
	return to->conflict.len > 0 ? OK : ERR_NO_MEMORY;
}

bool
source_has_wanted(const struct discovery *d, const struct source *s,
    const struct discovery_record *r)
{
	struct record_reading x;
	struct gossip_service offered;
	size_t at = 0;

	if (s->use != USE_ALL)
		return true;
	open_record(d, r, &x);
	while (!is_empty(&x) && gossip_offers_next(&x.x, &offered)) {
		enum wanted wanted = scoping_wants(d, &offered);
		const struct workload *w = &s->workloads[at];

		if (wanted == WANTED_NOT)
			continue;
		if (at == s->count || w->index != x.x.index - 1 ||
		    w->draws != (wanted == WANTED_WITH_NAME))
			return false;
		at++;
	}
	return at == s->count;
}

void
source_free(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	arena_fini(&s->arena);
	blob_unref(&s->offers);
	mem_free(&s);
}

struct source *
source_new(void)
{
	struct source *s = mem_new(sizeof(*s));

	arena_init(&s->arena, SOURCE_BYTES_MAX);
	return s;
}

/* --- this machine --------------------------------------------------------- */

static void
keep(struct source *to, struct slice s, struct slice *out)
{
	if (arena_copy(&to->arena, s, out) != OK)
		to->is_full = true;
}

static struct labels
keep_labels(struct source *to, const struct labels *l)
{
	struct label *items =
	    arena_alloc_array(&to->arena, l->count, sizeof(*items));

	to->is_full = to->is_full || items == NULL;
	for (size_t i = 0; items != NULL && i < l->count; i++) {
		keep(to, l->items[i].key, &items[i].key);
		keep(to, l->items[i].value, &items[i].value);
	}
	return (struct labels){items, items != NULL ? l->count : 0};
}

/*
 * Called where it listens: a tunnel from this machine to itself would encrypt
 * what never leaves it, and ask itself who it is.
 */
static void
read_local(const struct discovery *d, const struct discovery_local *l,
    struct source *to, struct workload *w)
{
	*w = (struct workload){.port = l->port,
	    .weight = l->weight,
	    .draws = true,
	    .addr = l->target,
	    .issued_s = d->in.issued_s,
	    .id = d->in.self};
	keep(to, d->in.node, &w->node);
	keep(to, d->in.network, &w->network);
	keep(to, d->in.locality, &w->locality);
	keep(to, l->name, &w->name);
	keep(to, l->ns, &w->ns);
	keep(to, l->account, &w->account);
	keep(to, l->protocol, &w->protocol);
	keep(to, l->unhealthy, &w->reason);
	w->health = l->unhealthy.len > 0 ? VIEW_UNHEALTHY : VIEW_HEALTHY;
	w->labels = keep_labels(to, &l->labels);
}

enum err
source_read_locals(const struct discovery *d, struct source *to)
{
	to->workloads = arena_alloc_array(
	    &to->arena, MAX(d->in.local_count, 1), sizeof(*to->workloads));
	if (to->workloads == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < d->in.local_count; i++)
		read_local(d, &d->in.locals[i], to, &to->workloads[i]);
	to->count = d->in.local_count;
	return to->is_full ? ERR_NO_MEMORY : OK;
}

static bool
is_same_local(const struct workload *w, const struct discovery_local *l)
{
	return w->port == l->port && w->weight == l->weight &&
	       addr_eq(&w->addr, &l->target) && slice_eq(w->name, l->name) &&
	       slice_eq(w->ns, l->ns) && slice_eq(w->account, l->account) &&
	       slice_eq(w->protocol, l->protocol) &&
	       slice_eq(w->reason, l->unhealthy) &&
	       w->labels.count == l->labels.count &&
	       labels_match(&w->labels, &l->labels) &&
	       labels_match(&l->labels, &w->labels);
}

bool
source_has(const struct source *s, const struct discovery_input *in)
{
	if (s->count != in->local_count)
		return false;
	for (size_t i = 0; i < s->count; i++)
		if (s->workloads[i].issued_s != in->issued_s ||
		    !slice_eq(s->workloads[i].locality, in->locality) ||
		    !is_same_local(&s->workloads[i], &in->locals[i]))
			return false;
	return true;
}
