/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages — questions are read strictly, answers fit who asked.
 */
#include "dns/dns.h"
#include "unit.h"

#define HEAD(flags, qd, an, ns, ar)                                            \
	"\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define PLAIN HEAD("\1\0", "\1", "\0", "\0", "\0")
#define NAME "\3WeB\4shop\0"
#define ASK_A "\0\1\0\1"
#define OPT(size, flags, data) "\0\0\x29" size "\0\0" flags data

static enum err
read_text(struct slice text, struct dns_question *q)
{
	return dns_question_read(text, q);
}

static const char *
name_text(const struct dns_name *n)
{
	static char text[DNS_TEXT_MAX + 1];
	struct slice s = dns_name_text(n, text);

	text[s.len] = '\0';
	return text;
}

TEST(a_question_is_read)
{
	struct dns_question q;

	EXPECT_OK(read_text(S(PLAIN NAME ASK_A), &q));
	EXPECT_EQ(q.id, 0x1234);
	EXPECT_STR(name_text(&q.name), "WeB.shop");
	EXPECT_EQ(q.type, DNS_A);
	EXPECT_EQ(q.class, DNS_IN);
	EXPECT_FALSE(q.has_edns);
	EXPECT_EQ(q.udp_size, DNS_UDP_MIN);
}

TEST(what_edns_says_is_read)
{
	struct dns_question q;

	EXPECT_OK(read_text(S(HEAD("\1\0", "\1", "\0", "\0", "\1")
				    NAME ASK_A OPT("\x10\0", "\x80\0", "\0\0")),
	    &q));
	EXPECT_TRUE(q.has_edns);
	EXPECT_TRUE(q.dnssec_ok);
	EXPECT_FALSE(q.has_options);
	EXPECT_EQ(q.udp_size, 4096);
	EXPECT_OK(
	    read_text(S(HEAD("\1\0", "\1", "\0", "\0", "\1")
			      NAME ASK_A OPT("\0\1", "\0\0", "\0\4\0\x0a\0\0")),
		&q));
	EXPECT_TRUE(q.has_options);
	EXPECT_EQ(q.udp_size, DNS_UDP_MIN);
}

TEST(who_is_no_question_gets_what_it_deserves)
{
	struct dns_question q;

	EXPECT_ERR(read_text(S("\x12\x34\1"), &q), ERR_PARSE);
	EXPECT_ERR(
	    read_text(S(HEAD("\x81\0", "\1", "\0", "\0", "\0") NAME ASK_A), &q),
	    ERR_PARSE);
	EXPECT_ERR(
	    read_text(S(HEAD("\x29\0", "\1", "\0", "\0", "\0") NAME ASK_A), &q),
	    ERR_UNSUPPORTED);
	EXPECT_EQ(q.id, 0x1234);
	EXPECT_ERR(read_text(S(HEAD("\1\0", "\2", "\0", "\0", "\0")
				     NAME ASK_A NAME ASK_A),
		       &q),
	    ERR_INVALID);
	EXPECT_ERR(read_text(S(PLAIN NAME ASK_A "x"), &q), ERR_INVALID);
	EXPECT_ERR(read_text(S(PLAIN NAME "\0\1\0"), &q), ERR_INVALID);
	EXPECT_ERR(read_text(S(PLAIN "\xc0\x04" ASK_A), &q), ERR_INVALID);
	EXPECT_ERR(
	    read_text(S(HEAD("\1\0", "\1", "\0", "\0", "\1") NAME ASK_A), &q),
	    ERR_INVALID);
}

TEST(a_pointer_leads_back_and_never_round)
{
	struct dns_name n;
	size_t end;

	EXPECT_OK(dns_name_read(S("\3www\0\1a\xc0\0"), 5, &n, &end));
	EXPECT_STR(name_text(&n), "a.www");
	EXPECT_EQ(end, 9);
	EXPECT_ERR(dns_name_read(S("\xc0\0"), 0, &n, &end), ERR_PARSE);
	EXPECT_ERR(
	    dns_name_read(S("\1a\xc0\x04\xc0\0"), 0, &n, &end), ERR_PARSE);
	EXPECT_ERR(dns_name_read(S("\1a\xc0\0"), 0, &n, &end), ERR_PARSE);
	EXPECT_ERR(dns_name_read(S("\x40"
				   "a\0"),
		       0, &n, &end),
	    ERR_PARSE);
	EXPECT_ERR(dns_name_read(S("\3ww"), 0, &n, &end), ERR_PARSE);
}

TEST(names_have_bounds_as_text_too)
{
	char label[80], text[300];
	struct dns_name n;

	memset(label, 'a', sizeof(label));
	EXPECT_OK(dns_name_parse(slice_of(label, 63), &n));
	EXPECT_ERR(dns_name_parse(slice_of(label, 64), &n), ERR_LIMIT);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 ? 'a' : '.';
	EXPECT_OK(dns_name_parse(slice_of(text, 253), &n));
	EXPECT_EQ(n.len, DNS_NAME_MAX);
	EXPECT_ERR(dns_name_parse(slice_of(text, 255), &n), ERR_LIMIT);
	EXPECT_ERR(dns_name_parse(S("a..b"), &n), ERR_PARSE);
	EXPECT_ERR(dns_name_parse(S(""), &n), ERR_PARSE);
	EXPECT_OK(dns_name_parse(S("."), &n));
	EXPECT_EQ(n.len, 1);
	EXPECT_OK(dns_name_parse(S("a\\.b\\032c.d."), &n));
	EXPECT_STR(name_text(&n), "a\\.b\\032c.d");
}

TEST(only_names_of_hosts_become_hosts)
{
	char text[NAME_HOST_MAX + 1];
	struct dns_name n;

	EXPECT_OK(dns_name_parse(S("_http._TCP.Web"), &n));
	EXPECT_SLICE(dns_name_host(&n, text), S("_http._tcp.web"));
	EXPECT_OK(dns_name_parse(S("*.web"), &n));
	EXPECT_SLICE(dns_name_host(&n, text), S("*.web"));
	EXPECT_OK(dns_name_parse(S("a\\.b.c"), &n));
	EXPECT_TRUE(dns_name_host(&n, text).ptr == NULL);
	EXPECT_OK(dns_name_parse(S("."), &n));
	EXPECT_TRUE(dns_name_host(&n, text).ptr == NULL);
}

TEST(addresses_are_names_backwards)
{
	char text[NAME_HOST_MAX + 1];
	static const char *const all[] = {"192.0.2.7", "2001:db8::1234"};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct dns_name n;
		struct addr a, b;

		EXPECT_OK(addr_parse_ip(slice_str(all[i]), &a));
		dns_name_reverse(&a, &n);
		EXPECT_TRUE(dns_host_is_reverse(dns_name_host(&n, text), &b));
		EXPECT_TRUE(addr_eq(&a, &b));
	}
	EXPECT_FALSE(
	    dns_host_is_reverse(S("2.0.192.in-addr.arpa"), &(struct addr){0}));
	EXPECT_FALSE(dns_host_is_reverse(
	    S("256.2.0.192.in-addr.arpa"), &(struct addr){0}));
	EXPECT_FALSE(dns_host_is_reverse(S("in-addr.arpa"), &(struct addr){0}));
}

/* --- answers -------------------------------------------------------------- */

static struct slice
answer_with(struct slice asked, size_t addrs, size_t limit, char *out)
{
	struct dns_question q;
	struct dns_writer w;

	EXPECT_OK(dns_question_read(asked, &q));
	dns_answer_begin(&w, out, limit, asked, &q, DNS_AA | DNS_RA);
	for (size_t i = 0; i < addrs; i++) {
		struct addr a = {.family = ADDR_V4,
		    .bytes = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};

		dns_put_addr(&w, DNS_ANSWER, &q.name, 5, &a);
	}
	return dns_answer_end(&w, DNS_NOERROR);
}

static size_t
count_records(struct slice message, struct dns_question *q)
{
	struct dns_reader r;
	struct dns_record record;
	size_t n = 0;

	EXPECT_OK(dns_answer_read(message, &r, q));
	while (dns_record_next(&r, &record) == OK)
		n++;
	EXPECT_ERR(dns_record_next(&r, &record), ERR_NOT_FOUND);
	return n;
}

TEST(an_answer_keeps_the_case_and_points_to_the_question)
{
	char out[DNS_UDP_MIN];
	struct slice m = answer_with(S(PLAIN NAME ASK_A), 2, sizeof(out), out);
	struct dns_question q;

	EXPECT_EQ(count_records(m, &q), 2);
	EXPECT_STR(name_text(&q.name), "WeB.shop");
	EXPECT_EQ(q.flags, DNS_QR | DNS_AA | DNS_RA | DNS_RD);
	EXPECT_EQ(m.len, DNS_HEAD_LEN + 14 + 2 * 16);
}

TEST(what_does_not_fit_sets_tc_and_leaves_a_whole_message)
{
	char out[4096];
	struct dns_question q;
	struct slice m =
	    answer_with(S(PLAIN NAME ASK_A), 100, DNS_UDP_MIN, out);

	EXPECT_EQ(count_records(m, &q), 30);
	EXPECT_TRUE(q.flags & DNS_TC);
	EXPECT_TRUE(m.len <= DNS_UDP_MIN);
	m = answer_with(S(PLAIN NAME ASK_A), 100, sizeof(out), out);
	EXPECT_EQ(count_records(m, &q), 100);
	EXPECT_FALSE(q.flags & DNS_TC);
}

TEST(edns_is_answered_by_edns_however_full_it_is)
{
	char out[4096];
	struct dns_question q;
	struct slice m =
	    answer_with(S(HEAD("\1\0", "\1", "\0", "\0", "\1")
				NAME ASK_A OPT("\2\0", "\x80\0", "\0\0")),
		100, DNS_UDP_MIN, out);
	const uint8_t *opt = (const uint8_t *)m.ptr + m.len - 11;

	EXPECT_EQ(count_records(m, &q), 30);
	EXPECT_EQ(opt[2], DNS_OPT);
	EXPECT_EQ(opt[3] << 8 | opt[4], DNS_UDP_OURS);
	EXPECT_EQ(opt[7], 0x80);
}

TEST(names_in_data_are_compressed_where_that_is_allowed)
{
	char out[DNS_UDP_MIN];
	struct slice asked = S(PLAIN NAME "\0\x21\0\1");
	struct dns_question q;
	struct dns_name to, read;
	struct dns_writer w;
	struct slice m;
	size_t end;

	EXPECT_OK(dns_question_read(asked, &q));
	EXPECT_OK(dns_name_parse(S("db.shop"), &to));
	dns_answer_begin(&w, out, sizeof(out), asked, &q, 0);
	dns_put_name(&w, DNS_CNAME, &q.name, 5, &to);
	dns_put_srv(&w, &q.name, 5, 80, &to);
	m = dns_answer_end(&w, DNS_NOERROR);
	EXPECT_EQ(count_records(m, &q), 2);
	/* The owner, ten bytes, "db" and a pointer; then all of it. */
	EXPECT_EQ(m.len, asked.len + (2 + 10 + 5) + (2 + 10 + 6 + 9));
	EXPECT_OK(dns_name_read(m, asked.len + 12, &read, &end));
	EXPECT_STR(name_text(&read), "db.shop");
}

TEST(a_question_that_is_written_is_read)
{
	AUTO(buf_fini) struct buf out = BUF(DNS_UDP_MIN);
	struct dns_question q = {.id = 7,
	    .flags = DNS_RD,
	    .type = DNS_HTTPS,
	    .class = DNS_IN,
	    .has_edns = true,
	    .dnssec_ok = true};
	struct dns_question again;

	EXPECT_OK(dns_name_parse(S("web.shop"), &q.name));
	EXPECT_OK(dns_question_write(&q, &out));
	EXPECT_OK(dns_question_read(buf_slice(&out), &again));
	EXPECT_EQ(again.id, 7);
	EXPECT_EQ(again.type, DNS_HTTPS);
	EXPECT_TRUE(again.has_edns && again.dnssec_ok);
	EXPECT_TRUE(dns_name_eq(&again.name, &q.name));
}

TEST(types_have_names_both_ways)
{
	char text[DNS_TYPE_TEXT_MAX];
	uint16_t type;

	EXPECT_STR(dns_type_name(DNS_AAAA, text), "AAAA");
	EXPECT_STR(dns_type_name(999, text), "TYPE999");
	EXPECT_OK(dns_type_parse(S("aaaa"), &type));
	EXPECT_EQ(type, DNS_AAAA);
	EXPECT_OK(dns_type_parse(S("type999"), &type));
	EXPECT_EQ(type, 999);
	EXPECT_ERR(dns_type_parse(S("TYPE65536"), &type), ERR_INVALID);
	EXPECT_ERR(dns_type_parse(S("BOGUS"), &type), ERR_INVALID);
}
