/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_virtual_hosts — virtual hosts of gateways, of which VirtualServices are
 * others than in the base.
 *
 *	VirtualServices ─► hosts that they have or had ─► drafts of now
 *	                                      │
 *	     rows of now ◄── hosts that have the same rules, before or now
 *
 * Only these hosts are asked again what is claimed on them, and what else is
 * claimed there is as it was. A row that is for the same hosts as before takes
 * the slot of that one; else it is another, with domains of its own.
 */
#include "hosts.h"
#include "patch.h"
#include "servers.h"

/* One set while it is gone through. */
struct revision {
	struct patching *p;
	const struct gateway_set *set;
	const struct rows *servers; /* struct served: its own of now */
	struct map by_host;         /* → struct gateway_draft */
	struct rows drafts;         /* the same: those in question */
	struct rows parts; /* struct gateway_part, of VirtualServices of now */
	struct map rows;   /* address → struct gateway_host: they may go */
	size_t gone, come; /* hosts */
};

/* --- what is claimed ------------------------------------------------------ */

static struct claim *
copy_claim(struct builder *b, const struct claim *of, struct gateway_draft *x)
{
	struct claim *c = take(b, 1, sizeof(*c));

	if (c != NULL)
		*c = (struct claim){.at = of->at, .part = of->part, .draft = x};
	return c;
}

static bool
is_gone(const struct bindings *g, const struct claim *c)
{
	for (size_t i = 0; c->part != NULL && i < g->gone.count; i++)
		if (g->gone.items[i] == c->part->resource)
			return true;
	return false;
}

/* Those of the base that are still there. */
static void
copy_claims(struct builder *b, const struct bindings *g,
    const struct gateway_draft *base, struct gateway_draft *x)
{
	struct claim **end = &x->claims;

	for (const struct claim *c = base != NULL ? base->claims : NULL;
	     c != NULL; c = c->next) {
		if (is_gone(g, c))
			continue;
		*end = copy_claim(b, c, x);
		if (*end == NULL)
			return;
		end = &(*end)->next;
	}
}

/* The host is in question. NULL when it is full. */
static struct gateway_draft *
touch(struct revision *v, const struct bindings *g, struct slice host)
{
	struct builder *b = &v->p->b;
	struct gateway_draft *x = map_get(&v->by_host, host);

	if (x != NULL)
		return x;
	x = take(b, 1, sizeof(*x));
	if (x == NULL)
		return NULL;
	x->set = v->set;
	x->host = host;
	x->shown = istio_host(b, host);
	x->base = map_get(&v->set->by_host, host);
	copy_claims(b, g, x->base, x);
	rows_add(&v->drafts, x);
	(void)map_put(&v->by_host, host, x); /* was not there */
	return x;
}

static void
touch_parts(struct revision *v, const struct bindings *g,
    const struct http_rules *rules)
{
	for (size_t i = 0; i < rules->parts.count; i++) {
		const struct gateway_part *p = rules->parts.items[i];

		for (const struct claim *c = p->claims; c != NULL;
		     c = c->next_of_part)
			if (c->draft->set == v->set)
				(void)touch(
				    v, g, c->draft->host); /* or it is full */
	}
}

static void
touch_gone(struct revision *v, const struct bindings *g)
{
	const struct map *all = &v->p->base->made_by->http_rules;

	for (size_t i = 0; i < g->gone.count; i++) {
		const struct resource *r = g->gone.items[i];
		const struct http_rules *rules =
		    map_get(all, slice_of(&r, sizeof(r)));

		if (rules != NULL)
			touch_parts(v, g, rules);
	}
}

/* NULL if none of its rules is for the server. */
static struct gateway_part *
part_of(struct revision *v, const struct served *s, const struct resource *r)
{
	struct gateway_part *p;

	for (size_t i = 0; i < v->parts.count; i++) {
		p = v->parts.items[i];
		if (p->resource == r && slice_eq(p->gateway, s->name))
			return p->count > 0 ? p : NULL;
	}
	p = gateway_part_of(&v->p->b, s, r);
	if (p == NULL)
		return NULL;
	rows_add(&v->parts, p);
	return p->count > 0 ? p : NULL;
}

/* Behind what earlier servers and older VirtualServices say; a server's own
 * redirect is the last that it says. */
static bool
is_claimed_before(
    const struct builder *b, const struct claim *c, const struct claim *than)
{
	if (c->at != than->at || c->part == NULL)
		return c->at < than->at;
	return !is_ruling_before(b, than->part->resource, c->part->resource);
}

static void
add_claim(struct revision *v, const struct bindings *g,
    const struct claim *what, struct slice host)
{
	struct builder *b = &v->p->b;
	struct gateway_draft *x = touch(v, g, host);
	struct claim *c = x != NULL ? copy_claim(b, what, x) : NULL;
	struct claim **at;

	if (c == NULL)
		return;
	for (at = &x->claims; *at != NULL && is_claimed_before(b, *at, c);)
		at = &(*at)->next;
	c->next = *at;
	*at = c;
}

static void
add_bound(struct revision *v, const struct bindings *g, size_t at,
    const struct bound *of)
{
	struct builder *b = &v->p->b;
	const struct served *s = v->set->servers[at];
	struct slice *met =
	    take(b, s->host_count * of->host_count, sizeof(*met));
	struct claim c = {.at = at};
	size_t n = 0;

	for (size_t i = 0; met != NULL && i < s->host_count; i++)
		for (size_t j = 0; j < of->host_count; j++)
			n += served_meets(
				 &s->hosts[i], of, of->hosts[j], &met[n]) &&
			     !slice_is_among(met[n], met, n);
	if (n == 0)
		return;
	b->gateway = s->name;
	c.part = part_of(v, s, of->resource);
	b->gateway = S("");
	for (size_t i = 0; c.part != NULL && i < n; i++)
		add_claim(v, g, &c, met[i]);
}

static void
add_come(struct revision *v, const struct bindings *g)
{
	for (size_t i = 0; i < v->set->server_count; i++)
		for (size_t j = 0; j < g->come.count; j++) {
			const struct bound *of = g->come.items[j];

			if (!v->p->b.full &&
			    is_bound_to(of->resource, v->set->servers[i]))
				add_bound(v, g, i, of);
		}
}

/* --- who shares a row ----------------------------------------------------- */

/* Of the base, with the rules of one that is in question. */
static void
add_like(struct revision *v, const struct gateway_draft *base)
{
	struct gateway_draft *x;

	if (map_get(&v->by_host, base->host) != NULL)
		return;
	x = take(&v->p->b, 1, sizeof(*x));
	if (x == NULL)
		return;
	*x = *base;
	x->base = base;
	x->is_as_before = true;
	rows_add(&v->drafts, x);
	(void)map_put(&v->by_host, x->host, x); /* was not there */
}

static void
add_all_like(struct revision *v, const struct gateway_draft *x)
{
	const struct rows *all = &v->set->drafts;

	if (x->part_count > 0) {
		for (const struct claim *c = x->parts[0]->claims; c != NULL;
		     c = c->next_of_part)
			if (c->draft->set == v->set &&
			    has_same_parts(c->draft, x))
				add_like(v, c->draft);
		return;
	}
	for (size_t i = 0; i < all->count; i++) {
		const struct gateway_draft *other = all->items[i];

		if (other->part_count == 0)
			add_like(v, other);
	}
}

/* Those that are left, each with what it is now. */
static void
settle(struct revision *v)
{
	size_t count = v->drafts.count;

	for (size_t i = 0; !v->p->b.full && i < count; i++) {
		struct gateway_draft *x = v->drafts.items[i];

		v->gone += x->base != NULL && x->claims == NULL;
		v->come += x->base == NULL && x->claims != NULL;
		if (x->base != NULL)
			add_all_like(v, x->base);
		if (x->claims == NULL)
			continue;
		settle_draft(&v->p->b, x);
		add_all_like(v, x);
	}
}

/* --- rows ----------------------------------------------------------------- */

/* Two of one draft are one, so that each is dropped but once. */
static void
list_old_rows(struct revision *v)
{
	for (size_t i = 0; i < v->drafts.count; i++) {
		const struct gateway_draft *x = v->drafts.items[i];

		if (x->base != NULL)
			(void)map_put(&v->rows,
			    slice_of(&x->base->row, sizeof(x->base->row)),
			    x->base->row); /* maybe once more */
	}
}

/* Its row of the base is of the same hosts. */
static bool
has_same_hosts(const struct gateway_draft *first)
{
	const struct gateway_draft *base =
	    first->base != NULL ? first->base->row->first : NULL;

	while (first != NULL && base != NULL && first->base == base) {
		first = first->next_of_row;
		base = base->next_of_row;
	}
	return first == NULL && base == NULL;
}

static bool
is_row_as_before(const struct gateway_draft *first)
{
	while (first != NULL && first->is_as_before)
		first = first->next_of_row;
	return first == NULL;
}

static bool
add_domains(
    struct builder *b, const struct gateway_draft *first, struct more_host *h)
{
	struct slice *domains;
	size_t count = 0;

	for (const struct gateway_draft *x = first; x != NULL;
	     x = x->next_of_row)
		count++;
	domains = take(b, count * 2, sizeof(*domains));
	for (const struct gateway_draft *x = first;
	     domains != NULL && x != NULL; x = x->next_of_row) {
		domains[h->domain_count++] = x->host;
		if (!slice_eq(x->host, x->shown))
			domains[h->domain_count++] = x->shown;
	}
	h->domains = domains;
	return domains != NULL;
}

/* In the place of that of before, if it is like it. */
static bool
add_row(struct revision *v, const struct gateway_draft *first)
{
	struct builder *b = &v->p->b;
	struct gateway_host *old =
	    has_same_hosts(first) ? first->base->row : NULL;
	struct more_host *h;

	if (old != NULL && is_row_as_before(first)) {
		(void)map_remove(&v->rows, slice_of(&old, sizeof(old)));
		return true;
	}
	h = take(b, 1, sizeof(*h));
	if (h == NULL)
		return false;
	fill_gateway_host(b, first, &h->row.row);
	if (old != NULL &&
	    compare_hosts(&(const struct view_host *){&h->row.row},
		&(const struct view_host *){&old->row}) == 0) {
		h->row.row.slot = old->row.slot;
		rows_add(&b->box->hosts, h);
		(void)map_remove(&v->rows, slice_of(&old, sizeof(old)));
		return true;
	}
	h->routes = v->set->routes;
	put_more_host(v->p, h);
	return add_domains(b, first, h);
}

static bool
put_rows(struct revision *v)
{
	struct rows drafts = {0}, firsts = {0};
	struct slice key;
	bool ok = true;
	void *old;

	for (size_t i = 0; i < v->drafts.count; i++)
		if (((const struct gateway_draft *)v->drafts.items[i])
			->claims != NULL)
			rows_add(&drafts, v->drafts.items[i]);
	group_drafts(&drafts, &firsts);
	for (size_t i = 0; ok && i < firsts.count; i++)
		ok = add_row(v, firsts.items[i]);
	for (size_t i = 0; map_next(&v->rows, &i, &key, &old);)
		rows_add(&v->p->b.box->fewer_hosts, old);
	rows_fini(&drafts);
	rows_fini(&firsts);
	return ok;
}

/* 404 for everything where no host is left, and no more where some come. */
static bool
put_nobody(struct revision *v)
{
	const struct gateway_set *set = v->set;
	struct gateway_set now = *set;
	size_t left = set->drafts.count + v->come - v->gone;
	struct more_host *h;

	if (set->nobody != NULL && left > 0)
		rows_add(&v->p->b.box->fewer_hosts, set->nobody);
	if (set->nobody != NULL || left > 0)
		return true;
	h = take(&v->p->b, 1, sizeof(*h));
	if (h == NULL)
		return false;
	now.servers = (void *)v->servers->items;
	fill_nobody(&v->p->b, &now, &h->row.row);
	h->routes = set->routes;
	h->domains = &h->row.row.host;
	h->domain_count = 1;
	put_more_host(v->p, h);
	return true;
}

/* --- a set ---------------------------------------------------------------- */

bool
patch_gateway_set(struct patching *p, const struct gateway_set *set,
    const struct rows *servers, const struct bindings *g)
{
	struct revision v = {.p = p, .set = set, .servers = servers};
	bool ok;

	map_init(&v.by_host);
	map_init(&v.rows);
	p->b.scope = set->scope;
	touch_gone(&v, g);
	add_come(&v, g);
	settle(&v);
	list_old_rows(&v);
	ok = !p->b.full && put_nobody(&v) && put_rows(&v);
	rows_fini(&v.drafts);
	rows_fini(&v.parts);
	map_fini(&v.by_host, NULL);
	map_fini(&v.rows, NULL);
	return ok;
}

void
drop_gateway_set(struct patching *p, const struct gateway_set *set)
{
	struct rows *fewer = &p->b.box->fewer_hosts;

	if (set->nobody != NULL)
		rows_add(fewer, set->nobody);
	for (size_t i = 0; i < set->drafts.count; i++) {
		const struct gateway_draft *x = set->drafts.items[i];

		if (x->row->first == x)
			rows_add(fewer, x->row);
	}
}
