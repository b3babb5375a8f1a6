/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — which hosts there are, and who may call them.
 *
 * Visibility is upstream's: a host is shown to the namespaces of its exportTo,
 * and a resource that is itself exported to some looks with their eyes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "inside.h"

struct slice
spell(struct analysis *a, struct slice host, struct slice ns)
{
	char text[HOST_TEXT_MAX];

	return keep_text(a, host_spell(host, ns, a->domain, text));
}

bool
host_matches(struct slice a, struct slice b)
{
	bool wild_a = slice_starts(a, S("*")), wild_b = slice_starts(b, S("*"));
	struct slice rest_a = slice_sub(a, wild_a, a.len);
	struct slice rest_b = slice_sub(b, wild_b, b.len);

	if (wild_a && wild_b)
		return a.len < b.len ? slice_ends(rest_b, rest_a)
				     : slice_ends(rest_a, rest_b);
	if (wild_a)
		return slice_ends(b, rest_a);
	return wild_b ? slice_ends(a, rest_b) : slice_eq(a, b);
}

/* --- what there is -------------------------------------------------------- */

static const struct slice everybody[] = {{"*", 1}};

/* "ns1, ns2, ." as the annotation of a Service has it. */
static void
split_scopes(struct analysis *a, struct slice text, struct host_fact *f)
{
	size_t most = 1;
	struct slice *scopes;

	for (size_t i = 0; i < text.len; i++)
		most += text.ptr[i] == ',';
	scopes = arena_alloc_array(&a->arena, most, sizeof(*scopes));
	if (scopes == NULL)
		return;
	f->scopes = scopes;
	f->scope_count = 0;
	do {
		struct slice s = slice_trim(slice_split(&text, ','));

		scopes[f->scope_count++] = slice_eq(s, S(".")) ? f->ns : s;
	} while (text.len > 0);
}

static struct host_fact *
add_host(struct analysis *a, const struct item *it, struct slice text)
{
	struct host_fact *f = FACTS_PUSH(&a->facts.hosts);

	*f = (struct host_fact){.host = spell(a, text, it->key.ns),
	    .text = text,
	    .ns = it->key.ns,
	    .scopes = everybody,
	    .scope_count = 1,
	    .item = it};
	return f;
}

void
facts_add_service(struct analysis *a, const struct item *it)
{
	const struct service_spec *s = it->r->spec;
	struct host_fact *f = add_host(a, it, it->key.name);
	struct slice exported =
	    labels_get(&it->r->annotations, S("networking.istio.io/exportTo"));
	struct host_port *ports =
	    arena_alloc_array(&a->arena, s->ports.count + 1, sizeof(*ports));

	if (exported.len > 0)
		split_scopes(a, exported, f);
	for (size_t i = 0; ports != NULL && i < s->ports.count; i++) {
		const struct service_port *p = &s->ports.items[i];

		ports[f->port_count++] = (struct host_port){.number = p->port,
		    .target =
			service_port_has_target(p) && !p->target_port.is_string
			    ? p->target_port.number
			    : 0,
		    .tcp = p->protocol == SERVICE_TCP};
	}
	f->ports = ports;
}

static void
add_entry_workloads(struct analysis *a, const struct item *it)
{
	const struct service_entry *s = it->r->spec;

	for (size_t i = 0; i < s->endpoints.count; i++)
		if (s->endpoints.items[i].labels.count > 0)
			*FACTS_PUSH(&a->facts.workloads) =
			    (struct workload){.ns = it->key.ns,
				.name = it->key.name,
				.labels = s->endpoints.items[i].labels,
				.item = it,
				.flags = WORKLOAD_HEALTHY | WORKLOAD_INLINE};
}

static bool
is_shown_to_all(struct texts scopes)
{
	for (size_t i = 0; i < scopes.count; i++)
		if (slice_eq(scopes.items[i], S("*")))
			return true;
	return scopes.count == 0;
}

/* The scopes of `exportTo`, "." as its own namespace. */
static void
entry_scopes(struct analysis *a, const struct item *it, struct texts given,
    struct texts *out)
{
	struct slice *scopes;

	*out = (struct texts){everybody, 1};
	if (is_shown_to_all(given))
		return;
	scopes = arena_alloc_array(&a->arena, given.count, sizeof(*scopes));
	if (scopes == NULL)
		return;
	for (size_t i = 0; i < given.count; i++)
		scopes[i] = slice_eq(given.items[i], S(".")) ? it->key.ns
							     : given.items[i];
	*out = (struct texts){scopes, given.count};
}

void
facts_add_entry(struct analysis *a, const struct item *it)
{
	const struct service_entry *s = it->r->spec;
	struct host_port *ports =
	    arena_alloc_array(&a->arena, s->ports.count + 1, sizeof(*ports));
	size_t port_count = 0;
	struct texts scopes;

	for (size_t i = 0; ports != NULL && i < s->ports.count; i++)
		ports[port_count++] =
		    (struct host_port){.number = s->ports.items[i].number,
			.target = s->ports.items[i].target_port,
			.tcp = true};
	entry_scopes(a, it, TEXTS(s->export_to), &scopes);
	for (size_t i = 0; i < s->hosts.count; i++) {
		struct host_fact *f = add_host(a, it, s->hosts.items[i]);

		f->scopes = scopes.items;
		f->scope_count = scopes.count;
		f->ports = ports;
		f->port_count = port_count;
	}
	add_entry_workloads(a, it);
}

/* --- what lives without being written ------------------------------------- */

static int
by_service(const void *x, const void *y)
{
	const struct analysis_workload *const *a = x, *const *b = y;
	int n = slice_cmp((*a)->ns, (*b)->ns);

	if (n == 0)
		n = slice_cmp((*a)->name, (*b)->name);
	return n != 0 ? n : (int)(*a)->port - (int)(*b)->port;
}

static bool
is_same_service(
    const struct analysis_workload *a, const struct analysis_workload *b)
{
	return slice_eq(a->ns, b->ns) && slice_eq(a->name, b->name);
}

/* Instances of one service, sorted by port, become one host. */
static void
add_living_service(
    struct analysis *a, const struct analysis_workload *const *of, size_t count)
{
	struct host_port *ports =
	    arena_alloc_array(&a->arena, count, sizeof(*ports));
	struct host_fact *f = FACTS_PUSH(&a->facts.hosts);

	*f = (struct host_fact){.host = spell(a, of[0]->name, of[0]->ns),
	    .text = of[0]->name,
	    .ns = of[0]->ns,
	    .scopes = everybody,
	    .scope_count = 1,
	    .ports = ports};
	for (size_t i = 0; ports != NULL && i < count; i++)
		if (i == 0 || of[i]->port != of[i - 1]->port)
			ports[f->port_count++] = (struct host_port){
			    .number = of[i]->port, .tcp = true};
}

void
facts_add_living(struct analysis *a)
{
	size_t count = a->in->workload_count;
	AUTO(mem_free)
	const struct analysis_workload **all =
	    mem_new_array(MAX(count, 1), sizeof(*all));

	for (size_t i = 0; i < count; i++)
		all[i] = &a->in->workloads[i];
	qsort(all, count, sizeof(*all), by_service);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1;
		     end < count && is_same_service(all[i], all[end]); end++)
			;
		add_living_service(a, all + i, end - i);
	}
}

/* --- finding one ---------------------------------------------------------- */

/* A star that no part of a name begins with: looked for one by one. */
static bool
is_odd_pattern(struct slice host)
{
	return slice_starts(host, S("*")) && !host_is_pattern(host);
}

void
facts_index_hosts(struct analysis *a)
{
	struct facts *f = &a->facts;

	for (size_t i = 0; i < f->hosts.count; i++) {
		const struct host_fact *h = &f->hosts.items[i];

		lookup_put(&f->host_of_name, LOOKUP_HASH(h->host), h);
		if (is_odd_pattern(h->host))
			*FACTS_PUSH(&f->patterns) = h;
	}
	lookup_sort(&f->host_of_name);
}

static bool
has_scope(const struct host_fact *f, struct slice ns)
{
	for (size_t i = 0; i < f->scope_count; i++)
		if (slice_eq(f->scopes[i], S("*")) ||
		    slice_eq(f->scopes[i], ns))
			return true;
	return false;
}

static bool
is_seen(const struct host_fact *f, struct slice ns, struct texts export_to)
{
	if (export_to.count == 0)
		return has_scope(f, ns);
	for (size_t i = 0; i < export_to.count; i++) {
		struct slice e = export_to.items[i];

		if (has_scope(f, slice_eq(e, S(".")) ? ns : e))
			return true;
	}
	return false;
}

/* What is written comes before what only lives. */
static const struct host_fact *
find_spelled(const struct analysis *a, struct slice ns, struct texts export_to,
    struct slice host)
{
	struct lookup_rows rows =
	    lookup_get(&a->facts.host_of_name, LOOKUP_HASH(host));
	const struct host_fact *found = NULL;

	for (size_t i = 0; i < MIN(rows.count, SELECTED_MAX); i++) {
		const struct host_fact *f = rows.rows[i].item;

		if (!slice_eq(f->host, host) || !is_seen(f, ns, export_to))
			continue;
		if (f->item != NULL)
			return f;
		found = f;
	}
	return found;
}

static const struct host_fact *
find_pattern(const struct analysis *a, struct slice ns, struct slice text)
{
	char pattern[HOST_TEXT_MAX];
	struct slice host =
	    slice_starts(text, S("*.")) ? slice_sub(text, 2, text.len) : text;
	const struct texts own = {&ns, 1};
	const struct host_fact *found = NULL;
	struct slice p;
	size_t at = 0;

	if (slice_starts(text, S("*")))
		found = find_spelled(a, ns, own, text);
	while (found == NULL && host_next_pattern(host, &at, pattern, &p))
		if (p.ptr[0] == '*')
			found = find_spelled(a, ns, own, p);
	for (size_t i = 0;
	     found == NULL && i < MIN(a->facts.patterns.count, SELECTED_MAX);
	     i++) {
		const struct host_fact *f = a->facts.patterns.items[i];

		if (has_scope(f, ns) &&
		    slice_ends(text, slice_sub(f->host, 1, f->host.len)))
			found = f;
	}
	return found;
}

const struct host_fact *
host_find(const struct analysis *a, struct slice ns, struct texts export_to,
    struct slice text)
{
	char spelled[HOST_TEXT_MAX];
	struct slice host = host_spell(text, ns, a->domain, spelled);
	const struct host_fact *found = find_spelled(a, ns, export_to, host);

	return found != NULL ? found : find_pattern(a, ns, text);
}
