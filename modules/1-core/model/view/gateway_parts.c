/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_parts — the rules of one VirtualService for one Gateway.
 *
 * They are compiled once for all hosts that they are asked of.
 */
#include "servers.h"

/* --- what takes everything ------------------------------------------------ */

/* Upstream looks at the text, not at what it means. */
static bool
takes_everything(const struct view_match *m)
{
	const struct view_condition *c = m->conditions;

	if (m->count == 0)
		return true;
	if (m->count > 1 || c->subject != VIEW_ON_PATH || c->negated)
		return false;
	return c->test == VIEW_PRESENT ||
	       (c->test == VIEW_PREFIX && slice_eq(c->value, S("/"))) ||
	       (c->test == VIEW_REGEX && slice_eq(c->value, S(".*")));
}

/* The first match that takes everything; the count if none does. */
static size_t
find_last(const struct view_http_route *r)
{
	size_t i = 0;

	while (i < r->match_count && !takes_everything(&r->matches[i]))
		i++;
	return i;
}

/* A rule that takes everything, too: what comes before stays in its place. */
static void
split_last(struct gateway_part *p, size_t at)
{
	struct view_http_route *r = &p->rows[p->count++];

	p->last = 1;
	if (r->match_count == 0)
		return;
	if (at > 0) {
		r[1] = r[0];
		r->match_count = at;
		r++;
		p->count++;
	}
	r->matches += at;
	r->match_count = 1;
}

/* --- the rows ------------------------------------------------------------- */

static void
add_rules(struct builder *b, const struct rows *rules, struct gateway_part *p)
{
	const struct view_host h = {.port = p->port, .ends_tls = p->ends_tls};

	for (size_t i = 0; i < rules->count; i++) {
		struct view_http_route *r = &p->rows[p->count];
		size_t last;

		compile_http_rule(b, rules->items[i], &h, r);
		r->index = i;
		last = find_last(r);
		if (last < r->match_count || r->match_count == 0) {
			split_last(p, last);
			return;
		}
		p->count++;
	}
}

static void
fill_part(struct builder *b, struct gateway_part *p)
{
	const struct rows *rules = &http_rules_of(b, p->resource)->rows;

	p->rows = take(b, rules->count + 1, sizeof(*p->rows));
	if (p->rows == NULL)
		return;
	b->owner = p->resource;
	b->rules_ns = p->resource->key.ns;
	add_rules(b, rules, p);
	b->rules_ns = S("");
	b->owner = NULL;
}

void
note_gateway_lead(struct builder *b, const struct destination_spec *d,
    const struct resource *owner, const struct resource *by)
{
	struct slice host = canonical_host(b, d->host, owner->key.ns);
	const struct rows *all = map_get(&b->led_to, host);

	if (all == NULL || all->items[all->count - 1] != by)
		rows_add_under(b, &b->led_to, host, (void *)(uintptr_t)by);
}

static void
note_lead(struct builder *b, const struct destination_spec *d,
    const struct resource *owner, const struct http_rule *rule, void *arg)
{
	if (rule != NULL)
		note_gateway_lead(b, d, owner, arg);
}

struct gateway_part *
gateway_part_of(
    struct builder *b, const struct served *s, const struct resource *r)
{
	struct gateway_part *p = take(b, 1, sizeof(*p));
	size_t told = b->told;

	if (p == NULL)
		return NULL;
	*p = (struct gateway_part){.resource = r,
	    .gateway = s->name,
	    .port = (uint16_t)s->spec->port->number,
	    .ends_tls = s->spec->tls != NULL,
	    .scope = b->scope};
	if (has_delegates(r))
		report_delegates(b, r); /* else the first part alone tells */
	if (has_http_rule(b, r, p->port))
		fill_part(b, p);
	p->tells = b->told > told;
	rows_add(&http_rules_of(b, r)->parts, p);
	if (b->patch == NULL)
		each_lead(
		    b, http_rules_of(b, r), r, note_lead, (void *)(uintptr_t)r);
	return p;
}
