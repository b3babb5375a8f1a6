/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ini — entries with their lines, and every mistake at once.
 */
#include "codec/codec.h"
#include "unit.h"

enum { ARENA_MAX = 1 << 20 };

struct parsed {
	struct arena arena;
	struct codec_ini ini;
	struct faults faults;
	enum err e;
};

static void
parsed_fini(struct parsed *p)
{
	faults_fini(&p->faults);
	arena_fini(&p->arena);
}

static void
parse(struct slice text, struct parsed *p)
{
	memset(p, 0, sizeof(*p));
	arena_init(&p->arena, ARENA_MAX);
	p->e =
	    codec_ini_parse(text, "meshd.conf", &p->arena, &p->ini, &p->faults);
}

TEST(entries_have_section_key_value_and_line)
{
	AUTO(parsed_fini) struct parsed p;

	parse(S("top = 1\n; comment\n[agent]\nname = web 1 ; no comment\n"
		"# other\n[upstream]\nreviews = 127.0.0.1:9000\n"),
	    &p);
	EXPECT_OK(p.e);
	EXPECT_EQ(p.ini.count, 3);
	EXPECT_SLICE(p.ini.entries[0].section, S(""));
	EXPECT_SLICE(p.ini.entries[1].section, S("agent"));
	EXPECT_SLICE(p.ini.entries[1].key, S("name"));
	EXPECT_SLICE(p.ini.entries[1].value, S("web 1 ; no comment"));
	EXPECT_EQ(p.ini.entries[1].line, 4);
	EXPECT_SLICE(p.ini.entries[2].value, S("127.0.0.1:9000"));
	EXPECT_EQ(p.ini.entries[2].line, 7);
}

TEST(a_key_may_come_twice)
{
	AUTO(parsed_fini) struct parsed p;

	parse(S("[a]\nk = 1\nk = 2\n"), &p);
	EXPECT_OK(p.e);
	EXPECT_EQ(p.ini.count, 2);
}

TEST(all_mistakes_are_told_with_their_lines)
{
	AUTO(parsed_fini) struct parsed p;

	parse(S("[a]\nnonsense\nk = 1\n[b\nl = 2\nwrong again\n"), &p);
	EXPECT_ERR(p.e, ERR_PARSE);
	EXPECT_EQ(p.faults.count, 3);
	EXPECT_EQ(p.faults.items[0].line, 2);
	EXPECT_EQ(p.faults.items[1].line, 4);
	EXPECT_EQ(p.faults.items[2].line, 6);
	EXPECT_STR(p.faults.items[0].file, "meshd.conf");
	EXPECT_EQ(p.ini.count, 2);
}

TEST(a_long_line_is_read_whole_up_to_the_limit)
{
	AUTO(parsed_fini) struct parsed good;
	AUTO(parsed_fini) struct parsed bad;
	char text[CODEC_INI_LINE_MAX + 100];

	memset(text, 'x', sizeof(text));
	memcpy(text, "k = ", 4);
	parse(slice_of(text, 3000), &good);
	EXPECT_OK(good.e);
	EXPECT_EQ(good.ini.count, 1);
	EXPECT_EQ(good.ini.entries[0].value.len, 3000 - 4);
	parse(slice_of(text, sizeof(text)), &bad);
	EXPECT_ERR(bad.e, ERR_LIMIT);
	EXPECT_EQ(bad.faults.items[0].line, 1);
}

TEST(zero_bytes_and_bad_text_are_refused)
{
	AUTO(parsed_fini) struct parsed zero;
	AUTO(parsed_fini) struct parsed bad;

	parse(S("[a]\nk\0 = 1\n"), &zero);
	EXPECT_ERR(zero.e, ERR_PARSE);
	parse(S("[a]\nk = \xff\nl = 1\n"), &bad);
	EXPECT_ERR(bad.e, ERR_PARSE);
	EXPECT_EQ(bad.faults.items[0].line, 2);
	EXPECT_EQ(bad.ini.count, 1);
}

TEST(an_empty_file_has_no_entries)
{
	AUTO(parsed_fini) struct parsed p;

	parse(S(""), &p);
	EXPECT_OK(p.e);
	EXPECT_EQ(p.ini.count, 0);
}
