/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_secret — Secret: right, wrong, and what of it is shown.
 */
#include "codec/codec.h"
#include "expect.h"
#include "unit.h"

#define HEAD                                                                   \
	"apiVersion: v1\nkind: Secret\nmetadata: {name: web}\n"                \
	"type: kubernetes.io/tls\n"
/* "-----BEGIN CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\n" */
#define CRT "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
#define KEY "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg=="
#define DATA "data:\n  tls.crt: " CRT "\n  tls.key: " KEY "\n"

static const struct wrong wrongs[] = {
    {HEAD "data: {tls.crt: " CRT "}\n", "data[\"tls.key\"]", "is required",
	ERR_INVALID},
    {HEAD "data: {tls.key: " KEY "}\n", "data[\"tls.crt\"]", "is required",
	ERR_INVALID},
    {HEAD "data: {tls.crt: 'hush!', tls.key: " KEY "}\n", "data[\"tls.crt\"]",
	"no base64", ERR_PARSE},
    {HEAD "data: {tls.crt: " CRT ", tls.key: aHVzaA==}\n", "data[\"tls.key\"]",
	"no PEM", ERR_INVALID},
    {HEAD DATA "  ca.crl: " CRT "\n", "data[\"ca.crl\"]", "X509 CRL",
	ERR_INVALID},
    {HEAD DATA "  a/b: " CRT "\n", "data[\"a/b\"]", "no name of a part",
	ERR_INVALID},
    {HEAD DATA "spec: {}\n", "spec", "no such field", ERR_INVALID},
    {HEAD "stringData: {tls.crt: hush, tls.key: hush}\n",
	"stringData[\"tls.crt\"]", "no PEM", ERR_INVALID},
};

TEST(each_mistake_in_a_secret_is_named_without_its_text)
{
	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		AUTO(loaded_fini) struct loaded l;

		expect_wrong(&wrongs[i]);
		load(wrongs[i].yaml, NULL, &l);
		for (size_t k = 0; k < l.found.errors.count; k++)
			EXPECT_TRUE(strstr(l.found.errors.items[k].text,
					"hush") == NULL);
	}
}

TEST(a_part_that_is_too_long_is_refused)
{
	AUTO(arena_fini) struct arena a;
	AUTO(loaded_fini) struct loaded l;
	char *text;

	arena_init(&a, 1 << 20);
	text = arena_alloc(&a, SECRET_KEY_MAX + 2);
	memset(text, 'x', SECRET_KEY_MAX + 1);
	load(arena_printf(&a,
		 "%sdata: {tls.crt: %s}\nstringData: {tls.key: %s}\n", HEAD,
		 CRT, text)
		 .ptr,
	    NULL, &l);
	EXPECT_EQ(l.count, 0);
	EXPECT_TRUE(find_error(&l, "has more than 16384 bytes") != NULL);
}

TEST(a_secret_that_is_not_for_tls_is_skipped)
{
	AUTO(loaded_fini) struct loaded l;

	load("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
	     "type: Opaque\ndata: {x: aGk=}\n---\n"
	     "apiVersion: v1\nkind: Secret\nmetadata: {name: b}\n",
	    NULL, &l);
	EXPECT_EQ(l.skipped, 2);
	EXPECT_TRUE(find_warning(&l, "kubernetes.io/tls") != NULL);
}

TEST(what_is_in_string_data_counts)
{
	AUTO(loaded_fini) struct loaded l;
	AUTO(secret_fini) struct secret part = {0};

	load(HEAD DATA "stringData:\n  tls.key: |\n"
		       "    -----BEGIN EC PRIVATE KEY-----\n",
	    NULL, &l);
	EXPECT_EQ(l.count, 1);
	EXPECT_TRUE(tls_secret_part(l.items[0]->spec, S("tls.key"), &part));
	EXPECT_SLICE(slice_of(part.bytes, part.len),
	    S("-----BEGIN EC PRIVATE KEY-----\n"));
	secret_fini(&part);
	EXPECT_TRUE(tls_secret_part(l.items[0]->spec, S("tls.crt"), &part));
	EXPECT_SLICE(
	    slice_of(part.bytes, part.len), S("-----BEGIN CERTIFICATE-----\n"));
	EXPECT_FALSE(tls_secret_part(l.items[0]->spec, S("ca.crt"), &part));
}

TEST(a_secret_is_kept_whole_and_shown_sealed)
{
	AUTO(loaded_fini) struct loaded l;
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf text = BUF(64 << 10);

	expect_round_trip(HEAD DATA "stringData: {x.pem: a}\n");
	expect_quiet(HEAD DATA);
	expect_inert(HEAD DATA, "kind", "MSH0001");
	expect_warning(
	    HEAD DATA "stringData: {x: a}\n", "stringData[\"x\"]", "not used");
	expect_warning(
	    HEAD DATA "immutable: true\n", "immutable", "Kubernetes");
	load(HEAD DATA, NULL, &l);
	arena_init(&a, 1 << 20);
	EXPECT_OK(codec_json_emit(
	    resource_encode(l.items[0], RESOURCE_SEALED, &a), &text));
	EXPECT_SLICE(buf_slice(&text),
	    S("{\"apiVersion\":\"v1\",\"data\":{\"tls.crt\":\"(sealed)\","
	      "\"tls.key\":\"(sealed)\"},\"kind\":\"Secret\",\"metadata\":"
	      "{\"name\":\"web\",\"namespace\":\"default\"},"
	      "\"type\":\"kubernetes.io/tls\"}"));
}
