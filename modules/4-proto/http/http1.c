/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1 — llhttp's states turned into a head, body slices and an end.
 *
 *	idle --first byte--> head --checked--> body --last byte--> done
 *	  ^                    `----- no body -------------------->' |
 *	  `------------------------- next ---------------------------'
 *
 * llhttp reads bytes; what they mean together is decided in h1_check.c. Text
 * of a head that came in one piece stays where it was read and is not copied.
 * Where the feed ends inside a head, what was read so far moves to the arena.
 * llhttp starts afresh for each message, so nothing of one reaches the next.
 */
#include <llhttp.h>

#include "h1_message.h"

enum {
	MESSAGE_ARENA_MAX = 256 << 10, /* head, trailers, what owners add */
	CHUNK_EXT_MAX = 16 << 10,      /* bytes of extensions, a message */
	INTERIM_MAX = 32               /* 1xx before one response */
};

struct http1_parser {
	llhttp_t ll;
	const struct http1_events *events;
	void *arg;
	struct arena arena;
	struct h1_message *m;  /* NULL between messages */
	struct slice method;   /* of the request that a response answers */
	const char *run_start; /* of the bytes that llhttp reads now */
	uint64_t body_max;
	uint32_t head_max;
	uint16_t fields_max;
	uint8_t side;
	uint8_t framing; /* as it came: the owner may change the head's */
	uint8_t flaw;
	uint8_t interims;
	uint8_t lead;       /* bytes of an empty line before the message */
	char last;          /* byte of the feed before */
	bool behind_colon;  /* in the line that the feed before ended in */
	bool headed;        /* on_head was called */
	bool paused;        /* llhttp must be resumed */
	bool pause_asked;   /* by a callback that runs now */
	bool complete_owed; /* paused behind a head without a body */
	bool interim_over;  /* this feed goes on with another head */
	bool done;
	bool keep_alive;
};

static struct http1_parser *
parser_of(llhttp_t *ll)
{
	return CONTAINER(ll, struct http1_parser, ll);
}

/* For `return refuse(p, …)` in a callback: llhttp stops. */
static int
refuse(struct http1_parser *p, enum http1_flaw flaw)
{
	if (p->flaw == HTTP1_OK)
		p->flaw = (uint8_t)flaw;
	return -1;
}

/* What a callback tells llhttp after the owner was called. */
static int
verdict(struct http1_parser *p)
{
	bool pause = p->pause_asked;

	if (p->flaw != HTTP1_OK)
		return -1;
	p->pause_asked = false;
	return pause ? HPE_PAUSED : HPE_OK;
}

/* --- text that may come in pieces --- */

static bool
add_part(struct h1_message *m, struct slice s)
{
	return buf_add_slice(&m->part, s) == OK;
}

static int
on_span(llhttp_t *ll, const char *at, size_t len)
{
	struct http1_parser *p = parser_of(ll);
	struct h1_message *m = p->m;

	if (m->head.bytes + m->trailers.bytes + m->target.len + m->span.len +
		buf_len(&m->part) + len >
	    p->head_max)
		return refuse(p, HTTP1_HEAD_TOO_LARGE);
	if (buf_len(&m->part) > 0)
		return add_part(m, slice_of(at, len))
			   ? 0
			   : refuse(p, HTTP1_HEAD_TOO_LARGE);
	if (m->span.len > 0 && m->span.ptr + m->span.len != at) {
		if (!add_part(m, m->span) || !add_part(m, slice_of(at, len)))
			return refuse(p, HTTP1_HEAD_TOO_LARGE);
		m->span = SLICE_NONE;
		return 0;
	}
	if (m->span.len == 0)
		m->span.ptr = at;
	m->span.len += len;
	return 0;
}

/* Right behind the method and one space (RFC 9112 §3): llhttp forgives more. */
static int
on_target_span(llhttp_t *ll, const char *at, size_t len)
{
	struct http1_parser *p = parser_of(ll);
	struct h1_message *m = p->m;
	uint64_t before = m->head_bytes + (uint64_t)(at - p->run_start);

	if (m->span.len == 0 && buf_len(&m->part) == 0 &&
	    before != strlen(llhttp_method_name(ll->method)) + 1)
		return refuse(p, HTTP1_BAD_START);
	return on_span(ll, at, len);
}

/* The whole text; *out_lent if it lies in the bytes of this feed. */
static bool
take_span(struct http1_parser *p, struct slice *out, bool *out_lent)
{
	struct h1_message *m = p->m;

	*out_lent = buf_len(&m->part) == 0;
	*out = m->span;
	m->span = SLICE_NONE;
	if (*out_lent)
		return true;
	if (arena_copy(&p->arena, buf_slice(&m->part), out) != OK)
		return false;
	buf_reset(&m->part);
	return true;
}

/* The bytes of this feed go away: keep what the head has of them. */
static bool
keep_lent(struct http1_parser *p)
{
	struct h1_message *m = p->m;

	if (m->span.len > 0 && !add_part(m, m->span))
		return false;
	m->span = SLICE_NONE;
	if (m->name_lent && arena_copy(&p->arena, m->name, &m->name) != OK)
		return false;
	if (m->target_lent &&
	    arena_copy(&p->arena, m->target, &m->target) != OK)
		return false;
	if (m->host_lent && arena_copy(&p->arena, m->host, &m->host) != OK)
		return false;
	m->name_lent = m->target_lent = m->host_lent = false;
	return http_head_keep(&m->head) == OK &&
	       http_head_keep(&m->trailers) == OK;
}

/* --- start line and fields --- */

static int
on_target_complete(llhttp_t *ll)
{
	struct http1_parser *p = parser_of(ll);

	return take_span(p, &p->m->target, &p->m->target_lent)
		   ? 0
		   : refuse(p, HTTP1_NO_MEMORY);
}

static int
on_reason_complete(llhttp_t *ll)
{
	struct http1_parser *p = parser_of(ll);
	bool lent;

	if (!take_span(p, &p->m->head.reason, &lent))
		return refuse(p, HTTP1_NO_MEMORY);
	if (lent)
		p->m->head.lent |= HEAD_REASON;
	return 0;
}

static int
on_name_complete(llhttp_t *ll)
{
	struct http1_parser *p = parser_of(ll);

	return take_span(p, &p->m->name, &p->m->name_lent)
		   ? 0
		   : refuse(p, HTTP1_NO_MEMORY);
}

/* Both texts of a field have one flag. */
static bool
level(struct http1_parser *p, struct slice *value, bool *lent)
{
	struct h1_message *m = p->m;

	if (m->name_lent == *lent)
		return true;
	*lent = false;
	if (m->name_lent)
		return arena_copy(&p->arena, m->name, &m->name) == OK;
	return arena_copy(&p->arena, *value, value) == OK;
}

static int
add_host(struct h1_message *m, struct slice value, bool lent)
{
	m->hosts = m->hosts == 0 ? 1 : 2;
	m->host = value;
	m->host_lent = lent;
	return 0;
}

static int
on_value_complete(llhttp_t *ll)
{
	struct http1_parser *p = parser_of(ll);
	struct h1_message *m = p->m;
	struct http_head *h = p->headed ? &m->trailers : &m->head;
	enum http_field_id id = http_field_id(m->name);
	struct slice value;
	bool lent;

	if (!take_span(p, &value, &lent) || !level(p, &value, &lent))
		return refuse(p, HTTP1_NO_MEMORY);
	m->name_lent = false; /* the field has the name now */
	if (++m->fields > p->fields_max)
		return refuse(p, HTTP1_TOO_MANY_FIELDS);
	value = slice_trim(value);
	if (p->headed && !h1_is_trailer_allowed(id))
		return refuse(p, HTTP1_BAD_TRAILER);
	if (id == HTTP_HOST && p->side == HTTP1_REQUESTS)
		return add_host(m, value, lent);
	if (http_head_add_raw(h, id, m->name, value, lent) != OK)
		return refuse(p, HTTP1_HEAD_TOO_LARGE);
	return 0;
}

/* --- head, body, end --- */

static void
complete(struct http1_parser *p)
{
	p->done = true;
	p->complete_owed = false;
	if (p->events->on_complete != NULL)
		p->events->on_complete(p->arg);
}

static bool
has_body(const struct http_head *h)
{
	return h->framing == HTTP_BODY_CHUNKED ||
	       h->framing == HTTP_BODY_CLOSE ||
	       (h->framing == HTTP_BODY_LENGTH && h->content_length > 0);
}

/* What the rest of the message depends on, before an owner sees its head. */
static void
note_head(struct http1_parser *p, const struct http_head *h)
{
	p->headed = true;
	p->framing = h->framing;
	p->keep_alive = h->keep_alive && h->framing != HTTP_BODY_CLOSE &&
			h->framing != HTTP_BODY_TUNNEL;
	p->m->head_fields = p->m->fields;
}

static int
interim(struct http1_parser *p)
{
	if (++p->interims > INTERIM_MAX)
		return refuse(p, HTTP1_BAD_STATUS);
	if (p->events->on_interim != NULL)
		p->events->on_interim(p->arg, &p->m->head);
	p->interim_over = true;
	return p->flaw == HTTP1_OK ? HPE_PAUSED : -1;
}

static enum http1_flaw
check_head(struct http1_parser *p)
{
	struct h1_message *m = p->m;
	struct http_head *h = &m->head;

	if (p->ll.http_major != 1 || p->ll.http_minor > 1)
		return HTTP1_BAD_VERSION;
	h->version = p->ll.http_minor == 0 ? HTTP_V1_0 : HTTP_V1_1;
	if (p->side == HTTP1_RESPONSES) {
		h->status = p->ll.status_code;
		return h1_check_response(m, p->method);
	}
	h->method = slice_str(llhttp_method_name(p->ll.method));
	return h1_check_request(m);
}

/*
 * A message without a body ends here, whatever llhttp would make of it: the
 * pause keeps it from looking at the bytes behind.
 */
static int
on_head_complete(llhttp_t *ll)
{
	struct http1_parser *p = parser_of(ll);
	struct http_head *h = &p->m->head;
	enum http1_flaw flaw = check_head(p);
	bool body;

	if (flaw != HTTP1_OK)
		return refuse(p, flaw);
	if (h->status >= 100 && h->status < 200 && h->status != 101)
		return interim(p);
	if (p->body_max > 0 && h->framing == HTTP_BODY_LENGTH &&
	    h->content_length > p->body_max)
		return refuse(p, HTTP1_BODY_TOO_LARGE);
	note_head(p, h);
	body = has_body(h);
	if (p->events->on_head != NULL)
		p->events->on_head(p->arg, h);
	if (body)
		return verdict(p);
	p->complete_owed = true;
	if (verdict(p) == HPE_OK)
		complete(p);
	return p->flaw == HTTP1_OK ? HPE_PAUSED : -1;
}

static int
on_body(llhttp_t *ll, const char *at, size_t len)
{
	struct http1_parser *p = parser_of(ll);

	p->m->body_bytes += len;
	if (p->body_max > 0 && p->m->body_bytes > p->body_max)
		return refuse(p, HTTP1_BODY_TOO_LARGE);
	if (p->events->on_body != NULL && len > 0)
		p->events->on_body(p->arg, slice_of(at, len));
	return verdict(p);
}

static int
on_extension(llhttp_t *ll, const char *at, size_t len)
{
	struct http1_parser *p = parser_of(ll);

	(void)at; /* extensions are dropped (RFC 9112 §7.1.1) */
	p->m->ext_bytes += (uint32_t)MIN(len, (size_t)CHUNK_EXT_MAX + 1);
	if (p->m->ext_bytes > CHUNK_EXT_MAX)
		return refuse(p, HTTP1_BAD_CHUNK);
	return 0;
}

static int
on_message_complete(llhttp_t *ll)
{
	struct http1_parser *p = parser_of(ll);

	if (p->m->trailers.count > 0 && p->events->on_trailers != NULL)
		p->events->on_trailers(p->arg, &p->m->trailers);
	if (p->flaw != HTTP1_OK)
		return -1;
	p->pause_asked = false; /* it stops here anyway */
	complete(p);
	return p->flaw == HTTP1_OK ? HPE_PAUSED : -1;
}

static const llhttp_settings_t settings = {
    .on_url = on_target_span,
    .on_status = on_span,
    .on_header_field = on_span,
    .on_header_value = on_span,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_headers_complete = on_head_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
    .on_url_complete = on_target_complete,
    .on_status_complete = on_reason_complete,
    .on_header_field_complete = on_name_complete,
    .on_header_value_complete = on_value_complete,
};

/* --- feeding --- */

static bool
begin(struct http1_parser *p)
{
	p->m = arena_alloc(&p->arena, sizeof(*p->m));
	if (p->m == NULL)
		return false;
	http_head_init(&p->m->head, &p->arena);
	http_head_init(&p->m->trailers, &p->arena);
	buf_init(&p->m->part, LIMIT_HEAD_BYTES);
	llhttp_init(&p->ll,
	    p->side == HTTP1_REQUESTS ? HTTP_REQUEST : HTTP_RESPONSE,
	    &settings);
	return true;
}

/* One empty line before a request is forgiven (RFC 9112 §2.2). */
static enum http1_flaw
skip_lead(struct http1_parser *p, struct slice *bytes)
{
	static const char crlf[] = {'\r', '\n'};

	while (bytes->len > 0 &&
	       (bytes->ptr[0] == '\r' || bytes->ptr[0] == '\n')) {
		if (p->lead >= sizeof(crlf) || bytes->ptr[0] != crlf[p->lead])
			return HTTP1_BAD_START;
		p->lead++;
		*bytes = slice_sub(*bytes, 1, bytes->len);
	}
	if (bytes->len > 0 && p->lead == 1)
		return HTTP1_BAD_START;
	return HTTP1_OK;
}

static void
clear(struct http1_parser *p)
{
	if (p->m != NULL)
		buf_fini(&p->m->part);
	p->m = NULL;
	arena_reset(&p->arena);
	p->headed = p->paused = p->pause_asked = p->complete_owed = false;
	p->interim_over = p->done = false;
	p->behind_colon = false;
	p->lead = 0;
}

static enum err
dead(struct http1_parser *p, enum http1_flaw flaw)
{
	if (p->flaw == HTTP1_OK)
		p->flaw = (uint8_t)flaw;
	return ERR_PARSE;
}

/* llhttp stopped between `read` and `rest`. */
static enum err
refused(struct http1_parser *p, llhttp_errno_t e, struct slice read,
    struct slice rest)
{
	struct h1_place place = {.read = read,
	    .rest = rest,
	    .last = p->last,
	    .behind_colon = p->behind_colon,
	    .in_body = p->headed,
	    .head = &p->m->head};

	return dead(p, h1_flaw_of((int)e, &place));
}

/* All bytes were read; the head, if it is not complete, must be kept. */
static enum err
need_more(struct http1_parser *p, struct slice read)
{
	if (read.len == 0 || (p->headed && p->framing != HTTP_BODY_CHUNKED))
		return OK;
	if (p->headed && p->m->fields == p->m->head_fields &&
	    p->m->span.len == 0 && !p->m->name_lent)
		return OK; /* in the body, not in the trailers */
	p->behind_colon = h1_is_behind_colon(p->behind_colon, read);
	p->last = read.ptr[read.len - 1];
	if (!p->headed)
		p->m->head_bytes += read.len;
	if (p->m->head_bytes > p->head_max)
		return dead(p, HTTP1_HEAD_TOO_LARGE);
	return keep_lent(p) ? OK : dead(p, HTTP1_NO_MEMORY);
}

/* One run of llhttp over the bytes; takes what was read off them. */
static enum err
run(struct http1_parser *p, struct slice *bytes)
{
	const char *end = bytes->ptr + bytes->len;
	llhttp_errno_t e;
	const char *at;
	struct slice read;

	if (p->paused)
		llhttp_resume(&p->ll);
	p->paused = false;
	p->run_start = bytes->ptr;
	e = llhttp_execute(&p->ll, bytes->ptr, bytes->len);
	if (p->flaw != HTTP1_OK)
		return ERR_PARSE;
	if (e == HPE_OK) {
		read = *bytes;
		*bytes = slice_of(end, 0);
		return need_more(p, read);
	}
	at = llhttp_get_error_pos(&p->ll);
	read = slice_of(bytes->ptr, (size_t)(at - bytes->ptr));
	*bytes = slice_of(at, (size_t)(end - at));
	if (e != HPE_PAUSED)
		return refused(p, e, read, *bytes);
	p->paused = true;
	if (p->done)
		return ERR_EOF;
	return ERR_AGAIN;
}

static enum err
feed(struct http1_parser *p, struct slice *bytes)
{
	enum err e = ERR_AGAIN;

	if (p->complete_owed) {
		complete(p);
		return p->flaw == HTTP1_OK ? ERR_EOF : ERR_PARSE;
	}
	if (bytes->len == 0 && !p->paused)
		return OK;
	do {
		if (p->interim_over)
			clear(p);
		if (p->m == NULL) {
			enum http1_flaw flaw = skip_lead(p, bytes);

			if (flaw != HTTP1_OK)
				return dead(p, flaw);
			if (bytes->len == 0)
				return OK;
			if (!begin(p))
				return dead(p, HTTP1_NO_MEMORY);
		}
		e = run(p, bytes);
	} while (e == ERR_AGAIN && p->interim_over && !p->pause_asked);
	if (p->interim_over)
		p->pause_asked = false;
	return e;
}

enum err
http1_parser_feed(struct http1_parser *p, struct slice bytes, size_t *out_used)
{
	struct slice rest = bytes.len > 0 ? bytes : S("");
	enum err e;

	*out_used = 0;
	if (p->flaw != HTTP1_OK)
		return ERR_PARSE;
	if (p->done)
		return ERR_EOF;
	e = feed(p, &rest);
	*out_used = bytes.len - rest.len;
	return e;
}

enum err
http1_parser_finish(struct http1_parser *p)
{
	if (p->flaw != HTTP1_OK)
		return ERR_PARSE;
	if (p->complete_owed ||
	    (p->headed && !p->done && p->framing == HTTP_BODY_CLOSE))
		complete(p);
	if (p->done)
		return ERR_EOF;
	if (p->m == NULL && p->lead == 0)
		return OK;
	return dead(p, HTTP1_CUT_SHORT);
}

/* --- the owner's side --- */

struct http1_parser *
http1_parser_new(
    enum http1_side side, const struct http1_events *events, void *arg)
{
	struct http1_parser *p = mem_new(sizeof(*p));

	p->side = (uint8_t)side;
	p->events = events;
	p->arg = arg;
	p->method = S("GET");
	p->head_max = LIMIT_HEAD_BYTES;
	p->fields_max = LIMIT_HEAD_FIELDS;
	arena_init(&p->arena, MESSAGE_ARENA_MAX);
	return p;
}

void
http1_parser_free(struct http1_parser **pp)
{
	if (*pp == NULL)
		return;
	clear(*pp);
	arena_fini(&(*pp)->arena);
	mem_free(pp);
}

void
http1_parser_next(struct http1_parser *p)
{
	clear(p);
	p->interims = 0;
	p->method = S("GET");
}

void
http1_parser_expect(struct http1_parser *p, struct slice method)
{
	CHECK(p->side == HTTP1_RESPONSES);
	p->method = S("GET"); /* stands for all that say nothing of bodies */
	if (slice_eq(method, S("HEAD")))
		p->method = S("HEAD");
	else if (slice_eq(method, S("CONNECT")))
		p->method = S("CONNECT");
}

void
http1_parser_limit_body(struct http1_parser *p, uint64_t bytes)
{
	p->body_max = bytes;
}

void
http1_parser_pause(struct http1_parser *p)
{
	p->pause_asked = true;
}

void
http1_parser_abort(struct http1_parser *p)
{
	(void)refuse(p, HTTP1_ABORTED); /* its result is for llhttp */
}

enum http1_flaw
http1_parser_flaw(const struct http1_parser *p)
{
	return (enum http1_flaw)p->flaw;
}

struct http_head *
http1_parser_head(struct http1_parser *p)
{
	return p->headed ? &p->m->head : NULL;
}

bool
http1_parser_is_idle(const struct http1_parser *p)
{
	return p->m == NULL;
}

bool
http1_parser_keep_alive(const struct http1_parser *p)
{
	return p->keep_alive;
}
