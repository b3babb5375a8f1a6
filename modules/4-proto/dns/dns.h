/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns — messages of the domain name system (RFC 1035, 6891): read and written.
 *
 * Pure: bytes in, values out, and the other way round. A question is read
 * strictly, since it is answered; of what others answered only the frame is
 * read, since it is passed on as it came.
 */
#ifndef MESHD_DNS_H
#define MESHD_DNS_H

#include "base/base.h"

enum {
	DNS_HEAD_LEN = 12,
	DNS_LABEL_MAX = 63,
	DNS_NAME_MAX = 255,        /* as it is sent, the root's zero included */
	DNS_TEXT_MAX = 1024,       /* every byte may be written \DDD */
	DNS_UDP_MIN = 512,         /* what anybody takes without EDNS */
	DNS_UDP_OURS = 1232,       /* what we say that we take */
	DNS_MESSAGE_MAX = 65535,   /* over TCP */
	DNS_QUESTION_BYTES = 4096, /* nobody asks for longer */
	DNS_RECORDS_MAX = 4096     /* of one message that is looked through */
};

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_HINFO = 13,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
	DNS_SVCB = 64,
	DNS_HTTPS = 65,
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_ANY = 255
};

enum { DNS_IN = 1 }; /* the class */

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16 /* its upper bits are in OPT */
};

enum dns_flag {
	DNS_QR = 1 << 15,
	DNS_AA = 1 << 10,
	DNS_TC = 1 << 9,
	DNS_RD = 1 << 8,
	DNS_RA = 1 << 7,
	DNS_AD = 1 << 5,
	DNS_CD = 1 << 4,
	DNS_RCODE = 0xf
};

/* "AAAA", or "TYPE65280"; lies in `out`. */
enum { DNS_TYPE_TEXT_MAX = 16 };
const char *dns_type_name(uint16_t type, char out[DNS_TYPE_TEXT_MAX]);
/* The other way round, in any case; ERR_INVALID. */
MUST_USE enum err dns_type_parse(struct slice text, uint16_t *out);
/* "NXDOMAIN"; "RCODE11" is "other". */
const char *dns_rcode_name(unsigned rcode);

/* --- names ---------------------------------------------------------------- */

/* As it is sent, without compression, in the case that it came in. */
struct dns_name {
	uint8_t len;
	uint8_t bytes[DNS_NAME_MAX];
};

/* "reviews.default", a last dot is allowed; \DDD and \. as in zone files.
 * ERR_PARSE: no name; ERR_LIMIT: a label or the name is too long. */
MUST_USE enum err dns_name_parse(struct slice text, struct dns_name *out);

/* For people: \DDD for what is not printed; "." for the root. */
struct slice dns_name_text(const struct dns_name *n, char out[DNS_TEXT_MAX]);

/*
 * As hosts of the mesh are written: lower case, without a last dot.
 * SLICE_NONE if it is no such name: the root, or other bytes than letters,
 * digits, '-' and '_', and "*" as the first label.
 */
struct slice dns_name_host(
    const struct dns_name *n, char out[NAME_HOST_MAX + 1]);

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);

/* Of an address: "4.3.2.1.in-addr.arpa", and back. */
void dns_name_reverse(const struct addr *a, struct dns_name *out);
bool dns_host_is_reverse(struct slice host, struct addr *out);

/* --- questions ------------------------------------------------------------ */

struct dns_question {
	uint16_t id;
	uint16_t flags;
	struct dns_name name;
	uint16_t type;
	uint16_t class;
	size_t end; /* of the question, in the message */
	bool has_edns;
	bool has_options; /* in EDNS: they are for one asker */
	bool dnssec_ok;
	uint8_t edns_version;
	uint16_t udp_size; /* that the asker takes; DNS_UDP_MIN at least */
};

/*
 * ERR_PARSE: nothing that could be answered (no head, or an answer itself).
 * ERR_INVALID: FORMERR; ERR_UNSUPPORTED: NOTIMP; of both id and flags are
 * read. Else it is one question and perhaps EDNS, and nothing behind that.
 */
MUST_USE enum err dns_question_read(
    struct slice message, struct dns_question *out);

/* Writes one as it would be read; the size that it takes is ours. ERR_LIMIT. */
MUST_USE enum err dns_question_write(
    const struct dns_question *q, struct buf *out);

/* --- what others answered ------------------------------------------------- */

struct dns_record {
	unsigned section; /* enum dns_section */
	size_t name_at;   /* in the message */
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	size_t ttl_at;
	struct slice data;
	size_t data_at;
};

enum dns_section { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

struct dns_reader {
	struct slice message;
	size_t at;
	uint16_t left[DNS_SECTIONS];
	unsigned section;
	size_t seen;
};

/*
 * Head and questions of an answer. ERR_PARSE. `out_question` has what
 * dns_question_read() has, but for EDNS; with no question its name is empty.
 */
MUST_USE enum err dns_answer_read(struct slice message, struct dns_reader *out,
    struct dns_question *out_question);

/* OK; ERR_NOT_FOUND behind the last, at the end of the message; ERR_PARSE. */
MUST_USE enum err dns_record_next(struct dns_reader *r, struct dns_record *out);

/* The name that stands at `at`, pointers followed. ERR_PARSE. */
MUST_USE enum err dns_name_read(
    struct slice message, size_t at, struct dns_name *out, size_t *out_end);

/* "192.0.2.1", "0 0 80 db.shop", "\\# 3 616263" (RFC 3597). Of SOA its server
 * alone; what is long is cut. */
enum { DNS_RECORD_TEXT_MAX = 2 * DNS_TEXT_MAX };
struct slice dns_record_text(struct slice message, const struct dns_record *r,
    char out[DNS_RECORD_TEXT_MAX]);

/* --- answers -------------------------------------------------------------- */

enum { DNS_SUFFIXES_MAX = 48 };

struct dns_writer {
	char *out;
	size_t limit;
	size_t len;
	size_t reserved; /* for OPT */
	unsigned section;
	uint16_t counts[DNS_SECTIONS];
	uint16_t suffixes[DNS_SUFFIXES_MAX]; /* where names may be pointed to */
	size_t suffix_count;
	bool is_full; /* an answer did not fit: TC */
	bool with_edns;
	bool dnssec_ok;
};

/*
 * Begins to answer: head and question as they were asked (the name in its
 * case). `limit` is at least DNS_UDP_MIN, and as long as `out`.
 */
void dns_answer_begin(struct dns_writer *w, char *out, size_t limit,
    struct slice asked, const struct dns_question *q, unsigned flags);

/* Sections in their order. What does not fit is left out. */
void dns_put_addr(struct dns_writer *w, unsigned section,
    const struct dns_name *owner, uint32_t ttl, const struct addr *a);
/* CNAME, PTR. */
void dns_put_name(struct dns_writer *w, uint16_t type,
    const struct dns_name *owner, uint32_t ttl, const struct dns_name *to);
void dns_put_srv(struct dns_writer *w, const struct dns_name *owner,
    uint32_t ttl, uint16_t port, const struct dns_name *target);
/* RFC 8482: all that is said to ANY. */
void dns_put_hinfo(
    struct dns_writer *w, const struct dns_name *owner, uint32_t ttl);
/* Its minimum is `ttl` as well, which is how long an absence is believed. */
void dns_put_soa(struct dns_writer *w, unsigned section,
    const struct dns_name *zone, uint32_t ttl, uint32_t serial);

/* EDNS, counts and flags; the message lies in `out`. */
struct slice dns_answer_end(struct dns_writer *w, unsigned rcode);

/* An answer without records, to what could not be read: its id and flags. */
enum { DNS_REFUSAL_LEN = DNS_HEAD_LEN };
struct slice dns_refusal(
    const struct dns_question *q, unsigned rcode, char out[DNS_REFUSAL_LEN]);

#endif
