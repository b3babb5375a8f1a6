/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2 — one end of an HTTP/2 connection over a blocking socket; see h2.h.
 */
#include "h2.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>

enum { BODY_MAX = 256 << 20, FIELDS_MAX = 256 };

static struct h2 *
h2_of(void *arg)
{
	return arg;
}

static struct h2_stream *
stream_of(struct h2 *h, int32_t id)
{
	for (size_t i = h->count; i > 0; i--)
		if (h->streams[i - 1]->id == id)
			return h->streams[i - 1];
	return NULL;
}

static struct h2_stream *
stream_new(struct h2 *h, int32_t id)
{
	struct h2_stream *s = mem_new(sizeof(*s));

	CHECK(h->count < H2_STREAMS);
	h->streams[h->count++] = s;
	s->id = id;
	buf_init(&s->body, BODY_MAX);
	buf_init(&s->text, 2 * WIRE_HEAD_MAX);
	buf_init(&s->out, BODY_MAX);
	return s;
}

static void
stream_free(struct h2_stream **sp)
{
	struct h2_stream *s = *sp;

	mem_free(&s->head);
	mem_free(&s->early);
	mem_free(&s->trailers);
	mem_free(&s->out_trailers);
	buf_fini(&s->body);
	buf_fini(&s->text);
	buf_fini(&s->out);
	mem_free(sp);
}

/* --- heads as text ---------------------------------------------------------
 */

static void
add(struct buf *b, struct slice s)
{
	CHECK(buf_add_slice(b, s) == OK);
}

/* Pseudo fields come first, so that the start line is what they make. */
static int
on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
    void *arg)
{
	struct h2_stream *s = stream_of(h2_of(arg), f->hd.stream_id);
	struct slice n = slice_of(name, name_len);
	struct slice v = slice_of(value, value_len);

	(void)ng;
	(void)flags;
	if (slice_eq(n, S(":status"))) {
		uint64_t status;

		CHECK(slice_to_u64(v, &status) == OK);
		s->status = (int)status;
		add(&s->text, S("HTTP/2 "));
		add(&s->text, v);
		add(&s->text, S("\r\n"));
		return 0;
	}
	add(&s->text, n);
	add(&s->text, S(": "));
	add(&s->text, v);
	add(&s->text, S("\r\n"));
	return 0;
}

/* A line of a head; false: there is none. */
static bool
next_line(struct slice *text, struct slice *out)
{
	*out = slice_split(text, '\n');
	if (slice_ends(*out, S("\r")))
		out->len--;
	return out->len > 0;
}

static bool
part(struct slice text, const char *name, struct slice *out)
{
	struct slice line;

	while (next_line(&text, &line)) {
		if (!slice_starts(line, slice_str(name)))
			continue;
		*out = slice_trim(
		    slice_sub(line, strlen(name), line.len - strlen(name)));
		return true;
	}
	return false;
}

/* ":method: GET…" becomes "GET / HTTP/2\r\nhost: web\r\n…". */
static char *
request_text(struct slice text)
{
	AUTO(buf_fini) struct buf out = BUF(4 * WIRE_HEAD_MAX);
	struct slice method = S(""), path = S(""), host = S(""), line;

	(void)part(text, ":method:", &method);
	(void)part(text, ":path:", &path);
	CHECK(buf_printf(&out, "%.*s %.*s HTTP/2\r\n", SLICE_ARG(method),
		  SLICE_ARG(path)) == OK);
	if (part(text, ":authority:", &host))
		CHECK(
		    buf_printf(&out, "host: %.*s\r\n", SLICE_ARG(host)) == OK);
	while (next_line(&text, &line))
		if (line.ptr[0] != ':')
			CHECK(buf_printf(&out, "%.*s\r\n", SLICE_ARG(line)) ==
			      OK);
	add(&out, S("\r\n"));
	return mem_strndup(buf_slice(&out).ptr, buf_len(&out));
}

static void
keep_text(struct h2 *h, struct h2_stream *s)
{
	bool server = nghttp2_session_check_server_session(h->session) != 0;
	struct slice text = buf_slice(&s->text);
	char **to = &s->head;

	if (s->head != NULL)
		to = &s->trailers;
	else if (!server && s->status < 200)
		to = &s->early;
	s->earlies += to == &s->early;
	mem_free(to);
	if (server && to == &s->head) {
		*to = request_text(text);
	} else {
		if (to != &s->trailers)
			add(&s->text, S("\r\n"));
		text = buf_slice(&s->text);
		*to = mem_strndup(text.ptr, text.len);
	}
	buf_reset(&s->text);
}

/* Fields but those that HTTP/1.1 frames its messages with. */
static bool
is_sent(struct slice name)
{
	return !slice_eq_nocase(name, S("host")) &&
	       !slice_eq_nocase(name, S("transfer-encoding")) &&
	       !slice_eq_nocase(name, S("connection"));
}

static nghttp2_nv
pair(struct slice name, struct slice value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr,
	    (uint8_t *)(uintptr_t)value.ptr, name.len, value.len,
	    NGHTTP2_NV_FLAG_NONE};
}

/* nghttp2 writes names in lower case, and copies. */
static size_t
add_fields(struct slice text, nghttp2_nv *nv, size_t n, struct slice *out_host)
{
	struct slice line;

	while (next_line(&text, &line)) {
		size_t colon = slice_find(line, ':');
		struct slice name = slice_sub(line, 0, colon);
		struct slice value =
		    slice_trim(slice_sub(line, colon + 1, line.len));

		CHECK(n < FIELDS_MAX);
		if (slice_eq_nocase(name, S("host")))
			*out_host = value;
		if (is_sent(name))
			nv[n++] = pair(name, value);
	}
	return n;
}

/* --- what comes ------------------------------------------------------------
 */

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = h2_of(arg);

	(void)ng;
	if (stream_of(h, f->hd.stream_id) == NULL)
		(void)stream_new(h, f->hd.stream_id);
	return 0;
}

static int
on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id,
    const uint8_t *data, size_t len, void *arg)
{
	struct h2 *h = h2_of(arg);
	struct h2_stream *s = stream_of(h, id);

	(void)flags;
	add(&s->body, slice_of(data, len));
	if (h->how.hold)
		s->owed += len;
	else
		CHECK(nghttp2_session_consume(ng, id, len) == 0);
	return 0;
}

static int
on_frame(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = h2_of(arg);
	struct h2_stream *s = stream_of(h, f->hd.stream_id);

	(void)ng;
	if (f->hd.type == NGHTTP2_HEADERS)
		keep_text(h, s);
	if ((f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) &&
	    (f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		s->ended = true;
	if (f->hd.type == NGHTTP2_RST_STREAM && s != NULL) {
		s->reset = true;
		s->code = f->rst_stream.error_code;
	}
	if (f->hd.type == NGHTTP2_GOAWAY) {
		h->goaway = true;
		h->goaway_last = f->goaway.last_stream_id;
		h->goaway_code = f->goaway.error_code;
	}
	if (f->hd.type == NGHTTP2_PING && (f->hd.flags & NGHTTP2_FLAG_ACK))
		h->ponged = true;
	return 0;
}

static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct h2_stream *s = stream_of(h2_of(arg), id);

	(void)ng;
	(void)code; /* the frame's is the one that counts */
	if (s != NULL)
		s->closed = true;
	return 0;
}

/* --- what goes -------------------------------------------------------------
 */

static void
submit_trailers(struct h2 *h, struct h2_stream *s)
{
	nghttp2_nv nv[FIELDS_MAX];
	struct slice host;
	size_t n = add_fields(slice_str(s->out_trailers), nv, 0, &host);

	CHECK(nghttp2_submit_trailer(h->session, s->id, nv, n) == 0);
}

static ssize_t
on_read(nghttp2_session *ng, int32_t id, uint8_t *to, size_t cap,
    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2 *h = h2_of(arg);
	struct h2_stream *s = stream_of(h, id);
	struct slice now = slice_sub(buf_slice(&s->out), 0, cap);

	(void)ng;
	(void)source;
	if (now.len == 0 && !s->out_end)
		return NGHTTP2_ERR_DEFERRED;
	if (now.len > 0)
		memcpy(to, now.ptr, now.len);
	buf_consume(&s->out, now.len);
	if (buf_len(&s->out) > 0 || !s->out_end)
		return (ssize_t)now.len;
	*flags = NGHTTP2_DATA_FLAG_EOF;
	if (s->out_trailers != NULL) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		submit_trailers(h, s);
	}
	return (ssize_t)now.len;
}

static void
flush(struct h2 *h)
{
	const uint8_t *bytes;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(h->session, &bytes)) > 0)
		if (!wire_send(h->wire, slice_of(bytes, (size_t)n)))
			h->over = true;
	CHECK(n == 0);
}

bool
h2_turn(struct h2 *h)
{
	struct slice bytes;
	ssize_t n;

	flush(h);
	if (h->over || !wire_some(h->wire, &bytes)) {
		h->over = true;
		return false;
	}
	n = nghttp2_session_mem_recv(
	    h->session, (const uint8_t *)bytes.ptr, bytes.len);
	if (n < 0)
		h->over = true; /* no HTTP/2 */
	else
		flush(h);
	return !h->over;
}

/* RFC 9113 §8.5: of a CONNECT there is a method and an authority. */
static size_t
request_parts(struct slice line, nghttp2_nv *nv)
{
	struct slice method = slice_split(&line, ' ');
	struct slice path = slice_split(&line, ' ');
	size_t n = 2; /* behind :authority */

	nv[1] = pair(S(":method"), method);
	if (slice_eq(method, S("CONNECT")))
		return n;
	nv[n++] = pair(S(":path"), path);
	nv[n++] = pair(S(":scheme"), S("http"));
	return n;
}

struct h2_stream *
h2_request(struct h2 *h, const char *head, bool end)
{
	nghttp2_data_provider body = {.read_callback = on_read};
	struct slice text = slice_str(head), line, host = S("web");
	nghttp2_nv nv[FIELDS_MAX];
	struct h2_stream *s;
	size_t n;
	int32_t id;

	CHECK(next_line(&text, &line));
	n = add_fields(text, nv, request_parts(line, nv), &host);
	nv[0] = pair(S(":authority"), host);
	id = nghttp2_submit_request(
	    h->session, NULL, nv, n, end ? NULL : &body, NULL);
	CHECK(id > 0);
	s = stream_new(h, id);
	flush(h);
	return s;
}

struct h2_stream *
h2_next(struct h2 *h)
{
	if (!H2_UNTIL(
		h, h->taken < h->count && h->streams[h->taken]->head != NULL))
		return NULL;
	return h->streams[h->taken++];
}

void
h2_respond(struct h2 *h, struct h2_stream *s, const char *head, bool end)
{
	nghttp2_data_provider body = {.read_callback = on_read};
	struct slice text = slice_str(head), line, host;
	nghttp2_nv nv[FIELDS_MAX];
	size_t n = 1;

	CHECK(next_line(&text, &line));
	(void)slice_split(&line, ' '); /* the version */
	nv[0] = pair(S(":status"), slice_split(&line, ' '));
	n = add_fields(text, nv, n, &host);
	if (((const char *)nv[0].value)[0] == '1')
		CHECK(nghttp2_submit_headers(h->session, NGHTTP2_FLAG_NONE,
			  s->id, NULL, nv, n, NULL) == 0);
	else
		CHECK(nghttp2_submit_response(
			  h->session, s->id, nv, n, end ? NULL : &body) == 0);
	flush(h);
}

static void
go_on(struct h2 *h, struct h2_stream *s)
{
	/* It fails where nothing was waiting, or the stream is over. */
	(void)nghttp2_session_resume_data(h->session, s->id);
	flush(h);
}

void
h2_data(struct h2 *h, struct h2_stream *s, struct slice bytes, bool end)
{
	add(&s->out, bytes);
	s->out_end = end;
	go_on(h, s);
}

bool
h2_sent(struct h2 *h, struct h2_stream *s)
{
	return H2_UNTIL(h, buf_len(&s->out) == 0 || s->closed) &&
	       buf_len(&s->out) == 0;
}

void
h2_trailers(struct h2 *h, struct h2_stream *s, const char *fields)
{
	s->out_trailers = mem_strndup(fields, strlen(fields));
	s->out_end = true;
	go_on(h, s);
}

void
h2_answer(struct h2 *h, struct h2_stream *s, const char *body)
{
	char head[128];

	(void)snprintf(head, sizeof(head),
	    "HTTP/2 200\r\ncontent-length: %zu\r\n\r\n", strlen(body));
	h2_respond(h, s, head, /* end */ false);
	h2_data(h, s, slice_str(body), /* end */ true);
}

bool
h2_whole(struct h2 *h, struct h2_stream *s)
{
	return H2_UNTIL(h, s->ended || s->closed) && s->ended;
}

void
h2_reset(struct h2 *h, struct h2_stream *s, uint32_t code)
{
	CHECK(nghttp2_submit_rst_stream(
		  h->session, NGHTTP2_FLAG_NONE, s->id, code) == 0);
	flush(h);
}

void
h2_goaway(struct h2 *h, int32_t last, uint32_t code)
{
	CHECK(nghttp2_submit_goaway(
		  h->session, NGHTTP2_FLAG_NONE, last, code, NULL, 0) == 0);
	flush(h);
}

void
h2_credit_stream(struct h2 *h, struct h2_stream *s)
{
	h->how.hold = false;
	/* It fails for one that is over. */
	(void)nghttp2_session_consume(h->session, s->id, s->owed);
	s->owed = 0;
	flush(h);
}

void
h2_credit(struct h2 *h)
{
	for (size_t i = 0; i < h->count; i++)
		h2_credit_stream(h, h->streams[i]);
}

bool
h2_ping(struct h2 *h)
{
	h->ponged = false;
	CHECK(nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL) == 0);
	return H2_UNTIL(h, h->ponged);
}

/* --- life ------------------------------------------------------------------
 */

static void
begin(struct h2 *h, struct wire *w, struct h2_how how, bool server)
{
	nghttp2_settings_entry e[] = {
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, how.streams}};
	nghttp2_session_callbacks *cb;
	nghttp2_option *o;

	memset(h, 0, sizeof(*h));
	h->wire = w;
	h->how = how;
	CHECK(nghttp2_session_callbacks_new(&cb) == 0);
	nghttp2_session_callbacks_set_on_begin_headers_callback(
	    cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
	    cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(
	    cb, on_stream_close);
	CHECK(nghttp2_option_new(&o) == 0);
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_max_send_header_block_length(o, 1 << 20);
	CHECK(
	    (server ? nghttp2_session_server_new2
		    : nghttp2_session_client_new2)(&h->session, cb, h, o) == 0);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(o);
	CHECK(nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, e,
		  how.streams > 0 ? 1 : 0) == 0);
	flush(h);
}

void
h2_client(struct h2 *h, struct wire *w, struct h2_how how)
{
	begin(h, w, how, /* server */ false);
}

void
h2_server(struct h2 *h, struct wire *w, struct h2_how how)
{
	begin(h, w, how, /* server */ true);
}

void
h2_fini(struct h2 *h)
{
	for (size_t i = 0; i < h->count; i++)
		stream_free(&h->streams[i]);
	nghttp2_session_del(h->session);
	h->session = NULL;
	h->count = 0;
}

struct h2 *
h2_serve(struct wire *w)
{
	struct h2 *h = mem_new(sizeof(*h));

	h2_server(h, w, (struct h2_how){0});
	return h;
}

void
h2_leave(struct h2 **hp)
{
	h2_fini(*hp);
	mem_free(hp);
}
