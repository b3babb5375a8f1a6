/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer — the way of a question through the resolver.
 *
 *	read ─► decide ─► the mesh's ───────────────────────► rendered, told
 *	           │  ▲
 *	           │  └─ hosts: more may come, so it waits
 *	           └────► others' ─► cache ─► relay ───────────► as it came
 */
#include "inside.h"

/* --- asks ----------------------------------------------------------------- */

struct ask *
ask_new(struct resolver *r, const struct asker *who,
    const struct dns_question *q, struct slice message)
{
	struct ask *a = mem_new(sizeof(*a));

	a->resolver = r;
	a->asker = *who;
	a->q = *q;
	a->message = mem_strndup(message.ptr, message.len);
	a->len = message.len;
	a->began_us = loop_now_us(r->loop);
	buf_init(&a->in, DNS_MESSAGE_MAX + 2);
	buf_init(&a->last, DNS_MESSAGE_MAX);
	list_init(&a->followers);
	list_push_back(&r->asks, &a->link);
	r->ask_count++;
	if (a->asker.conn != NULL)
		conn_hold(a->asker.conn, 1);
	return a;
}

void
ask_free(struct ask *a)
{
	relay_end(a);
	timer_clear(&a->timer);
	list_remove(&a->host_link);
	list_remove(&a->follow_link);
	while (!list_empty(&a->followers)) /* each ends by itself */
		list_remove(a->followers.next);
	list_remove(&a->link);
	a->resolver->ask_count--;
	if (a->asker.conn != NULL)
		conn_hold(a->asker.conn, -1);
	buf_fini(&a->in);
	buf_fini(&a->last);
	mem_free(&a->message);
	mem_free(&a);
}

/* --- what is told --------------------------------------------------------- */

static void
tell(struct resolver *r, const struct asker *who, const struct dns_question *q,
    struct slice message, const struct outcome *o)
{
	stats_count(r, who, q, o);
	asker_tell(r, who, message, o);
}

static enum result
result_of(const struct decided *d)
{
	if (d->what == DECIDED_REFUSED)
		return RESULT_REFUSED;
	if (d->what == DECIDED_NO_NAME)
		return RESULT_NO_NAME;
	return d->count > 0 ? RESULT_MESH : RESULT_NODATA;
}

static void
tell_decided(struct resolver *r, const struct asker *who,
    const struct dns_question *q, struct slice asked, uint64_t took_us)
{
	const struct decided *d = &r->decided;
	struct outcome o = {
	    .result = result_of(d), .decided = d, .took_us = took_us};

	tell(r, who, q,
	    decided_render(d, asked, q, r->view, r->spec.ttl_s, r->out,
		asker_limit(who, q)),
	    &o);
}

static bool
tell_cached(struct resolver *r, const struct asker *who,
    const struct dns_question *q, uint64_t took_us)
{
	struct outcome o = {.result = RESULT_CACHED,
	    .decided = &r->decided,
	    .took_us = took_us};
	struct slice found;

	if (!dns_cache_find(r->cache, q, loop_now_us(r->loop), r->out,
		asker_limit(who, q), &found))
		return false;
	tell(r, who, q, found, &o);
	return true;
}

static void
tell_error(struct resolver *r, const struct asker *who,
    const struct dns_question *q, unsigned rcode, const struct outcome *o)
{
	char refusal[DNS_REFUSAL_LEN];

	tell(r, who, q, dns_refusal(q, rcode, refusal), o);
}

/* With the question, so that the asker knows what it is about. */
void
answer_failed(struct ask *a, unsigned rcode, const char *why)
{
	struct resolver *r = a->resolver;
	struct outcome o = {.result = RESULT_FAILED,
	    .why = why,
	    .upstream = a->upstream.family != ADDR_NONE ? &a->upstream : NULL,
	    .took_us = loop_now_us(r->loop) - a->began_us};
	struct dns_writer w;

	LIST_EACH (&a->followers, it)
		answer_failed(
		    CONTAINER(it, struct ask, follow_link), rcode, why);
	dns_answer_begin(&w, r->out, asker_limit(&a->asker, &a->q),
	    slice_of(a->message, a->len), &a->q, DNS_RA);
	tell(r, &a->asker, &a->q, dns_answer_end(&w, rcode), &o);
	ask_free(a);
}

/* --- the way -------------------------------------------------------------- */

/* What is called by name is called: the servers go on to tell of it. */
static bool
must_wait(struct resolver *r)
{
	const struct decided *d = &r->decided;
	bool known;

	if (d->ask.len == 0 || (!d->may_come && d->service == NULL))
		return false;
	known = hosts_know(r, d);
	return d->may_come && !known;
}

void
answer_ask(struct ask *a)
{
	struct resolver *r = a->resolver;
	uint64_t took = loop_now_us(r->loop) - a->began_us;

	list_remove(&a->host_link);
	timer_clear(&a->timer);
	decide(r->view, &a->q, rng_u64(&r->rng), &r->decided);
	if (r->decided.what != DECIDED_OUTSIDE)
		tell_decided(
		    r, &a->asker, &a->q, slice_of(a->message, a->len), took);
	else if (!tell_cached(r, &a->asker, &a->q, took)) {
		relay_begin(a);
		return;
	}
	ask_free(a);
}

static void
decide_now(struct resolver *r, const struct asker *who,
    const struct dns_question *q, struct slice message)
{
	static const struct outcome busy = {
	    .result = RESULT_FAILED, .why = "too many questions wait"};

	decide(r->view, q, rng_u64(&r->rng), &r->decided);
	if (r->ask_count < RESOLVER_ASKS_MAX && must_wait(r))
		hosts_wait(ask_new(r, who, q, message), &r->decided);
	else if (r->decided.what != DECIDED_OUTSIDE)
		tell_decided(r, who, q, message, /* took_us */ 0);
	else if (tell_cached(r, who, q, /* took_us */ 0))
		return;
	else if (r->ask_count >= RESOLVER_ASKS_MAX)
		tell_error(r, who, q, DNS_SERVFAIL, &busy);
	else
		relay_begin(ask_new(r, who, q, message));
}

static void
refuse_version(struct resolver *r, const struct asker *who,
    const struct dns_question *q, struct slice message)
{
	struct outcome o = {.result = RESULT_MALFORMED,
	    .why = "a version of EDNS that nobody knows"};
	struct dns_writer w;

	dns_answer_begin(&w, r->out, asker_limit(who, q), message, q, 0);
	tell(r, who, q, dns_answer_end(&w, DNS_BADVERS), &o);
}

void
answer_question(
    struct resolver *r, const struct asker *who, struct slice message)
{
	struct dns_question q;
	struct outcome o = {
	    .result = RESULT_MALFORMED, .why = "it is no question"};
	char host[NAME_HOST_MAX + 1];

	switch (dns_question_read(message, &q)) {
	case OK:
		break;
	case ERR_INVALID:
		tell_error(r, who, &q, DNS_FORMERR, &o);
		return;
	case ERR_UNSUPPORTED:
		tell_error(r, who, &q, DNS_NOTIMP, &o);
		return;
	default: /* an answer, or rubbish: who answers that may be used */
		stats_count(r, who, &q, &o);
		return;
	}
	if (q.edns_version > 0) {
		refuse_version(r, who, &q, message);
	} else if (q.type == DNS_TXT &&
		   relay_is_probe(r, dns_name_host(&q.name, host))) {
		o = (struct outcome){
		    .result = RESULT_REFUSED, .why = "we asked that"};
		tell_error(r, who, &q, DNS_REFUSED, &o);
	} else {
		decide_now(r, who, &q, message);
	}
}
