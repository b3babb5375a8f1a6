/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis — one run: the facts, then each analyzer, then what was found.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inside.h"

enum { RESULT_BYTES = 256 << 20 };

static const struct slice silence = {"galley.istio.io/analyze-suppress", 32};

/* --- where ---------------------------------------------------------------- */

struct place
place_at(const struct item *it, const struct message_head *head,
    const char *fmt, ...)
{
	struct place p = {.item = it, .line = head != NULL ? head->line : 0};
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(p.field, sizeof(p.field), fmt, ap); /* may be cut */
	va_end(ap);
	slice_mend_utf8(p.field, strlen(p.field));
	return p;
}

void
place_relate(struct place *p, const struct item *other)
{
	for (size_t i = 0; i < p->related_count; i++)
		if (p->related[i] == other)
			return;
	if (other != NULL && other != p->item &&
	    p->related_count < ANALYSIS_RELATED_MAX)
		p->related[p->related_count++] = other;
}

/* --- telling -------------------------------------------------------------- */

/* "IST0101,IST0132" or "*" in the annotation of upstream's. */
static bool
is_silenced(const struct item *it, const char *id)
{
	struct slice list = it->r == NULL
				? SLICE_NONE
				: labels_get(&it->r->annotations, silence);

	while (list.len > 0) {
		struct slice code = slice_trim(slice_split(&list, ','));

		if (slice_eq(code, S("*")) || slice_eq(code, slice_str(id)))
			return true;
	}
	return false;
}

static struct slice
copied(struct analysis_result *r, struct slice s)
{
	struct slice out;

	return arena_copy(&r->arena, s, &out) == OK ? out : S("");
}

static void
copy_key(struct analysis_result *r, const struct resource_key *k,
    struct resource_key *out)
{
	out->group = copied(r, k->group);
	out->kind = copied(r, k->kind);
	out->ns = copied(r, k->ns);
	out->name = copied(r, k->name);
}

static void
add_related(struct analysis_result *r, const struct place *p,
    struct analysis_finding *f)
{
	for (size_t i = 0; i < p->related_count; i++) {
		char text[RESOURCE_KEY_MAX];

		f->related[f->related_count++] = copied(r,
		    slice_str(resource_key_format(&p->related[i]->key, text)));
	}
}

/* Of a mistake, as it was told; else of what stands at the field. */
static uint32_t
line_of(const struct place *p)
{
	uint32_t line =
	    p->always ? 0 : value_line(p->item->tree, slice_str(p->field));

	if (line == 0)
		line = p->line;
	return line > 0 ? line : p->item->line;
}

void
tell(struct analysis *a, const char *id, const struct place *p, const char *fmt,
    ...)
{
	struct analysis_result *r = a->out;
	char text[FAULT_TEXT_MAX];
	struct analysis_finding *f;
	va_list ap;

	if ((p->item->unread && !p->always) || is_silenced(p->item, id))
		return;
	if (r->count == ANALYSIS_FINDINGS_MAX) {
		r->dropped++;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* may be cut */
	va_end(ap);
	slice_mend_utf8(text, strlen(text));
	f = FACTS_PUSH(r);
	*f =
	    (struct analysis_finding){.code = analysis_code_find(slice_str(id)),
		.by = a->running,
		.line = line_of(p),
		.passing = p->passing};
	CHECK(f->code != NULL);
	copy_key(r, &p->item->key, &f->key);
	f->file = copied(r, slice_str(p->item->file)).ptr;
	f->field = copied(r, slice_str(p->field)).ptr;
	f->message = copied(r, slice_str(text)).ptr;
	add_related(r, p, f);
}

/* --- order ---------------------------------------------------------------- */

static int
by_weight(const void *x, const void *y)
{
	const struct analysis_finding *a = x, *b = y;
	int n = (int)b->code->level - (int)a->code->level;

	if (n == 0)
		n = strcmp(a->code->id, b->code->id);
	if (n == 0)
		n = resource_key_cmp(&a->key, &b->key);
	if (n == 0)
		n = strcmp(a->file, b->file);
	if (n == 0 && a->line != b->line)
		n = a->line < b->line ? -1 : 1;
	if (n == 0)
		n = strcmp(a->field, b->field);
	return n != 0 ? n : strcmp(a->message, b->message);
}

static bool
is_same(const struct analysis_finding *a, const struct analysis_finding *b)
{
	return a->code == b->code && resource_key_eq(&a->key, &b->key) &&
	       strcmp(a->message, b->message) == 0;
}

/* Two analyzers, or two ways to one place, say a thing once. */
static void
sort_and_fold(struct analysis_result *r)
{
	size_t kept = 0;

	if (r->count > 0)
		qsort(r->items, r->count, sizeof(*r->items), by_weight);
	for (size_t i = 0; i < r->count; i++)
		if (kept == 0 || !is_same(&r->items[i], &r->items[kept - 1]) ||
		    strcmp(r->items[i].field, r->items[kept - 1].field) != 0)
			r->items[kept++] = r->items[i];
	r->count = kept;
}

/* --- a run ---------------------------------------------------------------- */

static struct slice
or_else(struct slice s, struct slice otherwise)
{
	return s.len > 0 ? s : otherwise;
}

/* Not all was looked at: no silence that looks like a clean bill. */
static void
tell_full(struct analysis *a)
{
	static const struct item nobody = {.file = ""};
	struct place p = place_at(&nobody, NULL, "%s", "");
	size_t count;

	a->running = analyzers(&count);
	if (a->full)
		tell(a, "IST0001", &p,
		    "there is too much configuration to look at all of it");
}

static void
fini(struct analysis *a)
{
	size_t kinds;

	(void)resource_kinds(&kinds); /* only how many */
	for (size_t i = 0; i < kinds; i++)
		mem_free(&a->of_kind[i].items);
	mem_free(&a->of_kind);
	mem_free(&a->items.items);
	mem_free(&a->twice.items);
	facts_fini(&a->facts);
	arena_fini(&a->arena);
}

void
analysis_run(const struct analysis_input *in, struct analysis_result *out)
{
	struct analysis a = {.in = in,
	    .out = out,
	    .domain = or_else(in->domain, S("cluster.local")),
	    .root_ns = or_else(in->root_ns, S("istio-system"))};
	size_t count;
	const struct analyzer *all = analyzers(&count);

	*out = (struct analysis_result){.items = NULL};
	arena_init(&out->arena, RESULT_BYTES);
	facts_collect(&a);
	for (size_t i = 0; i < count; i++) {
		a.running = &all[i];
		if (all[i].run != NULL)
			all[i].run(&a);
	}
	tell_full(&a);
	fini(&a);
	sort_and_fold(out);
}

void
analysis_result_fini(struct analysis_result *r)
{
	mem_free(&r->items);
	arena_fini(&r->arena);
	r->count = r->cap = 0;
}

/* --- what is asked of a result -------------------------------------------- */

bool
analysis_objects(const struct analysis_finding *f)
{
	return f->code->level == ANALYSIS_ERROR && !f->passing;
}

const struct analysis_finding *
analysis_objection(const struct analysis_result *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (analysis_objects(&r->items[i]))
			return &r->items[i];
	return NULL;
}

void
analysis_keep(
    struct analysis_result *r, enum analysis_level level, struct slice ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++)
		if (r->items[i].code->level >= level &&
		    (ns.len == 0 || slice_eq(r->items[i].key.ns, ns)))
			r->items[kept++] = r->items[i];
	r->count = kept;
}

static uint64_t
hash_of(const struct analysis_finding *f)
{
	return LOOKUP_HASH(slice_str(f->code->id), f->key.group, f->key.kind,
	    f->key.ns, f->key.name, slice_str(f->message));
}

/* What was said before as often stays out, wherever it stands now. */
void
analysis_subtract(
    struct analysis_result *r, const struct analysis_result *before)
{
	AUTO(mem_free) bool *used = mem_new_array(MAX(before->count, 1), 1);
	struct lookup said = {0};
	size_t kept = 0;

	for (size_t i = 0; i < before->count; i++)
		lookup_put(
		    &said, hash_of(&before->items[i]), &before->items[i]);
	lookup_sort(&said);
	for (size_t i = 0; i < r->count; i++) {
		struct lookup_rows rows =
		    lookup_get(&said, hash_of(&r->items[i]));
		bool is_new = true;

		for (size_t j = 0; j < rows.count && is_new; j++) {
			const struct analysis_finding *f = rows.rows[j].item;
			size_t at = (size_t)(f - before->items);

			is_new = used[at] || !is_same(f, &r->items[i]);
			used[at] = used[at] || !is_new;
		}
		if (is_new)
			r->items[kept++] = r->items[i];
	}
	r->count = kept;
	lookup_fini(&said);
}

static void
put_text(struct arena *a, struct value **m, struct slice key, struct slice text)
{
	if (text.len > 0)
		value_put_text(a, m, key, text);
}

static struct value *
finding_value(const struct analysis_finding *f, struct arena *a)
{
	struct value *m = value_new(a, VALUE_MAP);
	struct value *related = value_new(a, VALUE_LIST);

	put_text(a, &m, S("id"), slice_str(f->code->id));
	put_text(a, &m, S("title"), slice_str(f->code->title));
	put_text(
	    a, &m, S("level"), slice_str(analysis_level_name(f->code->level)));
	put_text(a, &m, S("analyzer"), slice_str(f->by->name));
	put_text(a, &m, S("group"), f->key.group);
	put_text(a, &m, S("kind"), f->key.kind);
	put_text(a, &m, S("namespace"), f->key.ns);
	put_text(a, &m, S("name"), f->key.name);
	put_text(a, &m, S("file"), slice_str(f->file));
	if (f->line > 0)
		value_put_int(a, &m, S("line"), f->line);
	put_text(a, &m, S("field"), slice_str(f->field));
	put_text(a, &m, S("message"), slice_str(f->message));
	for (size_t i = 0; i < f->related_count; i++)
		value_push_text(a, &related, f->related[i]);
	if (f->related_count > 0)
		value_put(&m, S("related"), related);
	if (f->passing)
		value_put_bool(a, &m, S("passing"), true);
	return m;
}

struct value *
analysis_value(const struct analysis_result *r, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);

	for (size_t i = 0; i < r->count; i++)
		value_push(&list, finding_value(&r->items[i], a));
	return list;
}
