/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns — messages of anybody: as a question, as an answer, and a name as text.
 *
 * What is read as a question can be written and is read the same; an answer to
 * it is a whole message, however little the asker takes.
 */
#include "dns/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(struct slice message)
{
	char text[DNS_RECORD_TEXT_MAX];
	struct dns_reader r;
	struct dns_question q;
	struct dns_record record;
	struct dns_name name;
	size_t end, n = 0;

	if (dns_answer_read(message, &r, &q) != OK)
		return;
	while (dns_record_next(&r, &record) == OK) {
		CHECK(record.data_at + record.data.len <= message.len);
		CHECK(dns_record_text(message, &record, text).len <=
		      sizeof(text));
		if (dns_name_read(message, record.name_at, &name, &end) == OK)
			CHECK(end <= message.len && name.len > 0);
		CHECK(++n <= DNS_RECORDS_MAX);
	}
}

static void
answer(struct slice asked, const struct dns_question *q)
{
	char out[DNS_UDP_MIN];
	struct addr a = {.family = ADDR_V4};
	struct dns_question again;
	struct dns_reader r;
	struct dns_record record;
	struct dns_writer w;
	struct slice m;
	enum err e;

	dns_answer_begin(&w, out, sizeof(out), asked, q, DNS_AA);
	dns_put_name(&w, DNS_PTR, &q->name, 5, &q->name);
	dns_put_srv(&w, &q->name, 5, 80, &q->name);
	for (size_t i = 0; i < asked.len % 32; i++)
		dns_put_addr(&w, DNS_ANSWER, &q->name, 5, &a);
	dns_put_soa(&w, DNS_AUTHORITY, &q->name, 5, 1);
	m = dns_answer_end(&w, DNS_NOERROR);
	CHECK(m.len <= sizeof(out));
	CHECK(dns_answer_read(m, &r, &again) == OK);
	CHECK(again.id == q->id && again.type == q->type);
	CHECK(slice_eq(slice_of(again.name.bytes, again.name.len),
	    slice_of(q->name.bytes, q->name.len)));
	while ((e = dns_record_next(&r, &record)) == OK)
		continue;
	CHECK(e == ERR_NOT_FOUND);
}

static void
name_is_text(const struct dns_name *n)
{
	char text[DNS_TEXT_MAX], host[NAME_HOST_MAX + 1];
	struct slice s = dns_name_text(n, text);
	struct dns_name again;
	struct addr a;

	CHECK(dns_name_parse(s, &again) == OK);
	CHECK(slice_eq(
	    slice_of(again.bytes, again.len), slice_of(n->bytes, n->len)));
	s = dns_name_host(n, host);
	CHECK(s.len <= NAME_HOST_MAX);
	if (s.len > 0 && dns_host_is_reverse(s, &a)) {
		dns_name_reverse(&a, &again);
		CHECK(again.len > 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_fini) struct buf out = BUF(DNS_QUESTION_BYTES);
	struct slice message = slice_of(data, size);
	struct dns_question q, again;

	walk(message);
	if (dns_question_read(message, &q) != OK)
		return 0;
	CHECK(q.end <= message.len && q.udp_size >= DNS_UDP_MIN);
	name_is_text(&q.name);
	answer(message, &q);
	CHECK(dns_question_write(&q, &out) == OK);
	CHECK(dns_question_read(buf_slice(&out), &again) == OK);
	CHECK(again.id == q.id && again.type == q.type &&
	      again.dnssec_ok == q.dnssec_ok);
	return 0;
}
