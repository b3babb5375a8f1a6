/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field — what the driver makes of a table, with a table of our own: types
 * that no kind has yet are to be right when one comes.
 */
#include "codec/codec.h"
#include "load.h"
#include "unit.h"

enum { ARENA_BYTES = 1 << 20 };

struct lamp {
	struct message_head head;
	bool on;
	bool dimmed;
	LIST_OF(bool) blinks;
};

static const struct field lamp_fields[] = {
    {.name = "on",
	.type = FIELD_BOOL,
	.offset = offsetof(struct lamp, on),
	.otherwise = "true",
	.doc = "Whether it shines."},
    {.name = "dimmed",
	.type = FIELD_BOOL,
	.offset = offsetof(struct lamp, dimmed),
	.doc = "Whether it shines less."},
    {.name = "blinks",
	.type = FIELD_BOOL,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct lamp, blinks),
	.doc = "In the order of time."},
};

static const struct message lamp_message = {
    .name = "Lamp",
    .size = sizeof(struct lamp),
    .fields = lamp_fields,
    .field_count = ARRAY_LEN(lamp_fields),
    .doc = "A lamp.",
};

struct decoded {
	struct arena arena;
	struct findings found;
	struct faults syntax;
	const struct lamp *lamp;
};

static void
decoded_fini(struct decoded *d)
{
	findings_fini(&d->found);
	faults_fini(&d->syntax);
	arena_fini(&d->arena);
}

static void
decode(struct decoded *d, const char *yaml)
{
	struct codec_documents docs = {0};

	*d = (struct decoded){0};
	arena_init(&d->arena, ARENA_BYTES);
	EXPECT_OK(codec_yaml_parse(
	    slice_str(yaml), "x.yaml", &d->arena, &docs, &d->syntax));
	EXPECT_EQ(docs.count, 1);
	d->lamp = message_decode(&lamp_message, docs.items[0].root, "x.yaml",
	    "spec", &d->arena, &d->found);
	EXPECT_TRUE(d->lamp != NULL);
}

TEST(booleans_have_defaults_and_are_told_from_absent)
{
	AUTO(decoded_fini) struct decoded d;

	decode(&d, "{dimmed: false, blinks: [true, false]}");
	EXPECT_EQ(d.found.errors.count, 0);
	EXPECT_TRUE(d.lamp->on);
	EXPECT_FALSE(message_has(&lamp_message, d.lamp, "on"));
	EXPECT_FALSE(d.lamp->dimmed);
	EXPECT_TRUE(message_has(&lamp_message, d.lamp, "dimmed"));
	EXPECT_EQ(d.lamp->blinks.count, 2);
	EXPECT_TRUE(d.lamp->blinks.items[0]);
	EXPECT_FALSE(d.lamp->blinks.items[1]);
}

TEST(a_word_for_a_boolean_of_old_yaml_is_told_apart)
{
	AUTO(decoded_fini) struct decoded d;

	decode(&d, "{on: Yes, dimmed: 1}");
	EXPECT_EQ(d.found.errors.count, 2);
	EXPECT_STR(d.found.errors.items[0].field, "spec.on");
	EXPECT_STR(d.found.errors.items[0].text,
	    "is text in YAML 1.2; write true or false");
	EXPECT_STR(d.found.errors.items[1].text,
	    "is an integer; true or false is expected");
	EXPECT_TRUE(d.lamp->on); /* what is wrong is left at its default */
}

TEST(what_was_present_is_written_again)
{
	AUTO(decoded_fini) struct decoded d;
	AUTO(buf_fini) struct buf text = BUF(256);

	decode(&d, "{blinks: [true], dimmed: true}");
	EXPECT_OK(codec_json_emit(
	    message_encode(&lamp_message, d.lamp, &d.arena), &text));
	EXPECT_SLICE(
	    buf_slice(&text), S("{\"blinks\":[true],\"dimmed\":true}"));
}
