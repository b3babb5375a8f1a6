/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head — fields by name and id, hops, copies, words for a refusal.
 */
#include "http/http.h"
#include "unit.h"

static struct arena arena;
static struct http_head head;

static void
begin(void)
{
	arena_init(&arena, 1 << 20);
	http_head_init(&head, &arena);
}

static void
add(const char *name, const char *value)
{
	EXPECT_OK(http_head_add(&head, slice_str(name), slice_str(value)));
}

static struct slice
get(const char *name)
{
	struct slice value = S("(absent)");

	(void)http_head_get(&head, slice_str(name), &value);
	return value;
}

TEST(every_name_with_an_id_is_found_in_any_case)
{
	for (unsigned id = HTTP_OTHER + 1; id < HTTP_FIELD_IDS; id++) {
		struct slice name = http_field_name((enum http_field_id)id);
		char upper[64];

		EXPECT_EQ(http_field_id(name), id);
		for (size_t i = 0; i < name.len; i++)
			upper[i] = name.ptr[i] >= 'a' && name.ptr[i] <= 'z'
				       ? (char)(name.ptr[i] - 32)
				       : name.ptr[i];
		EXPECT_EQ(http_field_id(slice_of(upper, name.len)), id);
	}
	EXPECT_EQ(http_field_id(S("")), HTTP_OTHER);
	EXPECT_EQ(http_field_id(S("x-nothing")), HTTP_OTHER);
}

TEST(set_replaces_the_first_and_drops_the_others)
{
	begin();
	add("X-A", "1");
	add("b", "2");
	add("x-a", "3");
	EXPECT_OK(http_head_set(&head, S("x-A"), S("4")));
	EXPECT_EQ(head.count, 2);
	EXPECT_SLICE(head.fields[0].value, S("4"));
	EXPECT_SLICE(head.fields[1].name, S("b"));
	EXPECT_OK(http_head_set_id(&head, HTTP_VIA, S("me")));
	EXPECT_SLICE(get("Via"), S("me"));
	EXPECT_EQ(http_head_remove(&head, S("X-a")), 1);
	EXPECT_EQ(http_head_remove(&head, S("x-a")), 0);
	EXPECT_SLICE(get("x-a"), S("(absent)"));
	arena_fini(&arena);
}

TEST(presence_follows_every_change)
{
	begin();
	EXPECT_FALSE(http_head_has(&head, HTTP_VIA));
	add("Via", "a");
	add("via", "b");
	EXPECT_TRUE(http_head_has(&head, HTTP_VIA));
	EXPECT_EQ(http_head_remove_id(&head, HTTP_VIA), 2);
	EXPECT_FALSE(http_head_has(&head, HTTP_VIA));
	EXPECT_EQ(head.bytes, 0);
	arena_fini(&arena);
}

TEST(the_parts_have_names_too)
{
	begin();
	head.method = S("GET");
	head.path = S("/x");
	EXPECT_SLICE(get(":method"), S("GET"));
	EXPECT_SLICE(get(":path"), S("/x"));
	EXPECT_SLICE(get("host"), S("(absent)"));
	add("Host", "web:80");
	EXPECT_EQ(head.count, 0);
	EXPECT_SLICE(get("host"), S("web:80"));
	EXPECT_SLICE(head.authority, S("web:80"));
	arena_fini(&arena);
}

TEST(bytes_that_would_end_a_line_are_refused)
{
	begin();
	EXPECT_ERR(http_head_add(&head, S("a"), S("x\r\nb: y")), ERR_INVALID);
	EXPECT_ERR(http_head_add(&head, S("a:b"), S("x")), ERR_INVALID);
	EXPECT_ERR(http_head_add(&head, S(""), S("x")), ERR_INVALID);
	EXPECT_ERR(http_head_add(&head, S("a"), S(" x")), ERR_INVALID);
	EXPECT_ERR(http_head_set(&head, S("host"), S("a b")), ERR_INVALID);
	EXPECT_EQ(head.count, 0);
	arena_fini(&arena);
}

TEST(fields_are_bounded_in_number_and_in_bytes)
{
	static char big[LIMIT_HEAD_BYTES];

	begin();
	for (int i = 0; i < LIMIT_HEAD_FIELDS; i++)
		add("a", "b");
	EXPECT_ERR(http_head_add(&head, S("a"), S("b")), ERR_LIMIT);
	arena_fini(&arena);
	begin();
	memset(big, 'x', sizeof(big));
	EXPECT_ERR(http_head_add(&head, S("a"), slice_of(big, sizeof(big))),
	    ERR_LIMIT);
	EXPECT_OK(http_head_add(&head, S("a"), slice_of(big, sizeof(big) - 1)));
	arena_fini(&arena);
}

TEST(several_values_join_as_one_list)
{
	begin();
	add("Via", "a");
	EXPECT_SLICE(http_head_join(&head, S("via")), S("a"));
	add("x", "y");
	add("via", "b, c");
	EXPECT_SLICE(http_head_join(&head, S("via")), S("a, b, c"));
	EXPECT_TRUE(http_head_join(&head, S("none")).ptr == NULL);
	arena_fini(&arena);
}

TEST(a_token_is_found_in_a_list)
{
	EXPECT_TRUE(http_list_has(S("a, B;q=1 ,,c"), S("b")));
	EXPECT_TRUE(http_list_has(S("close"), S("Close")));
	EXPECT_FALSE(http_list_has(S("closed, un-close"), S("close")));
	EXPECT_FALSE(http_list_has(S(""), S("a")));
}

TEST(hops_are_stripped_and_what_they_name)
{
	begin();
	add("Connection", "close, X-Hop");
	add("Keep-Alive", "5");
	add("x-hop", "1");
	add("Upgrade", "h2c");
	add("Transfer-Encoding", "chunked");
	add("Proxy-Connection", "x");
	add("TE", "gzip");
	add("Accept", "y");
	http_head_strip_hops(&head);
	EXPECT_EQ(head.count, 1);
	EXPECT_SLICE(get("accept"), S("y"));
	arena_fini(&arena);
}

TEST(trailers_may_still_be_asked_for)
{
	begin();
	add("Connection", "TE");
	add("TE", "trailers, gzip;q=0.5");
	http_head_strip_hops(&head);
	EXPECT_EQ(head.count, 1);
	EXPECT_SLICE(get("te"), S("trailers"));
	arena_fini(&arena);
}

TEST(a_copy_lives_without_the_original)
{
	struct arena other;
	struct http_head copy;
	char text[] = "value";

	begin();
	arena_init(&other, 1 << 16);
	head.path = S("/p");
	EXPECT_OK(http_head_add(&head, S("a"), slice_str(text)));
	EXPECT_OK(http_head_copy(&head, &other, &copy));
	memset(text, '?', sizeof(text));
	arena_fini(&arena);
	EXPECT_SLICE(copy.path, S("/p"));
	EXPECT_EQ(copy.count, 1);
	EXPECT_SLICE(copy.fields[0].value, S("value"));
	EXPECT_OK(http_head_add(&copy, S("b"), S("c")));
	EXPECT_EQ(copy.count, 2);
	arena_fini(&other);
}

TEST(the_words_of_a_refusal_survive_the_field)
{
	struct slice value;

	begin();
	value = http_proxy_status(&arena, S(""), S("no \"x\\y\"\n\xc3"));
	EXPECT_SLICE(value, S("meshd; details=\"no \\\"x\\\\y\\\"??\""));
	EXPECT_SLICE(
	    http_proxy_status_details(&arena, value), S("no \"x\\y\"??"));
	EXPECT_TRUE(
	    http_proxy_status_details(&arena, S("other; error=x")).ptr == NULL);
	value = http_proxy_status(&arena, S("dns_error"), S("no"));
	EXPECT_SLICE(value, S("meshd; error=dns_error; details=\"no\""));
	arena_fini(&arena);
}

TEST(a_status_has_words)
{
	EXPECT_SLICE(http_status_text(404), S("Not Found"));
	EXPECT_SLICE(http_status_text(799), S("Unknown"));
}

/* Each byte in each place of a value, beside what it was before by bytes. */
TEST(control_bytes_are_found_wherever_they_are)
{
	AUTO(arena_fini) struct arena a;
	struct http_head h;
	char value[19];

	arena_init(&a, 1 << 20);
	for (size_t at = 1; at + 1 < sizeof(value); at++) {
		for (unsigned c = 0; c < 256; c++) {
			bool good = c == '\t' || (c >= ' ' && c != 0x7f);

			memset(value, 'v', sizeof(value));
			value[at] = (char)c;
			http_head_init(&h, &a);
			EXPECT_EQ(http_head_set_id(&h, HTTP_VIA,
				      slice_of(value, sizeof(value))) == OK,
			    good);
		}
		arena_reset(&a);
	}
}
