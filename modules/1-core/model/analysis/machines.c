/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machines — two that want one port of a machine, and what is offered in vain.
 *
 * A port of a machine is wanted by WorkloadEntries and by what the machine's
 * own record offers. What discovery would not use of a record is told here, by
 * the same rules: a written Service overrides, else the older voucher is right.
 */
#include <stdlib.h>

#include "inside.h"

/* --- what lives, and who was there first ---------------------------------- */

static int
by_age(const void *x, const void *y)
{
	const struct analysis_workload *const *a = x, *const *b = y;
	int n = 0;

	if ((*a)->issued_s != (*b)->issued_s)
		return (*a)->issued_s < (*b)->issued_s ? -1 : 1;
	n = slice_cmp((*a)->node, (*b)->node);
	if (n == 0)
		n = slice_cmp((*a)->ns, (*b)->ns);
	if (n == 0)
		n = slice_cmp((*a)->name, (*b)->name);
	return n != 0 ? n : (int)(*a)->port - (int)(*b)->port;
}

/* Of machines that are there, the oldest first; the caller frees it. */
static const struct analysis_workload **
living_by_age(const struct analysis *a, size_t *out_count)
{
	size_t all = a->in->workload_count, count = 0;
	const struct analysis_workload **list =
	    mem_new_array(MAX(all, 1), sizeof(*list));

	for (size_t i = 0; i < all; i++)
		if (!a->in->workloads[i].gone)
			list[count++] = &a->in->workloads[i];
	if (count > 0)
		qsort(list, count, sizeof(*list), by_age);
	*out_count = count;
	return list;
}

/* No document: it gets a key to be spoken of. */
static struct item
item_of(struct analysis *a, const struct analysis_workload *w)
{
	return (struct item){.key = {S("meshd.dev"), S("Workload"), w->ns,
				 arena_printf(&a->arena, "%.*s@%.*s",
				     SLICE_ARG(w->name), SLICE_ARG(w->node))},
	    .file = ""};
}

/* --- ports of machines ---------------------------------------------------- */

struct taken {
	const struct item *it; /* NULL: it lives */
	const struct analysis_workload *living;
	const struct labels *labels;
	struct slice address;
	struct slice network;
	struct slice name; /* of an entry's port */
	int64_t port;
};

struct taking {
	struct analysis *a;
	FACTS_OF(struct taken) all; /* what lives comes first, the oldest too */
	struct lookup of_port;
};

static uint64_t
taken_hash(const struct taken *t)
{
	return LOOKUP_HASH(
	    t->address, t->network, slice_of(&t->port, sizeof(t->port)));
}

static struct slice
ip_text(struct analysis *a, const struct addr *ip)
{
	char text[ADDR_TEXT_MAX];

	return keep_text(a, slice_str(addr_format_ip(ip, text)));
}

static void
add_entry(struct taking *x, const struct item *it)
{
	const struct workload_entry *w = it->r->spec;
	struct addr ip;
	struct slice address = addr_parse_ip(w->address, &ip) == OK
				   ? ip_text(x->a, &ip)
				   : w->address;

	for (size_t i = 0; i < w->ports.count; i++)
		*FACTS_PUSH(&x->all) = (struct taken){.it = it,
		    .labels = &w->labels,
		    .address = address,
		    .network =
			w->network.len > 0 ? w->network : x->a->in->network,
		    .name = w->ports.items[i].key,
		    .port = w->ports.items[i].number};
}

static void
add_living(struct taking *x, const struct analysis_workload *w)
{
	for (size_t i = 0; i < w->addr_count; i++)
		*FACTS_PUSH(&x->all) = (struct taken){.living = w,
		    .labels = &w->labels,
		    .address = ip_text(x->a, &w->addrs[i]),
		    .network = w->network,
		    .port = w->port};
}

/*
 * Two entries of one workload, as for two networks, are no clash; nor is an
 * entry for a workload that also speaks for itself, and has more labels.
 */
static bool
is_same_workload(const struct taken *a, const struct taken *b)
{
	bool covers = labels_match(a->labels, b->labels);
	bool covered = labels_match(b->labels, a->labels);

	if (a->living != NULL && b->living != NULL)
		return a->living == b->living;
	if (a->living != NULL || b->living != NULL)
		return covers || covered;
	return covers && covered;
}

static bool
is_clash(const struct taken *a, const struct taken *b)
{
	return (a->it == NULL || a->it != b->it) && a->port == b->port &&
	       slice_eq(a->address, b->address) &&
	       slice_eq(a->network, b->network) && !is_same_workload(a, b);
}

static void
tell_clash(struct taking *x, const struct taken *t, const struct taken *other)
{
	struct item own, others;
	struct place p;
	char key[RESOURCE_KEY_MAX];

	if (t->it == NULL)
		own = item_of(x->a, t->living);
	if (other->it == NULL)
		others = item_of(x->a, other->living);
	p = t->it == NULL
		? place_at(&own, NULL, "%s", "")
		: place_at(t->it, NULL, "spec.ports.%.*s",
		      SLICE_ARG(slice_sub(t->name, 0, NAME_LABEL_MAX)));
	place_relate(&p, other->it != NULL ? other->it : &others);
	tell(x->a, "MSH0106", &p,
	    "port %lld of %.*s is another workload's already: %s%s",
	    (long long)t->port, SLICE_ARG(t->address),
	    resource_key_format(&p.related[0]->key, key),
	    t->it == NULL ? ", which is older" : "");
}

/* Of two that live the younger is told; an entry, of whatever it meets. */
static void
check_taken(struct taking *x, const struct taken *t)
{
	struct lookup_rows rows = lookup_get(&x->of_port, taken_hash(t));

	for (size_t i = 0; i < MIN(rows.count, SELECTED_MAX); i++) {
		const struct taken *other = rows.rows[i].item;

		if (t->it == NULL && other >= t)
			return;
		if (!is_clash(t, other))
			continue;
		tell_clash(x, t, other);
		return;
	}
}

static void
check_ports(struct analysis *a, const struct analysis_workload *const *living,
    size_t count)
{
	struct item_list all = items_of(a, &kind_workload_entry);
	struct taking x = {.a = a};

	for (size_t i = 0; i < count; i++)
		add_living(&x, living[i]);
	for (size_t i = 0; i < all.count; i++)
		add_entry(&x, all.items[i]);
	for (size_t i = 0; i < x.all.count; i++)
		lookup_put(
		    &x.of_port, taken_hash(&x.all.items[i]), &x.all.items[i]);
	lookup_sort(&x.of_port);
	for (size_t i = 0; i < x.all.count; i++)
		check_taken(&x, &x.all.items[i]);
	mem_free(&x.all.items);
	lookup_fini(&x.of_port);
}

void
analyze_port_clashes(struct analysis *a)
{
	AUTO(mem_free) const struct analysis_workload **living = NULL;
	size_t count;

	living = living_by_age(a, &count);
	check_ports(a, living, count);
	analyze_gateway_clashes(a);
}

/* --- what is offered in vain ---------------------------------------------- */

struct offers {
	struct analysis *a;
	struct lookup written; /* Services by namespace and name */
	struct lookup first;   /* who lives, by namespace, name and port */
};

static uint64_t
offer_hash(const struct analysis_workload *w)
{
	return LOOKUP_HASH(w->ns, w->name, slice_of(&w->port, sizeof(w->port)));
}

static const struct item *
written_of(const struct offers *x, const struct analysis_workload *w)
{
	struct lookup_rows rows =
	    lookup_get(&x->written, LOOKUP_HASH(w->ns, w->name));

	for (size_t i = 0; i < rows.count; i++) {
		const struct item *it = rows.rows[i].item;

		if (slice_eq(it->key.ns, w->ns) &&
		    slice_eq(it->key.name, w->name))
			return it;
	}
	return NULL;
}

static void
check_written(
    struct offers *x, const struct analysis_workload *w, const struct item *it)
{
	const struct service_offer o = {
	    w->name, w->ns, w->protocol, w->labels, w->port};
	const struct service_spec *s = it->r->spec;
	bool selected = service_selects(it->r, &o);
	struct place p =
	    place_at(it, NULL, "%s", selected ? "spec.ports" : "spec.selector");
	struct item own;

	for (size_t i = 0; selected && i < s->ports.count; i++)
		if (service_port_leads_to(it->r, &s->ports.items[i], &o))
			return;
	own = item_of(x->a, w);
	place_relate(&p, &own);
	tell(x->a, "MSH0109", &p,
	    "node %.*s offers this service at port %u, which is not used: %s",
	    SLICE_ARG(w->node), (unsigned)w->port,
	    selected ? "no port leads there" : "its labels are not selected");
}

/* What lives was put by age: the first of a port says what it speaks. */
static const struct analysis_workload *
first_of(const struct offers *x, const struct analysis_workload *w)
{
	struct lookup_rows rows = lookup_get(&x->first, offer_hash(w));

	for (size_t i = 0; i < rows.count; i++) {
		const struct analysis_workload *first = rows.rows[i].item;

		if (slice_eq(first->ns, w->ns) &&
		    slice_eq(first->name, w->name) && first->port == w->port)
			return first;
	}
	return w;
}

static void
check_unwritten(struct offers *x, const struct analysis_workload *w)
{
	const struct analysis_workload *first = first_of(x, w);
	struct item own, other;
	struct place p;

	if (slice_eq_nocase(first->protocol, w->protocol))
		return;
	own = item_of(x->a, w);
	other = item_of(x->a, first);
	p = place_at(&own, NULL, "%s", "");
	place_relate(&p, &other);
	tell(x->a, "MSH0109", &p,
	    "port %u is offered as %.*s, which is not used: the older node "
	    "%.*s offers it as %.*s",
	    (unsigned)w->port, SLICE_ARG(w->protocol), SLICE_ARG(first->node),
	    SLICE_ARG(first->protocol));
}

void
analyze_offers(struct analysis *a)
{
	AUTO(mem_free) const struct analysis_workload **living = NULL;
	struct item_list services = items_of(a, &kind_service);
	struct offers x = {.a = a};
	size_t count;

	living = living_by_age(a, &count);
	for (size_t i = 0; i < services.count; i++)
		lookup_put(&x.written,
		    LOOKUP_HASH(
			services.items[i]->key.ns, services.items[i]->key.name),
		    services.items[i]);
	for (size_t i = 0; i < count; i++)
		lookup_put(&x.first, offer_hash(living[i]), living[i]);
	lookup_sort(&x.written);
	lookup_sort(&x.first);
	for (size_t i = 0; i < count; i++) {
		const struct item *it = written_of(&x, living[i]);

		if (it != NULL)
			check_written(&x, living[i], it);
		else
			check_unwritten(&x, living[i]);
	}
	lookup_fini(&x.written);
	lookup_fini(&x.first);
}
