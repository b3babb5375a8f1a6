/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine — the view of one machine, made of the same as it makes it of there.
 *
 *	its record (gossip)    addresses, services
 *	its stream             namespace, upstreams, where services listen;
 *	                       which hosts it asks for, so what it was sent
 *
 * What of that is not at hand is said beside the view, in sentences.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "model/model.h"

#include "matter.h"

enum { UNKNOWN_MAX = 64 };

struct picture {
	const struct server *s;
	const struct registry_node *node;
	struct arena *arena; /* of sentences */
	struct matter m;
	struct gossip_offers offers;
	struct slice unknown[UNKNOWN_MAX];
	size_t unknown_count;
};

/* Empty: there was no room for the sentence. */
static void
say(struct picture *p, struct slice sentence)
{
	if (p->unknown_count == UNKNOWN_MAX - 1)
		sentence = S("and more than is said here");
	if (p->unknown_count < UNKNOWN_MAX && sentence.len > 0)
		p->unknown[p->unknown_count++] = sentence;
}

/* --- what its record says ------------------------------------------------- */

/* Where callers find it; where it really listens the record does not say. */
static struct addr
called_at(const struct gossip_offers *o, uint16_t port)
{
	struct addr a = o->addr_count > 0 ? o->addrs[0] : (struct addr){0};

	a.port = port;
	return a;
}

static struct discovery_local
local_of(struct picture *p, const struct gossip_record *r, size_t index)
{
	const struct gossip_service *s = &p->offers.services[index];

	return (struct discovery_local){.name = s->name,
	    .ns = s->ns,
	    .account = s->account,
	    .protocol = s->protocol,
	    .labels = members_copy_labels(s, &p->m.arena),
	    .port = s->port,
	    .weight = s->weight,
	    .target = called_at(&p->offers, s->port),
	    .unhealthy = gossip_service_is_healthy(r, s, index)
			     ? S("")
			     : S("it says that it is unhealthy")};
}

static enum err
take_offers(struct picture *p, const struct gossip_record *r)
{
	struct discovery_machine *self = &p->m.self;
	struct discovery_local *locals;
	enum err e = gossip_offers_decode(
	    blob_bytes(r->offers), &p->m.arena, &p->offers);

	if (e != OK)
		return e;
	locals = arena_alloc_array(
	    &p->m.arena, p->offers.service_count + 1, sizeof(*locals));
	if (locals == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < p->offers.service_count; i++)
		locals[i] = local_of(p, r, i);
	self->locals = locals;
	self->local_count = p->offers.service_count;
	self->locality = p->offers.locality;
	self->addrs = p->offers.addrs;
	self->addr_count = p->offers.addr_count;
	self->families = discovery_families(self->addrs, self->addr_count);
	self->issued_s = r->voucher.issued_s;
	if (p->offers.roles & GOSSIP_ROLE_GATEWAY)
		self->proxy = VIEW_ROUTER;
	return OK;
}

static enum err
take_record(struct picture *p)
{
	struct discovery_machine *self = &p->m.self;
	struct gossip_record r;

	gossip_id_of_key(p->node->gossip_key, &self->id);
	if (p->s->gossip != NULL &&
	    gossip_record_get(p->s->gossip, &self->id, &r) && r.offers != NULL)
		return take_offers(p, &r);
	say(p, arena_printf(p->arena,
		   "no record of %s has come by gossip: its addresses and what "
		   "it offers are not known here",
		   p->node->name));
	return OK;
}

static enum err
take_names(struct picture *p)
{
	struct discovery_machine *self = &p->m.self;
	char uri[NAME_SPIFFE_MAX + 1];
	enum err e;

	self->name = slice_str(p->node->name);
	self->network = slice_str(p->node->network);
	e = ca_node_uri(self->trust_domain, self->name, uri);
	return e == OK
		   ? arena_copy(&p->m.arena, slice_str(uri), &self->identity)
		   : e;
}

/* --- what its stream says ------------------------------------------------- */

static void
say_refused(void *arg, const struct server_refusal *r)
{
	struct picture *p = arg;

	say(p,
	    arena_printf(p->arena,
		"%s cannot use version %.*s of %.*s (%.*s): it keeps the one "
		"that it had, or has none",
		p->node->name, SLICE_ARG(r->version), SLICE_ARG(r->resource),
		SLICE_ARG(r->reason)));
}

static void
say_silent(struct picture *p)
{
	bool is_here = p->m.interest != NULL;

	if (p->m.self.proxy == VIEW_ROUTER)
		say(p, S("it is a gateway, and by which labels Gateways select "
			 "it is not known here: those that select all are "
			 "shown"));
	say(p,
	    arena_printf(p->arena,
		"%s %s: its named listeners, the namespace that its programs "
		"call from%s and where its services listen are not known "
		"here; this is for calls from default%s, and services are "
		"where callers find them",
		p->node->name,
		is_here ? "has not told yet what it is"
			: "is not connected to this server",
		is_here ? "" : ", which hosts it asks for",
		is_here ? "" : " to all hosts"));
}

static enum err
take_facts(struct picture *p, struct fault *why)
{
	const struct slice node = p->m.self.name;
	size_t behind = agents_behind(p->s, node), count;
	const struct slice *facts =
	    agents_facts(p->s, node, &p->m.arena, &count);
	enum err e;

	p->m.interest = agents_interest(p->s, node);
	if (behind > 0)
		say(p,
		    arena_printf(p->arena,
			"%s has not answered all that it was sent: %zu to come",
			p->node->name, behind));
	server_each_refusal(p->s, node, say_refused, p);
	if (count == 0) {
		say_silent(p);
		return OK;
	}
	e = discovery_take_facts(facts, count, &p->m.arena, &p->m.self, why);
	if (e != OK)
		return fault_prefix(why, e, "%s: ", p->node->name);
	if (p->m.self.mismatches > 0)
		say(p,
		    arena_printf(p->arena,
			"what %s tells and its record differ in %zu service%s: "
			"a change is on its way, or its port of tunnels is "
			"taken",
			p->node->name, p->m.self.mismatches,
			p->m.self.mismatches == 1 ? "" : "s"));
	return OK;
}

static void
say_names(struct picture *p, const struct view *v)
{
	size_t count;

	(void)view_names(v, &count);
	if (count > 0)
		say(p,
		    arena_printf(p->arena,
			"where %zu name%s of endpoints lead%s is known to %s "
			"alone, which asks its own name servers",
			count, count == 1 ? "" : "s", count == 1 ? "s" : "",
			p->node->name));
}

/* --- all of it ------------------------------------------------------------ */

static enum err
draw(struct picture *p, struct view **out, struct fault *why)
{
	enum err e = take_names(p);

	if (e == OK)
		e = take_record(p);
	if (e != OK)
		return fault_set(
		    why, e, "the record of %s: %s", p->node->name, err_text(e));
	e = take_facts(p, why);
	if (e == OK)
		e = matter_gather(&p->m, p->s, NULL, SLICE_NONE, why);
	return e == OK ? matter_view(&p->m, /* place */ NULL, out, why) : e;
}

enum err
server_machine_view(const struct server *s, struct slice node,
    struct arena *arena, struct server_machine *out, struct fault *why)
{
	struct picture p = {
	    .s = s, .arena = arena, .node = registry_node(&s->registry, node)};
	struct slice *unknown;
	struct view *view;
	enum err e;

	if (p.node == NULL)
		return fault_set(why, ERR_NOT_FOUND,
		    "no machine %.*s has joined this mesh; node list shows "
		    "those that have",
		    SLICE_ARG(node));
	matter_init(&p.m, s);
	e = draw(&p, &view, why);
	matter_fini(&p.m);
	if (e != OK)
		return e;
	say_names(&p, view);
	unknown =
	    arena_alloc_array(arena, p.unknown_count + 1, sizeof(*unknown));
	for (size_t i = 0; unknown != NULL && i < p.unknown_count; i++)
		unknown[i] = p.unknown[i];
	*out = (struct server_machine){
	    view, unknown, unknown != NULL ? p.unknown_count : 0};
	return OK;
}
