/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format — values of headers that each request makes anew.
 */
#include "http/format.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { TIME_MAX = 256, HOSTNAME_MAX = 256 };

/* What is being made, and of what. */
struct making {
	struct request *r;
	const struct http_head *answer; /* NULL: the request is changed */
	const struct view_format_part *part;
	bool full; /* the arena */
};

/* --- texts ---------------------------------------------------------------- */

static struct slice
keep(struct making *m, struct slice text)
{
	struct slice kept = SLICE_NONE;

	if (text.len > 0 && arena_copy(&m->r->arena, text, &kept) != OK)
		m->full = true;
	return kept;
}

static struct slice
number(struct making *m, uint64_t n)
{
	char text[SLICE_U64_MAX];

	return keep(m, slice_from_u64(n, text));
}

/* The first of that name, or of the other name. */
static struct slice
field(const struct making *m, const struct http_head *h)
{
	struct slice value = SLICE_NONE;

	if (h == NULL || http_head_get(h, m->part->argument, &value) ||
	    m->part->otherwise.len == 0)
		return value;
	(void)http_head_get(h, m->part->otherwise, &value); /* or none */
	return value;
}

/* --- addresses ------------------------------------------------------------ */

/* Which part of which address of the record an operator asks for. */
enum address_part { NO_ADDRESS, WHOLE, IP, PORT };

static const struct {
	enum address_part part;
	size_t offset;
} addresses[OPERATOR_COUNT] = {
#define OF(member) offsetof(struct flow_record, member)
    [OPERATOR_HOST] = {WHOLE, OF(upstream)},
    [OPERATOR_UP] = {WHOLE, OF(upstream)},
    [OPERATOR_UP_IP] = {IP, OF(upstream)},
    [OPERATOR_UP_PORT] = {PORT, OF(upstream)},
    [OPERATOR_UP_LOCAL] = {WHOLE, OF(upstream_local)},
    [OPERATOR_UP_LOCAL_IP] = {IP, OF(upstream_local)},
    [OPERATOR_UP_LOCAL_PORT] = {PORT, OF(upstream_local)},
    [OPERATOR_LOCAL] = {WHOLE, OF(downstream_local)},
    [OPERATOR_LOCAL_IP] = {IP, OF(downstream_local)},
    [OPERATOR_LOCAL_PORT] = {PORT, OF(downstream_local)},
    [OPERATOR_DIRECT] = {WHOLE, OF(downstream_remote)},
    [OPERATOR_DIRECT_IP] = {IP, OF(downstream_remote)},
    [OPERATOR_DIRECT_PORT] = {PORT, OF(downstream_remote)},
#undef OF
};

static struct slice
address(struct making *m, const struct addr *a, enum address_part part)
{
	char text[ADDR_TEXT_MAX];

	if (a->family == ADDR_NONE)
		return SLICE_NONE;
	if (part == PORT)
		return number(m, a->port);
	if (part == IP || a->port != 0)
		return keep(m, slice_str(part == IP ? addr_format_ip(a, text)
						    : addr_format(a, text)));
	addr_format_ip(a, text);
	return arena_printf(
	    &m->r->arena, a->family == ADDR_V6 ? "[%s]:0" : "%s:0", text);
}

static struct slice
known_address(struct making *m)
{
	enum operator_id id = m->part->id;
	const char *record = (const char *)&m->r->record;

	return address(m, (const void *)(record + addresses[id].offset),
	    addresses[id].part);
}

/*
 * Whoever stands before us is trusted to say for whom it calls, as Envoy does
 * in a sidecar: the last of X-Forwarded-For, of which no port is known.
 */
static struct addr
client(const struct request *r)
{
	struct slice list = http_head_join(r->head, S("x-forwarded-for"));
	size_t comma = slice_rfind(list, ',');
	struct addr a;

	if (comma < list.len)
		list = slice_sub(list, comma + 1, list.len);
	return addr_parse_ip(slice_trim(list), &a) == OK
		   ? a
		   : r->record.downstream_remote;
}

static struct slice
client_part(struct making *m, enum address_part part)
{
	struct addr a = client(m->r);

	return address(m, &a, part);
}

/* --- time ----------------------------------------------------------------- */

/* One letter of strftime(3); what has no meaning here is left out. */
static size_t
put_letter(char letter, const struct tm *tm, char *out, size_t room)
{
	switch (letter) {
#define LETTER(c, format)                                                      \
	case c:                                                                \
		return strftime(out, room, format, tm)
		LETTER('a', "%a");
		LETTER('A', "%A");
		LETTER('b', "%b");
		LETTER('B', "%B");
		LETTER('C', "%C");
		LETTER('d', "%d");
		LETTER('e', "%e");
		LETTER('F', "%F");
		LETTER('H', "%H");
		LETTER('I', "%I");
		LETTER('j', "%j");
		LETTER('m', "%m");
		LETTER('M', "%M");
		LETTER('p', "%p");
		LETTER('R', "%R");
		LETTER('S', "%S");
		LETTER('T', "%T");
		LETTER('u', "%u");
		LETTER('w', "%w");
		LETTER('Y', "%Y");
		LETTER('z', "%z");
		LETTER('Z', "%Z");
		LETTER('%', "%%");
#undef LETTER
	default:
		return 0;
	}
}

/* So many digits of the second's fraction. */
static size_t
put_fraction(int64_t wall_ms, unsigned digits, char *out, size_t room)
{
	char text[16];

	(void)snprintf(
	    text, sizeof(text), "%03u000000", (unsigned)(wall_ms % 1000));
	if (digits > 9 || digits >= room)
		return 0;
	memcpy(out, text, digits);
	return digits;
}

/* What stands behind a "%" at `at`, which it moves along. */
static size_t
put_directive(
    struct slice format, size_t *at, int64_t wall_ms, char *out, size_t room)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	char c = format.ptr[(*at)++];
	struct tm tm;

	if (c >= '1' && c <= '9' && *at < format.len &&
	    format.ptr[*at] == 'f') {
		(*at)++;
		return put_fraction(wall_ms, (unsigned)(c - '0'), out, room);
	}
	if (c == 'f')
		return put_fraction(wall_ms, 9, out, room);
	if (c == 's') {
		int n = snprintf(out, room, "%lld", (long long)seconds);

		return n > 0 && (size_t)n < room ? (size_t)n : 0;
	}
	return gmtime_r(&seconds, &tm) != NULL ? put_letter(c, &tm, out, room)
					       : 0;
}

static struct slice
start_time(struct making *m)
{
	struct slice format = m->part->argument;
	int64_t wall_ms = m->r->record.start_wall_ms;
	char out[TIME_MAX];
	size_t n = 0, at = 0;

	if (format.len == 0) {
		clock_format_rfc3339(wall_ms, out);
		return keep(m, slice_str(out));
	}
	while (at < format.len && n < sizeof(out)) {
		char c = format.ptr[at++];

		if (c != '%' || at == format.len)
			out[n++] = c;
		else
			n += put_directive(
			    format, &at, wall_ms, out + n, sizeof(out) - n);
	}
	return keep(m, slice_of(out, n));
}

/* --- the others ----------------------------------------------------------- */

static struct slice
parameter(const struct making *m)
{
	struct slice value;

	return view_query_parameter(m->r->head->path, m->part->argument, &value)
		   ? value
		   : SLICE_NONE;
}

static struct slice
hostname(struct making *m)
{
	char text[HOSTNAME_MAX] = "";

	if (gethostname(text, sizeof(text) - 1) != 0)
		return SLICE_NONE;
	return keep(m, slice_str(text));
}

static struct slice
details(const struct making *m)
{
	const struct request *r = m->r;

	if (m->answer == NULL)
		return SLICE_NONE;
	if (r->record.flag != FLOW_OK)
		return slice_str(flow_flag_token(r->record.flag));
	return r->answered ? S("via_upstream") : S("direct_response");
}

static struct slice
letters(struct making *m)
{
	char text[FLOW_LETTERS_MAX];

	return keep(m, slice_str(flow_letters(&m->r->record, text)));
}

static struct slice
request_id(const struct making *m)
{
	struct slice value;

	return http_head_get_id(m->r->head, HTTP_X_REQUEST_ID, &value)
		   ? value
		   : SLICE_NONE;
}

static struct slice
made(struct making *m)
{
	struct request *r = m->r;
	const struct flow_record *f = &r->record;

	if (addresses[m->part->id].part != NO_ADDRESS)
		return known_address(m);
	switch (m->part->id) {
	case OPERATOR_REQ:
		return field(m, r->head);
	case OPERATOR_RESP:
		return field(m, m->answer);
	case OPERATOR_QUERY_PARAM:
		return parameter(m);
	case OPERATOR_PROTOCOL:
		return f->version;
	case OPERATOR_START_TIME:
		return start_time(m);
	case OPERATOR_DURATION:
		return number(
		    m, (loop_now_us(r->worker->loop) - r->began_us) / 1000);
	case OPERATOR_CODE:
		return number(m, m->answer != NULL ? m->answer->status : 0);
	case OPERATOR_CODE_DETAILS:
		return details(m);
	case OPERATOR_FLAGS:
		return letters(m);
	case OPERATOR_RECEIVED:
		return number(m, f->bytes_received);
	case OPERATOR_SENT:
		return number(m, f->bytes_sent);
	case OPERATOR_ROUTE:
		return f->route;
	case OPERATOR_HOSTNAME:
		return hostname(m);
	case OPERATOR_CONNECTION:
		return number(m, r->client->ops->id(r->client));
	case OPERATOR_STREAM:
		return request_id(m);
	case OPERATOR_CLUSTER:
	case OPERATOR_CLUSTER_RAW:
		return f->cluster;
	case OPERATOR_ATTEMPTS:
		return number(m, MAX(r->attempts, 1));
	case OPERATOR_REMOTE:
		return client_part(m, WHOLE);
	case OPERATOR_REMOTE_IP:
		return client_part(m, IP);
	case OPERATOR_REMOTE_PORT:
		return client_part(m, PORT);
	default: /* trailers come when the head is gone; SNI: with TLS */
		return SLICE_NONE;
	}
}

enum err
format_make(const struct view_format *f, struct request *r,
    const struct http_head *h, struct slice *out)
{
	struct making m = {.r = r, .answer = h == r->head ? NULL : h};
	struct slice *texts =
	    arena_alloc_array(&r->arena, 2 * f->count, sizeof(*texts));
	struct slice all;

	if (texts == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < f->count; i++) {
		m.part = &f->parts[i];
		texts[2 * i] = m.part->text;
		texts[2 * i + 1] = made(&m);
	}
	all = arena_join(&r->arena, texts, 2 * f->count);
	if (m.full || all.ptr == NULL)
		return ERR_LIMIT;
	*out = slice_trim(all);
	return OK;
}
