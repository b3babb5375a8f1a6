/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life — the order in which the parts come up, are kept up, and go.
 *
 *	store ─► everything stored is at hand ─► own keys ─► control ─► gossip
 *	                                                             ─► ready
 *	closing: streams, control, gossip (which says good-bye), then the store
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "loop/loop.h"
#include "store/store.h"

#include "inside.h"
#include "life.h"

enum {
	UPKEEP_US = 60000000, /* a minute: the wall's clock may jump */
	MANY = 1000,          /* resources that leave much memory behind */
	TIDY_US = 1000000,
	SWEEP_EVERY = 60 * 24 /* upkeeps: once a day */
};

static void
tell(struct server *s, enum err e, const struct fault *why)
{
	if (s->told)
		return;
	s->told = true;
	if (s->spec.on_ready != NULL)
		s->spec.on_ready(s->spec.arg, e, why);
}

void
server_fail(struct server *s, enum err e, const struct fault *why)
{
	/* After the start nobody is left to tell but the log. */
	if (s->told)
		log_error("a part of the server failed", "why=\"%s\"",
		    why != NULL ? why->text : err_text(e));
	tell(s, e, why);
}

void
server_is_up(struct server *s)
{
	tell(s, OK, NULL);
}

/* --- keeping up --- */

static void
on_tidy(void *arg)
{
	(void)arg; /* the process's memory */
	mem_give_back();
}

void
server_had_many(struct server *s, size_t count)
{
	if (count >= MANY && !timer_is_set(&s->tidy))
		timer_set(&s->tidy, TIDY_US);
}

static void
on_swept(const struct store_result *r, void *arg)
{
	(void)arg;
	if (r->err != OK)
		log_warn("cannot forget what has expired", "why=\"%s\"",
		    r->why->text);
}

static void
sweep(struct server *s)
{
	struct store_op op = {.type = STORE_SWEEP, .keep_ms = CA_GRACE_MS};
	struct store_mutation m = {
	    .actor = S("server"),
	    .time_ms = server_now_ms(s),
	    .ops = &op,
	    .op_count = 1,
	};

	store_propose(s->store, &m, on_swept, NULL);
}

static void
on_upkeep(void *arg)
{
	struct server *s = server_of(arg);
	struct fault why = {0};

	timer_set(&s->upkeep, UPKEEP_US);
	mem_give_back();
	if (s->upkeeps++ % SWEEP_EVERY == 0)
		sweep(s);
	if (!own_is_due(&s->own, server_now_ms(s)))
		return;
	if (own_renew(&s->own, &s->spec, &s->mesh, &why) != OK) {
		log_error(
		    "own certificate is not renewed", "why=\"%s\"", why.text);
		return;
	}
	log_info("own certificate is renewed", "server=%s", s->own.name);
	members_renew(s);
}

/* --- up --- */

static enum err
prepare(struct server *s, struct fault *why)
{
	enum err e = s->row_fault.code;

	if (e != OK)
		*why = s->row_fault;
	else
		e = mesh_check(&s->mesh, why);
	if (e == OK)
		e = own_open(&s->own, &s->spec, &s->mesh, why);
	if (e == OK && feed_mesh(s) != OK)
		e = fault_set(
		    why, ERR_INTERNAL, "the mesh's keys cannot be published");
	if (e == OK)
		feed_revocations(s);
	return e;
}

static void
start(struct server *s)
{
	enum err e = prepare(s, &s->start_fault);

	s->started = true;
	if (e != OK) {
		server_fail(s, e, &s->start_fault);
		return;
	}
	timer_init(&s->upkeep, s->spec.loop, on_upkeep, s);
	timer_init(&s->tidy, s->spec.loop, on_tidy, s);
	server_had_many(s, s->cache.by_key.count);
	timer_set(&s->upkeep, UPKEEP_US);
	if (s->spec.config_dir != NULL)
		s->follow = follow_open(s);
	control_open(s);
}

/* Only what the start needs has to be right; later changes are logged. */
static void
take_rows(struct server *s, const struct store_changes *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct fault why = {0};

		registry_take(&s->registry, &c->rows[i]);
		owned_take(&s->owned, &c->rows[i]);
		if (s->started ||
		    mesh_take(&s->mesh, s->store, &c->rows[i], &why) == OK)
			continue;
		if (s->row_fault.code == OK)
			s->row_fault = why;
	}
}

/* Whether somebody may be a member no more. */
static bool
concerns_members(const struct store_changes *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->rows[i].table == STORE_NODES ||
		    c->rows[i].table == STORE_REVOCATIONS)
			return true;
	return c->reset;
}

void
life_take(struct server *s, const struct store_changes *c)
{
	if (c->err != OK) {
		server_fail(s, c->err, c->why);
		return;
	}
	if (c->reset) {
		registry_fini(&s->registry);
		registry_init(&s->registry);
		owned_fini(&s->owned);
		owned_init(&s->owned);
		feed_reset(s);
	}
	cache_take(&s->cache, c);
	take_rows(s, c);
	feed_take(s, c);
	if (!s->cache.current)
		return;
	if (!s->started && !s->told)
		start(s);
	else if (s->started && concerns_members(c))
		agents_check(s);
	if (s->follow != NULL)
		follow_changed(s->follow);
}

/* --- down --- */

static void
on_store_closed(void *arg)
{
	server_part_gone(server_of(arg), PART_STORE);
}

/* Everybody else has gone; the store answers what is still asked. */
static void
close_store(struct server *s)
{
	store_unwatch(&s->watch);
	store_close(&s->store, on_store_closed, s);
}

static void
finish(struct server *s)
{
	void (*done)(void *) = s->on_closed;
	void *done_arg = s->closed_arg;

	analyze_close(s);
	feed_close(s);
	gossip_revoked_free(&s->revoked);
	own_fini(&s->own);
	mesh_fini(&s->mesh);
	registry_fini(&s->registry);
	owned_fini(&s->owned);
	cache_fini(&s->cache);
	tls_config_unref(&s->tls);
	s->magic = 0;
	mem_free(&s);
	if (done != NULL)
		done(done_arg);
}

static void
on_later(void *arg)
{
	struct server *s = server_of(arg);

	if (s->parts == 0)
		finish(s);
	else if (s->parts == PART_STORE && s->store != NULL)
		close_store(s);
}

static void
go_on(struct server *s)
{
	if (loop_later_is_set(&s->later))
		return;
	loop_later_init(&s->later, on_later, s);
	loop_later(s->spec.loop, &s->later);
}

void
server_part_gone(struct server *s, enum server_part part)
{
	s->parts &= ~(uint32_t)part;
	if (s->closing)
		go_on(s);
}

void
life_end(struct server *s)
{
	s->closing = true;
	timer_clear(&s->upkeep);
	timer_clear(&s->tidy);
	loop_later_cancel(&s->later);
	follow_close(&s->follow);
	agents_close(s);
	control_close(s);
	members_close(s);
	go_on(s);
}
