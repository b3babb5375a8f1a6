/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inert — what of the stored configuration is not in force.
 */
#include "base/base.h"

#include "inert.h"

#include <stdlib.h>

/* Behind it: for each finding a mark, its field and its words, zero-ended. */
struct inert_note {
	size_t fields; /* that decoding told, also those that it left out */
	size_t guards; /* of them */
	size_t len;
	char packed[];
};

enum { MARK_GUARD = 'g', MARK_PLAIN = 'p' };

void
inert_init(struct inert *i)
{
	*i = (struct inert){0};
	map_init(&i->notes);
}

static void
drop_note(void *value)
{
	struct inert_note *n = value;

	mem_free(&n);
}

void
inert_fini(struct inert *i)
{
	map_fini(&i->notes, drop_note);
}

static void
count(struct inert *i, const struct inert_note *n, bool more)
{
	if (n == NULL)
		return;
	i->all.resources += more ? 1 : (size_t)-1;
	i->all.fields += more ? n->fields : -n->fields;
	i->guards.resources += n->guards == 0 ? 0 : more ? 1 : (size_t)-1;
	i->guards.fields += more ? n->guards : -n->guards;
}

static size_t
packed_len(const struct fault *f)
{
	return 1 + strlen(f->field) + 1 + strlen(f->text) + 1;
}

static char *
put_text(char *at, const char *text)
{
	size_t len = strlen(text) + 1;

	memcpy(at, text, len);
	return at + len;
}

static struct inert_note *
note_new(const struct findings *found)
{
	const struct faults *list = &found->inert;
	struct inert_note *n;
	size_t len = 0;
	char *at;

	for (size_t i = 0; i < list->count; i++)
		len += packed_len(&list->items[i]);
	n = mem_new(sizeof(*n) + len);
	n->fields = list->count + list->dropped;
	n->guards = found->guards;
	n->len = len;
	at = n->packed;
	for (size_t i = 0; i < list->count; i++) {
		*at++ =
		    finding_guards(&list->items[i]) ? MARK_GUARD : MARK_PLAIN;
		at = put_text(at, list->items[i].field);
		at = put_text(at, list->items[i].text);
	}
	return n;
}

void
inert_put(struct inert *i, struct slice key, const struct findings *found)
{
	struct inert_note *old;
	struct inert_note *n = NULL;

	if (found != NULL && found->inert.count > 0)
		n = note_new(found);
	old =
	    n != NULL ? map_put(&i->notes, key, n) : map_remove(&i->notes, key);
	count(i, old, /* more */ false);
	count(i, n, /* more */ true);
	mem_free(&old);
}

/* --- asking --------------------------------------------------------------- */

struct named {
	struct slice key;
	const struct inert_note *note;
};

static int
by_key(const void *a, const void *b)
{
	const struct named *x = a;
	const struct named *y = b;

	return slice_cmp(x->key, y->key);
}

static struct named *
sorted(const struct inert *i)
{
	struct named *all = mem_new_array(MAX(i->notes.count, 1), sizeof(*all));
	struct slice key;
	void *value;
	size_t n = 0;

	for (size_t at = 0; map_next(&i->notes, &at, &key, &value);)
		all[n++] = (struct named){key, value};
	qsort(all, n, sizeof(*all), by_key);
	return all;
}

/* Those of one mark; false when the caller has enough. */
static bool
tell(const struct named *named, char mark,
    bool (*each)(void *arg, const struct server_inert *row), void *arg)
{
	struct slice key = named->key;
	const char *at = named->note->packed;

	(void)slice_split(&key, '/'); /* the group, which a kind implies */
	while (at < named->note->packed + named->note->len) {
		bool wanted = *at++ == mark;
		struct server_inert row = {
		    .resource = key, .guards = mark == MARK_GUARD};

		row.field = slice_str(at);
		at += row.field.len + 1;
		row.text = slice_str(at);
		at += row.text.len + 1;
		if (wanted && !each(arg, &row))
			return false;
	}
	return true;
}

void
inert_each(const struct inert *i,
    bool (*each)(void *arg, const struct server_inert *row), void *arg)
{
	static const char marks[] = {MARK_GUARD, MARK_PLAIN};
	AUTO(mem_free) struct named *all = sorted(i);

	for (size_t m = 0; m < ARRAY_LEN(marks); m++)
		for (size_t k = 0; k < i->notes.count; k++)
			if (!tell(&all[k], marks[m], each, arg))
				return;
}
