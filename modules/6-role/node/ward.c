/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ward — programs of this machine that call as an account of their own from
 * their first connection: all that their cgroup sends comes to a port of the
 * proxy that is that account's.
 *
 *	WAITING --door, certificate, hosts; or long enough--> LOADING --> HELD
 *	   `------------- refused, or ended by its owner -------------> FAILED
 *
 * They are beside what `capture on` asks for, in the same table: each load of
 * it has those that are LOADING or HELD. A port stays with its account, so that
 * no connection that one account's rule led there is taken for another's.
 */
#define LOG_MODULE "node"

#include "captured.h"

#include <stdio.h>

enum {
	WARD_MAGIC = 0x77617264,
	POLL_US = 10000,
	WAIT_MAX_US = 60 * 1000000,
	REST_US = 60 * 1000000 /* of a port, until another account has it */
};

/* A port of the proxy, and who calls by it. */
struct slot {
	char ns[NODE_LABEL_MAX];
	char account[NODE_LABEL_MAX]; /* empty: nobody had it yet */
	char identity[PROXY_OWN_TEXT_MAX];
	unsigned users;
	bool is_open; /* rules may lead there */
	uint64_t left_us;
};

enum ward_state { WARD_WAITING, WARD_LOADING, WARD_HELD, WARD_FAILED };

struct ward {
	uint32_t magic;
	struct captured *captured;
	struct list link;
	enum ward_state state;
	bool is_asked; /* the helper is being told of it */
	struct capture_cgroup cgroup;
	char unit[NODE_UNIT_MAX];
	struct slot *slot;
	uint64_t began_us;
	uint64_t wait_us;
	struct timer poll;
	struct fault missed;
	char service[NODE_LABEL_MAX]; /* that it offers; empty: none */
	uint16_t port;
	node_run_cb ready; /* NULL: it was told */
	void *arg;
};

struct wards {
	struct list all;
	size_t count;
	bool is_dirty; /* the helper knows of others */
	struct slot slots[CAPTURE_LIST_MAX];
};

static struct ward *
ward_of(void *arg)
{
	struct ward *w;

	OBJ(w, arg, WARD_MAGIC);
	return w;
}

/* --- ports ---------------------------------------------------------------- */

static uint16_t
port_of(const struct wards *ws, const struct slot *s)
{
	return (uint16_t)(CAPTURE_OWN_PORT + (s - ws->slots));
}

static bool
is_of(const struct slot *s, struct slice ns, struct slice account)
{
	return slice_eq(slice_str(s->ns), ns) &&
	       slice_eq(slice_str(s->account), account);
}

static bool
is_free(const struct captured *c, const struct slot *s)
{
	return s->users == 0 && !s->is_open &&
	       (s->account[0] == '\0' ||
		   loop_now_us(c->node->loop) - s->left_us >= REST_US);
}

/* NULL: there is none left. */
static struct slot *
choose_slot(struct captured *c, struct slice ns, struct slice account)
{
	struct slot *slots = c->wards->slots, *best = NULL;

	for (size_t i = 0; i < CAPTURE_LIST_MAX; i++) {
		if (is_of(&slots[i], ns, account))
			return &slots[i];
		if (is_free(c, &slots[i]) &&
		    (best == NULL || (best->account[0] != '\0' &&
					 slots[i].account[0] == '\0')))
			best = &slots[i];
	}
	return best;
}

static enum err
name_slot(const struct node *n, struct slot *s, const struct node_run *spec,
    struct fault *why)
{
	AUTO(arena_fini) struct arena a = {0};
	const struct identity id = {
	    slice_str(n->member.bundle.trust_domain), spec->ns, spec->account};
	enum err e;

	arena_init(&a, 2 * PROXY_OWN_TEXT_MAX);
	e = slice_to_cstr(
	    name_identity_format(&a, &id), s->identity, sizeof(s->identity));
	if (e == OK && s->identity[0] == '\0')
		e = ERR_LIMIT;
	if (e == OK)
		e = slice_to_cstr(spec->ns, s->ns, sizeof(s->ns));
	if (e == OK)
		e = slice_to_cstr(
		    spec->account, s->account, sizeof(s->account));
	return e == OK ? OK
		       : fault_set(why, e, "the identity's name is too long");
}

static enum err
take_slot(struct captured *c, struct ward *w, const struct node_run *spec,
    struct fault *why)
{
	struct slot *s = choose_slot(c, spec->ns, spec->account);
	enum err e;

	if (s == NULL)
		return fault_set(why, ERR_LIMIT,
		    "programs here call as %d accounts of their own already",
		    CAPTURE_LIST_MAX);
	e = name_slot(c->node, s, spec, why);
	if (e != OK)
		return e;
	s->users++;
	s->is_open = true;
	w->slot = s;
	return OK;
}

static void
leave_slot(struct ward *w)
{
	w->slot->users--;
	w->slot->left_us = loop_now_us(w->captured->node->loop);
}

/* No rule leads to those that nobody uses any more. */
static void
shut_unused(struct captured *c)
{
	struct slot *slots = c->wards->slots;

	for (size_t i = 0; i < CAPTURE_LIST_MAX; i++)
		slots[i].is_open = slots[i].users > 0;
	captured_settle(c);
}

/* --- what others ask ------------------------------------------------------ */

bool
wards_any(const struct captured *c)
{
	return c->wards->count > 0;
}

static bool
is_in_force(const struct ward *w)
{
	return w->state == WARD_LOADING || w->state == WARD_HELD;
}

void
wards_add_wish(const struct captured *c, struct capture_wish *w)
{
	LIST_EACH (&c->wards->all, it) {
		const struct ward *x = CONTAINER(it, struct ward, link);

		if (is_in_force(x) && w->own_count < CAPTURE_LIST_MAX)
			w->own[w->own_count++] =
			    (struct capture_own){.cgroup = x->cgroup,
				.port = port_of(c->wards, x->slot)};
	}
	if (w->own_count > 0 && dns_takes_questions(c->node))
		w->how |= CAPTURE_OWN_DNS;
}

static void
slot_doors(
    const struct captured *c, const struct slot *s, struct proxy_own *out)
{
	captured_loopback(port_of(c->wards, s), out->out);
	(void)snprintf(out->identity, sizeof(out->identity), "%s", s->identity);
	(void)snprintf(
	    out->cluster, sizeof(out->cluster), "%s", c->node->member.network);
}

void
wards_add_doors(const struct captured *c, struct proxy_captured *out)
{
	const struct slot *slots = c->wards->slots;

	CHECK((size_t)PROXY_OWN_MAX == (size_t)CAPTURE_LIST_MAX);
	for (size_t i = 0; i < PROXY_OWN_MAX; i++)
		if (slots[i].is_open)
			slot_doors(c, &slots[i], &out->own[i]);
}

static const char *
state_name(const struct ward *w)
{
	static const char *const names[] = {[WARD_WAITING] = "waits",
	    [WARD_LOADING] = "waits",
	    [WARD_HELD] = "captured",
	    [WARD_FAILED] = "not captured"};

	return names[w->state];
}

void
node_each_run(const struct node *n,
    void (*each)(void *arg, const struct node_run_state *s), void *arg)
{
	const struct wards *ws = n->captured->wards;

	LIST_EACH (&ws->all, it) {
		const struct ward *w = CONTAINER(it, struct ward, link);

		each(arg, &(struct node_run_state){.unit = slice_str(w->unit),
			      .cgroup = slice_str(w->cgroup.path),
			      .identity = slice_str(w->slot->identity),
			      .service = slice_str(w->service),
			      .state = state_name(w),
			      .missed = slice_str(w->missed.text)});
	}
}

/* --- the helper is told --------------------------------------------------- */

/* Its owner may end it in there. */
static void
tell(struct ward *w, enum err e, const struct fault *why)
{
	node_run_cb ready = w->ready;

	w->ready = NULL;
	if (ready != NULL && !w->captured->stopped)
		ready(w->arg, e, why);
}

static void
fail(struct ward *w, enum err e, const struct fault *why)
{
	timer_clear(&w->poll);
	w->state = WARD_FAILED;
	log_warn("a program is not captured", "cgroup=%s why=\"%s\"",
	    w->cgroup.path, why->text);
	tell(w, e, why);
}

static void
settle_asked(struct captured *c, const struct capture_report *r)
{
	LIST_EACH (&c->wards->all, it) {
		struct ward *w = CONTAINER(it, struct ward, link);

		if (!w->is_asked)
			continue;
		w->is_asked = false;
		if (r->e != OK) {
			fail(w, r->e, &r->why);
			continue;
		}
		w->state = WARD_HELD;
		log_info("captures a program from its first connection",
		    "cgroup=%s identity=%s", w->cgroup.path, w->slot->identity);
		tell(w, OK, &w->missed);
	}
}

static void
on_loaded(void *arg, const struct capture_report *r)
{
	struct captured *c = captured_of(arg);

	/* Nothing more is asked while those who were are told. */
	if (!c->stopped)
		settle_asked(c, r);
	captured_told(c);
	if (c->stopped)
		return;
	if (!c->wards->is_dirty)
		shut_unused(c);
	wards_go_on(c);
}

void
wards_go_on(struct captured *c)
{
	struct wards *ws = c->wards;

	if (!ws->is_dirty || c->loads > 0 || c->helper == NULL || c->stopped)
		return;
	ws->is_dirty = false;
	LIST_EACH (&ws->all, it) {
		struct ward *w = CONTAINER(it, struct ward, link);

		w->is_asked = w->state == WARD_LOADING;
	}
	captured_load(c, c->on ? &c->wish : NULL, on_loaded);
}

static void
changed(struct captured *c)
{
	c->wards->is_dirty = true;
	wards_go_on(c);
}

void
wards_lost(struct captured *c)
{
	LIST_EACH (&c->wards->all, it) {
		struct ward *w = CONTAINER(it, struct ward, link);

		if (w->state != WARD_FAILED)
			fail(w, c->trouble.code, &c->trouble);
	}
}

/* --- one of them ---------------------------------------------------------- */

static enum door_state
door_of(const struct ward *w)
{
	const struct captured *c = w->captured;
	struct proxy_own doors = {0};

	slot_doors(c, w->slot, &doors);
	return captured_doors(c, doors.out, S("captured-out"));
}

static bool
has_all(const struct ward *w, struct fault *why)
{
	const struct node *n = w->captured->node;
	struct slice ns = slice_str(w->slot->ns);
	struct slice account = slice_str(w->slot->account);

	if (!identities_have(n, ns, account))
		(void)fault_set(why, ERR_AGAIN, "%.*s",
		    SLICE_ARG(identities_problem(n, ns, account)));
	else if (!interests_know_all(n))
		(void)fault_set(why, ERR_AGAIN,
		    "the configuration of all hosts is not here");
	return why->code == OK;
}

static void
load(struct ward *w)
{
	if (w->missed.code != OK)
		log_warn("a program begins before all that it needs is here",
		    "cgroup=%s waited_ms=%u why=\"%s\"", w->cgroup.path,
		    (unsigned)(w->wait_us / 1000), w->missed.text);
	w->state = WARD_LOADING;
	changed(w->captured);
}

static bool
is_refused(const struct ward *w, struct fault *why)
{
	const struct node *n = w->captured->node;
	struct slice ns = slice_str(w->slot->ns);
	struct slice account = slice_str(w->slot->account);

	if (!identities_are_refused(n, ns, account))
		return false;
	(void)fault_set(why, ERR_DENIED, "%.*s",
	    SLICE_ARG(identities_problem(n, ns, account)));
	return true;
}

static void
on_poll(void *arg)
{
	struct ward *w = ward_of(arg);
	uint64_t waited_us = loop_now_us(w->captured->node->loop) - w->began_us;
	enum door_state door = door_of(w);
	bool is_open = door == DOOR_OPEN;
	struct fault why = {0};

	if (is_refused(w, &why)) {
		fail(w, why.code, &why);
	} else if (is_open && (has_all(w, &why) || waited_us >= w->wait_us)) {
		w->missed = why;
		load(w);
	} else if (!is_open && waited_us >= w->wait_us &&
		   captured_gives_up(door, waited_us)) {
		fail(w,
		    fault_set(&why, ERR_BUSY,
			"port %u could not be opened; meshd status says why",
			(unsigned)port_of(w->captured->wards, w->slot)),
		    &why);
	} else {
		timer_set(&w->poll, POLL_US);
	}
}

static enum err
offer(struct ward *w, const struct node_run *spec, struct fault *why)
{
	struct node_expose x;
	enum err e;

	if (spec->expose == NULL)
		return node_may_be(
		    w->captured->node, spec->ns, spec->account, why);
	x = *spec->expose;
	x.ns = spec->ns;
	x.account = spec->account;
	x.is_passing = true;
	e = node_expose(w->captured->node, &x, why);
	if (e != OK)
		return e;
	w->port = x.port != 0 ? x.port : x.target.port;
	/* A service's name is a label. */
	CHECK(slice_to_cstr(x.name, w->service, sizeof(w->service)) == OK);
	return OK;
}

static enum err
begin(struct ward *w, const struct node_run *spec, struct fault *why)
{
	struct captured *c = w->captured;
	enum err e = captured_may(c, why);

	if (e == OK && c->wards->count == CAPTURE_LIST_MAX)
		e = fault_set(why, ERR_LIMIT,
		    "%d programs call as accounts of their own already",
		    CAPTURE_LIST_MAX);
	if (e == OK)
		e = capture_cgroup_find(spec->cgroup, &w->cgroup, why);
	if (e == OK)
		e = offer(w, spec, why);
	if (e == OK && (e = take_slot(c, w, spec, why)) != OK)
		exposed_end(c->node, slice_str(w->service), spec->ns, w->port);
	return e;
}

enum err
node_run_begin(struct node *n, const struct node_run *spec, node_run_cb ready,
    void *arg, struct ward **out, struct fault *why)
{
	struct captured *c = n->captured;
	struct ward *w = mem_new(sizeof(*w));
	enum err e;

	w->magic = WARD_MAGIC;
	w->captured = c;
	w->ready = ready;
	w->arg = arg;
	w->began_us = loop_now_us(n->loop);
	w->wait_us = MIN(spec->wait_us, WAIT_MAX_US);
	(void)snprintf(w->unit, sizeof(w->unit), "%.*s", SLICE_ARG(spec->unit));
	timer_init(&w->poll, n->loop, on_poll, w);
	e = begin(w, spec, why);
	if (e != OK) {
		mem_free(&w);
		return e;
	}
	list_push_back(&c->wards->all, &w->link);
	c->wards->count++;
	identities_want(n, spec->ns, spec->account);
	if (spec->is_anew && identities_are_refused(n, spec->ns, spec->account))
		identities_retry(n);
	captured_settle(c);
	timer_set(&w->poll, POLL_US);
	*out = w;
	return OK;
}

/* Its port is shut when no rule leads there any more. */
void
node_run_end(struct ward **wp)
{
	struct ward *w = *wp;
	struct captured *c;

	if (w == NULL)
		return;
	c = w->captured;
	*wp = NULL;
	list_remove(&w->link);
	c->wards->count--;
	timer_clear(&w->poll);
	leave_slot(w);
	if (w->service[0] != '\0')
		exposed_end(c->node, slice_str(w->service),
		    slice_str(w->slot->ns), w->port);
	log_info("a program is captured no more", "cgroup=%s identity=%s",
	    w->cgroup.path, w->slot->identity);
	w->magic = 0;
	mem_free(&w);
	changed(c);
}

/* --- birth and end -------------------------------------------------------- */

void
wards_open(struct captured *c)
{
	c->wards = mem_new(sizeof(*c->wards));
	list_init(&c->wards->all);
}

void
wards_stop(struct captured *c)
{
	LIST_EACH (&c->wards->all, it)
		timer_clear(&CONTAINER(it, struct ward, link)->poll);
}

void
wards_close(struct captured *c)
{
	CHECK(list_empty(&c->wards->all));
	mem_free(&c->wards);
}
