/* SPDX-License-Identifier: Apache-2.0 */
/*
 * members — the server as a member of the gossip, and what it hears there.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "gossip/gossip.h"
#include "net/net.h"

#include "inside.h"

enum { SAVE_EVERY_US = 10000000, OFFERS_ARENA = 1 << 20 };

/* --- where others send to --- */

/* The bound address if it is one, else the first that is announced. */
static struct addr
own_addr(const struct server *s)
{
	struct addr machine[1];

	if (s->spec.gossip.family != ADDR_NONE && !addr_is_any(&s->spec.gossip))
		return s->spec.gossip;
	if (s->own.ip_count > 0)
		return s->own.ips[0];
	if (net_machine_addrs(machine, 1) == 1)
		return machine[0]; /* only names are announced */
	return (struct addr){.family = ADDR_V4, .bytes = {127, 0, 0, 1}};
}

/* --- what it remembers over a restart --- */

static void
save(void *arg)
{
	AUTO(buf_fini) struct buf bytes = BUF(GOSSIP_SAVED_MAX);
	struct server *s = server_of(arg);
	char path[SERVER_PATH_MAX];
	struct fault why = {0};
	enum err e = gossip_save(s->gossip, &bytes);

	if (e == OK)
		e = path_of(s->spec.state_dir, PATH_PEERS, path, &why);
	if (e == OK)
		e = file_replace(path, buf_slice(&bytes), 0600, &why);
	if (e != OK)
		log_warn("peers are not saved", "why=\"%s\"", why.text);
}

/* Without it peers are found again. */
static void
load(const struct server *s, struct buf *out)
{
	char path[SERVER_PATH_MAX];
	struct fault why = {0};
	enum err e = path_of(s->spec.state_dir, PATH_PEERS, path, &why);

	if (e == OK)
		e = file_read_private(path, out, &why);
	if (e == OK || e == ERR_NOT_FOUND)
		return;
	log_warn("saved peers are not read", "why=\"%s\"", why.text);
	buf_reset(out);
}

/* --- open --- */

static enum err
announce(struct server *s, struct fault *why)
{
	struct gossip_offers offers = {
	    .network = S(MESH_NETWORK),
	    .roles = GOSSIP_ROLE_SERVER,
	};

	for (size_t i = 0;
	     i < s->own.ip_count && offers.addr_count < GOSSIP_ADDRS_MAX; i++)
		offers.addrs[offers.addr_count++] = s->own.ips[i];
	return gossip_set_offers(s->gossip, &offers, why);
}

static void
on_failed(struct server *s, enum err e)
{
	struct addr bind = s->spec.gossip;
	char text[ADDR_TEXT_MAX];

	if (bind.family == ADDR_NONE)
		bind = net_any_addr(GOSSIP_PORT);
	(void)fault_set(&s->start_fault, e,
	    "cannot gossip on %s: %s; is the port taken, by another meshd "
	    "maybe?",
	    addr_format(&bind, text), err_text(e));
	server_fail(s, e, &s->start_fault);
}

static void
note_conflict(const struct gossip_event *event)
{
	log_warn("two members have one name", "name=%s addr_port=%u",
	    event->member->name, event->member->addr.port);
}

static void
on_ready(struct server *s)
{
	struct fault why = {0};
	enum err e = announce(s, &why);

	s->gossip_ready = true;
	if (e != OK) {
		s->start_fault = why;
		server_fail(s, e, &s->start_fault);
		return;
	}
	server_is_up(s);
}

static void
on_event(void *arg, const struct gossip_event *event)
{
	struct server *s = server_of(arg);

	if (event->type == GOSSIP_EVENT_CLOSED) {
		s->gossip_ready = false;
		server_part_gone(s, PART_GOSSIP);
		return;
	}
	if (s->closing)
		return;
	if (event->type == GOSSIP_EVENT_READY)
		on_ready(s);
	else if (event->type == GOSSIP_EVENT_FAILED)
		on_failed(s, event->err);
	else if (event->type == GOSSIP_EVENT_CONFLICT)
		note_conflict(event);
	else if (event->type == GOSSIP_EVENT_CLONED)
		log_error("another process uses this server's gossip key",
		    "path=%s/%s", s->spec.state_dir, PATH_GOSSIP_KEY);
	else if (event->type == GOSSIP_EVENT_REVOKED)
		log_debug("gossip tells of a revocation", "node=%.*s",
		    SLICE_ARG(event->node));
	else if (!timer_is_set(&s->save))
		timer_set(&s->save, SAVE_EVERY_US);
}

static void
fill_config(struct server *s, struct gossip_config *c)
{
	*c = (struct gossip_config){
	    .voucher = slice_of(s->own.voucher, s->own.voucher_len),
	    .trust = {.count = 1},
	    .keyring = s->mesh.keyring,
	    .revoked = s->revoked,
	    .bind = s->spec.gossip,
	    .advertise = own_addr(s),
	    .factory = s->spec.factory,
	    .on_event = on_event,
	    .arg = s,
	};
	if (c->bind.family == ADDR_NONE)
		c->bind = net_any_addr(GOSSIP_PORT);
	c->advertise.port = 0; /* the one that is bound */
	memcpy(c->mesh, s->mesh.id, sizeof(c->mesh));
	memcpy(c->secret_key, s->own.gossip_secret, sizeof(c->secret_key));
	ca_voucher_key(s->own.ca, c->trust.keys[0]);
}

void
members_open(struct server *s)
{
	AUTO(buf_fini) struct buf saved = BUF(GOSSIP_SAVED_MAX);
	struct gossip_config config;
	enum err e;

	load(s, &saved);
	fill_config(s, &config);
	config.saved = buf_slice(&saved);
	timer_init(&s->save, s->spec.loop, save, s);
	e = gossip_open(s->spec.loop, &config, &s->gossip, &s->start_fault);
	secret_wipe(&config, sizeof(config));
	if (e == OK)
		s->parts |= PART_GOSSIP;
	else
		server_fail(s, e, &s->start_fault);
}

void
members_renew(struct server *s)
{
	struct slice voucher = slice_of(s->own.voucher, s->own.voucher_len);
	enum err e =
	    s->gossip == NULL ? OK : gossip_set_voucher(s->gossip, voucher);

	if (e != OK)
		log_error("own voucher is refused", "err=\"%s\"", err_text(e));
}

void
members_revoke(struct server *s, struct slice statement)
{
	struct gossip_trust trust = {.count = 1};
	enum err e;

	ca_voucher_key(s->own.ca, trust.keys[0]);
	e = s->gossip != NULL ? gossip_revoke(s->gossip, statement)
			      : gossip_revoked_add(s->revoked, statement,
				    &trust, server_now_ms(s) / 1000);
	if (e != OK && e != ERR_EXISTS && e != ERR_EXPIRED)
		log_error("gossip does not tell of a revocation", "err=\"%s\"",
		    err_text(e));
}

static void
on_left(void *arg)
{
	struct server *s = server_of(arg);

	gossip_close(&s->gossip);
}

void
members_close(struct server *s)
{
	timer_clear(&s->save);
	if (s->gossip == NULL)
		return;
	if (!s->gossip_ready) {
		gossip_close(&s->gossip);
		return;
	}
	save(s);
	gossip_leave(s->gossip, on_left, s);
}

/* --- asking --- */

/* False, and `offers` empty, while its record is not here. */
static bool
offers_of(const struct server *s, const struct gossip_member *m,
    struct arena *arena, struct gossip_record *record,
    struct gossip_offers *offers)
{
	*offers = (struct gossip_offers){0};
	arena_reset(arena);
	return gossip_record_get(s->gossip, &m->id, record) &&
	       record->offers != NULL &&
	       gossip_offers_decode(
		   blob_bytes(record->offers), arena, offers) == OK;
}

void
server_each_member(const struct server *s,
    void (*each)(void *arg, const struct server_member *m), void *arg)
{
	AUTO(arena_fini) struct arena arena;
	const struct gossip_member *m;
	size_t cursor = 0;

	arena_init(&arena, OFFERS_ARENA);
	while (s->gossip != NULL &&
	       (m = gossip_member_next(s->gossip, &cursor)) != NULL) {
		struct gossip_record record;
		struct gossip_offers offers;
		struct server_member row = {.member = m};

		if (offers_of(s, m, &arena, &record, &offers)) {
			row.roles = offers.roles;
			row.locality = offers.locality;
			row.services = offers.service_count;
		}
		each(arg, &row);
	}
}

/* As discovery sees it: nobody is sent there. */
static bool
is_gone(const struct server *s, const struct gossip_record *r)
{
	const struct gossip_member *m = r->member;

	return m->status == GOSSIP_DOWN || m->status == GOSSIP_LEFT ||
	       m->name_lost || r->voucher.expires_s <= server_now_ms(s) / 1000;
}

void
members_each_offer(const struct server *s,
    void (*each)(void *arg, const struct member_offer *o), void *arg)
{
	AUTO(arena_fini) struct arena arena;
	struct gossip_record record;
	const struct gossip_member *m;
	size_t cursor = 0;

	arena_init(&arena, OFFERS_ARENA);
	while (s->gossip != NULL &&
	       (m = gossip_member_next(s->gossip, &cursor)) != NULL) {
		struct gossip_offers offers;

		if (!offers_of(s, m, &arena, &record, &offers))
			continue;
		for (size_t i = 0; i < offers.service_count; i++)
			each(arg, &(struct member_offer){.member = m,
				      .offers = &offers,
				      .service = &offers.services[i],
				      .issued_s = record.voucher.issued_s,
				      .healthy = gossip_service_is_healthy(
					  &record, &offers.services[i], i),
				      .gone = is_gone(s, &record)});
	}
}

struct labels
members_copy_labels(const struct gossip_service *s, struct arena *a)
{
	struct label *items =
	    arena_alloc_array(a, s->label_count + 1, sizeof(*items));

	for (size_t i = 0; items != NULL && i < s->label_count; i++)
		if (arena_copy(a, s->labels[i].key, &items[i].key) != OK ||
		    arena_copy(a, s->labels[i].value, &items[i].value) != OK)
			return (struct labels){items, i};
	return (struct labels){items, items == NULL ? 0 : s->label_count};
}
