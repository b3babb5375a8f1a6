/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_lists — what a patch has in the place of its base's lists.
 */
#include "patch.h"

/* --- slots ---------------------------------------------------------------- */

size_t
free_slot(const struct pages *all, const struct pages *of_base, size_t *next)
{
	size_t i = MAX(*next, of_base->count);

	while (i < all->count && slots_at(all, i) != NULL)
		i++;
	*next = i;
	return i;
}

/* How many of the base come before it; these are in order. */
static size_t
place_of(const struct pages *of_base, const void *row,
    int (*cmp)(const void *a, const void *b))
{
	size_t low = 0, high = of_base->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (cmp(&(const void *){slots_at(of_base, mid)}, &row) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* What the patch has more of, by where it is among all. */
static void
list_more(const struct pages *all, const struct pages *of_base,
    int (*cmp)(const void *a, const void *b), struct more_rows *out)
{
	struct rows more = {0};

	for (size_t i = of_base->count; i < all->count; i++)
		if (slots_at(all, i) != NULL)
			rows_add(&more, slots_at(all, i));
	rows_sort(&more, cmp);
	out->count = more.count;
	out->items =
	    mem_new_array(MAX(more.count, (size_t)1), sizeof(*out->items));
	for (size_t i = 0; i < more.count; i++)
		out->items[i] = (struct more_row){
		    more.items[i], i + place_of(of_base, more.items[i], cmp)};
	rows_fini(&more);
}

/* --- hosts ---------------------------------------------------------------- */

/* Also of "*", which no map has. */
static const struct view_host *
host_of_domain(const struct view_routes *r, struct slice domain)
{
	return slice_eq(domain, S("*")) ? r->any : find_exact(r, domain);
}

static void
keep_hosts(struct view *v, const struct box *box)
{
	for (size_t i = 0; box != NULL && i < box->more_hosts.count; i++) {
		struct view_host *h = box->more_hosts.items[i];

		slots_put(&v->hosts, h->slot - 1, h);
	}
}

void
begin_hosts(struct patching *p)
{
	struct view *v = p->b.v;

	for (size_t i = 0; i < v->renewal_count; i++)
		keep_hosts(v, v->renewals[i].box);
	keep_hosts(v, v->doors);
}

void
put_more_host(struct patching *p, struct more_host *h)
{
	struct pages *all = &p->b.v->hosts;

	h->row.row.slot = free_slot(all, &p->base->hosts, &p->next_host) + 1;
	slots_put(all, h->row.row.slot - 1, h);
	rows_add(&p->b.box->more_hosts, h);
}

/* False: another one has a domain already, and it is not clear whose it is. */
static bool
put_domains(struct view *v, struct more_host *h)
{
	char text[MORE_KEY_MAX];
	bool odd = false;

	for (size_t i = 0; i < h->domain_count; i++) {
		struct slice domain = h->domains[i];

		if (view_host_now(v, host_of_domain(h->routes, domain)) !=
			NULL ||
		    map_put(&v->more_hosts, more_key(h->routes, domain, text),
			h) != NULL)
			return false;
		odd = odd || host_is_odd(domain);
	}
	if (odd)
		rows_add(&v->more_odd, h);
	return true;
}

static bool
put_more(struct view *v, const struct box *box)
{
	for (size_t i = 0; i < box->more_hosts.count; i++)
		if (!put_domains(v, box->more_hosts.items[i]))
			return false;
	return true;
}

static void
put_hosts_of(struct view *v, const struct box *box)
{
	for (size_t i = 0; i < box->hosts.count; i++) {
		struct view_host *h = box->hosts.items[i];

		slots_put(&v->hosts, h->slot - 1, h);
	}
	for (size_t i = 0; i < box->fewer_hosts.count; i++) {
		const struct view_host *h = box->fewer_hosts.items[i];

		slots_put(&v->hosts, h->slot - 1, NULL);
	}
}

/* The row that is beside it in the base; NULL: it has none now. */
static const struct view_host *
beside(const struct view *v, size_t slot)
{
	return slot > 0 && slot <= v->base->hosts.count
		   ? slots_at(&v->hosts, slot - 1)
		   : NULL;
}

/* Of one name that a proxy has beside a port, the origins say which is first:
 * what is renewed may be before the other now. */
static bool
is_in_order(const struct view *v, const struct rows *some)
{
	for (size_t i = 0; i < some->count; i++) {
		const struct view_host *h = some->items[i];
		const struct view_host *x = beside(v, h->slot - 1);
		const struct view_host *y = beside(v, h->slot + 1);

		if (h->slot <= v->base->hosts.count &&
		    ((x != NULL && compare_hosts(&x, &h) > 0) ||
			(y != NULL && compare_hosts(&h, &y) > 0)))
			return false;
	}
	return true;
}

static bool
put_hosts(struct view *v)
{
	for (size_t i = 0; i < v->renewal_count; i++)
		put_hosts_of(v, v->renewals[i].box);
	if (v->front != NULL)
		put_hosts_of(v, v->front);
	if (v->doors != NULL)
		put_hosts_of(v, v->doors);
	for (size_t i = 0; i < v->renewal_count; i++)
		if (!is_in_order(v, &v->renewals[i].box->hosts) ||
		    !put_more(v, v->renewals[i].box))
			return false;
	return v->doors == NULL || put_more(v, v->doors);
}

/* --- problems ------------------------------------------------------------- */

static bool
is_renewed(const struct view *v, const struct resource *r)
{
	for (size_t i = 0; r != NULL && i < v->renewal_count; i++)
		if (v->renewals[i].old == r)
			return true;
	return false;
}

/* Of what only records told of, which has no other key than its name. */
static bool
is_record_changed(const struct patching *p, const struct resource_key *key)
{
	char text[HOST_TEXT_MAX];

	return service_now_of(&p->b,
		   recorded_host(&p->b, key->ns, key->name, text)) != NULL;
}

/* Which listeners of callers do, if they are made again. */
static bool
tells_hidden(const struct view *v, uint32_t door)
{
	return door == DOOR_HIDDEN && v->front != NULL &&
	       v->front->tells_hidden;
}

/* Somebody tells it who is as in the base. */
static bool
is_told_still(const struct view *v, const struct teller *t)
{
	while (t != NULL &&
	       (is_renewed(v, t->owner) || tells_doors(v, t->door) ||
		   tells_here(v, t->door) || tells_hidden(v, t->door)))
		t = t->next;
	return t != NULL;
}

/* Of a service whose box tells it, if it is still so. */
static bool
tells_service(const struct patching *p, const struct view_problem *problem)
{
	const struct resource_key *key = &problem->origin.key;
	const struct view *v = p->b.v;

	if (key->kind.len == 0)
		return key->name.len > 0 && is_record_changed(p, key);
	for (size_t i = 0; i < v->renewal_count; i++) {
		const struct renewal *r = &v->renewals[i];

		if (is_about_services(r) &&
		    resource_key_eq(&any_of(r)->key, key))
			return true;
	}
	return false;
}

/* Two boxes may tell the same. */
static void
drop_doubles(struct rows *all)
{
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++)
		if (kept == 0 || compare_problems(&all->items[kept - 1],
				     &all->items[i]) != 0)
			all->items[kept++] = all->items[i];
	all->count = kept;
}

static void
add_rows(struct rows *to, const struct rows *some)
{
	for (size_t i = 0; i < some->count; i++)
		rows_add(to, some->items[i]);
}

/* False: there may be others, which nobody wrote down. */
static bool
put_problems(const struct patching *p)
{
	const struct view *base = p->base;
	struct view *v = p->b.v;
	struct rows all = {0};

	for (size_t i = 0; i < base->problem_count; i++)
		if (is_told_still(v, base->problem_tellers[i]) &&
		    !tells_service(p, &base->problems[i]) &&
		    !tells_own(v, &base->problems[i]))
			rows_add(&all, &base->problems[i]);
	for (size_t i = 0; i < v->renewal_count; i++)
		add_rows(&all, &v->renewals[i].box->problems);
	if (v->own != NULL)
		add_rows(&all, &v->own->problems);
	if (v->front != NULL)
		add_rows(&all, &v->front->problems);
	if (v->doors != NULL)
		add_rows(&all, &v->doors->problems);
	rows_sort(&all, compare_problems);
	drop_doubles(&all);
	v->problems =
	    mem_new_array(MAX(all.count, (size_t)1), sizeof(*v->problems));
	v->problem_count = all.count;
	for (size_t i = 0; i < all.count; i++)
		v->problems[i] = *(const struct view_problem *)all.items[i];
	rows_fini(&all);
	return base->problem_count < PROBLEMS_MAX &&
	       v->problem_count < PROBLEMS_MAX;
}

bool
put_lists(struct patching *p)
{
	const struct view *base = p->base;
	struct view *v = p->b.v;

	list_more(&v->clusters, &base->clusters, compare_clusters,
	    &v->listed_clusters);
	if (v->renewal_count == 0 && v->own == NULL)
		return true;
	if (v->renewal_count > 0 && !put_hosts(v))
		return false;
	list_more(&v->hosts, &base->hosts, compare_hosts, &v->listed_hosts);
	return put_problems(p);
}
