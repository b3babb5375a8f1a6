/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attempt — the service's side of a request: one try after another.
 *
 * A try ends well with the head of an answer that nobody wants retried; from
 * then on bytes only pass through. Everything before that can be tried again
 * if the policy asks for it and the body is still at hand. A kept connection
 * that was dead when it was used is tried again without asking the policy,
 * as long as that is safe (RFC 9112 §9.3.1).
 */
#include "http/attempt.h"

#include "http/respond.h"
#include "http/upgrade.h"
#include "pipe/piped.h"
#include "tunnel/tunnels.h"
#include "upstream/outside.h"

/* --- which host --- */

static bool
pick(struct request *r)
{
	if (r->outside != NULL)
		r->endpoint = outside_pick(r->outside, &r->host);
	else if (r->leads_on)
		r->endpoint =
		    bound_pick_at(r->bound, &r->client->local, &r->host);
	else
		r->endpoint = bound_pick(
		    r->bound, r->worker, r->tried, r->tried_count, &r->host);
	if (r->endpoint == NULL)
		return false;
	r->record.upstream = r->endpoint->addr;
	if (r->outside == NULL)
		r->record.destination = *view_endpoint_party(r->endpoint);
	r->record.upstream_node = r->endpoint->node;
	return true;
}

static void
leave_host(struct request *r, bool remember)
{
	if (r->host == NULL)
		return;
	r->host->lb.active--;
	if (remember && r->tried_count < REQUEST_TRIED_MAX) {
		r->tried[r->tried_count++] = r->host;
		r->host = NULL;
		return;
	}
	host_unref(r->worker->hosts, &r->host);
}

void
request_drop_try(struct request *r)
{
	awaiting_stop(&r->await);
	upstream_cancel(&r->up);
	leave_host(r, /* remember */ false);
	timer_clear(&r->try_end);
	r->sent = false;
}

/* --- where a name leads --- */

static struct request *
request_of_await(struct awaiting *a)
{
	return CONTAINER(a, struct request, await);
}

static void
no_endpoint(struct request *r)
{
	request_answer(r, 503, FLOW_NO_ENDPOINT,
	    r->bound != NULL ? view_cluster_why_none(r->bound->cluster)
			     : SLICE_NONE);
}

static void
on_name_missed(struct awaiting *a)
{
	no_endpoint(request_of_await(a));
}

/* True if the worker's view of now knows it; its cluster is tried from now on.
 */
static bool
is_known_now(struct request *r)
{
	struct bound *now = bound_now(r->bound, r->worker, &r->named);

	r->bound = now != NULL ? now : r->bound;
	return !bound_is_awaited(r->bound);
}

static void
on_name_view(struct awaiting *a)
{
	struct request *r = request_of_await(a);

	if (!is_known_now(r))
		return;
	awaiting_stop(a);
	timer_set(&r->pause, 0);
}

/* True if the try has to wait: it begins anew. */
static bool
await_name(struct request *r)
{
	if (r->bound == NULL || !bound_is_awaited(r->bound))
		return false;
	r->attempts--;
	if (is_known_now(r)) {
		timer_set(&r->pause, 0);
		return true;
	}
	r->await.on_view = on_name_view;
	r->await.on_end = on_name_missed;
	awaiting_begin(
	    r->worker, &r->await, UPSTREAM_CONNECT_MS * UINT64_C(1000));
	return true;
}

/* --- what is told of it --- */

/* A try is over and another follows; the words are lent. */
static void
note_try(
    struct request *r, enum flow_flag flag, uint16_t status, struct slice words)
{
	struct flow_record *f = &r->record;
	struct flow_try *tries = r->tries;

	if (tries == NULL)
		tries = arena_alloc_array(
		    &r->arena, FLOW_TRIES_MAX, sizeof(*tries));
	if (tries == NULL || f->try_count == FLOW_TRIES_MAX)
		return;
	f->tries = r->tries = tries;
	tries += f->try_count++;
	*tries = (struct flow_try){.endpoint = f->upstream,
	    .at_us = loop_now_us(r->worker->loop) - r->began_us,
	    .flag = flag,
	    .status = status};
	if (arena_copy(&r->arena, words, &tries->words) != OK)
		tries->words = SLICE_NONE;
}

/* --- sending --- */

/* The client waits for a service that is slow. A failure is told once more, by
 * the connection's own end. */
static void
mind_service(struct request *r, enum err e)
{
	if (e == ERR_AGAIN)
		r->client->ops->pause(r->client, STREAM_PAUSE_PEER_FULL);
}

void
attempt_flush(struct request *r)
{
	if (r->up != NULL && r->sent)
		mind_service(r, upstream_flush(r->up));
}

void
attempt_send_body(struct request *r, struct slice bytes)
{
	mind_service(r, upstream_send_body(r->up, bytes));
}

void
attempt_send_end(struct request *r)
{
	request_note(r, FLOW_SENT_ALL);
	mind_service(r, upstream_send_end(r->up, r->trailers));
}

static void
send_request(struct request *r)
{
	const struct view_http_route *route = r->choice.route;
	bool end = r->complete && buf_len(&r->held) == 0 && r->trailers == NULL;
	enum err e = OK;

	r->head->connection =
	    r->head->upgrade.len > 0 ? HTTP_CONN_UPGRADE : HTTP_CONN_DEFAULT;
	if (r->attempts > 1)
		e = headers_tell_try(r);
	if (e == OK)
		e = upstream_send_head(r->up, r->head, end);
	if (e == ERR_LIMIT) {
		request_answer(r, 431, FLOW_DOWNSTREAM_PROTOCOL, SLICE_NONE);
		return;
	}
	r->sent = true;
	request_note(r, FLOW_SENT);
	attempt_send_body(r, buf_slice(&r->held));
	if (r->complete)
		attempt_send_end(r);
	if (buf_len(&r->held) > LIMIT_STREAM_BUFFER) {
		r->replayable = false;
		buf_fini(&r->held);
	}
	if (!r->client->reading)
		attempt_flush(r);
	r->client->ops->resume(r->client, STREAM_PAUSE_NOT_READY);
	if (route->retry.per_try_timeout_us > 0)
		timer_set(&r->try_end, route->retry.per_try_timeout_us);
}

/* --- failing --- */

/* What became of a try. */
struct failure {
	enum retry_cause cause;
	enum err why;
	bool overlong; /* the head of its answer */
	struct slice words;
};

/* We ran out of descriptors or memory: the endpoint is not to blame. */
static bool
is_ours(enum err why)
{
	return why == ERR_LIMIT || why == ERR_NO_MEMORY;
}

static enum flow_flag
flag_of(enum retry_cause cause, enum err why)
{
	if (is_ours(why))
		return FLOW_OVERFLOW;
	if (cause == RETRY_CONNECT || cause == RETRY_REFUSED)
		return FLOW_CONNECT_FAILED;
	if (cause == RETRY_TIMEOUT)
		return FLOW_TIMEOUT;
	if (why == ERR_PROTOCOL)
		return FLOW_UPSTREAM_PROTOCOL;
	return why == ERR_EOF ? FLOW_UPSTREAM_CLOSED : FLOW_UPSTREAM_RESET;
}

/* An answer that makes no sense is 502; one that is too large 503, as Envoy has
 * it. */
static unsigned
status_of(const struct failure *f)
{
	if (f->cause == RETRY_TIMEOUT)
		return 504;
	return f->why == ERR_PROTOCOL && !f->overlong ? 502 : 503;
}

/* True if another try is on its way. */
static bool
try_again(struct request *r, enum retry_cause cause, uint16_t status)
{
	const struct view_retry *policy = &r->choice.route->retry;

	if (policy->attempts == 0 || !retry_is_wanted(policy, cause, status))
		return false;
	r->record.retries_spent = r->attempts > policy->attempts;
	if (r->record.retries_spent || !r->replayable || r->answered)
		return false;
	timer_set(
	    &r->pause, retry_backoff_us(policy, r->attempts, &r->worker->rng));
	return true;
}

/* The answer is cut off: so must the client's be, or it looks whole. */
static void
break_answer(struct request *r, enum flow_flag flag)
{
	r->record.flag = flag;
	r->record.detail = S("the endpoint's answer was cut off");
	request_flush_client(r);
	r->client->ops->cut(r->client, ERR_RESET);
}

static void
failed(struct request *r, const struct failure *f)
{
	enum flow_flag flag = flag_of(f->cause, f->why);
	struct slice words = f->words;
	enum err why = f->why;

	timer_clear(&r->try_end);
	r->sent = false;
	if (r->host != NULL && why != ERR_CANCELLED && !is_ours(why))
		lb_host_failed(&r->host->lb, loop_now_us(r->worker->loop));
	leave_host(r, r->choice.route->retry.avoid_tried);
	if (r->started) {
		break_answer(r, flag);
		return;
	}
	if (why == ERR_UNSUPPORTED) { /* nor by another endpoint */
		request_answer(r, 501, FLOW_UPSTREAM_PROTOCOL, words);
		return;
	}
	if (words.len == 0 && flag == FLOW_CONNECT_FAILED)
		words = arena_printf(
		    &r->arena, "%s: %s", flow_flag_words(flag), err_text(why));
	if (try_again(r, f->cause, 0)) {
		note_try(r, flag, 0, words);
		return;
	}
	request_answer(r, status_of(f), flag, words);
}

/*
 * It may have been closed before our request got there: nobody's fault. A
 * session that says goodbye tells what it did not touch (RFC 9113 §6.8): that
 * may be asked for again whatever it is.
 */
static bool
was_dead(const struct request *r, const struct upstream_conn *u, enum err why)
{
	if (!r->replayable || r->dead_reused >= RETRY_DEAD_REUSED_MAX)
		return false;
	if (upstream_is_left(u))
		return true;
	return upstream_is_reused(u) && !upstream_has_answer(u) &&
	       (why == ERR_EOF || why == ERR_RESET) &&
	       retry_is_idempotent(r->head->method);
}

static void
on_failed(void *arg, struct upstream_conn *u, enum err why, struct slice words)
{
	struct request *r = arg;
	bool dead = was_dead(r, u, why);
	const struct failure f = {
	    .cause = upstream_is_untouched(u) ? RETRY_REFUSED
		     : upstream_is_open(u)    ? RETRY_RESET
					      : RETRY_CONNECT,
	    .why = why,
	    .overlong = upstream_is_overlong(u),
	    .words = words};

	r->up = NULL;
	if (dead) {
		note_try(r, FLOW_UPSTREAM_CLOSED, 0,
		    S("the kept connection was closed before the request "
		      "reached it"));
		r->dead_reused++;
		r->attempts--;
		r->sent = false;
		leave_host(r, /* remember */ false);
		timer_clear(&r->try_end);
		timer_set(&r->pause, 0);
		return;
	}
	failed(r, &f);
}

void
attempt_on_timeout(struct request *r)
{
	upstream_cancel(&r->up);
	failed(
	    r, &(struct failure){.cause = RETRY_TIMEOUT, .why = ERR_TIMEOUT});
}

/* --- the answer --- */

/* Where its name led when the connection was made; of a session that still
 * opens the answer will tell. */
static void
note_peer(struct request *r, const struct upstream_conn *u)
{
	struct addr peer;

	if (!r->endpoint->floats)
		return;
	peer = upstream_peer(u);
	if (peer.family != ADDR_NONE)
		r->record.upstream = peer;
}

static void
on_open(void *arg, struct upstream_conn *u)
{
	struct request *r = arg;

	r->record.upstream_local = upstream_local(u);
	note_peer(r, u);
	send_request(r);
}

static void
on_interim(void *arg, struct upstream_conn *u, struct http_head *h)
{
	struct request *r = arg;
	(void)u; /* the request's own */
	if (!r->started)
		r->client->ops->interim(r->client, h);
}

static void
on_head(void *arg, struct upstream_conn *u, struct http_head *h)
{
	struct request *r = arg;
	uint8_t grpc;

	note_peer(r, u);
	if (!try_again(r, RETRY_STATUS, h->status) &&
	    !(r->grpc && request_read_grpc(h, &grpc) &&
		try_again(r, RETRY_GRPC, grpc))) {
		respond_begin(r, h);
		return;
	}
	note_try(r, FLOW_OK, h->status, SLICE_NONE);
	upstream_cancel(&r->up);
	timer_clear(&r->try_end);
	r->sent = false;
	leave_host(r, r->choice.route->retry.avoid_tried);
}

static void
on_body(void *arg, struct upstream_conn *u, struct slice bytes)
{
	(void)u; /* the request's own */
	respond_body(arg, bytes);
}

static void
on_trailers(void *arg, struct upstream_conn *u, struct http_head *h)
{
	(void)u; /* the request's own */
	respond_trailers(arg, h);
}

static void
on_complete(void *arg, struct upstream_conn *u)
{
	struct request *r = arg;

	(void)u; /* the request's own */
	if (r->complete)
		upstream_release(&r->up);
	respond_end(r);
}

static void
on_upgrade(void *arg, struct upstream_conn *u, struct slice rest)
{
	(void)u; /* the request's own */
	respond_upgrade(arg, rest);
}

static void
on_batch_end(void *arg, struct upstream_conn *u)
{
	(void)u; /* the request's own */
	request_flush_client(arg);
}

static void
on_drained(void *arg, struct upstream_conn *u)
{
	struct request *r = arg;

	(void)u; /* the request's own */
	r->client->ops->resume(r->client, STREAM_PAUSE_PEER_FULL);
}

static const struct upstream_events attempt_events = {
    .on_open = on_open,
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_complete = on_complete,
    .on_upgrade = on_upgrade,
    .on_batch_end = on_batch_end,
    .on_drained = on_drained,
    .on_failed = on_failed,
};

void
request_try(struct request *r)
{
	struct upstream_ask ask = {.worker = r->worker,
	    .way.from = r->way.caller,
	    .events = &attempt_events,
	    .arg = r};
	struct fault why = {0};

	r->attempts++;
	/* What was full was the last try's. */
	r->client->ops->resume(r->client, STREAM_PAUSE_PEER_FULL);
	if (!pick(r)) {
		if (!await_name(r))
			no_endpoint(r);
		return;
	}
	ask.host = r->host;
	ask.way.to = r->endpoint;
	if (listener_is_inbound(r->client->listener))
		ask.way.source = &r->client->peer;
	if (r->bound != NULL)
		upstream_tell(&ask.way, r->bound->cluster, &r->client->peer,
		    &r->client->local);
	ask.longest_us = bound_longest_us(r->bound);
	ask.http2 = r->bound != NULL
			? bound_speaks_http2(r->bound, r->head)
			: r->leads_on && r->head->version == HTTP_V2;
	if (ask.http2 && !upgrade_is_websocket(r->head))
		r->head->upgrade = SLICE_NONE; /* it may be ignored */
	ask.upgrade = r->head->upgrade.len > 0;
	r->record.upstream_version = ask.http2 ? S("HTTP/2") : S("HTTP/1.1");
	ask.is_fresh = r->dead_reused > 0;
	r->up = upstream_acquire(&ask, &why);
	if (r->up == NULL) {
		failed(r, &(struct failure){.cause = RETRY_CONNECT,
			      .why = why.code,
			      .words = slice_str(why.text)});
		return;
	}
	if (upstream_is_open(r->up))
		on_open(r, r->up);
}
