/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_workloads — services that choose WorkloadEntries which come, go or say
 * something else.
 *
 * They are endpoints and nothing more: the clusters of services whose selector
 * fits are made anew. Where one is at this machine, ports are made of it.
 * A ServiceEntry may also choose what machines offer: each serving knows for
 * which it has something, so these are due where that is another.
 */
#include "kinds/workload.h"
#include "patch.h"

static bool
is_here(const struct view *base, const struct resource *r)
{
	const struct workload_entry *w = r->spec;
	struct addr a;

	return addr_parse_ip(w->address, &a) == OK &&
	       view_is_announced(base, &a);
}

bool
is_patched_workload(const struct view *base, const struct resource *r)
{
	return !is_here(base, r);
}

/* --- what machines offer -------------------------------------------------- */

static uint64_t
bit_of(const struct service_row *s)
{
	return UINT64_C(1) << slice_hash_stable(s->row.host) % 64;
}

static bool
has_offer(const struct service_row *s, const struct view_serving *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (selects_offer(s, &from->endpoints[i]))
			return true;
	return false;
}

uint64_t
offered_to(const struct builder *b, const struct view_serving *from)
{
	uint64_t all = 0;

	for (size_t i = 0; i < b->selecting.count; i++)
		if (has_offer(b->selecting.items[i], from))
			all |= bit_of(b->selecting.items[i]);
	return all;
}

void
add_offers_now(struct builder *b, struct service_row *s, struct port_row *p,
    const struct entry_port *port)
{
	const struct view_input *in = b->patch->in;

	for (size_t i = 0; i < in->serving_count && !b->full; i++) {
		const struct view_serving *from = &in->servings[i];

		for (size_t j = 0; j < from->count; j++)
			add_offer(b, s, p, port, &from->endpoints[j]);
	}
}

static void
mark_offered(struct patching *p, uint64_t to, bool *due)
{
	for (size_t i = 0; to != 0 && i < p->b.selecting.count; i++) {
		const struct service_row *s = p->b.selecting.items[i];

		if ((bit_of(s) & to) != 0 && !is_changed_service(&p->b, s))
			due[s->serving - 1] = true;
	}
}

void
note_offers(struct patching *p, size_t slot)
{
	const struct view_serving *from = serving_at(p, slot);
	struct serving_state *s;

	if (p->b.selecting.count == 0)
		return;
	s = own_serving(p->b.v, slot);
	p->offered |= s->offered;
	s->offered = from != NULL ? offered_to(&p->b, from) : 0;
	p->offered |= s->offered;
}

/* Those that are offered another serving than in the view before: that is due,
 * or is forgotten already. */
static void
mark_all_offered(struct patching *p, bool *due)
{
	const struct view *v = p->b.v;

	for (size_t i = next_due(p, due, 0); i < v->servings.count;
	     i = next_due(p, due, i + 1)) {
		const struct serving_state *s = pages_at(&v->servings, i);

		if (s->version != version_now(p, i))
			note_offers(p, i);
	}
	mark_offered(p, p->offered, due);
}

/* --- WorkloadEntries ------------------------------------------------------ */

static bool
is_workload(const struct renewal *r)
{
	return kind_of(r) == &kind_workload_entry;
}

void
list_workloads(struct patching *p)
{
	struct builder *b = &p->b;

	b->gone_workloads = b->come_workloads = (struct rows){0};
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];
		struct workload *w;

		if (!is_workload(r))
			continue;
		if (r->old != NULL)
			rows_add(&b->gone_workloads, (void *)(uintptr_t)r->old);
		w = r->fresh != NULL ? workload_new(b, r->fresh) : NULL;
		if (w != NULL)
			rows_add(&b->come_workloads, w);
	}
}

/* All services that choose it. */
static void
mark_all(struct patching *p, const struct resource *r, bool *due)
{
	const struct workload *w = r != NULL ? workload_new(&p->b, r) : NULL;

	for (size_t i = 0; w != NULL && i < p->b.services.count; i++) {
		const struct service_row *s = p->b.services.items[i];

		if (!is_changed_service(&p->b, s) && selects_workload(s, w))
			due[s->serving - 1] = true;
	}
}

static void
mark(struct patching *p, const struct renewal *r, bool *due)
{
	if (!is_workload(r))
		return;
	mark_all(p, r->old, due);
	mark_all(p, r->fresh, due);
}

void
mark_selecting(struct patching *p, bool *due)
{
	const struct view *before = p->before;

	p->b.arena = &p->arena;
	for (size_t i = 0; i < p->count; i++)
		if (renewal_before(p, &p->items[i]) == NULL)
			mark(p, &p->items[i], due);
	for (size_t i = 0; i < before->renewal_count; i++)
		if (!is_still_there(p, &before->renewals[i]))
			mark(p, &before->renewals[i], due);
	mark_all_offered(p, due);
}
