/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog — gossip, its peers and their last known records.
 *
 *	CLOSED --open--> OPENING --ready--> RUNNING --leave--> LEAVING --> gone
 *	   ^                |                  |
 *	   `--- a wait -----'------ failed ----'
 *
 * What gossip says goes into the catalog at once, and to the disk a little
 * later. Who the catalog has from the disk, but gossip has not heard of for a
 * while among living peers, is dropped.
 */
#define LOG_MODULE "node"

#include "discovery/discovery.h"

#include "inside.h"

#include <stdio.h>

enum {
	PEERS_MAGIC = 0x70656572,
	SAVE_US = 10000000,
	SAVE_FIRST_US = 1000000, /* who has just joined may crash, too */
	REOPEN_US = 5000000,
	PRUNE_US = 60000000,
	HEALTH_BITS = 64,
	OFFER_ARENA_MAX = 4 << 20
};

struct peers {
	uint32_t magic;
	struct node *node;
	struct gossip *gossip; /* NULL: closed, or closing */
	bool alive;            /* its CLOSED has not come */
	bool ready;
	bool leaving;
	bool is_cloned;     /* another machine has our key, or had it */
	uint64_t unhealthy; /* of the services that were offered */
	char trouble[FAULT_TEXT_MAX]; /* why it could not open, or "" */
	struct discovery_catalog *catalog;
	struct buf saved; /* of the last run; for the next opening */
	bool is_saved;    /* once at least */
	struct timer save;
	struct timer reopen;
	struct timer prune;
};

static void open_gossip(struct peers *p);

/* --- the disk ------------------------------------------------------------- */

static void
save_catalog(struct peers *p, bool now)
{
	AUTO(buf_fini) struct buf out = BUF(DISCOVERY_FILE_MAX);
	struct node *n = p->node;
	struct fault why = {0};
	enum err err = discovery_catalog_encode(p->catalog, &out);

	if (err != OK)
		log_error("catalog was not saved", "why=%s", err_text(err));
	else if (!now)
		state_write_later(&n->state, STATE_CATALOG, &out);
	else if (state_write(&n->state, STATE_CATALOG, buf_slice(&out), &why) !=
		 OK)
		log_error("catalog was not saved", "why=\"%s\"", why.text);
}

static void
save_peers(struct peers *p, bool now)
{
	AUTO(buf_fini) struct buf out = BUF(GOSSIP_SAVED_MAX);
	struct node *n = p->node;
	struct fault why = {0};
	enum err err;

	if (p->gossip == NULL)
		return;
	err = gossip_save(p->gossip, &out);
	if (err != OK)
		log_error("peers were not saved", "why=%s", err_text(err));
	else if (!now)
		state_write_later(&n->state, STATE_PEERS, &out);
	else if (state_write(&n->state, STATE_PEERS, buf_slice(&out), &why) !=
		 OK)
		log_error("peers were not saved", "why=\"%s\"", why.text);
}

static void
on_save(void *arg)
{
	struct peers *p;

	OBJ(p, arg, PEERS_MAGIC);
	p->is_saved = true;
	save_catalog(p, /* now */ false);
	save_peers(p, /* now */ false);
}

static void
load(struct peers *p)
{
	AUTO(buf_fini) struct buf file = BUF(DISCOVERY_FILE_MAX);
	const struct state *s = &p->node->state;
	struct fault why = {0};
	enum err err = state_read(s, STATE_CATALOG, &file, &why);

	if (err == OK)
		err = discovery_catalog_decode(
		    p->catalog, buf_slice(&file), &why);
	if (err != OK && err != ERR_NOT_FOUND)
		log_warn(
		    "peers' services are found again", "why=\"%s\"", why.text);
	err = state_read(s, STATE_PEERS, &p->saved, &why);
	if (err != OK && err != ERR_NOT_FOUND)
		log_warn("peers are found again", "why=\"%s\"", why.text);
}

/* --- what gossip says ----------------------------------------------------- */

static void
changed(struct peers *p)
{
	publisher_touch(p->node);
	if (!timer_is_set(&p->save))
		timer_set(&p->save, p->is_saved ? SAVE_US : SAVE_FIRST_US);
}

static void
learn(struct peers *p, const struct gossip_member *m)
{
	struct gossip_record r;
	bool news = false;
	enum err err;

	if (m->self || !gossip_record_get(p->gossip, &m->id, &r))
		return;
	err = discovery_catalog_put(p->catalog, &r, &news);
	if (err != OK)
		log_warn("record is not used", "node=%s err=%s", m->name,
		    err_text(err));
	if (news)
		changed(p);
}

static void
on_ready(struct peers *p)
{
	const struct membership *m = &p->node->member;

	p->ready = true;
	p->trouble[0] = '\0';
	log_info("gossip is open", "port=%u", (unsigned)gossip_port(p->gossip));
	gossip_join(p->gossip, m->seeds, m->seed_count);
	timer_set(&p->prune, PRUNE_US);
}

static void
on_gossip_closed(struct peers *p)
{
	p->ready = false;
	p->alive = false;
	if (p->leaving)
		node_part_closed(p->node);
	else
		timer_set(&p->reopen, REOPEN_US);
}

/* It is tried again every REOPEN_US; the log has each reason once. */
static void
cannot_open(struct peers *p, enum err e, const char *words)
{
	char text[FAULT_TEXT_MAX];

	if (e == ERR_BUSY)
		(void)snprintf(text, sizeof(text),
		    "port %u is taken; if a server of this machine has it, "
		    "choose another with --gossip",
		    (unsigned)p->node->gossip.port);
	else
		(void)snprintf(text, sizeof(text), "%s", words);
	if (strcmp(text, p->trouble) != 0)
		log_error("gossip could not open; it tries again", "why=\"%s\"",
		    text);
	memcpy(p->trouble, text, sizeof(text));
}

static void
on_event(void *arg, const struct gossip_event *e)
{
	struct peers *p;

	OBJ(p, arg, PEERS_MAGIC);
	switch (e->type) {
	case GOSSIP_EVENT_READY:
		on_ready(p);
		break;
	case GOSSIP_EVENT_FAILED:
		cannot_open(p, e->err, err_text(e->err));
		gossip_close(&p->gossip);
		break;
	case GOSSIP_EVENT_MEMBER:
		log_info("member", "node=%s status=%s", e->member->name,
		    gossip_status_name(e->member->status));
		learn(p, e->member);
		break;
	case GOSSIP_EVENT_RECORD:
		learn(p, e->member);
		break;
	case GOSSIP_EVENT_FORGOTTEN:
		if (discovery_catalog_forget(p->catalog, &e->member->id))
			changed(p);
		break;
	case GOSSIP_EVENT_CONFLICT:
		log_warn("two nodes have one name; the older one counts",
		    "node=%s", e->member->name);
		learn(p, e->member);
		break;
	case GOSSIP_EVENT_CLONED:
		p->is_cloned = true;
		log_error("another machine uses this machine's key; see: meshd "
			  "status",
		    "node=%s", p->node->member.name);
		break;
	case GOSSIP_EVENT_REVOKED:
		revoked_news(p->node, e->node);
		break;
	case GOSSIP_EVENT_CLOSED:
		on_gossip_closed(p);
		break;
	}
}

static bool
has_living_peer(const struct peers *p)
{
	const struct gossip_member *m;

	for (size_t i = 0; (m = gossip_member_next(p->gossip, &i)) != NULL;)
		if (!m->self && m->status == GOSSIP_UP)
			return true;
	return false;
}

/* Once peers have had the time to tell us of everybody. */
static void
on_prune(void *arg)
{
	const struct discovery_record *r;
	struct peers *p;
	size_t i = 0;

	OBJ(p, arg, PEERS_MAGIC);
	if (!p->ready)
		return;
	if (!has_living_peer(p)) {
		timer_set(&p->prune, PRUNE_US);
		return;
	}
	while ((r = discovery_catalog_next(p->catalog, &i)) != NULL) {
		struct gossip_id id = r->id;

		if (gossip_member_get(p->gossip, &id) != NULL)
			continue;
		i--;
		if (discovery_catalog_forget(p->catalog, &id))
			changed(p);
	}
}

/* --- opening -------------------------------------------------------------- */

static struct gossip_config
config_of(struct peers *p)
{
	const struct node *n = p->node;
	const struct membership *m = &n->member;
	struct gossip_config c = {
	    .voucher = slice_of(m->voucher, m->voucher_len),
	    .trust = m->bundle.voucher_keys,
	    .keyring = m->keyring,
	    .revoked = n->revoked,
	    .bind = n->gossip,
	    .advertise = n->addrs[0],
	    .saved = buf_slice(&p->saved),
	    .factory = n->factory,
	    .on_event = on_event,
	    .arg = p};

	memcpy(c.mesh, m->mesh, sizeof(c.mesh));
	memcpy(c.secret_key, n->state.gossip_secret, sizeof(c.secret_key));
	return c;
}

static void
on_reopen(void *arg)
{
	struct peers *p;

	OBJ(p, arg, PEERS_MAGIC);
	open_gossip(p);
}

static void
open_gossip(struct peers *p)
{
	struct node *n = p->node;
	struct gossip_config config;
	struct fault why = {0};
	enum err err;

	if (p->alive || p->leaving)
		return;
	if (n->addr_count == 0) { /* addresses.c looks for one */
		log_warn("gossip waits for an address of this machine",
		    "retry_s=%d", REOPEN_US / 1000000);
		timer_set(&p->reopen, REOPEN_US);
		return;
	}
	config = config_of(p);
	err = gossip_open(n->loop, &config, &p->gossip, &why);
	secret_wipe(&config, sizeof(config));
	if (err != OK) {
		cannot_open(p, err, why.text);
		timer_set(&p->reopen, REOPEN_US);
		return;
	}
	p->alive = true;
	peers_offer(n);
}

void
peers_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	const struct peers *p = n->peers;
	char text[FAULT_TEXT_MAX];

	if (p != NULL && p->is_cloned) {
		(void)snprintf(text, sizeof(text),
		    "another machine uses this machine's key and name: one is "
		    "a copy of the other, and calls go to one of them. On the "
		    "copy stop the agent, remove %.200s, and start it with "
		    "--name and a token of: meshd token create",
		    n->state.dir);
		each(arg, &(struct node_problem){.kind = "clone",
			      .about = slice_str(n->member.name),
			      .text = slice_str(text)});
	}
	if (p != NULL && p->trouble[0] != '\0')
		each(arg, &(struct node_problem){.kind = "port",
			      .about = S("gossip"),
			      .text = slice_str(p->trouble)});
}

void
peers_open(struct node *n)
{
	struct peers *p = mem_new(sizeof(*p));

	p->magic = PEERS_MAGIC;
	p->node = n;
	p->catalog = discovery_catalog_new();
	p->saved = BUF(GOSSIP_SAVED_MAX);
	timer_init(&p->save, n->loop, on_save, p);
	timer_init(&p->reopen, n->loop, on_reopen, p);
	timer_init(&p->prune, n->loop, on_prune, p);
	n->peers = p;
	load(p);
	open_gossip(p);
}

/* --- the end -------------------------------------------------------------- */

static void
on_left(void *arg)
{
	struct peers *p;

	OBJ(p, arg, PEERS_MAGIC);
	gossip_close(&p->gossip);
}

static void
stop_timers(struct peers *p)
{
	timer_clear(&p->save);
	timer_clear(&p->reopen);
	timer_clear(&p->prune);
}

void
peers_close(struct node *n)
{
	struct peers *p = n->peers;

	p->leaving = true;
	stop_timers(p);
	save_catalog(p, /* now */ true);
	save_peers(p, /* now */ true);
	if (!p->alive) {
		node_part_closed(n);
		return;
	}
	if (!p->ready) {
		gossip_close(&p->gossip); /* harmless if it is closing */
		return;
	}
	gossip_leave(p->gossip, on_left, p);
}

void
peers_free(struct node *n)
{
	struct peers *p = n->peers;

	if (p == NULL)
		return;
	stop_timers(p); /* what members say while we leave sets them again */
	discovery_catalog_free(&p->catalog);
	buf_fini(&p->saved);
	p->magic = 0;
	mem_free(&n->peers);
}

/* --- what others ask ------------------------------------------------------ */

struct gossip *
peers_gossip(const struct node *n)
{
	return n->peers != NULL ? n->peers->gossip : NULL;
}

const struct discovery_catalog *
peers_catalog(const struct node *n)
{
	return n->peers->catalog;
}

uint32_t
peers_issued_s(const struct node *n)
{
	struct gossip_voucher v;
	enum err err = gossip_voucher_parse(
	    slice_of(n->member.voucher, n->member.voucher_len), &v);

	return err == OK ? v.issued_s : UINT32_MAX;
}

void
peers_self(const struct node *n, struct gossip_id *out)
{
	gossip_id_of_key(n->state.gossip_public, out);
}

static struct gossip_service
service_of(const struct discovery_local *l, struct arena *arena)
{
	struct gossip_label *labels =
	    arena_alloc_array(arena, MAX(l->labels.count, 1), sizeof(*labels));

	for (size_t i = 0; labels != NULL && i < l->labels.count; i++)
		labels[i] = (struct gossip_label){
		    l->labels.items[i].key, l->labels.items[i].value};
	return (struct gossip_service){.name = l->name,
	    .ns = l->ns,
	    .account = l->account,
	    .protocol = l->protocol,
	    .labels = labels,
	    .label_count = labels != NULL ? l->labels.count : 0,
	    .port = l->port,
	    .weight = l->weight};
}

/*
 * Of service `index` in a word that moves without the offers, which has bits
 * for the first of them alone.
 */
static void
mark_health(struct gossip_service *s, const struct discovery_local *l,
    size_t index, uint64_t *bits)
{
	if (l->unhealthy.len == 0)
		return;
	if (index < HEALTH_BITS)
		*bits |= UINT64_C(1) << index;
	else
		s->health = GOSSIP_UNHEALTHY;
}

void
peers_offer(struct node *n)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct gossip_service services[NODE_EXPOSED_MAX];
	struct gossip_offers o = {.addr_count = n->addr_count,
	    .network = slice_str(n->member.network),
	    .locality = place_of(n),
	    .roles = n->proxy == VIEW_ROUTER ? GOSSIP_ROLE_GATEWAY
					     : GOSSIP_ROLE_AGENT,
	    .tunnel_port = n->tunnel_port,
	    .services = services};
	const struct discovery_local *locals;
	struct peers *p = n->peers;
	struct fault why = {0};
	uint64_t bits = 0;

	if (peers_gossip(n) == NULL || p->leaving)
		return;
	arena_init(&arena, OFFER_ARENA_MAX);
	memcpy(o.addrs, n->addrs, n->addr_count * sizeof(n->addrs[0]));
	/* Without a tunnel nobody could call what we offer. */
	if (n->tunnel_port != 0) {
		o.service_count = exposed_offers(n, &arena, &locals);
		for (size_t i = 0; i < o.service_count; i++) {
			services[i] = service_of(&locals[i], &arena);
			mark_health(&services[i], &locals[i], i, &bits);
		}
	}
	/* A bit is a place in the offers: while these change, both say no. */
	gossip_set_health(p->gossip, GOSSIP_HEALTHY, p->unhealthy | bits);
	if (gossip_set_offers(p->gossip, &o, &why) != OK)
		log_error("services are not announced", "why=\"%s\"", why.text);
	gossip_set_health(p->gossip, GOSSIP_HEALTHY, bits);
	p->unhealthy = bits;
}

void
peers_moved(struct node *n)
{
	if (peers_gossip(n) == NULL)
		return;
	gossip_set_advertise(n->peers->gossip, &n->addrs[0]);
	peers_offer(n);
}

void
peers_set_voucher(struct node *n)
{
	const struct membership *m = &n->member;
	enum err err;

	if (n->peers == NULL)
		return;
	if (n->peers->gossip == NULL) {
		open_gossip(n->peers); /* the old one may have expired */
		return;
	}
	err = gossip_set_voucher(
	    n->peers->gossip, slice_of(m->voucher, m->voucher_len));
	if (err != OK)
		log_error("voucher is not used", "why=%s", err_text(err));
}

void
peers_set_keyring(struct node *n)
{
	if (peers_gossip(n) != NULL &&
	    gossip_set_keyring(n->peers->gossip, &n->member.keyring) != OK)
		log_error("gossip keys are not used",
		    "why=\"one number is there twice\"");
}

void
peers_set_trust(struct node *n)
{
	if (peers_gossip(n) != NULL)
		gossip_set_trust(
		    n->peers->gossip, &n->member.bundle.voucher_keys);
}
