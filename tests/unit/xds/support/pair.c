/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair — a server's stream and a client with a wire between that a test holds.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pair.h"

/* --- the wire ------------------------------------------------------------- */

static void
wire_put(struct pair_wire *w, struct buf *b)
{
	struct slice s = buf_slice(b);

	CHECK(w->tail - w->head < PAIR_WIRE_MAX);
	w->items[w->tail++ % PAIR_WIRE_MAX] =
	    (struct pair_message){mem_strndup(s.ptr, s.len), s.len};
}

static bool
wire_take(struct pair_wire *w, struct pair_message *out)
{
	if (w->head == w->tail)
		return false;
	*out = w->items[w->head++ % PAIR_WIRE_MAX];
	return true;
}

static void
wire_reset(struct pair_wire *w)
{
	struct pair_message m;

	while (wire_take(w, &m))
		mem_free(&m.bytes);
}

/* --- callbacks ------------------------------------------------------------ */

static bool
concerns(void *arg, const struct xds_resource *r)
{
	const struct pair *p = arg;
	char last = r->name.ptr[r->name.len - 1];

	return last < '0' || last > '9' || (p->interests >> (last - '0') & 1);
}

/* "made of " its name, of what is put with an empty body. */
static enum err
make_body(void *arg, const struct xds_resource *r, struct buf *out)
{
	struct pair *p = arg;

	p->bodies_made++;
	return buf_printf(out, "made of %.*s", SLICE_ARG(r->name));
}

static void
on_flushed(void *arg)
{
	struct pair *p = arg;

	p->flushes++;
}

static void
server_send(void *arg, const struct codec_delta_response *m)
{
	AUTO(buf_fini) struct buf b = BUF(LIMIT_GRPC_MESSAGE);
	struct pair *p = arg;

	CHECK(codec_delta_response_encode(m, &b) == OK);
	p->responses++;
	wire_put(&p->down, &b);
}

static void
on_status(void *arg, const struct xds_status *s)
{
	struct pair *p = arg;

	p->last_stamp = s->stamp;
	snprintf(p->last, sizeof(p->last), "%.*s@%.*s %s%s%.*s",
	    SLICE_ARG(s->name), SLICE_ARG(s->version), xds_state_name(s->state),
	    s->reason.len > 0 ? ": " : "", SLICE_ARG(s->reason));
}

static void
on_answered(void *arg)
{
	struct pair *p = arg;

	p->answers++;
}

static enum err
on_names(void *arg, struct slice type_url, struct fault *why)
{
	struct pair *p = arg;

	(void)type_url;
	(void)why;
	p->names_changed++;
	if (p->on_names != NULL)
		p->on_names(p);
	return OK;
}

static const struct xds_server_ops server_ops = {.concerns = concerns,
    .on_names = on_names,
    .send = server_send,
    .on_status = on_status,
    .on_answered = on_answered,
    .on_flushed = on_flushed};

static void
client_send(void *arg, const struct codec_delta_request *m)
{
	AUTO(buf_fini) struct buf b = BUF(LIMIT_GRPC_MESSAGE);
	struct pair *p = arg;

	CHECK(codec_delta_request_encode(m, &b) == OK);
	p->requests++;
	wire_put(&p->up, &b);
}

static void
on_update(void *arg, struct xds_update *u)
{
	struct pair *p = arg;

	CHECK(p->open_count < PAIR_OPEN_MAX);
	p->open[p->open_count++] = u;
	if (!p->hold)
		pair_settle(p);
}

static const struct xds_client_ops client_ops = {client_send, on_update};

void
pair_settle(struct pair *p)
{
	struct xds_update *u = p->open[0];

	CHECK(p->open_count > 0);
	for (size_t i = 0; i < u->resource_count; i++)
		if (slice_starts(u->resources[i].body, S("bad")))
			xds_update_refuse(u, i, u->resources[i].body);
	p->open_count--;
	for (size_t i = 0; i < p->open_count; i++)
		p->open[i] = p->open[i + 1];
	xds_update_settle(&u);
}

/* --- life ----------------------------------------------------------------- */

void
pair_init(struct pair *p)
{
	struct xds_source *source = xds_source_new(make_body, p);

	xds_source_add_type(source, S(PAIR_TYPE), XDS_TOLD_ALL);
	xds_source_add_type(source, S(PAIR_OTHER), XDS_TOLD_ALL);
	xds_source_add_type(source, S(PAIR_TOLD), XDS_TOLD_BY_OWNER);
	pair_init_over(p, source);
}

void
pair_init_over(struct pair *p, struct xds_source *source)
{
	*p = (struct pair){.interests = ~UINT64_C(0), .source = source};
	p->client = xds_client_new(&client_ops, p, S("vm1"), S("mesh"));
}

static void
restore(void *arg, const struct xds_resource *r)
{
	CHECK(xds_client_restore(arg, r) == OK);
}

void
pair_restart_client(struct pair *p)
{
	struct xds_client *before = p->client;

	pair_disconnect(p);
	p->client = xds_client_new(&client_ops, p, S("vm1"), S("mesh"));
	xds_client_each(before, restore, p->client);
	xds_client_free(&before);
	while (p->open_count > 0) /* nobody hears of these any more */
		pair_settle(p);
}

void
pair_fini(struct pair *p)
{
	pair_disconnect(p);
	while (p->open_count > 0)
		pair_settle(p);
	xds_client_free(&p->client);
	xds_source_free(&p->source);
}

void
pair_connect(struct pair *p)
{
	p->stream = xds_server_stream_new(p->source, &server_ops, p);
	xds_client_connected(p->client);
}

void
pair_disconnect(struct pair *p)
{
	if (p->stream == NULL)
		return;
	xds_server_stream_free(&p->stream);
	xds_client_disconnected(p->client);
	wire_reset(&p->up);
	wire_reset(&p->down);
}

bool
pair_up(struct pair *p)
{
	AUTO(arena_fini) struct arena a;
	struct codec_delta_request m;
	struct pair_message bytes;
	struct fault why;

	arena_init(&a, 2 * LIMIT_GRPC_MESSAGE);
	if (!wire_take(&p->up, &bytes))
		return false;
	CHECK(codec_delta_request_decode(
		  slice_of(bytes.bytes, bytes.len), &a, &m) == OK);
	CHECK(xds_server_stream_request(p->stream, &m, &why) == OK);
	mem_free(&bytes.bytes);
	return true;
}

bool
pair_down(struct pair *p)
{
	AUTO(arena_fini) struct arena a;
	struct codec_delta_response m;
	struct pair_message bytes;

	arena_init(&a, 2 * LIMIT_GRPC_MESSAGE);
	if (!wire_take(&p->down, &bytes))
		return false;
	CHECK(codec_delta_response_decode(
		  slice_of(bytes.bytes, bytes.len), &a, &m) == OK);
	CHECK(xds_client_response(p->client, &m) == OK);
	mem_free(&bytes.bytes);
	return true;
}

void
pair_run(struct pair *p)
{
	bool moved = true;

	while (moved) {
		xds_source_flush(p->source);
		moved = pair_up(p);
		moved = pair_down(p) || moved;
		while (p->open_count > 0) {
			pair_settle(p);
			moved = true;
		}
	}
}

/* --- content -------------------------------------------------------------- */

void
pair_put(
    struct pair *p, const char *name, const char *version, const char *body)
{
	struct xds_resource r = {.type_url = S(PAIR_TYPE),
	    .name = slice_str(name),
	    .version = slice_str(version),
	    .body = slice_str(body)};

	CHECK(xds_source_put(p->source, &r) == OK);
}

void
pair_remove(struct pair *p, const char *name)
{
	xds_source_remove(p->source, S(PAIR_TYPE), slice_str(name));
}

struct lines {
	char text[64][96];
	size_t count;
};

static void
add_line(struct lines *l, struct slice name, struct slice version,
    const char *gap, struct slice rest)
{
	CHECK(l->count < ARRAY_LEN(l->text));
	snprintf(l->text[l->count++], sizeof(l->text[0]), "%.*s@%.*s%s%.*s ",
	    SLICE_ARG(name), SLICE_ARG(version), gap, SLICE_ARG(rest));
}

static void
add_resource(void *arg, const struct xds_resource *r)
{
	add_line(arg, r->name, r->version, "=", r->body);
}

static void
add_refused(void *arg, const struct xds_status *s)
{
	add_line(arg, s->name, s->version, ": ", s->reason);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static const char *
join(struct lines *l, char out[PAIR_TEXT_MAX])
{
	size_t len = 0;

	qsort(l->text, l->count, sizeof(l->text[0]), compare);
	out[0] = 0;
	for (size_t i = 0; i < l->count; i++)
		len += (size_t)snprintf(
		    out + len, PAIR_TEXT_MAX - len, "%s", l->text[i]);
	return out;
}

const char *
pair_set(const struct pair *p)
{
	static char text[PAIR_TEXT_MAX];
	struct lines l = {.count = 0};

	xds_client_each(p->client, add_resource, &l);
	return join(&l, text);
}

const char *
pair_refused(const struct pair *p)
{
	static char text[PAIR_TEXT_MAX];
	struct lines l = {.count = 0};

	xds_client_each_refused(p->client, add_refused, &l);
	return join(&l, text);
}

const char *
pair_source_set(const struct pair *p)
{
	static char text[PAIR_TEXT_MAX];
	struct lines l = {.count = 0};
	char name[16];

	for (int i = 0; i < 10; i++) {
		struct xds_resource r;

		snprintf(name, sizeof(name), "n%d", i);
		if (xds_source_get(
			p->source, S(PAIR_TYPE), slice_str(name), &r) &&
		    (p->interests >> i & 1))
			add_resource(&l, &r);
	}
	return join(&l, text);
}
