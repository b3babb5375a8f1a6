/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vips — automatic addresses, for services that wrote none down.
 *
 * A program that is given one by DNS reaches the service by it, whatever it
 * speaks. Host and namespace choose the number, so that every machine and
 * every start comes to the same one; where two choose one number, or somebody
 * wrote it down, the younger takes the next that is free. Which services get
 * one is upstream's rule; its ranges are 240.240.0.0/16 and 2001:2::/48.
 */
#include "inside.h"

#define WANTED "networking.istio.io/enable-autoallocate-ip"

/* Numbers in the range; the first and last of 256 are left out, since they
 * look like a network and its broadcast. */
enum { RANGE = 65536, LAST_OCTET = 256, USABLE = 256 * 254 };

struct numbers {
	bool used[RANGE];
	struct map by_service; /* "ns/host" → service_row that has one */
	size_t left;
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

static void
mark(struct numbers *all, const struct addr *a)
{
	const struct addr v4 = address_v4(0), v6 = address_v6(0);
	const uint8_t *last =
	    a->family == ADDR_V4 ? a->bytes + 2 : a->bytes + 14;
	const struct addr *of = a->family == ADDR_V4 ? &v4 : &v6;

	if (memcmp(a->bytes, of->bytes, (size_t)(last - a->bytes)) == 0)
		all->used[last[0] << 8 | last[1]] = true;
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
 * is written, nor where it is not wanted. */
static bool
gets_one(const struct service_row *s)
{
	const struct resource *r = s->resource;

	if (r == NULL || r->kind != &kind_service_entry)
		return false;
	if (((const struct service_entry *)r->spec)->addresses.count > 0 ||
	    s->row.resolution == VIEW_ORIGINAL)
		return false;
	if (slice_eq_nocase(labels_get(&r->labels, S(WANTED)), S("false")))
		return false;
	return !slice_starts(s->row.host, S("*")) ||
	       s->row.resolution == VIEW_DNS_DYNAMIC;
}

static unsigned
next_of(unsigned n)
{
	n = (n + 1) % RANGE;
	while (n % LAST_OCTET == 0 || n % LAST_OCTET == LAST_OCTET - 1)
		n = (n + 1) % RANGE;
	return n;
}

static void
give(struct builder *b, struct numbers *all, struct service_row *s)
{
	struct slice key = take_printf(
	    b, "%.*s/%.*s", SLICE_ARG(s->row.ns), SLICE_ARG(s->row.host));
	const struct service_row *same = map_get(&all->by_service, key);
	unsigned n = (unsigned)(slice_hash_stable(key) % RANGE);

	if (same != NULL) { /* two entries of one host are one service */
		memcpy(s->row.automatic, same->row.automatic,
		    sizeof(s->row.automatic));
		return;
	}
	if (all->left == 0) {
		add_problem(b, &s->row.origin,
		    "there is no automatic address left for %.*s",
		    SLICE_ARG(s->row.host));
		return;
	}
	do
		n = next_of(n);
	while (all->used[n]);
	all->used[n] = true;
	all->left--;
	s->row.automatic[0] = address_v4(n);
	s->row.automatic[1] = address_v6(n);
	(void)map_put(&all->by_service, key, s); /* was not there */
}

void
give_addresses(struct builder *b)
{
	struct numbers *all = mem_new(sizeof(*all));

	map_init(&all->by_service);
	mark_written(b, all);
	for (unsigned i = 0; i < RANGE; i++)
		all->left += !all->used[i];
	all->left -= MIN(all->left, (size_t)(RANGE - USABLE));
	for (size_t i = 0; !b->full && i < b->services.count; i++)
		if (gets_one(b->services.items[i]))
			give(b, all, b->services.items[i]);
	map_fini(&all->by_service, NULL);
	mem_free(&all);
}

/* --- where callers go ---------------------------------------------------- */

bool
cidr_is_one(const struct cidr *c)
{
	return c->bits == (c->base.family == ADDR_V4 ? 32 : 128);
}

/* Upstream's word for machines whose DNS tells of automatic addresses. */
static bool
captures_dns(const struct builder *b)
{
	const struct mesh_proxy *p = b->mesh->default_config;

	return p != NULL && slice_eq_nocase(labels_get(&p->metadata,
						S("ISTIO_META_DNS_CAPTURE")),
				S("true"));
}

static const struct cidr *
automatic_addresses(
    struct builder *b, const struct service_row *s, size_t *out_count)
{
	struct cidr *all = take(b, ARRAY_LEN(s->row.automatic), sizeof(*all));

	*out_count = 0;
	for (size_t i = 0; all != NULL && i < ARRAY_LEN(s->row.automatic); i++)
		if (s->row.automatic[i].family == ADDR_V4)
			cidr_around(
			    &s->row.automatic[i], 32, &all[(*out_count)++]);
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
	if (s->row.address_count == 0 && captures_dns(b))
		return automatic_addresses(b, s, out_count);
	if (s->row.address_count > 1 && !is_entry(s))
		return addresses_v4(b, s, out_count);
	*out_count = s->row.address_count;
	return s->row.addresses;
}
