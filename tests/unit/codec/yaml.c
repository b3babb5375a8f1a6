/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml — what is read, what is refused and where, and what is written.
 */
#include "codec/codec.h"
#include "unit.h"

enum { ARENA_MAX = 64 << 20, OUT_MAX = 1 << 20 };

struct parsed {
	struct arena arena;
	struct codec_documents docs;
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
parse_slice(struct slice text, struct parsed *p)
{
	memset(p, 0, sizeof(*p));
	arena_init(&p->arena, ARENA_MAX);
	p->e =
	    codec_yaml_parse(text, "x.yaml", &p->arena, &p->docs, &p->faults);
}

static void
parse(const char *text, struct parsed *p)
{
	parse_slice(slice_str(text), p);
}

static void
expect_refusal(const char *text, enum err code, unsigned line, unsigned column,
    const char *words)
{
	AUTO(parsed_fini) struct parsed p;

	parse(text, &p);
	EXPECT_ERR(p.e, code);
	EXPECT_TRUE(p.faults.count >= 1);
	EXPECT_EQ(p.faults.items[0].line, line);
	EXPECT_EQ(p.faults.items[0].column, column);
	EXPECT_STR(p.faults.items[0].file, "x.yaml");
	EXPECT_TRUE(strstr(p.faults.items[0].text, words) != NULL);
}

static enum value_type
type_of(const char *scalar)
{
	AUTO(parsed_fini) struct parsed p;

	parse(scalar, &p);
	EXPECT_OK(p.e);
	if (p.docs.count == 0)
		return VALUE_NULL;
	return p.docs.items[0].root->type;
}

static int64_t
int_of(const char *scalar)
{
	AUTO(parsed_fini) struct parsed p;

	parse(scalar, &p);
	EXPECT_OK(p.e);
	EXPECT_EQ(p.docs.items[0].root->type, VALUE_INT);
	return p.docs.items[0].root->integer;
}

TEST(a_document_keeps_order_lines_and_columns)
{
	AUTO(parsed_fini) struct parsed p;
	const struct value *root, *list;

	parse("kind: Service\nspec:\n  ports:\n  - port: 80\n  - 81\n", &p);
	EXPECT_OK(p.e);
	EXPECT_EQ(p.docs.count, 1);
	root = p.docs.items[0].root;
	EXPECT_SLICE(root->child->key, S("kind"));
	list = value_get_path(root, S("spec.ports"));
	EXPECT_EQ(list->count, 2);
	EXPECT_EQ(list->line, 3);
	EXPECT_EQ(list->column, 3);
	EXPECT_EQ(list->last->integer, 81);
	EXPECT_EQ(list->last->line, 5);
	EXPECT_EQ(list->last->column, 5);
}

TEST(plain_scalars_follow_the_core_schema)
{
	EXPECT_EQ(type_of("true"), VALUE_BOOL);
	EXPECT_EQ(type_of("FALSE"), VALUE_BOOL);
	EXPECT_EQ(type_of("~"), VALUE_NULL);
	EXPECT_EQ(type_of("1.5e3"), VALUE_FLOAT);
	EXPECT_EQ(type_of("-.inf"), VALUE_FLOAT);
	EXPECT_EQ(type_of(".nan"), VALUE_FLOAT);
	EXPECT_EQ(type_of("1.2.3"), VALUE_STRING);
	EXPECT_EQ(type_of("5s"), VALUE_STRING);
	EXPECT_EQ(type_of("99999999999999999999"), VALUE_FLOAT);
	EXPECT_EQ(int_of("-12"), -12);
	EXPECT_EQ(int_of("+12"), 12);
	EXPECT_EQ(int_of("0x1F"), 31);
	EXPECT_EQ(int_of("0o17"), 15);
}

TEST(quoted_scalars_and_old_booleans_are_text)
{
	EXPECT_EQ(type_of("\"true\""), VALUE_STRING);
	EXPECT_EQ(type_of("'80'"), VALUE_STRING);
	EXPECT_EQ(type_of("yes"), VALUE_STRING);
	EXPECT_EQ(type_of("off"), VALUE_STRING);
}

TEST(a_mistake_in_one_document_leaves_the_others)
{
	AUTO(parsed_fini) struct parsed p;

	parse("a: 1\n---\nb: [1\nc: }\n---\nd: 1\nd: 2\n---\ne: 5\n", &p);
	EXPECT_TRUE(p.e != OK);
	EXPECT_EQ(p.docs.count, 4);
	EXPECT_TRUE(p.docs.items[0].root != NULL);
	EXPECT_TRUE(p.docs.items[1].root == NULL);
	EXPECT_TRUE(p.docs.items[2].root == NULL);
	EXPECT_EQ(value_get(p.docs.items[3].root, S("e"))->integer, 5);
	EXPECT_EQ(value_get(p.docs.items[3].root, S("e"))->line, 9);
	EXPECT_EQ(p.docs.items[3].index, 3);
	EXPECT_EQ(p.faults.count, 2);
	EXPECT_EQ(p.faults.items[1].line, 7);
}

TEST(empty_documents_are_left_out_but_counted)
{
	AUTO(parsed_fini) struct parsed p;

	parse("# nothing\n---\n---\na: 1\n---\n# end\n", &p);
	EXPECT_OK(p.e);
	EXPECT_EQ(p.docs.count, 1);
	EXPECT_EQ(value_get(p.docs.items[0].root, S("a"))->line, 4);
}

TEST(a_directive_belongs_to_the_document_behind_it)
{
	AUTO(parsed_fini) struct parsed p;

	parse("%YAML 1.2\n---\na: 1\n", &p);
	EXPECT_OK(p.e);
	EXPECT_EQ(p.docs.count, 1);
}

TEST(duplicate_keys_are_refused_with_both_lines)
{
	expect_refusal("a: 1\nb: 2\na: 3\n", ERR_EXISTS, 3, 1, "on line 1");
	expect_refusal("{a: 1, \"a\": 3}", ERR_EXISTS, 1, 8, "given before");
}

TEST(tags_merge_keys_and_odd_keys_are_refused)
{
	expect_refusal("a: !!str 1\n", ERR_UNSUPPORTED, 1, 4, "tag");
	expect_refusal(
	    "a: &x {b: 1}\nc:\n  <<: *x\n", ERR_UNSUPPORTED, 3, 3, "merge");
	expect_refusal("? [a]\n: 1\n", ERR_INVALID, 1, 3, "plain text");
}

TEST(aliases_stand_for_what_came_before)
{
	AUTO(parsed_fini) struct parsed p;
	const struct value *b;

	parse("a: &x {k: [1, 2]}\nb: *x\n", &p);
	EXPECT_OK(p.e);
	b = value_get(p.docs.items[0].root, S("b"));
	EXPECT_TRUE(value_eq(value_get(p.docs.items[0].root, S("a")), b));
	EXPECT_EQ(b->line, 2);
	expect_refusal("a: &x [*x]\n", ERR_INVALID, 1, 8, "nothing before");
	expect_refusal("a: *y\n", ERR_INVALID, 1, 4, "nothing before");
}

TEST(an_alias_bomb_is_refused)
{
	AUTO(buf_fini) struct buf b = BUF(OUT_MAX);
	AUTO(parsed_fini) struct parsed p;

	EXPECT_OK(buf_printf(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"));
	for (int i = 1; i < 9; i++)
		EXPECT_OK(buf_printf(&b,
		    "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i,
		    i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1));
	parse_slice(buf_slice(&b), &p);
	EXPECT_ERR(p.e, ERR_LIMIT);
	EXPECT_TRUE(p.docs.cut_short);
}

TEST(depth_is_bounded_and_later_documents_survive)
{
	AUTO(buf_fini) struct buf b = BUF(OUT_MAX);
	AUTO(parsed_fini) struct parsed p;

	for (int i = 0; i < LIMIT_DOC_DEPTH + 1; i++)
		EXPECT_OK(buf_add_byte(&b, '['));
	EXPECT_OK(buf_add_slice(&b, S("\n---\nok: 1\n")));
	parse_slice(buf_slice(&b), &p);
	EXPECT_ERR(p.e, ERR_LIMIT);
	EXPECT_EQ(p.docs.count, 2);
	EXPECT_TRUE(p.docs.items[1].root != NULL);
}

TEST(bytes_that_are_no_text_are_refused_where_they_stand)
{
	AUTO(parsed_fini) struct parsed zero;

	expect_refusal("a: 1\nb: x\xff\n", ERR_PARSE, 2, 5, "UTF-8");
	parse_slice(S("a: 1\nb\0: 2\n"), &zero);
	EXPECT_ERR(zero.e, ERR_PARSE);
	EXPECT_EQ(zero.faults.items[0].line, 2);
	EXPECT_EQ(zero.faults.items[0].column, 2);
	expect_refusal("a: \"\\0\"\n", ERR_INVALID, 1, 4, "zero byte");
}

TEST(a_file_that_is_too_large_is_refused_unread)
{
	AUTO(buf_fini) struct buf b = BUF(LIMIT_DOC_BYTES + 16);
	AUTO(parsed_fini) struct parsed p;
	char *at;

	EXPECT_OK(buf_reserve(&b, LIMIT_DOC_BYTES + 1, &at));
	memset(at, 'a', LIMIT_DOC_BYTES + 1);
	buf_commit(&b, LIMIT_DOC_BYTES + 1);
	parse_slice(buf_slice(&b), &p);
	EXPECT_ERR(p.e, ERR_LIMIT);
	EXPECT_EQ(p.docs.count, 0);
}

static void
expect_round_trip(const char *text)
{
	AUTO(buf_fini) struct buf first = BUF(OUT_MAX);
	AUTO(parsed_fini) struct parsed a;
	AUTO(parsed_fini) struct parsed b;

	parse(text, &a);
	EXPECT_OK(a.e);
	EXPECT_OK(codec_yaml_emit(a.docs.items[0].root, &first));
	parse_slice(buf_slice(&first), &b);
	EXPECT_OK(b.e);
	EXPECT_TRUE(value_eq(a.docs.items[0].root, b.docs.items[0].root));
}

TEST(what_is_written_reads_back_the_same)
{
	expect_round_trip("a: [1, -2.5, true, null, \"yes\", '', \"1:30\"]\n");
	expect_round_trip("a: [[1, [2]], {b: {c: []}}, {}, [{d: 1}]]\n");
	expect_round_trip("a: \"x: y\"\nb: \"# no\"\nc: ' lead'\n");
	expect_round_trip("a: |\n  line\n    more\n\n  end\nb: |-\n  x\n  y\n");
	expect_round_trip("a: |+\n  x\n\n\nb: \"\\x01\\u00e9\\\"\\\\\"\n");
	expect_round_trip("'*.example': '0x1f'\n'~': 1.0e+300\n");
	expect_round_trip("- \"- a\"\n- \"\\n\"\n- \"a\\n\"\n- .inf\n");
}

TEST(strings_are_quoted_only_where_it_matters)
{
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	AUTO(parsed_fini) struct parsed p;

	parse("host: reviews.default\nports:\n- name: http-web\n  port: 80\n"
	      "old: 'no'\nstar: '*'\ntext: GET /x?y=1\n",
	    &p);
	EXPECT_OK(codec_yaml_emit(p.docs.items[0].root, &out));
	EXPECT_SLICE(buf_slice(&out),
	    S("host: reviews.default\nports:\n- name: http-web\n  port: 80\n"
	      "old: \"no\"\nstar: \"*\"\ntext: \"GET /x?y=1\"\n"));
}

TEST(a_text_inside_of_another_is_one_document)
{
	static const char *const wrong[] = {"", "# a", "a: [", "a\n---\nb\n"};
	AUTO(arena_fini) struct arena arena;
	const struct value *v = NULL;
	struct fault why = {0};

	arena_init(&arena, ARENA_MAX);
	EXPECT_OK(codec_yaml_parse_one(S("a: {b: 1}\n"), &arena, &v, &why));
	EXPECT_EQ(value_get(value_get(v, S("a")), S("b"))->integer, 1);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		v = NULL;
		EXPECT_TRUE(codec_yaml_parse_one(
				slice_str(wrong[i]), &arena, &v, &why) != OK);
		EXPECT_TRUE(v == NULL && why.text[0] != 0);
	}
}

TEST(failed_allocations_are_errors)
{
	for (uint64_t n = 1; n < 40; n++) {
		AUTO(parsed_fini) struct parsed p;

		memset(&p, 0, sizeof(p));
		arena_init(&p.arena, ARENA_MAX);
		mem_fail_at(n);
		p.e = codec_yaml_parse(S("a: &x [1, {b: c}]\nd: *x\n"), NULL,
		    &p.arena, &p.docs, &p.faults);
		mem_fail_at(0);
		EXPECT_TRUE(p.e == OK || p.faults.count > 0);
	}
}
