/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror — copies of requests, sent elsewhere; see mirror.h.
 *
 *	request ──► copy: head, body, who gets it
 *		      `─ complete ─► a mirror each ─► upstream ─► thrown away
 *
 * The copy belongs to its request until that is complete, then to its mirrors.
 * What is not copied is told like what failed: a record for each mirror.
 */
#include "http/mirror.h"

#include "http/filter.h"

enum { MIRROR_MAGIC = 0x6d697272, COPY_ARENA_BYTES = 4 * LIMIT_HEAD_BYTES };

/* One request, for all of its mirrors. */
struct copy {
	uint32_t refs;
	struct worker *worker;
	struct snapshot *snapshot;
	const struct view_caller *from;
	struct listener *listener;           /* may have it */
	const struct view_mirror *const *to; /* by chance */
	size_t count;
	uint64_t time_us; /* for an answer */
	struct arena arena;
	struct http_head head;
	struct buf body;
	size_t held; /* of the worker's bytes */
	struct flow_record record;
	struct loop_later later;
};

/* One of them, under way. */
struct mirror {
	uint32_t magic;
	struct list link; /* of the worker */
	struct copy *copy;
	const struct view_mirror *to;
	struct host *host; /* counted */
	struct upstream_conn *up;
	size_t sent;
	struct timer end;
	struct flow_record record;
	uint64_t began_us;
};

static void
copy_unref(struct copy **cp)
{
	struct copy *c = *cp;

	*cp = NULL;
	if (--c->refs > 0)
		return;
	c->worker->mirror_bytes -= c->held;
	snapshot_unref(&c->snapshot);
	listener_unref(&c->listener);
	buf_fini(&c->body);
	arena_fini(&c->arena);
	mem_free(&c);
}

/* --- telling -------------------------------------------------------------- */

static struct flow_record
record_of(const struct copy *c, const struct view_mirror *to)
{
	struct flow_record f = c->record;
	const struct view_cluster *cluster = to->to.cluster;

	f.kind = FLOW_COPY;
	f.flag = FLOW_OK;
	f.status = 0;
	f.bytes_received = buf_len(&c->body);
	f.cluster = to->to.name;
	f.destination = (struct flow_party){.service = to->to.host};
	if (cluster != NULL) {
		f.destination.service = cluster->service->host;
		f.destination.service_name = cluster->service->name;
		f.destination.service_ns = cluster->service->ns;
	}
	flow_party_seal(&f.destination);
	return f;
}

static void
tell_lost(const struct copy *c, const struct view_mirror *to,
    enum flow_flag flag, struct slice why)
{
	struct flow_record f = record_of(c, to);

	f.flag = flag;
	f.detail = why;
	worker_report(c->worker, &f);
}

/* Of all its mirrors; the copy goes. */
static void
give_up(struct request *r, enum flow_flag flag, struct slice why)
{
	for (size_t i = 0; i < r->copy->count; i++)
		tell_lost(r->copy, r->copy->to[i], flag, why);
	copy_unref(&r->copy);
}

/* --- one mirror ----------------------------------------------------------- */

static struct mirror *
mirror_of(void *arg)
{
	struct mirror *m;

	OBJ(m, arg, MIRROR_MAGIC);
	return m;
}

static void
end(struct mirror *m, enum flow_flag flag, struct slice why)
{
	struct worker *w = m->copy->worker;

	upstream_cancel(&m->up);
	timer_clear(&m->end);
	m->record.flag = flag;
	m->record.detail = why;
	m->record.duration_us = loop_now_us(w->loop) - m->began_us;
	worker_report(w, &m->record);
	m->host->lb.active--;
	host_unref(w->hosts, &m->host);
	list_remove(&m->link);
	w->mirror_count--;
	copy_unref(&m->copy);
	m->magic = 0;
	mem_free(&m);
}

static void
on_time(void *arg)
{
	end(mirror_of(arg), FLOW_TIMEOUT, SLICE_NONE);
}

/* A failure is told by the connection's own end. */
static void
send_body(struct mirror *m)
{
	struct slice all = buf_slice(&m->copy->body);
	enum err e = OK;

	while (e == OK && m->sent < all.len) {
		struct slice piece =
		    slice_sub(all, m->sent, LIMIT_STREAM_BUFFER);

		m->sent += piece.len;
		e = upstream_send_body(m->up, piece);
	}
	if (m->sent == all.len && (e == OK || e == ERR_AGAIN))
		(void)!upstream_send_end(m->up, /* trailers */ NULL);
	(void)!upstream_flush(m->up);
}

static void
on_open(void *arg, struct upstream_conn *u)
{
	struct mirror *m = mirror_of(arg);
	enum err e =
	    upstream_send_head(u, &m->copy->head, buf_len(&m->copy->body) == 0);

	m->record.upstream_local = upstream_local(u);
	if (e == ERR_LIMIT)
		end(m, FLOW_OVERFLOW, S("the copy's head is too large"));
	else if (e == OK)
		send_body(m);
}

static void
on_drained(void *arg, struct upstream_conn *u)
{
	(void)u; /* the mirror's own */
	send_body(mirror_of(arg));
}

static void
on_head(void *arg, struct upstream_conn *u, struct http_head *h)
{
	struct mirror *m = mirror_of(arg);

	(void)u; /* the mirror's own */
	m->record.status = h->status;
	m->record.upstream_us =
	    loop_now_us(m->copy->worker->loop) - m->began_us;
}

static void
on_body(void *arg, struct upstream_conn *u, struct slice bytes)
{
	(void)u; /* the mirror's own */
	mirror_of(arg)->record.bytes_sent += bytes.len;
}

static void
on_trailers(void *arg, struct upstream_conn *u, struct http_head *h)
{
	(void)arg; /* nobody reads them */
	(void)u;
	(void)h;
}

/* An answer before the end of the request leaves a connection in between. */
static void
on_complete(void *arg, struct upstream_conn *u)
{
	struct mirror *m = mirror_of(arg);

	(void)u; /* the mirror's own */
	if (m->sent == buf_len(&m->copy->body))
		upstream_release(&m->up);
	end(m, FLOW_OK, SLICE_NONE);
}

static void
on_upgrade(void *arg, struct upstream_conn *u, struct slice rest)
{
	(void)u; /* the mirror's own */
	(void)rest;
	end(mirror_of(arg), FLOW_UPSTREAM_PROTOCOL,
	    S("the endpoint switched protocols unasked"));
}

static void
on_failed(void *arg, struct upstream_conn *u, enum err why, struct slice words)
{
	struct mirror *m = mirror_of(arg);
	bool open = upstream_is_open(u);

	(void)why; /* one is as good as the other */
	m->up = NULL;
	end(m, open ? FLOW_UPSTREAM_RESET : FLOW_CONNECT_FAILED, words);
}

static const struct upstream_events mirror_events = {
    .on_open = on_open,
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_complete = on_complete,
    .on_upgrade = on_upgrade,
    .on_drained = on_drained,
    .on_failed = on_failed,
};

/* --- beginning ------------------------------------------------------------ */

static struct mirror *
mirror_new(struct copy *c, const struct view_mirror *to,
    const struct view_endpoint *e, struct host *host)
{
	struct worker *w = c->worker;
	struct mirror *m = mem_new(sizeof(*m));

	m->magic = MIRROR_MAGIC;
	m->copy = c;
	c->refs++;
	m->to = to;
	m->host = host;
	m->began_us = loop_now_us(w->loop);
	m->record = record_of(c, to);
	m->record.upstream = e->addr;
	m->record.destination = *view_endpoint_party(e);
	timer_init(&m->end, w->loop, on_time, m);
	timer_set(&m->end, c->time_us);
	list_push_back(&w->mirrors, &m->link);
	w->mirror_count++;
	return m;
}

static void
send_to(struct copy *c, const struct view_mirror *to)
{
	struct worker *w = c->worker;
	struct upstream_ask ask = {.worker = w,
	    .way = {.from = c->from, .is_copy = true},
	    .events = &mirror_events};
	struct fault why = {0};
	struct bound *bound;
	struct host *host;
	struct mirror *m;

	if (to->to.cluster == NULL) {
		tell_lost(c, to, to->to.flag, to->to.missing);
		return;
	}
	if (w->mirror_count >= MIRRORS_MAX) {
		tell_lost(c, to, FLOW_OVERFLOW,
		    S("as many copies as there may be are under way"));
		return;
	}
	bound = snapshot_bind(c->snapshot, to->to.cluster);
	upstream_tell(&ask.way, bound->cluster, &c->record.downstream_remote,
	    &c->record.downstream_local);
	ask.way.to = bound_pick(bound, w, NULL, 0, &host);
	if (ask.way.to == NULL) {
		tell_lost(c, to, FLOW_NO_ENDPOINT, SLICE_NONE);
		return;
	}
	m = mirror_new(c, to, ask.way.to, host);
	ask.host = host;
	ask.longest_us = bound_longest_us(bound);
	ask.http2 = bound_speaks_http2(bound, &c->head);
	ask.arg = m;
	m->up = upstream_acquire(&ask, &why);
	if (m->up == NULL)
		end(m, FLOW_CONNECT_FAILED, slice_str(why.text));
	else if (upstream_is_open(m->up))
		on_open(m, m->up);
}

static void
on_later(void *arg)
{
	struct copy *c = arg;

	for (size_t i = 0; i < c->count; i++)
		send_to(c, c->to[i]);
	copy_unref(&c);
}

/* --- the copy ------------------------------------------------------------- */

static enum err
copy_head(struct copy *c, const struct request *r)
{
	enum err e = http_head_copy(r->head, &c->arena, &c->head);

	if (e != OK)
		return e;
	/* All of the body will be there, and its trailers are not copied. */
	c->head.expect_continue = false;
	c->head.connection = HTTP_CONN_DEFAULT;
	http_head_remove_id(&c->head, HTTP_EXPECT);
	http_head_remove_id(&c->head, HTTP_TRAILER);
	flow_record_copy(&r->record, &c->arena, &c->record);
	return OK;
}

/* Those of the rule's mirrors that chance is for. */
static bool
choose(struct copy *c, const struct view_http_route *route)
{
	const struct view_mirror **to =
	    arena_alloc_array(&c->arena, route->mirror_count, sizeof(*to));

	for (size_t i = 0; to != NULL && i < route->mirror_count; i++)
		if (rng_below(&c->worker->rng, VIEW_MILLION) <
		    route->mirrors[i].millionths)
			to[c->count++] = &route->mirrors[i];
	c->to = to;
	return c->count > 0;
}

static struct copy *
copy_new(struct request *r)
{
	const struct view_http_route *route = r->choice.route;
	struct copy *c = mem_new(sizeof(*c));

	c->refs = 1;
	c->worker = r->worker;
	c->snapshot = snapshot_ref(r->snapshot);
	c->from = r->way.caller;
	c->listener = listener_ref(r->client->listener);
	c->time_us = route->timeout_us > 0 ? route->timeout_us : MIRROR_TIME_US;
	arena_init(&c->arena, COPY_ARENA_BYTES);
	buf_init(&c->body, MIRROR_BODY_BYTES);
	loop_later_init(&c->later, on_later, c);
	if (!choose(c, route))
		copy_unref(&c);
	return c;
}

void
mirror_complete(struct request *r)
{
	struct copy *c = r->copy;

	if (c == NULL)
		return;
	r->copy = NULL;
	if (c->head.framing != HTTP_BODY_NONE)
		c->head.framing = HTTP_BODY_LENGTH;
	c->head.content_length = buf_len(&c->body);
	loop_later(c->worker->loop, &c->later);
}

/* The bytes are in the copy. Once all are that its head says it is complete:
 * the end of an HTTP/2 stream may come after the answer, and then never. */
static void
hold(struct request *r, size_t bytes)
{
	struct copy *c = r->copy;

	c->held += bytes;
	r->worker->mirror_bytes += bytes;
	if (c->head.framing == HTTP_BODY_LENGTH &&
	    buf_len(&c->body) == c->head.content_length)
		mirror_complete(r);
}

void
mirror_body(struct request *r, struct slice bytes)
{
	struct copy *c = r->copy;

	if (c == NULL || bytes.len == 0)
		return;
	if (r->worker->mirror_bytes + bytes.len > MIRRORS_BYTES)
		give_up(r, FLOW_OVERFLOW,
		    S("as many bytes as there may be are held for copies"));
	else if (buf_add_slice(&c->body, bytes) != OK)
		give_up(r, FLOW_OVERFLOW,
		    S("the body is larger than 1 MiB, which is not copied"));
	else
		hold(r, bytes.len);
}

/* Streams that become something else are not copied. */
static enum filter_verdict
mirror_request(struct request *r)
{
	if (r->choice.route->mirror_count == 0 || r->head->upgrade.len > 0)
		return FILTER_GO_ON;
	r->copy = copy_new(r);
	if (r->copy == NULL)
		return FILTER_GO_ON;
	if (copy_head(r->copy, r) != OK) {
		give_up(r, FLOW_OVERFLOW, S("the head is too large to copy"));
		return FILTER_GO_ON;
	}
	mirror_body(r, buf_slice(&r->held));
	if (r->complete)
		mirror_complete(r);
	return FILTER_GO_ON;
}

static void
mirror_end(struct request *r)
{
	if (r->copy != NULL)
		give_up(r, FLOW_DOWNSTREAM_CLOSED,
		    S("the request ended before all of its body came"));
}

const struct filter filter_mirror = {
    .name = "mirror", .on_request = mirror_request, .on_end = mirror_end};

void
mirrors_cut(struct worker *w)
{
	LIST_EACH (&w->mirrors, it)
		end(CONTAINER(it, struct mirror, link), FLOW_OVERFLOW,
		    S("the proxy stops"));
}
