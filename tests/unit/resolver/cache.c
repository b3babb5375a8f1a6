/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache — what may be kept is, as long as it says, for who asks alike.
 */
#include "cache.h"

#include <stdio.h>

#include "unit.h"

enum { SECOND = 1000000 };

struct kept {
	struct dns_cache *c;
	struct dns_question q;
	char asked[DNS_UDP_MIN];
	struct slice question;
	char out[DNS_MESSAGE_MAX];
	struct slice found;
};

static void
ask(struct kept *k, const char *name, struct dns_question like)
{
	AUTO(buf_fini) struct buf text = BUF(DNS_UDP_MIN);

	k->q = like;
	k->q.type = DNS_A;
	k->q.class = DNS_IN;
	EXPECT_OK(dns_name_parse(slice_str(name), &k->q.name));
	EXPECT_OK(dns_question_write(&k->q, &text));
	memcpy(k->asked, buf_slice(&text).ptr, buf_len(&text));
	k->question = slice_of(k->asked, buf_len(&text));
	EXPECT_OK(dns_question_read(k->question, &k->q));
}

static struct slice
answer(struct kept *k, uint32_t ttl_s, unsigned rcode, char out[DNS_UDP_MIN])
{
	struct addr a = {.family = ADDR_V4, .bytes = {192, 0, 2, 1}};
	struct dns_writer w;

	dns_answer_begin(
	    &w, out, DNS_UDP_MIN, k->question, &k->q, DNS_AA | DNS_RA);
	if (rcode == DNS_NOERROR)
		dns_put_addr(&w, DNS_ANSWER, &k->q.name, ttl_s, &a);
	else if (ttl_s > 0)
		dns_put_soa(&w, DNS_AUTHORITY, &k->q.name, ttl_s, 1);
	return dns_answer_end(&w, rcode);
}

static void
keep(struct kept *k, uint32_t ttl_s, unsigned rcode)
{
	char out[DNS_UDP_MIN];

	dns_cache_keep(k->c, &k->q, answer(k, ttl_s, rcode, out), SECOND);
}

static bool
finds(struct kept *k, uint64_t at_s)
{
	return dns_cache_find(
	    k->c, &k->q, at_s * SECOND, k->out, sizeof(k->out), &k->found);
}

static uint32_t
ttl_of(struct kept *k)
{
	struct dns_question q;
	struct dns_reader reader;
	struct dns_record r;

	EXPECT_OK(dns_answer_read(k->found, &reader, &q));
	EXPECT_OK(dns_record_next(&reader, &r));
	return r.ttl;
}

static void
kept_init(struct kept *k)
{
	memset(k, 0, sizeof(*k));
	k->c = dns_cache_new(CACHE_BYTES_MAX);
}

static void
kept_fini(struct kept *k)
{
	dns_cache_free(&k->c);
}

TEST(an_answer_grows_old_and_is_gone)
{
	AUTO(kept_fini) struct kept k;

	kept_init(&k);
	ask(&k, "a.example.com", (struct dns_question){.id = 1});
	EXPECT_FALSE(finds(&k, 1));
	keep(&k, 10, DNS_NOERROR);
	EXPECT_TRUE(finds(&k, 1));
	EXPECT_EQ(ttl_of(&k), 10);
	EXPECT_TRUE(finds(&k, 8));
	EXPECT_EQ(ttl_of(&k), 3);
	EXPECT_FALSE(finds(&k, 11));
	EXPECT_EQ(dns_cache_count(k.c), 0);
	EXPECT_EQ(dns_cache_bytes(k.c), 0);
}

TEST(id_and_case_are_the_askers_and_no_authority_is_left)
{
	AUTO(kept_fini) struct kept k;
	struct dns_question q;
	struct dns_reader r;

	kept_init(&k);
	ask(&k, "a.example.com", (struct dns_question){.id = 1});
	keep(&k, 10, DNS_NOERROR);
	ask(&k, "A.eXample.com", (struct dns_question){.id = 77});
	EXPECT_TRUE(finds(&k, 2));
	EXPECT_OK(dns_answer_read(k.found, &r, &q));
	EXPECT_EQ(q.id, 77);
	EXPECT_FALSE(q.flags & DNS_AA);
	EXPECT_MEM(q.name.bytes, k.q.name.bytes, q.name.len);
}

TEST(who_asks_otherwise_is_not_answered_by_it)
{
	static const struct dns_question others[] = {{.flags = DNS_RD},
	    {.flags = DNS_CD}, {.flags = DNS_AD}, {.has_edns = true},
	    {.has_edns = true, .dnssec_ok = true}};
	AUTO(kept_fini) struct kept k;

	kept_init(&k);
	ask(&k, "a.example.com", (struct dns_question){.id = 1});
	keep(&k, 10, DNS_NOERROR);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		ask(&k, "a.example.com", others[i]);
		EXPECT_FALSE(finds(&k, 2));
		keep(&k, 10, DNS_NOERROR);
		EXPECT_TRUE(finds(&k, 2));
	}
	k.q.has_options = true;
	EXPECT_FALSE(finds(&k, 2));
}

TEST(an_absence_is_kept_if_its_soa_says_so)
{
	AUTO(kept_fini) struct kept k;

	kept_init(&k);
	ask(&k, "no.example.com", (struct dns_question){0});
	keep(&k, 0, DNS_NXDOMAIN);
	EXPECT_FALSE(finds(&k, 2));
	keep(&k, 20, DNS_NXDOMAIN);
	EXPECT_TRUE(finds(&k, 20));
	EXPECT_FALSE(finds(&k, 22));
	keep(&k, 86400, DNS_NXDOMAIN);
	EXPECT_TRUE(finds(&k, CACHE_ABSENCE_MAX_S));
	EXPECT_FALSE(finds(&k, CACHE_ABSENCE_MAX_S + 1));
}

TEST(what_failed_or_was_cut_is_not_kept)
{
	AUTO(kept_fini) struct kept k;
	char out[DNS_UDP_MIN];
	struct slice m;

	kept_init(&k);
	ask(&k, "a.example.com", (struct dns_question){0});
	keep(&k, 20, DNS_SERVFAIL);
	keep(&k, 0, DNS_NOERROR);
	m = answer(&k, 20, DNS_NOERROR, out);
	out[2] |= DNS_TC >> 8;
	dns_cache_keep(k.c, &k.q, m, SECOND);
	m = slice_sub(m, 0, m.len - 1);
	out[2] &= (char)~(DNS_TC >> 8);
	dns_cache_keep(k.c, &k.q, m, SECOND);
	EXPECT_FALSE(finds(&k, 1));
	EXPECT_EQ(dns_cache_count(k.c), 0);
}

TEST(who_takes_less_is_not_given_more)
{
	AUTO(kept_fini) struct kept k;

	kept_init(&k);
	ask(&k, "a.example.com", (struct dns_question){0});
	keep(&k, 20, DNS_NOERROR);
	EXPECT_FALSE(
	    dns_cache_find(k.c, &k.q, SECOND, k.out, /* limit */ 20, &k.found));
	EXPECT_TRUE(finds(&k, 1));
}

TEST(it_has_a_bound_and_the_longest_unused_goes)
{
	AUTO(kept_fini) struct kept k;
	char name[32];

	kept_init(&k);
	dns_cache_free(&k.c);
	k.c = dns_cache_new(8192);
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example.com", i);
		ask(&k, name, (struct dns_question){0});
		keep(&k, 20, DNS_NOERROR);
		EXPECT_TRUE(dns_cache_bytes(k.c) <= 8192);
		ask(&k, "n0.example.com", (struct dns_question){0});
		EXPECT_TRUE(finds(&k, 1));
	}
	ask(&k, "n1.example.com", (struct dns_question){0});
	EXPECT_FALSE(finds(&k, 1));
}
