/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vips — automatic addresses, for services that wrote none down.
 *
 * A program that is given one by DNS reaches the service by it, whatever it
 * speaks. Host and namespace choose the number, so that every machine and
 * every start comes to the same one; where two choose one number, or somebody
 * wrote it down, the younger one takes another. Which
 * services get one and which number is upstream's rule; its ranges are
 * 240.240.0.0/16 and 2001:2::/48.
 */
#include "inside.h"

#define WANTED "networking.istio.io/enable-autoallocate-ip"

/*
 * Upstream counts slots, each of which stands for an address that looks like
 * neither a network nor its broadcast.
 */
enum { RANGE = 65536, OCTET = 255, SLOTS = 256 * 254 };

struct numbers {
	uint8_t used[RANGE / 8]; /* a bit of each: the last two octets */
	size_t left;
	bool is_moved; /* somebody's is not the one that it chose first */
};

/* While they are given: "ns/host" → struct place. */
struct giving {
	struct numbers *numbers;
	struct map places;
};

struct place {
	uint32_t slot;
};

static const uint8_t prefix_v4[] = {240, 240};
static const uint8_t prefix_v6[] = {0x20, 0x01, 0, 2};

static struct addr
address_v4(unsigned n)
{
	struct addr a = {.family = ADDR_V4};

	memcpy(a.bytes, prefix_v4, sizeof(prefix_v4));
	a.bytes[2] = (uint8_t)(n >> 8);
	a.bytes[3] = (uint8_t)n;
	return a;
}

static struct addr
address_v6(unsigned n)
{
	struct addr a = {.family = ADDR_V6};

	memcpy(a.bytes, prefix_v6, sizeof(prefix_v6));
	a.bytes[14] = (uint8_t)(n >> 8);
	a.bytes[15] = (uint8_t)n;
	return a;
}

/* False: it is none of ours. */
static bool
find_number(const struct addr *a, unsigned *out)
{
	const struct addr v4 = address_v4(0), v6 = address_v6(0);
	const uint8_t *last =
	    a->family == ADDR_V4 ? a->bytes + 2 : a->bytes + 14;
	const struct addr *of = a->family == ADDR_V4 ? &v4 : &v6;

	*out = (unsigned)last[0] << 8 | last[1];
	return memcmp(a->bytes, of->bytes, (size_t)(last - a->bytes)) == 0;
}

static bool
is_used(const struct numbers *all, unsigned n)
{
	return (all->used[n / 8] >> n % 8 & 1) != 0;
}

static void
use(struct numbers *all, unsigned n)
{
	all->used[n / 8] |= (uint8_t)(1U << n % 8);
}

static void
mark(struct numbers *all, const struct addr *a)
{
	unsigned n;

	if (find_number(a, &n))
		use(all, n);
}

/* What people wrote down is theirs. */
static void
mark_written(struct builder *b, struct numbers *all)
{
	for (size_t i = 0; i < b->services.count; i++) {
		const struct service_row *s = b->services.items[i];

		for (size_t j = 0; j < s->row.address_count; j++)
			mark(all, &s->row.addresses[j].base);
	}
}

/* Upstream's: neither where the caller's own address leads on, nor where one
 * is written. */
static bool
may_have_one(const struct service_row *s, const struct service_entry *e)
{
	if (e->addresses.count > 0 || s->row.resolution == VIEW_ORIGINAL)
		return false;
	return !slice_starts(s->row.host, S("*")) ||
	       s->row.resolution == VIEW_DNS_DYNAMIC;
}

/*
 * Nobody gives services of machines an address, as Kubernetes does. Where calls
 * to them are taken they get one as well: a member's leads past the proxy where
 * that is this machine, and may be another service's, too.
 */
static bool
gets_one(const struct builder *b, const struct service_row *s)
{
	const struct resource *r = s->resource;

	if (r != NULL &&
	    slice_eq_nocase(labels_get(&r->labels, S(WANTED)), S("false")))
		return false;
	if (r != NULL && r->kind == &kind_service_entry)
		return may_have_one(s, r->spec);
	return b->v->captures_dns && b->v->knows_members &&
	       s->row.resolution == VIEW_LISTED && s->row.address_count == 0;
}

/* FNV-1a in 32 bits. */
static uint32_t
hash_of(struct slice key)
{
	uint32_t h = 0x811c9dc5;

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ (uint8_t)key.ptr[i]) * 0x01000193;
	return h;
}

/* The last two octets of a slot's address. */
static unsigned
number_of(uint32_t slot)
{
	unsigned n = slot + 1;

	n += n % OCTET == 0;
	return n / OCTET << 8 | n % OCTET;
}

static uint32_t
free_slot(const struct numbers *all, struct slice key)
{
	enum { PRIME = 65011 };
	uint32_t h = hash_of(key);
	uint32_t slot = h % SLOTS, step = PRIME - h % PRIME;

	for (uint32_t i = 1; i < SLOTS && is_used(all, number_of(slot)); i++)
		slot = (h + i * step) % (SLOTS - 1);
	while (is_used(all, number_of(slot))) /* the steps do not reach all */
		slot = (slot + 1) % SLOTS;
	return slot;
}

static struct slice
key_of(struct builder *b, const struct service_row *s)
{
	return take_printf(
	    b, "%.*s/%.*s", SLICE_ARG(s->row.ns), SLICE_ARG(s->row.istio));
}

/* Two entries of one host are one service, at the lower one's address. */
static void
find_place(struct builder *b, struct giving *g, const struct service_row *s)
{
	struct numbers *all = g->numbers;
	struct slice key = key_of(b, s);
	struct place *p = map_get(&g->places, key);
	uint32_t slot;

	if (all->left == 0) {
		add_problem(b, &s->row.origin,
		    "there is no automatic address left for %.*s",
		    SLICE_ARG(s->row.host));
		return;
	}
	slot = free_slot(all, key);
	all->is_moved = all->is_moved || slot != hash_of(key) % SLOTS;
	use(all, number_of(slot));
	all->left--;
	if (p == NULL) {
		p = take(b, 1, sizeof(*p));
		if (p == NULL)
			return;
		p->slot = slot;
		(void)map_put(&g->places, key, p); /* was not there */
	}
	p->slot = MIN(p->slot, slot);
}

static void
put_address(struct service_row *s, unsigned number)
{
	s->row.automatic[0] = address_v4(number);
	s->row.automatic[1] = address_v6(number);
}

static void
give(struct builder *b, const struct giving *g, struct service_row *s)
{
	const struct place *p = map_get(&g->places, key_of(b, s));

	if (p != NULL)
		put_address(s, number_of(p->slot));
}

static size_t
count_left(const struct numbers *all)
{
	size_t left = 0;

	for (unsigned n = 0; n < OCTET << 8; n++)
		left += n % 256 != 0 && n % 256 != OCTET && !is_used(all, n);
	return left;
}

/* Entries choose first: their numbers are upstream's. */
static void
find_places(struct builder *b, struct giving *g, bool of_entries)
{
	for (size_t i = 0; !b->full && i < b->services.count; i++) {
		const struct service_row *s = b->services.items[i];

		if (is_entry(s) == of_entries && gets_one(b, s))
			find_place(b, g, s);
	}
}

void
give_addresses(struct builder *b)
{
	struct numbers *all = mem_new(sizeof(*all));
	struct giving g = {.numbers = all};

	map_init(&g.places);
	mark_written(b, all);
	all->left = count_left(all);
	find_places(b, &g, /* of entries */ true);
	find_places(b, &g, false);
	for (size_t i = 0; !b->full && i < b->services.count; i++)
		if (gets_one(b, b->services.items[i]))
			give(b, &g, b->services.items[i]);
	map_fini(&g.places, NULL);
	if (all->left < SLOTS)
		b->numbers = all;
	else
		mem_free(&all); /* none is used */
}

/* --- one more, or one less ------------------------------------------------ */

/* What is written may be in a place that somebody would choose. */
static bool
is_in_range(const struct service_row *s)
{
	unsigned n;

	for (size_t i = 0; i < s->row.address_count; i++)
		if (find_number(&s->row.addresses[i].base, &n))
			return true;
	return false;
}

bool
frees_address(const struct builder *b, const struct service_row *s)
{
	return is_in_range(s) ||
	       (s->row.automatic[0].family != ADDR_NONE && b->numbers != NULL &&
		   b->numbers->is_moved);
}

static bool
is_taken_now(const struct builder *b, unsigned number)
{
	const struct addr a = address_v4(number);
	const struct service_now *now;
	struct slice host;
	void *value;

	if (b->numbers != NULL && is_used(b->numbers, number))
		return true;
	for (size_t i = 0; map_next(b->services_now, &i, &host, &value);) {
		now = value;
		if (now->fresh != NULL &&
		    addr_ip_eq(&now->fresh->row.automatic[0], &a))
			return true;
	}
	return false;
}

/* The place that it chooses first has to be free, or its own before. */
bool
give_address_later(
    struct builder *b, const struct service_row *old, struct service_row *s)
{
	enum { ENOUGH = 1000 };
	unsigned number;

	if (is_in_range(s))
		return false;
	if (!gets_one(b, s))
		return true;
	if (old != NULL && old->row.automatic[0].family != ADDR_NONE &&
	    slice_eq(old->row.ns, s->row.ns) &&
	    slice_eq(old->row.istio, s->row.istio)) {
		memcpy(s->row.automatic, old->row.automatic,
		    sizeof(s->row.automatic));
		return true;
	}
	number = number_of(hash_of(key_of(b, s)) % SLOTS);
	if (is_taken_now(b, number) ||
	    (b->numbers != NULL && b->numbers->left < ENOUGH))
		return false;
	put_address(s, number);
	return true;
}

/* --- where callers go ---------------------------------------------------- */

bool
cidr_is_one(const struct cidr *c)
{
	return c->bits == (c->base.family == ADDR_V4 ? 32 : 128);
}

bool
captures_dns(const struct mesh_config *mesh)
{
	const struct mesh_proxy *p = mesh->default_config;

	return p != NULL && slice_eq_nocase(labels_get(&p->metadata,
						S("ISTIO_META_DNS_CAPTURE")),
				S("true"));
}

bool
view_is_automatic(const struct addr *a)
{
	static const struct cidr ranges[] = {
	    {{.family = ADDR_V4, .bytes = {240, 240}}, 16},
	    {{.family = ADDR_V6, .bytes = {0x20, 0x01, 0, 2}}, 48}};

	return cidr_contains(&ranges[0], a) || cidr_contains(&ranges[1], a);
}

/* Upstream's proxies take calls to those of IPv4 alone. */
bool
view_tells_automatic(const struct view *v, enum addr_family family)
{
	return family == ADDR_V4 ? v->tells_automatic : v->captures_dns;
}

static const struct cidr *
automatic_addresses(
    struct builder *b, const struct service_row *s, size_t *out_count)
{
	struct cidr *all = take(b, ARRAY_LEN(s->row.automatic), sizeof(*all));

	*out_count = 0;
	for (size_t i = 0; all != NULL && i < ARRAY_LEN(s->row.automatic);
	     i++) {
		const struct addr *a = &s->row.automatic[i];
		enum addr_family family = (enum addr_family)a->family;

		if (family != ADDR_NONE && view_tells_automatic(b->v, family))
			cidr_around(a, family == ADDR_V4 ? 32 : 128,
			    &all[(*out_count)++]);
	}
	return all;
}

/* Of a Service those of IPv4, if it has any. */
static const struct cidr *
addresses_v4(struct builder *b, const struct service_row *s, size_t *out_count)
{
	struct cidr *all = take(b, s->row.address_count, sizeof(*all));

	*out_count = 0;
	for (size_t i = 0; all != NULL && i < s->row.address_count; i++)
		if (s->row.addresses[i].base.family == ADDR_V4)
			all[(*out_count)++] = s->row.addresses[i];
	if (*out_count > 0)
		return all;
	*out_count = s->row.address_count;
	return s->row.addresses;
}

const struct cidr *
service_addresses(
    struct builder *b, const struct service_row *s, size_t *out_count)
{
	if (s->row.address_count == 0 && b->v->tells_automatic)
		return automatic_addresses(b, s, out_count);
	if (s->row.address_count > 1 && !is_entry(s))
		return addresses_v4(b, s, out_count);
	*out_count = s->row.address_count;
	return s->row.addresses;
}
