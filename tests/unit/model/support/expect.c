/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expect — what is said about a document, for the tests of kinds.
 */
#include "expect.h"
#include "codec/codec.h"
#include "unit.h"

void
expect_wrong(const struct wrong *w)
{
	AUTO(loaded_fini) struct loaded l;
	const struct fault *f;

	load(w->yaml, "x.yaml", &l);
	EXPECT_EQ(l.count, 0);
	EXPECT_ERR(l.e, w->code);
	f = find_error(&l, w->words);
	if (f == NULL && l.found.errors.count > 0)
		EXPECT_STR(l.found.errors.items[0].text, w->words);
	EXPECT_TRUE(f != NULL);
	EXPECT_STR(f->field, w->field);
	EXPECT_TRUE(f->line > 0);
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
