/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agents — the control stream of each agent, and how far it has followed.
 *
 *	WAITING --its turn--> FIRST --all is in force, or too long--> FOLLOWING
 *
 * Whoever comes is let in, and asks; the first answers, which are large, go to
 * so many at a time, so that a thousand agents that come back together cost
 * the memory of a few, and nobody is sent away to try again.
 *
 * An agent lives as long as its call. When the server goes first, the agent
 * stays, deaf, until the call has ended.
 */
#define LOG_MODULE "server"

#include <stdio.h>

#include "base/base.h"
#include "discovery/discovery.h"
#include "http/http.h"
#include "tls/tls.h"
#include "xds/xds.h"

#include "inside.h"

enum {
	AGENT_MAGIC = 0x6167656e,
	WORDS_MAX = 2 * FAULT_TEXT_MAX,
	FIRSTS_MAX = 64,    /* agents that are sent all, at a time */
	FIRSTS_US = 2000000 /* a slower one counts no more */
};

struct agent {
	uint32_t magic;
	struct list link;
	struct server *server; /* NULL: it has gone */
	struct xds_call *call;
	struct xds_server_stream *xds; /* goes with the server */
	char node[GOSSIP_NAME_MAX + 1];
	char network[GOSSIP_NAME_MAX + 1];
	struct addr addr;
	uint64_t since_us;
	struct turn turn; /* for the first answers */
	bool synced;      /* all was acknowledged or refused once */
	struct times times;
	struct interest interest;
	struct map settled; /* hosts all about which is in force: marks */
	struct map awaited; /* the others it asks for → when that is so */
};

static struct agent *
agent_of(void *arg)
{
	struct agent *a;

	OBJ(a, arg, AGENT_MAGIC);
	return a;
}

/*
 * All before the oldest change that it has not answered. One that has not had
 * everything yet has nothing.
 */
static uint64_t
revision_of(const struct agent *a)
{
	uint64_t oldest;

	(void)xds_server_stream_pending(a->xds, &oldest);
	if (!a->synced)
		return 0;
	return oldest > 0 ? oldest - 1 : a->server->cache.revision;
}

/* Whoever may begin does; the others are looked at again in time. */
static void
take_turns(struct server *s)
{
	struct turn *t;

	while (
	    (t = turns_next(&s->firsts, loop_now_us(s->spec.loop))) != NULL) {
		struct agent *a = CONTAINER(t, struct agent, turn);

		xds_server_stream_hold(a->xds, false);
		feed_flush(s);
	}
	if (!list_empty(&s->firsts.waiting) && !timer_is_set(&s->firsts_timer))
		timer_set(&s->firsts_timer, FIRSTS_US);
}

static void
on_firsts_timer(void *arg)
{
	struct server *s = server_of(arg);
	uint64_t now = loop_now_us(s->spec.loop);

	turns_expire(&s->firsts, now > FIRSTS_US ? now - FIRSTS_US : 0);
	take_turns(s);
}

static void
leave_turn(struct agent *a)
{
	turns_leave(&a->server->firsts, &a->turn);
	take_turns(a->server);
}

/* --- what xds wants --- */

/* Keys are their network's; a host comes after all that is about it. */
static bool
concerns(void *arg, const struct xds_resource *r)
{
	const struct agent *a = agent_of(arg);

	if (slice_eq(r->type_url, S(SERVER_TYPE_RESOURCE)))
		return interest_concerns(&a->interest, r->name);
	if (slice_eq(r->type_url, S(SERVER_TYPE_HOST)))
		return map_get(&a->settled, r->name) != NULL;
	return !slice_eq(r->type_url, S(SERVER_TYPE_GOSSIP_KEYS)) ||
	       slice_eq(r->name, slice_str(a->network));
}

/* One answer is outstanding at a time: a slow agent costs no more. */
static void
on_send(void *arg, const struct codec_delta_response *m)
{
	struct agent *a = agent_of(arg);

	xds_call_response(a->call, m);
}

static void
note_time(struct agent *a, uint64_t stamp)
{
	uint64_t from = commits_time(&a->server->commits, stamp);
	uint64_t now = loop_now_us(a->server->spec.loop);
	uint64_t took = now > from ? now - from : 0;

	if (from == 0)
		return;
	times_add(&a->times, took);
	metric_observe(a->server->propagated, (double)took / 1e6);
}

static void
on_status(void *arg, const struct xds_status *status)
{
	struct agent *a = agent_of(arg);

	if (status->state == XDS_ACKED && status->stamp > 0)
		note_time(a, status->stamp);
	if (status->state == XDS_REFUSED)
		log_warn("agent refuses a resource",
		    "node=%s resource=%.*s version=%.*s why=\"%.*s\"", a->node,
		    SLICE_ARG(status->name), SLICE_ARG(status->version),
		    SLICE_ARG(status->reason));
}

/* It may have all by now, and also if it lacked nothing from the start. */
static void
on_answered(void *arg)
{
	feed_flush(agent_of(arg)->server);
}

/* --- what it is interested in --- */

static void
refilter(void *arg, struct slice name)
{
	const struct agent *a = agent_of(arg);

	xds_server_stream_refilter_name(a->xds, S(SERVER_TYPE_RESOURCE), name);
}

static void
follow(struct agent *a)
{
	interest_follow(&a->interest, refilter, a);
	feed_flush(a->server);
}

void
agents_follow(struct server *s)
{
	struct interest *i;

	while ((i = LIST_FIRST(&s->interests.stale, struct interest, link)) !=
	       NULL)
		follow(CONTAINER(i, struct agent, interest));
}

static void
gather(void *arg, struct slice name)
{
	struct map *hosts = arg;

	(void)map_put(hosts, name, hosts); /* only the mark */
}

/* Asks for those that are new and lets go of those that are not there. */
static void
ask(struct agent *a, struct map hosts)
{
	struct map before = a->interest.asked;
	struct slice host;
	void *mark;

	a->interest.asked = hosts;
	for (size_t i = 0; map_next(&hosts, &i, &host, &mark);)
		if (map_get(&before, host) == NULL)
			feed_ask(a->server, host, /* more */ true);
	for (size_t i = 0; map_next(&before, &i, &host, &mark);)
		if (map_get(&hosts, host) == NULL) {
			(void)map_remove(&a->settled, host); /* the mark */
			(void)map_remove(&a->awaited, host); /* likewise */
			feed_ask(a->server, host, /* more */ false);
		}
	map_fini(&before, NULL);
}

/* What it says that it has, it has had all about; what is new follows. */
static void
trust_held(struct agent *a)
{
	struct slice host;
	void *mark;

	for (size_t i = 0; map_next(&a->interest.asked, &i, &host, &mark);)
		if (xds_server_stream_has(a->xds, S(SERVER_TYPE_HOST), host))
			(void)map_put(&a->settled, host, a); /* the mark */
}

/* All about these is due, or on its way. */
static void
await(struct agent *a)
{
	uint64_t when = xds_server_stream_mark(a->xds, S(SERVER_TYPE_RESOURCE));
	struct slice host;
	void *mark;

	for (size_t i = 0; map_next(&a->interest.asked, &i, &host, &mark);)
		if (map_get(&a->settled, host) == NULL &&
		    map_get(&a->awaited, host) == NULL)
			(void)map_put(
			    &a->awaited, host, (void *)(uintptr_t)when);
}

/* It asks for the resources: of those that concern it, it is told here. */
static void
tell_all(struct agent *a)
{
	interest_each(&a->interest, refilter, a);
}

static enum err
on_names(void *arg, struct slice type_url, struct fault *why)
{
	struct agent *a = agent_of(arg);
	struct map hosts;

	if (slice_eq(type_url, S(SERVER_TYPE_RESOURCE)))
		tell_all(a);
	if (!slice_eq(type_url, S(SERVER_TYPE_HOST)))
		return OK;
	map_init(&hosts);
	xds_server_stream_each_name(a->xds, type_url, gather, &hosts);
	if (hosts.count > INTEREST_HOSTS_MAX) {
		map_fini(&hosts, NULL);
		return fault_set(why, ERR_LIMIT,
		    "an agent may ask for at most %d hosts",
		    INTEREST_HOSTS_MAX);
	}
	ask(a, hosts);
	trust_held(a);
	follow(a);
	await(a);
	return OK;
}

/* What was due about hosts when it asked for them is in force. */
static void
settle(struct agent *a)
{
	struct map rest;
	struct slice host;
	void *when;

	if (a->awaited.count == 0)
		return;
	map_init(&rest);
	for (size_t i = 0; map_next(&a->awaited, &i, &host, &when);) {
		if (!xds_server_stream_is_past(a->xds, S(SERVER_TYPE_RESOURCE),
			(uint64_t)(uintptr_t)when)) {
			(void)map_put(&rest, host, when);
			continue;
		}
		(void)map_put(&a->settled, host, a); /* the mark */
		xds_server_stream_refilter_name(
		    a->xds, S(SERVER_TYPE_HOST), host);
	}
	if (rest.count < a->awaited.count)
		feed_flush(a->server);
	map_fini(&a->awaited, NULL);
	a->awaited = rest;
}

static void
on_flushed(void *arg)
{
	struct agent *a = agent_of(arg);

	settle(a);
	if (a->synced || a->awaited.count > 0 ||
	    !xds_server_stream_is_past(a->xds, S(SERVER_TYPE_RESOURCE), 1) ||
	    !xds_server_stream_had_all(a->xds))
		return;
	a->synced = true;
	a->server->sent_first += a->interest.resources.count;
	leave_turn(a);
	if (a->server->firsts.begun > 0)
		return;
	server_had_many(a->server, a->server->sent_first);
	a->server->sent_first = 0;
}

static const struct xds_server_ops xds_ops = {
    .concerns = concerns,
    .on_names = on_names,
    .send = on_send,
    .on_status = on_status,
    .on_answered = on_answered,
    .on_flushed = on_flushed,
};

/* --- coming and going --- */

/* The server knows it no more. */
static void
forget(struct agent *a)
{
	list_remove(&a->link);
	ask(a, (struct map){0}); /* no more */
	interest_fini(&a->interest);
	map_fini(&a->settled, NULL);
	map_fini(&a->awaited, NULL);
	xds_server_stream_free(&a->xds); /* it hears no more */
	leave_turn(a);
	a->server = NULL;
}

static void
on_closed(void *arg, enum err why, struct slice words)
{
	struct agent *a = agent_of(arg);

	if (a->server != NULL) {
		log_info("agent is gone", "node=%s why=\"%.*s\"", a->node,
		    SLICE_ARG(
			words.len > 0 ? words : slice_str(err_text(why))));
		forget(a);
	}
	a->magic = 0;
	mem_free(&a);
}

/* What is wrong, and what to do. */
static struct slice
words_of(const struct ca_decision *d, char out[WORDS_MAX])
{
	size_t len;

	ca_decision_format(d, out, WORDS_MAX);
	len = strlen(out);
	(void)snprintf(
	    out + len, WORDS_MAX - len, "; %s", ca_verdict_hint(d->verdict));
	return slice_str(out);
}

static void
refuse(struct http2_stream *stream, const struct ca_decision *d)
{
	char words[WORDS_MAX];
	struct slice text = words_of(d, words);

	log_warn("control stream refused", "code=%s why=\"%.*s\"",
	    ca_verdict_code(d->verdict), SLICE_ARG(text));
	grpc_refuse(stream, GRPC_PERMISSION_DENIED, text);
}

static void
agent_new(struct server *s, struct http2_stream *stream,
    const struct registry_node *n, struct addr from)
{
	struct agent *a = mem_new(sizeof(*a));

	a->magic = AGENT_MAGIC;
	a->server = s;
	memcpy(a->node, n->name, sizeof(a->node));
	memcpy(a->network, n->network, sizeof(a->network));
	a->addr = from;
	a->since_us = loop_now_us(s->spec.loop);
	interest_init(&a->interest, &s->interests);
	map_init(&a->settled);
	map_init(&a->awaited);
	a->xds = xds_server_stream_new(s->source, &xds_ops, a);
	xds_server_stream_hold(a->xds, true);
	list_push_back(&s->agents, &a->link);
	turns_wait(&s->firsts, &a->turn);
	take_turns(s);
	a->call = xds_call_accept(stream, a->xds, on_closed, a);
	log_info("agent is here", "node=%s", a->node);
}

void
agents_accept(
    struct server *s, struct http2_stream *stream, struct http_head *h)
{
	struct stream *transport = http2_transport(http2_stream_conn(stream));
	struct ca_decision d;
	const struct registry_node *n = control_peer(s, transport, &d);

	if (!slice_eq(h->path, S(XDS_PATH)))
		grpc_refuse(stream, GRPC_UNIMPLEMENTED,
		    S("there is only " XDS_PATH " here"));
	else if (n == NULL)
		refuse(stream, &d);
	else
		agent_new(s, stream, n, stream_peer(transport));
}

/* What is left of it goes with its call. */
static void
dismiss(struct agent *a, enum err why, struct slice words)
{
	xds_call_close(a->call, why, words);
	forget(a);
}

void
agents_open(struct server *s)
{
	/* A change that reaches a machine in a second is as it should be. */
	static const double bounds[] = {.001, .0025, .005, .01, .025, .05, .1,
	    .25, .5, 1, 2.5, 5, 10, 30, 60};

	list_init(&s->agents);
	turns_init(&s->firsts, FIRSTS_MAX);
	timer_init(&s->firsts_timer, s->spec.loop, on_firsts_timer, s);
	s->propagated = metric_series_get(
	    metric_family_new("meshd_propagation_seconds",
		"From the commit of a change to an agent's word that it is in "
		"force there.",
		METRIC_HISTOGRAM, NULL, 0, bounds, ARRAY_LEN(bounds)),
	    NULL);
}

void
agents_close(struct server *s)
{
	LIST_EACH (&s->agents, it)
		dismiss(CONTAINER(it, struct agent, link), ERR_UNREACHABLE,
		    S("the server is stopping"));
	timer_clear(&s->firsts_timer);
}

void
agents_check(struct server *s)
{
	const struct ca_decision revoked = {.verdict = CA_NODE_REVOKED};
	char words[WORDS_MAX];

	LIST_EACH (&s->agents, it) {
		struct agent *a = CONTAINER(it, struct agent, link);
		const struct registry_node *n =
		    registry_node(&s->registry, slice_str(a->node));

		if (n != NULL && !registry_node_is_revoked(&s->registry, n,
				     slice_str(s->mesh.trust_domain)))
			continue;
		log_warn("agent is cut off", "node=%s why=revoked", a->node);
		dismiss(a, ERR_DENIED, words_of(&revoked, words));
	}
}

/* --- asking --- */

/* Of one that has come back the newer: its former call has yet to end. */
static const struct agent *
find(const struct server *s, struct slice node)
{
	const struct agent *found = NULL;

	LIST_EACH (&s->agents, it) {
		const struct agent *a = CONTAINER(it, struct agent, link);

		if (slice_eq(node, slice_str(a->node)))
			found = a;
	}
	return found;
}

bool
agents_has(const struct server *s, struct slice node)
{
	return find(s, node) != NULL;
}

const struct interest *
agents_interest(const struct server *s, struct slice node)
{
	const struct agent *a = find(s, node);

	return a != NULL ? &a->interest : NULL;
}

size_t
agents_behind(const struct server *s, struct slice node)
{
	const struct agent *a = find(s, node);
	uint64_t oldest;

	return a != NULL ? xds_server_stream_pending(a->xds, &oldest) : 0;
}

/* One more than are heard says that there are too many. */
enum { FACTS_MAX = DISCOVERY_FACTS_MAX + 1 };

struct facts {
	struct slice *items;
	size_t count;
};

static void
add_fact(void *arg, struct slice fact)
{
	struct facts *f = arg;

	if (f->count < FACTS_MAX)
		f->items[f->count++] = fact;
}

const struct slice *
agents_facts(const struct server *s, struct slice node, struct arena *arena,
    size_t *out_count)
{
	const struct agent *a = find(s, node);
	struct facts f = {
	    arena_alloc_array(arena, FACTS_MAX, sizeof(*f.items)), 0};

	if (a != NULL && f.items != NULL)
		xds_server_stream_each_name(
		    a->xds, S(SERVER_TYPE_MACHINE), add_fact, &f);
	*out_count = f.count;
	return f.items;
}

/* As discovery_each_fact() writes it. */
static void
look_for_gateway(void *arg, struct slice fact)
{
	bool *is = arg;

	*is = *is || slice_eq(fact, S("{\"proxy\":\"gateway\"}"));
}

void
agents_each_gateway(const struct server *s, struct arena *arena,
    void (*each)(void *arg, const struct discovery_machine *m), void *arg)
{
	LIST_EACH (&s->agents, it) {
		const struct agent *a = CONTAINER(it, struct agent, link);
		struct discovery_machine m = {.name = slice_str(a->node)};
		const struct slice *facts;
		bool is = false;
		size_t count;

		xds_server_stream_each_name(
		    a->xds, S(SERVER_TYPE_MACHINE), look_for_gateway, &is);
		if (!is)
			continue;
		facts = agents_facts(s, m.name, arena, &count);
		if (facts != NULL &&
		    discovery_take_facts(facts, count, arena, &m, NULL) == OK)
			each(arg, &m);
	}
}

size_t
agents_count(const struct server *s)
{
	size_t n = 0;

	LIST_EACH (&s->agents, it)
		n++;
	return n;
}

static void
count_refused(void *arg, const struct xds_status *status)
{
	size_t *n = arg;

	*n += status->state == XDS_REFUSED;
}

static void
fill_times(const struct agent *a, struct server_agent *out)
{
	uint64_t now = loop_now_us(a->server->spec.loop), oldest, from;
	struct times_summary t;

	times_summarize(&a->times, &t);
	out->changes = t.count;
	out->last_us = t.last_us;
	out->p50_us = t.p50_us;
	out->p99_us = t.p99_us;
	out->behind = xds_server_stream_pending(a->xds, &oldest);
	from = oldest > 0 ? commits_time(&a->server->commits, oldest) : 0;
	out->behind_us = from > 0 && now > from ? now - from : 0;
}

void
server_each_agent(const struct server *s,
    void (*each)(void *arg, const struct server_agent *a), void *arg)
{
	LIST_EACH (&s->agents, it) {
		const struct agent *a = CONTAINER(it, struct agent, link);
		struct server_agent row = {
		    .node = slice_str(a->node),
		    .addr = a->addr,
		    .connected_us = loop_now_us(s->spec.loop) - a->since_us,
		    .revision = revision_of(a),
		};

		fill_times(a, &row);
		xds_server_stream_each(a->xds, count_refused, &row.refused);
		each(arg, &row);
	}
}

struct refusals {
	const struct agent *agent;
	void (*each)(void *arg, const struct server_refusal *r);
	void *arg;
};

static void
tell_refused(void *arg, const struct xds_status *status)
{
	const struct refusals *all = arg;
	struct server_refusal r = {
	    .node = slice_str(all->agent->node),
	    .resource = status->name,
	    .version = status->version,
	    .reason = status->reason,
	};

	if (status->state == XDS_REFUSED)
		all->each(all->arg, &r);
}

void
server_each_refusal(const struct server *s, struct slice node,
    void (*each)(void *arg, const struct server_refusal *r), void *arg)
{
	struct refusals all = {.each = each, .arg = arg};

	LIST_EACH (&s->agents, it) {
		all.agent = CONTAINER(it, struct agent, link);
		if (node.len == 0 || slice_eq(node, slice_str(all.agent->node)))
			xds_server_stream_each(
			    all.agent->xds, tell_refused, &all);
	}
}
