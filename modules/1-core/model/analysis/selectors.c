/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selectors — Sidecars and Telemetries, and the workloads that they are for.
 *
 * One of each kind may be for a workload, and one of a namespace for the rest.
 * Several workloads that the same ones are for are told of once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "inside.h"

/* --- words ---------------------------------------------------------------- */

const char *
labels_text(const struct labels *l, char out[LABELS_TEXT_MAX])
{
	size_t used = 0;

	(void)snprintf(out, LABELS_TEXT_MAX, "any labels");
	for (size_t i = 0; i < l->count && used < LABELS_TEXT_MAX; i++) {
		int n = snprintf(out + used, LABELS_TEXT_MAX - used,
		    "%s%.*s=%.*s", i > 0 ? "," : "", SLICE_ARG(l->items[i].key),
		    SLICE_ARG(l->items[i].value));

		used += n > 0 ? (size_t)n : LABELS_TEXT_MAX; /* may be cut */
	}
	return out;
}

/* --- who is for whom ------------------------------------------------------ */

struct chooser {
	const struct item *it;
	struct labels labels;
};

struct choice {
	const struct workload *w;
	const struct item *it;
	uint64_t rivals;          /* a hash of all that are for the workload */
	const struct item *rival; /* one of them, to be named */
};

struct kind_words {
	const char *kind;
	const char *field; /* where the labels stand */
	const char *conflict;
	const char *several;
};

struct choosing {
	struct analysis *a;
	const struct kind_words *words;
	FACTS_OF(struct choice) all;
	const struct item *it; /* that is being looked at */
	bool any;
};

static bool
add_choice(void *arg, const struct workload *w)
{
	struct choosing *c = arg;

	c->any = true;
	if (!(w->flags & WORKLOAD_USUAL))
		*FACTS_PUSH(&c->all) = (struct choice){.w = w, .it = c->it};
	return true;
}

static void
choose(struct choosing *c, const struct chooser *x)
{
	struct place p = place_at(x->it, NULL, "%s", c->words->field);
	char text[LABELS_TEXT_MAX];

	p.passing = true;
	c->it = x->it;
	c->any = false;
	workloads_select(c->a, x->it->key.ns, &x->labels, add_choice, c);
	if (!c->any && c->a->facts.workloads_known)
		tell(c->a, "IST0101", &p,
		    "selector \"%s\": no workload of namespace %.*s has these "
		    "labels",
		    labels_text(&x->labels, text), SLICE_ARG(x->it->key.ns));
}

/* In the order of the documents. */
static int
by_pointer(const void *x, const void *y)
{
	return (uintptr_t)x < (uintptr_t)y ? -1 : (uintptr_t)x > (uintptr_t)y;
}

static int
by_workload(const void *x, const void *y)
{
	const struct choice *a = x, *b = y;
	int n = by_pointer(a->w, b->w);

	return n != 0 ? n : by_pointer(a->it, b->it);
}

static int
by_rivals(const void *x, const void *y)
{
	const struct choice *a = x, *b = y;
	int n = by_pointer(a->it, b->it);

	if (n == 0 && a->rivals != b->rivals)
		n = a->rivals < b->rivals ? -1 : 1;
	return n != 0 ? n : by_pointer(a->w, b->w);
}

/* Leaves the choices of workloads for which there are several, marked. */
static void
keep_rivals(struct choosing *c)
{
	size_t kept = 0;

	if (c->all.count > 0)
		qsort(c->all.items, c->all.count, sizeof(*c->all.items),
		    by_workload);
	for (size_t i = 0, end; i < c->all.count; i = end) {
		const struct item *it = c->all.items[i].it;
		uint64_t rivals = 0;

		for (end = i; end < c->all.count &&
			      c->all.items[end].w == c->all.items[i].w;
		     end++)
			rivals = LOOKUP_HASH(slice_of(&rivals, sizeof(rivals)),
			    slice_of(&c->all.items[end].it, sizeof(void *)));
		for (size_t j = i; end - i > 1 && j < end; j++)
			c->all.items[kept++] =
			    (struct choice){.w = c->all.items[j].w,
				.it = c->all.items[j].it,
				.rivals = rivals,
				.rival = j == i ? c->all.items[i + 1].it : it};
	}
	c->all.count = kept;
}

static void
tell_rivals(struct choosing *c)
{
	keep_rivals(c);
	if (c->all.count > 0)
		qsort(c->all.items, c->all.count, sizeof(*c->all.items),
		    by_rivals);
	for (size_t i = 0; i < c->all.count; i++) {
		const struct choice *x = &c->all.items[i];
		struct place p = place_at(x->it, NULL, "%s", c->words->field);

		if (i > 0 && x[-1].it == x->it && x[-1].rivals == x->rivals)
			continue;
		place_relate(&p, x->rival);
		tell(c->a, c->words->conflict, &p,
		    "selects workload %.*s, which %s %.*s selects, too; what "
		    "is done then is not defined",
		    SLICE_ARG(x->w->name), c->words->kind,
		    SLICE_ARG(x->rival->key.name));
	}
}

/* --- those of whole namespaces -------------------------------------------- */

static void
tell_several(struct analysis *a, const struct kind_words *words,
    const struct item *const *items, size_t count)
{
	for (size_t i = 0; count > 1 && i < count; i++) {
		struct place p = place_at(items[i], NULL, "%s", words->field);
		const struct item *other = items[i == 0 ? 1 : 0];

		place_relate(&p, other);
		tell(a, words->several, &p,
		    "has no selector, and neither has %s %.*s of the same "
		    "namespace; what is done then is not defined",
		    words->kind, SLICE_ARG(other->key.name));
	}
}

static int
by_namespace(const void *x, const void *y)
{
	const struct item *const *a = x, *const *b = y;
	int n = slice_cmp((*a)->key.ns, (*b)->key.ns);

	return n != 0 ? n : slice_cmp((*a)->key.name, (*b)->key.name);
}

static void
each_namespace(struct analysis *a, const struct item **items, size_t count,
    void (*each)(struct analysis *a, const struct item *const *of, size_t n))
{
	if (count > 0)
		qsort(items, count, sizeof(*items), by_namespace);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i; end < count &&
			      slice_eq(items[end]->key.ns, items[i]->key.ns);
		     end++)
			;
		each(a, items + i, end - i);
	}
}

/* --- Sidecars ------------------------------------------------------------- */

static const struct kind_words sidecar_words = {
    "Sidecar", "spec.workloadSelector", "IST0110", "IST0111"};

/* What has no proxy of its own has no use for one's settings. */
static void
tell_ambient(struct choosing *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->all.count; i++) {
		const struct choice *x = &c->all.items[i];
		struct place p =
		    place_at(x->it, NULL, "%s", sidecar_words.field);

		if (!(x->w->flags & WORKLOAD_AMBIENT)) {
			c->all.items[kept++] = *x;
			continue;
		}
		tell(c->a, "IST0167", &p,
		    "has no effect: a workload that it selects is in ambient "
		    "mode and has no proxy of its own");
	}
	c->all.count = kept;
}

static void
check_whole_namespace(
    struct analysis *a, const struct item *const *of, size_t n)
{
	const struct namespace_fact *fact = namespace_find(a, of[0]->key.ns);

	if (fact == NULL || !(fact->flags & NAMESPACE_AMBIENT)) {
		tell_several(a, &sidecar_words, of, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct place p =
		    place_at(of[i], NULL, "%s", sidecar_words.field);

		tell(a, "IST0167", &p,
		    "has no effect: the namespace is in ambient mode and its "
		    "workloads have no proxies of their own");
	}
}

void
analyze_sidecar_selectors(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_sidecar);
	AUTO(mem_free)
	const struct item **whole =
	    mem_new_array(MAX(all.count, 1), sizeof(*whole));
	struct choosing c = {.a = a, .words = &sidecar_words};
	size_t n = 0;

	for (size_t i = 0; i < all.count; i++) {
		const struct sidecar *s = all.items[i]->r->spec;
		struct chooser x = {.it = all.items[i]};

		if (s->workload_selector != NULL)
			x.labels = s->workload_selector->labels;
		if (x.labels.count > 0)
			choose(&c, &x);
		else
			whole[n++] = x.it;
	}
	tell_ambient(&c);
	tell_rivals(&c);
	each_namespace(a, whole, n, check_whole_namespace);
	mem_free(&c.all.items);
}

/* --- Telemetries ---------------------------------------------------------- */

static const struct kind_words telemetry_words = {
    "Telemetry", "spec.selector", "IST0159", "IST0160"};

void
analyze_telemetry_selectors(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_telemetry);
	struct choosing c = {.a = a, .words = &telemetry_words};

	for (size_t i = 0; i < all.count; i++) {
		struct chooser x = {.it = all.items[i]};

		if (selector_of(x.it->r, &x.labels) && x.labels.count > 0)
			choose(&c, &x);
	}
	tell_rivals(&c);
	mem_free(&c.all.items);
}

static void
check_whole_telemetry(
    struct analysis *a, const struct item *const *of, size_t n)
{
	tell_several(a, &telemetry_words, of, n);
}

void
analyze_telemetry_defaults(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_telemetry);
	AUTO(mem_free)
	const struct item **whole =
	    mem_new_array(MAX(all.count, 1), sizeof(*whole));
	size_t n = 0;

	for (size_t i = 0; i < all.count; i++) {
		struct labels labels;

		if (!selector_of(all.items[i]->r, &labels))
			whole[n++] = all.items[i];
	}
	each_namespace(a, whole, n, check_whole_telemetry);
}

static void
check_providers(struct analysis *a, const struct item *it)
{
	const struct telemetry_spec *t = it->r->spec;

	for (size_t i = 0; i < t->access_logging.count; i++) {
		const struct telemetry_logging *l = &t->access_logging.items[i];
		struct place p =
		    place_at(it, &l->head, "spec.accessLogging[%zu]", i);

		if (!l->disabled && l->providers.count == 0)
			tell(a, "IST0157", &p,
			    "has no provider, and the mesh has none for access "
			    "logs either, so it does nothing");
	}
}

void
analyze_telemetry_providers(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_telemetry);

	for (size_t i = 0; !a->facts.mesh.log_providers && i < all.count; i++)
		check_providers(a, all.items[i]);
}
