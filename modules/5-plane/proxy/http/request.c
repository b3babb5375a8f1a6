/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request — one request from its head to the end of its response.
 *
 * This file is the client's side: what it sends, what it is sent, and how it
 * ends. attempt.c is the service's side.
 */
#include "http/request.h"

#include "http/attempt.h"
#include "http/by_rule.h"
#include "http/filter.h"
#include "http/mirror.h"
#include "http/respond.h"
#include "http/web.h"
#include "pipe/piped.h"

enum { REQUEST_MAGIC = 0x72657175 };

static const struct sm_row request_rows[] = {
    [REQUEST_FILTERING] = {"filtering",
	TO(REQUEST_TRYING) | TO(REQUEST_ANSWERING) | TO(REQUEST_DONE)},
    [REQUEST_TRYING] = {"trying", TO(REQUEST_ANSWERING) | TO(REQUEST_DONE)},
    [REQUEST_ANSWERING] = {"answering", TO(REQUEST_DONE)},
    [REQUEST_DONE] = {"done", 0},
};

static struct request *
request_of(void *arg)
{
	struct request *r;

	OBJ(r, arg, REQUEST_MAGIC);
	return r;
}

/* --- beginning --------------------------------------------------------------
 */

static struct slice
field(const struct http_head *h, enum http_field_id id)
{
	struct slice s;

	return http_head_get_id(h, id, &s) ? s : SLICE_NONE;
}

static struct slice
version_of(const struct http_head *h)
{
	if (h->version == HTTP_V2)
		return S("HTTP/2");
	return h->version == HTTP_V1_0 ? S("HTTP/1.0") : S("HTTP/1.1");
}

static bool
head_field(const void *head, struct slice name, struct slice *out)
{
	return http_head_get(head, name, out);
}

/* Text stays in the head, which stays the parser's until the end. */
static void
fill_record(struct request *r)
{
	const struct http_head *h = r->head;
	struct flow_record *f = &r->record;

	f->kind = FLOW_HTTP;
	f->reporter = FLOW_SOURCE;
	f->protocol = S("http");
	f->version = version_of(h);
	f->method = h->method;
	f->path = h->path;
	f->authority = h->authority;
	f->user_agent = field(h, HTTP_USER_AGENT);
	if (http_head_has(h, HTTP_X_FORWARDED_FOR))
		f->forwarded_for = http_head_join(h, S("x-forwarded-for"));
	f->heads = (struct flow_heads){.request = h, .field = head_field};
	f->connection = r->client->ops->id(r->client);
	f->at_us[FLOW_BEGAN] = r->began_us;
	f->start_wall_ms = clock_wall_ms(loop_clock(r->worker->loop));
	f->downstream_remote = r->client->peer;
	f->downstream_local = r->client->local;
	if (listener_is_inbound(r->client->listener))
		listener_name_inbound(r->client->listener, f);
}

void
request_speaks_grpc(struct request *r)
{
	r->grpc = true;
	r->record.protocol = S("grpc");
	if (grpc_timeout_parse(
		field(r->head, HTTP_GRPC_TIMEOUT), &r->grpc_time_us) != OK)
		r->grpc_time_us = 0; /* as if it said nothing */
}

static void
on_delay_end(void *arg)
{
	struct request *r = request_of(arg);

	r->moved_us = loop_now_us(r->worker->loop);
	request_continue(r);
}

static void
on_pause_end(void *arg)
{
	request_try(request_of(arg));
}

static void
on_try_timeout(void *arg)
{
	attempt_on_timeout(request_of(arg));
}

/* The answer never began: 504. It began: all that is left is to break it. */
static void
give_up_waiting(struct request *r, unsigned status, enum flow_flag flag)
{
	if (!r->started) {
		request_answer(r, status, flag, SLICE_NONE);
		return;
	}
	r->record.flag = flag;
	r->client->ops->cut(r->client, ERR_RESET);
}

static void
on_route_timeout(void *arg)
{
	give_up_waiting(request_of(arg), 504, FLOW_TIMEOUT);
}

static void
on_idle(void *arg)
{
	struct request *r = request_of(arg);
	uint64_t still = loop_now_us(r->worker->loop) - r->moved_us;
	uint64_t most = r->worker->proxy->limits.stream_idle_us;

	if (still < most) {
		timer_set(&r->idle, most - still);
		return;
	}
	give_up_waiting(r, r->complete ? 504 : 408, FLOW_STREAM_IDLE);
}

static void
init_timers(struct request *r)
{
	struct loop *l = r->worker->loop;

	timer_init(&r->delay, l, on_delay_end, r);
	timer_init(&r->pause, l, on_pause_end, r);
	timer_init(&r->try_end, l, on_try_timeout, r);
	timer_init(&r->route_end, l, on_route_timeout, r);
	timer_init(&r->idle, l, on_idle, r);
	timer_set(&r->idle, r->worker->proxy->limits.stream_idle_us);
}

/* No view yet means that no listener could have been there to come in by. What
 * the record has of it is its own. */
static void
hold_view(struct request *r)
{
	CHECK(r->worker->now != NULL);
	r->snapshot = snapshot_ref(r->worker->now);
	listener_way_of_request(r->client->listener, r->snapshot->view,
	    &r->client->local, &r->client->peer, &r->way);
	if (r->way.caller != NULL)
		r->record.source = r->way.caller->party;
	else
		r->record.source = (struct flow_party){0};
}

void
request_renew_view(struct request *r)
{
	snapshot_unref(&r->snapshot);
	hold_view(r);
}

/* --- filters ---------------------------------------------------------------
 */

bool
request_has_body(const struct request *r)
{
	return r->complete || buf_len(&r->held) >= LIMIT_STREAM_BUFFER;
}

/* What is collected has to come first: we say 100, and the service need not. */
static void
ask_for_body(struct request *r)
{
	struct http_head h;

	if (!r->head->expect_continue)
		return;
	r->head->expect_continue = false;
	http_head_remove_id(r->head, HTTP_EXPECT);
	http_head_init(&h, &r->arena);
	h.status = 100;
	r->client->ops->interim(r->client, &h);
}

/* The client is read no further, or just as far as the filter wants. */
static void
keep_waiting(struct request *r, enum filter_verdict v)
{
	r->wait = v;
	if (v == FILTER_WAIT) {
		r->client->ops->pause(r->client, STREAM_PAUSE_FILTER);
		return;
	}
	CHECK(!request_has_body(r));
	r->next_filter--; /* the same once more */
	r->client->ops->resume(r->client, STREAM_PAUSE_FILTER);
	ask_for_body(r);
}

uint64_t
request_time_us(const struct request *r)
{
	const struct view_http_route *route = r->choice.route;
	uint64_t asked = r->grpc_time_us, most = route->grpc_timeout_us;

	if (!r->grpc)
		return route->timeout_us;
	return most > 0 && (asked == 0 || asked > most) ? most : asked;
}

static void
start_route_timeout(struct request *r)
{
	const struct view_http_route *route = r->choice.route;

	uint64_t us = 0;

	if (route != NULL && route->answer == NULL)
		us = request_time_us(r);
	if (us == 0)
		return;
	timer_set(&r->route_end, us);
	r->route_end_us = loop_now_us(r->worker->loop) + us;
}

/* `waited`: the end of the request may have come before there was a route. */
static void
run_filters(struct request *r, bool waited)
{
	while (r->next_filter < filter_count) {
		const struct filter *f = filters[r->next_filter++];
		enum filter_verdict v =
		    f->on_request == NULL ? FILTER_GO_ON : f->on_request(r);

		if (v == FILTER_ANSWERED)
			return;
		if (v != FILTER_GO_ON) {
			keep_waiting(r, v);
			return;
		}
	}
	r->record.request_id = field(r->head, HTTP_X_REQUEST_ID);
	sm_go(&r->state, REQUEST_TRYING);
	if (waited && r->complete)
		start_route_timeout(r);
	request_try(r);
}

static void
continue_request(struct request *r)
{
	r->wait = FILTER_GO_ON;
	r->client->ops->resume(r->client, STREAM_PAUSE_FILTER);
	run_filters(r, /* waited */ true);
}

void
request_continue(struct request *r)
{
	if (sm_is(&r->state, REQUEST_FILTERING))
		continue_request(r);
	else
		respond_continue(r);
}

void
request_begin(struct client *c, struct http_head *h, bool complete)
{
	struct request *r = hot_new(sizeof(*r));
	enum err e;

	r->magic = REQUEST_MAGIC;
	r->client = c;
	r->worker = c->worker;
	r->head = h;
	r->replayable = true;
	r->began_us = r->moved_us = loop_now_us(c->worker->loop);
	sm_init(&r->state, "request", c->worker->next_id++, request_rows,
	    ARRAY_LEN(request_rows), REQUEST_FILTERING, NULL, NULL);
	arena_init(&r->arena, REQUEST_ARENA_BYTES);
	buf_init(&r->held, REQUEST_HELD_BYTES);
	buf_init(&r->response_held, REQUEST_HELD_BYTES);
	init_timers(r);
	c->request = r;
	hold_view(r);
	e = http_head_keep(h);
	r->path = h->path;
	fill_record(r);
	if (grpc_is_request(h))
		request_speaks_grpc(r);
	r->complete = complete;
	if (complete)
		request_note(r, FLOW_CAME);
	if (e == OK)
		run_filters(r, /* waited */ false);
	else
		request_answer(r, 431, FLOW_DOWNSTREAM_PROTOCOL, SLICE_NONE);
}

/* --- the client's bytes ------------------------------------------------------
 */

/* Kept for another try as long as it fits; else there is only this one. */
static void
hold(struct request *r, struct slice bytes)
{
	if (!r->replayable)
		return;
	if (buf_add_slice(&r->held, bytes) == OK &&
	    (!r->sent || buf_len(&r->held) <= LIMIT_STREAM_BUFFER))
		return;
	/* Not sent: one high mark and one read, for which there is room. */
	CHECK(r->sent);
	r->replayable = false;
	buf_fini(&r->held);
}

/* As the service is to have it. */
static void
take_body(struct request *r, struct slice bytes)
{
	mirror_body(r, bytes);
	hold(r, bytes);
	if (r->sent)
		attempt_send_body(r, bytes);
	else if (r->wait != FILTER_COLLECT || request_has_body(r))
		r->client->ops->pause(r->client, STREAM_PAUSE_NOT_READY);
	if (r->wait == FILTER_COLLECT && request_has_body(r))
		continue_request(r);
}

void
request_on_body(struct request *r, struct slice bytes)
{
	r->moved_us = loop_now_us(r->worker->loop);
	r->record.bytes_received += bytes.len;
	if (sm_is(&r->state, REQUEST_DONE))
		return;
	if (r->web.reads_text)
		web_from_client(r, bytes, take_body);
	else
		take_body(r, bytes);
}

void
request_on_complete(struct request *r)
{
	if (grpc_web_is_inside(&r->web.text)) {
		web_is_torn(r);
		return;
	}
	r->complete = true;
	request_note(r, FLOW_CAME);
	if (r->wait == FILTER_COLLECT) {
		continue_request(r);
		return;
	}
	if (!sm_is(&r->state, REQUEST_FILTERING))
		start_route_timeout(r);
	mirror_complete(r);
	if (r->sent)
		attempt_send_end(r);
}

void
request_on_batch_end(struct request *r)
{
	attempt_flush(r);
}

void
request_on_flaw(struct request *r, unsigned status, struct slice words)
{
	if (r->started) {
		r->record.flag = FLOW_DOWNSTREAM_PROTOCOL;
		r->client->ops->cut(r->client, ERR_PROTOCOL);
		return;
	}
	request_answer(r, status, FLOW_DOWNSTREAM_PROTOCOL, words);
}

void
request_on_trailers(struct request *r, struct http_head *t)
{
	/* They may be sent later than now, or twice. */
	if (http_head_keep(t) == OK)
		r->trailers = t;
	else
		request_on_flaw(r, 431, S("the trailers are too large"));
}

/* A half-closed client may still wait for its answer. */
void
request_on_client_end(struct request *r)
{
	r->client->last = true;
	if (!r->complete)
		request_on_flaw(
		    r, 400, S("the client ended inside its request"));
}

void
request_on_client_drained(struct request *r)
{
	if (r->up != NULL)
		upstream_resume(r->up, STREAM_PAUSE_PEER_FULL);
	by_rule_go_on(r);
}

void
request_on_client_gone(struct request *r, enum err why)
{
	(void)why; /* whatever it was, the client is gone */
	if (r->record.flag == FLOW_OK)
		r->record.flag = FLOW_DOWNSTREAM_CLOSED;
	request_finish(r);
}

/* --- the client's answer --- */

/* The service waits for a client that is slow. */
static void
mind_client(struct request *r, enum err e)
{
	if (e == ERR_AGAIN && r->up != NULL)
		upstream_pause(r->up, STREAM_PAUSE_PEER_FULL);
}

void
request_flush_client(struct request *r)
{
	mind_client(r, r->client->ops->flush(r->client));
}

static void
send_body(struct request *r, struct slice bytes)
{
	mind_client(r, r->client->ops->body(r->client, bytes));
}

void
request_to_client(struct request *r, struct slice bytes)
{
	r->started = true;
	if (bytes.len == 0)
		return;
	if (r->web.writes_text)
		web_to_client(r, bytes, send_body);
	else
		send_body(r, bytes);
}

/* --- the end --- */

/* A call that was told no outcome has the one that the status stands for, as
 * its client makes of it. */
static void
conclude(struct request *r)
{
	struct flow_record *f = &r->record;

	if (!r->grpc || f->has_grpc || f->status == 0)
		return;
	f->has_grpc = true;
	f->grpc = (uint8_t)grpc_status_from_http(f->status);
}

/* Kept by the request, as who brought it may be gone at the end. */
static const void *
keep_for_log(struct request *r, const struct http_head *h)
{
	struct http_head *kept;

	if (!proxy_keeps_answers(r->worker->proxy))
		return NULL;
	kept = arena_alloc(&r->arena, sizeof(*kept));
	return kept != NULL && http_head_copy(h, &r->arena, kept) == OK ? kept
									: NULL;
}

void
request_note_answer(struct request *r, const struct http_head *h)
{
	request_note(r, FLOW_ANSWER_SENT);
	r->record.heads.answer = keep_for_log(r, h);
}

void
request_note_trailers(struct request *r, const struct http_head *t)
{
	r->record.heads.trailers = keep_for_log(r, t);
}

static void
report(struct request *r)
{
	struct flow_record *f = &r->record;

	/* An endpoint's is; without one only the service is known. */
	if (f->destination.key == 0 && f->destination.service.len > 0)
		flow_party_seal(&f->destination);
	conclude(r);
	request_note(r, FLOW_ENDED);
	f->duration_us = loop_now_us(r->worker->loop) - r->began_us;
	f->attempts = r->attempts;
	worker_report(r->worker, f);
}

static void
release(struct request *r)
{
	timer_clear(&r->delay);
	timer_clear(&r->pause);
	timer_clear(&r->try_end);
	timer_clear(&r->route_end);
	timer_clear(&r->idle);
	for (size_t i = 0; i < filter_count; i++)
		if (filters[i]->on_end != NULL)
			filters[i]->on_end(r);
	for (size_t i = 0; i < r->tried_count; i++)
		host_unref(r->worker->hosts, &r->tried[i]);
	snapshot_unref(&r->named);
	snapshot_unref(&r->snapshot);
	buf_fini(&r->held);
	buf_fini(&r->response_held);
	arena_fini(&r->arena);
	r->magic = 0;
	hot_free(&r, sizeof(*r));
}

void
request_finish(struct request *r)
{
	struct client *c = r->client;
	bool complete = r->complete;

	sm_go(&r->state, REQUEST_DONE);
	request_flush_client(r);
	request_drop_try(r);
	report(r);
	release(r);
	c->ops->done(c, complete);
}

/* A failed write is told by the stream's own end, to the pipe. */
static void
write_first(struct stream *s, struct slice bytes)
{
	enum err e = bytes.len > 0 ? stream_write(s, bytes) : OK;

	(void)e;
}

static void
join(struct request *r, struct stream *up, struct host *host,
    uint64_t longest_us, struct slice rest)
{
	struct client *c = r->client;
	struct piped_spec spec = {.worker = r->worker,
	    .kind = PROXY_CONN_UPGRADE,
	    .up = up,
	    .record = &r->record,
	    .listener = c->listener,
	    .what = slice_str(listener_name(c->listener)),
	    .host = host,
	    .longest_us = longest_us};
	struct slice early;

	request_flush_client(r);
	spec.down = c->ops->take(c, &early);
	write_first(spec.down, rest);
	write_first(spec.up, early);
	r->record.attempts = MAX(r->attempts, r->record.attempts);
	request_note(r, FLOW_ANSWER_SENT);
	sm_go(&r->state, REQUEST_DONE);
	piped_new(&spec);
	request_drop_try(r);
	release(r);
	c->ops->drop(c);
}

void
request_become_pipe(struct request *r, struct slice rest)
{
	struct stream *up = upstream_take_stream(&r->up);

	stream_resume(up, STREAM_PAUSE_FILTER);
	/* It ends in its own time, as any request does. */
	join(r, up, TAKE(r->host), /* longest_us */ 0, rest);
}

/* Its filter made it wait. */
void
request_join(struct request *r, struct stream *up, struct host *host,
    uint64_t longest_us)
{
	r->client->ops->resume(r->client, STREAM_PAUSE_FILTER);
	join(r, up, host, longest_us, SLICE_NONE);
}

void
request_hand_over(struct request *r, struct listener *to)
{
	struct client *c = r->client;
	const struct view_connection seen = {
	    .destination = c->local, .source = c->peer};
	struct stream *s;
	struct slice early;

	c->ops->resume(c, STREAM_PAUSE_FILTER);
	request_flush_client(r);
	s = c->ops->take(c, &early);
	sm_go(&r->state, REQUEST_DONE);
	report(r);
	release(r);
	listener_accept(to, s, &seen, early);
	c->ops->drop(c);
}
