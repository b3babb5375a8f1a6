/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token — the line survives its way, and each damage has its own sentence.
 */
#include <stdio.h>

#include "ca/ca.h"
#include "unit.h"

static struct ca_token
sample(void)
{
	struct ca_token t = {
	    .servers = {"10.0.0.1:15012", "mesh.example:15012",
		"[2001:db8::1]:15012"},
	    .server_count = 3,
	    .trust_domain = "mesh.internal",
	    .root_pin = {{1, 2, 3}},
	    .id = {0xab, 1},
	    .secret = {9, 8, 7},
	};

	EXPECT_EQ(crypto_init(), OK);
	return t;
}

/* The token as text in `out`, zero-ended. */
static void
text_of(const struct ca_token *t, char *out, size_t out_len)
{
	struct secret line;

	EXPECT_EQ(ca_token_format(t, &line, NULL), OK);
	EXPECT_EQ(
	    slice_to_cstr(slice_of(line.bytes, line.len), out, out_len), OK);
	secret_fini(&line);
}

static void
expect_words(const char *text, const char *part)
{
	struct ca_token got = {.server_count = 77};
	struct fault why = {0};

	EXPECT_NE(
	    ca_token_parse(slice_str(text), CA_TOKEN_JOIN, &got, &why), OK);
	EXPECT_STR(strstr(why.text, part) != NULL ? part : why.text, part);
	EXPECT_EQ(got.server_count, 77); /* untouched */
}

TEST(a_token_comes_back_as_it_was)
{
	struct ca_token t = sample(), got;
	char text[CA_TOKEN_TEXT_MAX];

	text_of(&t, text, sizeof(text));
	EXPECT_EQ(strncmp(text, "mj1.", 4), 0);
	EXPECT_EQ(
	    ca_token_parse(slice_str(text), CA_TOKEN_JOIN, &got, NULL), OK);
	EXPECT_EQ(got.server_count, 3);
	EXPECT_STR(got.servers[2], "[2001:db8::1]:15012");
	EXPECT_STR(got.trust_domain, "mesh.internal");
	EXPECT_MEM(got.root_pin.bytes, t.root_pin.bytes, TLS_PIN_LEN);
	EXPECT_MEM(got.id, t.id, CA_TOKEN_ID_LEN);
	EXPECT_MEM(got.secret, t.secret, CA_TOKEN_SECRET_LEN);
	ca_token_fini(&got);
	EXPECT_EQ(got.secret[0], 0);
}

TEST(white_space_around_is_forgiven_and_inside_is_named)
{
	struct ca_token t = sample(), got;
	char text[CA_TOKEN_TEXT_MAX], other[CA_TOKEN_TEXT_MAX + 8];

	text_of(&t, text, sizeof(text));
	snprintf(other, sizeof(other), " \t%s\r\n", text);
	EXPECT_EQ(
	    ca_token_parse(slice_str(other), CA_TOKEN_JOIN, &got, NULL), OK);
	snprintf(other, sizeof(other), "%.20s\n%s", text, text + 20);
	expect_words(other, "white space inside, at character 21");
}

TEST(every_cut_is_found)
{
	struct ca_token t = sample(), got;
	char text[CA_TOKEN_TEXT_MAX];
	size_t len;

	text_of(&t, text, sizeof(text));
	len = strlen(text);
	for (size_t n = 0; n < len; n++)
		EXPECT_NE(ca_token_parse(
			      slice_of(text, n), CA_TOKEN_JOIN, &got, NULL),
		    OK);
	text[len - 2] = '\0';
	expect_words(text, "cut short");
	expect_words("mj1.", "cut short");
	expect_words("", "the token is empty");
	expect_words(" ", "the token is empty");
}

TEST(every_mistyped_character_is_found)
{
	struct ca_token t = sample(), got;
	char text[CA_TOKEN_TEXT_MAX];

	text_of(&t, text, sizeof(text));
	for (size_t i = 4; text[i] != '\0'; i++) {
		char was = text[i];

		text[i] = was == 'x' ? 'y' : 'x';
		EXPECT_NE(
		    ca_token_parse(slice_str(text), CA_TOKEN_JOIN, &got, NULL),
		    OK);
		text[i] = was;
	}
	text[40] = text[40] == 'x' ? 'y' : 'x';
	expect_words(text, "checksum does not match");
	text[40] = '%';
	expect_words(text, "character 41 of the token is none");
}

TEST(another_version_and_another_thing_are_told_apart)
{
	expect_words("mj2.abcd", "of version 2");
	expect_words("eyJhbGciOi", "this is no token");
	expect_words("mjx.abcd", "this is no token");
}

TEST(the_two_kinds_differ_in_their_letters_their_key_and_the_words)
{
	struct ca_token t = sample(), got;
	char join[CA_TOKEN_TEXT_MAX], operator[CA_TOKEN_TEXT_MAX];
	uint8_t a[CRYPTO_KEY_LEN], b[CRYPTO_KEY_LEN];
	struct fault why = {0};

	text_of(&t, join, sizeof(join));
	ca_token_key(&t, a);
	t.kind = CA_TOKEN_OPERATOR;
	text_of(&t, operator, sizeof(operator));
	ca_token_key(&t, b);
	EXPECT_EQ(strncmp(operator, "mo1.", 4), 0);
	EXPECT_NE(memcmp(a, b, sizeof(a)), 0);
	EXPECT_OK(
	    ca_token_parse(slice_str(operator), CA_TOKEN_OPERATOR, &got, NULL));
	EXPECT_EQ(got.kind, CA_TOKEN_OPERATOR);
	EXPECT_MEM(got.secret, t.secret, CA_TOKEN_SECRET_LEN);
	expect_words(operator, "an operator's token");
	EXPECT_ERR(
	    ca_token_parse(slice_str(join), CA_TOKEN_OPERATOR, &got, &why),
	    ERR_INVALID);
	EXPECT_TRUE(strstr(why.text, "a token for joining") != NULL);
	EXPECT_ERR(
	    ca_token_parse(S("eyJhbGciOi"), CA_TOKEN_OPERATOR, &got, &why),
	    ERR_PARSE);
	EXPECT_TRUE(strstr(why.text, "begins with \"mo1.\"") != NULL);
}

TEST(something_behind_a_token_is_not_ignored)
{
	struct ca_token t = sample();
	char text[CA_TOKEN_TEXT_MAX], other[CA_TOKEN_TEXT_MAX + 8];

	text_of(&t, text, sizeof(text));
	snprintf(other, sizeof(other), "%sAAAA", text);
	expect_words(other, "behind its end");
}

TEST(a_token_without_servers_cannot_be_made)
{
	struct ca_token t = sample();
	struct secret line;

	t.server_count = 0;
	EXPECT_EQ(ca_token_format(&t, &line, NULL), ERR_INVALID);
}

TEST(an_id_has_a_text_and_comes_back)
{
	struct ca_token t = sample();
	char text[CA_TOKEN_ID_TEXT];
	uint8_t id[CA_TOKEN_ID_LEN];

	EXPECT_STR(ca_token_id_format(t.id, text), "ab01000000000000");
	EXPECT_EQ(ca_token_id_parse(slice_str(text), id), OK);
	EXPECT_MEM(id, t.id, CA_TOKEN_ID_LEN);
	EXPECT_EQ(ca_token_id_parse(S("ab0100000000000g"), id), ERR_PARSE);
	EXPECT_EQ(ca_token_id_parse(S("ab01"), id), ERR_PARSE);
}

TEST(the_key_depends_on_the_secret_and_on_the_id)
{
	struct ca_token t = sample();
	uint8_t a[CRYPTO_KEY_LEN], b[CRYPTO_KEY_LEN];

	ca_token_key(&t, a);
	t.id[0]++;
	ca_token_key(&t, b);
	EXPECT_NE(memcmp(a, b, sizeof(a)), 0);
	t = sample();
	t.secret[0]++;
	ca_token_key(&t, b);
	EXPECT_NE(memcmp(a, b, sizeof(a)), 0);
}
