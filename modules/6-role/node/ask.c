/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask — questions about a node, answered as plain rows.
 */
#include "discovery/discovery.h"

#include "inside.h"

#include <stdio.h>

enum node_state
node_state(const struct node *n)
{
	return (enum node_state)n->sm.state;
}

void
node_set_log_success(struct node *n, bool on)
{
	n->log.log_success = on;
	plane_set_log_success(n, on);
}

void
node_set_log_lines(struct node *n, struct telemetry_lines *lines)
{
	telemetry_lines_unref(&n->log.lines);
	if (lines != NULL)
		n->log.lines = telemetry_lines_ref(lines);
	plane_choose_lines(n, NULL);
}

const struct view *
node_view(const struct node *n)
{
	return publisher_view(n);
}

enum err
node_survey(const struct node *n, struct view **out, struct fault *why)
{
	return publisher_survey(n, out, why);
}

struct proxy *
node_proxy(struct node *n)
{
	return plane_proxy(n);
}

struct value *
node_explain(const struct node *n, const struct explain_question *question,
    struct arena *arena)
{
	const struct view *v = publisher_view(n);

	return v != NULL ? model_answer(v, question, arena) : NULL;
}

void
node_each_resource(const struct node *n,
    void (*each)(void *arg, const struct resource *r), void *arg)
{
	publisher_each_resource(n, each, arg);
}

static void
each_unsaved(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	struct slice why = state_trouble(&n->state);
	char text[FAULT_TEXT_MAX];

	if (why.len == 0)
		return;
	(void)snprintf(text, sizeof(text),
	    "%.*s; what changes is in force, but a restart would not know of "
	    "it until this is mended: meshd doctor",
	    SLICE_ARG(why));
	each(arg, &(struct node_problem){.kind = "state",
		      .about = slice_str(n->state.dir),
		      .text = slice_str(text)});
}

void
node_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	const struct node_problem revoked = {.kind = "revocation",
	    .about = slice_str(n->member.name),
	    .text = slice_str(ca_verdict_hint(CA_NODE_REVOKED))};

	if (revoked_self(n))
		each(arg, &revoked);
	each_unsaved(n, each, arg);
	health_each_problem(n, each, arg);
	settled_each_problem(n, each, arg);
	groups_each_problem(n, each, arg);
	place_each_problem(n, each, arg);
	plane_each_problem(n, each, arg);
	captured_each_problem(n, each, arg);
	dns_each_problem(n, each, arg);
	addresses_each_problem(n, each, arg);
	peers_each_problem(n, each, arg);
	uplink_each_problem(n, each, arg);
	publisher_each_problem(n, each, arg);
}

/* --- members -------------------------------------------------------------- */

static size_t
count_services(const struct node *n, const struct gossip_member *m)
{
	const struct discovery_record *r;

	if (m->self)
		return exposed_count(n);
	for (size_t i = 0;
	     (r = discovery_catalog_next(peers_catalog(n), &i)) != NULL;)
		if (gossip_id_eq(&r->id, &m->id))
			return r->service_count;
	return 0;
}

void
node_each_member(const struct node *n,
    void (*each)(void *arg, const struct node_member *m), void *arg)
{
	const struct gossip *g = peers_gossip(n);
	uint64_t now_ms = loop_now_us(n->loop) / 1000;
	const struct gossip_member *m;

	for (size_t i = 0;
	     g != NULL && (m = gossip_member_next(g, &i)) != NULL;) {
		struct node_member row = {.name = slice_str(m->name),
		    .network = slice_str(m->network),
		    .addr = m->addr,
		    .status = gossip_status_name(m->status),
		    .health = gossip_health_name(m->health),
		    .rtt_ms = m->rtt_ms,
		    .since_ms = now_ms - MIN(m->since_ms, now_ms),
		    .services = count_services(n, m),
		    .self = m->self};

		each(arg, &row);
	}
}

/* A Service that a route led to came with the stream, though its host did
 * not. */
bool
node_is_by_records(const struct node *n, const struct view_service *s)
{
	return s->origin.key.kind.len == 0 && !uplink_has_host(n, s->host);
}

/* --- status --------------------------------------------------------------- */

void
node_status(const struct node *n, struct node_status *out)
{
	const struct gossip *g = peers_gossip(n);
	const struct gossip_member *m;

	*out = (struct node_status){.state = node_state(n),
	    .proxy = n->proxy,
	    .labels = n->labels,
	    .name = slice_str(n->is_member ? n->member.name : n->want_name),
	    .trust_domain = slice_str(n->member.bundle.trust_domain),
	    .network =
		slice_str(n->is_member ? n->member.network : n->want_network),
	    .locality = place_of(n),
	    .generation = publisher_generation(n),
	    .uptime_us = loop_now_us(n->loop) - n->began_us,
	    .resources = publisher_resources(n),
	    .exposed = exposed_count(n),
	    .upstreams = upstreams_count(n)};
	if (n->is_member)
		uplink_fill_status(n, out);
	else if (n->join != NULL)
		out->trouble = join_trouble(n);
	else
		out->trouble = slice_str(n->refusal.text);
	for (size_t i = 0;
	     g != NULL && (m = gossip_member_next(g, &i)) != NULL;) {
		out->members++;
		out->members_up += m->status == GOSSIP_UP;
	}
}
