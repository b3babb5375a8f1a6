/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial — a connection to a service's endpoint; see dial.h.
 */
#include "upstream/dial.h"

static void next(struct dial *d, struct slice last_words);

static void
leave_host(struct dial *d)
{
	if (d->host == NULL)
		return;
	d->host->lb.active--;
	host_unref(d->worker->hosts, &d->host);
}

static void
forget_tried(struct dial *d)
{
	for (size_t i = 0; i < DIAL_TRIES_MAX; i++)
		host_unref(d->worker->hosts, &d->tried[i]);
}

static void
failed(struct dial *d, enum flow_flag flag, struct slice words)
{
	leave_host(d);
	forget_tried(d);
	d->events->on_failed(d->arg, flag, words);
}

static void
opened(struct dial *d)
{
	lb_host_succeeded(&d->host->lb);
	d->record->upstream_local = stream_local(d->up);
	if (d->floats)
		d->record->upstream = stream_peer(d->up);
	forget_tried(d);
	d->events->on_open(d->arg);
}

static void
on_open(struct stream *s, void *arg)
{
	(void)s; /* d->up */
	opened(arg);
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"bytes from an endpoint before it has its owner");
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct dial *d = arg;
	struct slice words = tunnels_why(s);

	d->up = NULL;
	lb_host_failed(&d->host->lb, loop_now_us(d->worker->loop));
	d->host->lb.active--;
	d->tried[d->tries - 1] = TAKE(d->host);
	next(d, words.len > 0 ? words : slice_str(err_text(why)));
}

static const struct stream_events up_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_close = on_close,
};

/* --- where a name leads --- */

static struct dial *
dial_of_await(struct awaiting *a)
{
	return CONTAINER(a, struct dial, await);
}

static void
no_endpoint(struct dial *d, struct slice words)
{
	if (words.len == 0 && d->bound != NULL)
		words = view_cluster_why_none(d->bound->cluster);
	failed(d, FLOW_NO_ENDPOINT, words);
}

static void
on_name_missed(struct awaiting *a)
{
	no_endpoint(dial_of_await(a), SLICE_NONE);
}

/* The same cluster, with what is known by now. */
static void
look_again(struct dial *d)
{
	struct bound *now = bound_now(d->bound, d->worker, &d->named);

	d->bound = now != NULL ? now : d->bound;
}

static void
on_name_view(struct awaiting *a)
{
	struct dial *d = dial_of_await(a);

	look_again(d);
	if (bound_is_awaited(d->bound))
		return;
	awaiting_stop(a);
	next(d, SLICE_NONE);
}

/* False: it is known, or nothing will be. */
static bool
await_name(struct dial *d)
{
	if (d->bound == NULL || !bound_is_awaited(d->bound))
		return false;
	d->await.on_view = on_name_view;
	d->await.on_end = on_name_missed;
	awaiting_begin(
	    d->worker, &d->await, UPSTREAM_CONNECT_MS * UINT64_C(1000));
	return true;
}

/* --- tries --- */

/* Of one that is not known each address once. */
static size_t
tries_max(const struct dial *d)
{
	if (d->outside != NULL)
		return MIN((size_t)DIAL_TRIES_MAX, d->outside->count);
	return d->at != NULL ? 1 : DIAL_TRIES_MAX;
}

static const struct view_endpoint *
pick(struct dial *d)
{
	if (d->outside != NULL)
		return outside_pick(d->outside, &d->host);
	if (d->at != NULL)
		return bound_pick_at(d->bound, d->at, &d->host);
	return bound_pick(d->bound, d->worker, d->tried, d->tries, &d->host);
}

static void
next(struct dial *d, struct slice last_words)
{
	struct tunnels_ask ask = {
	    .from = d->from, .client = &d->record->downstream_remote};
	const struct view_endpoint *e = NULL;
	struct fault why = {0};

	if (d->tries > 0 && d->tries == tries_max(d)) {
		failed(d, FLOW_CONNECT_FAILED, last_words);
		return;
	}
	e = pick(d);
	if (e == NULL) {
		if (!await_name(d))
			no_endpoint(d, last_words);
		return;
	}
	d->tries++;
	d->record->attempts++;
	d->record->upstream = e->addr;
	d->record->upstream_node = e->node;
	d->floats = e->floats;
	if (d->outside == NULL)
		d->record->destination = *view_endpoint_party(e);
	ask.to = e;
	if (d->is_inbound)
		ask.source = &d->record->downstream_remote;
	if (d->bound != NULL)
		upstream_tell(&ask, d->bound->cluster,
		    &d->record->downstream_remote,
		    &d->record->downstream_local);
	d->up = upstream_dial(d->worker, &ask, &up_events, d, &why);
	if (d->up == NULL)
		failed(d, FLOW_CONNECT_FAILED, slice_str(why.text));
	else if (dial_is_open(d))
		opened(d);
}

void
dial_begin(struct dial *d)
{
	CHECK(d->up == NULL && d->tries == 0);
	next(d, SLICE_NONE);
}

struct stream *
dial_take(struct dial *d, struct host **out_host)
{
	CHECK(d->up != NULL && d->host != NULL);
	*out_host = TAKE(d->host);
	return TAKE(d->up);
}

void
dial_stop(struct dial *d)
{
	struct stream *up = TAKE(d->up);

	if (!dial_has_begun(d))
		return;
	awaiting_stop(&d->await);
	if (up != NULL) {
		stream_set_events(up, &upstream_nobody, NULL);
		stream_close(up, ERR_CANCELLED);
	}
	leave_host(d);
	forget_tried(d);
	snapshot_unref(&d->named);
}
