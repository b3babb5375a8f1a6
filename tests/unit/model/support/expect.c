/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expect — what is said about a document, for the tests of kinds.
 */
#include "expect.h"
#include "codec/codec.h"
#include "unit.h"

/* Nothing came of it, and this is among what is said. */
static void
expect_said(const struct loaded *l, const char *field, const char *words)
{
	const struct fault *f = find_error(l, words);

	EXPECT_EQ(l->count, 0);
	if (f == NULL && l->found.errors.count > 0)
		EXPECT_STR(l->found.errors.items[0].text, words);
	EXPECT_TRUE(f != NULL);
	if (f == NULL)
		return; /* the analyzer does not know that a test ends there */
	EXPECT_STR(f->field, field);
	EXPECT_TRUE(f->line > 0);
}

void
expect_wrong(const struct wrong *w)
{
	AUTO(loaded_fini) struct loaded l;

	load(w->yaml, "x.yaml", &l);
	EXPECT_ERR(l.e, w->code);
	expect_said(&l, w->field, w->words);
}

void
expect_mistakes(const struct mistake *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(loaded_fini) struct loaded l;

		load(rows[i].yaml, "x.yaml", &l);
		expect_said(&l, rows[i].field, rows[i].words);
	}
}

void
expect_warned(const struct warned *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(loaded_fini) struct loaded l;

		load(rows[i].yaml, NULL, &l);
		EXPECT_EQ(l.count, 1);
		EXPECT_EQ(l.found.warnings.count, rows[i].warnings);
	}
}

void
expect_written(const char *yaml, struct slice json)
{
	AUTO(loaded_fini) struct loaded l;
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf text = BUF(64 << 10);
	struct value *again;

	arena_init(&a, 1 << 20);
	load(yaml, NULL, &l);
	EXPECT_EQ(l.count, 1);
	again = resource_encode(l.items[0], RESOURCE_AS_WRITTEN, &a);
	EXPECT_OK(codec_json_emit(value_get(again, S("spec")), &text));
	EXPECT_SLICE(buf_slice(&text), json);
}

static void
expect_none(const struct faults *f)
{
	char text[FAULT_TEXT_MAX * 2];

	if (f->count == 0)
		return;
	fault_format(&f->items[0], text, sizeof(text));
	EXPECT_STR(text, "");
}

void
expect_valid(const char *yaml)
{
	AUTO(loaded_fini) struct loaded l;

	load(yaml, "x.yaml", &l);
	expect_none(&l.found.errors);
	EXPECT_EQ(l.count, 1);
}

void
expect_quiet(const char *yaml)
{
	AUTO(loaded_fini) struct loaded l;

	load(yaml, "x.yaml", &l);
	expect_none(&l.found.errors);
	expect_none(&l.found.warnings);
	EXPECT_EQ(l.count, 1);
}

void
expect_warning(const char *yaml, const char *field, const char *words)
{
	AUTO(loaded_fini) struct loaded l;
	const struct fault *f;

	load(yaml, "x.yaml", &l);
	expect_none(&l.found.errors);
	f = find_warning(&l, words);
	if (f == NULL && l.found.warnings.count > 0)
		EXPECT_STR(l.found.warnings.items[0].text, words);
	EXPECT_TRUE(f != NULL);
	if (f != NULL)
		EXPECT_STR(f->field, field);
}

void
expect_inert(const char *yaml, const char *field, const char *id)
{
	AUTO(loaded_fini) struct loaded l;
	const char *found = "nothing";

	load(yaml, "x.yaml", &l);
	expect_none(&l.found.errors);
	EXPECT_EQ(l.count, 1);
	for (size_t i = 0; i < l.found.inert.count; i++)
		if (strcmp(l.found.inert.items[i].field, field) == 0)
			found = l.found.inert.items[i].id;
	if (strcmp(found, id) != 0)
		EXPECT_STR(yaml, field);
	EXPECT_STR(found, id);
}

void
expect_in_force(const char *yaml)
{
	AUTO(loaded_fini) struct loaded l;

	load(yaml, "x.yaml", &l);
	expect_none(&l.found.errors);
	expect_none(&l.found.inert);
	EXPECT_EQ(l.count, 1);
}

static void
write(const char *yaml, struct buf *out)
{
	AUTO(loaded_fini) struct loaded l;
	AUTO(arena_fini) struct arena a;

	load(yaml, NULL, &l);
	expect_none(&l.found.errors);
	EXPECT_EQ(l.count, 1);
	arena_init(&a, 1 << 20);
	EXPECT_OK(codec_yaml_emit(
	    resource_encode(l.items[0], RESOURCE_AS_WRITTEN, &a), out));
	EXPECT_OK(buf_add_byte(out, '\0'));
}

void
expect_round_trip(const char *yaml)
{
	AUTO(buf_fini) struct buf first = BUF(1 << 20);
	AUTO(buf_fini) struct buf second = BUF(1 << 20);

	write(yaml, &first);
	write(buf_slice(&first).ptr, &second);
	EXPECT_STR(buf_slice(&second).ptr, buf_slice(&first).ptr);
}
