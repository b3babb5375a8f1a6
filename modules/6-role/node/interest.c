/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interest — the hosts whose configuration this node asks the servers for.
 *
 * What holds for the whole mesh and for the namespaces that somebody here
 * calls from or serves in; the hosts of its upstreams and of what it exposes,
 * always; at a gateway the Gateways that select it, and all that they lead to;
 * one that somebody asked about, for some minutes more. Of other hosts
 * nothing is decoded that members say, either. A host that the stream has
 * brought is one about which all configuration is in force; what members say
 * is, with the next view. While programs are captured all hosts are asked for:
 * they call by addresses, and nobody knows whose before they do.
 */
#define LOG_MODULE "node"

#include "discovery/discovery.h"

#include "inside.h"

enum {
	INTERESTS_MAGIC = 0x696e7472,
	HOSTS_MAX = 4096, /* a server takes no more */
	ASKED_MAX = 1024,
	WAITING_MAX = 256,
	KEEP_US = 300 * 1000000,
	SWEEP_US = 30 * 1000000,
	WAIT_US = 1000000
};

/* A host that somebody asked about. */
struct asked {
	uint64_t until_us;
};

/* Somebody who waits for one. */
struct waiting {
	struct list link;
	struct timer timer;
	struct interests *interests;
	void (*done)(void *arg, enum err e, const struct fault *why);
	void *arg;
	size_t len;
	char host[HOST_TEXT_MAX];
};

struct interests {
	uint32_t magic;
	struct node *node;
	struct map wanted; /* host → mark: asked of the servers */
	struct map asked;  /* host → struct asked */
	uint64_t version;  /* of `wanted`: another one with each change */
	uint64_t in_force; /* the one that the view in force was made with */
	struct timer sweep;
	struct list waiting;
	size_t waiting_count;
	bool full; /* was said */
};

static struct slice
or_own(const struct node *n, struct slice ns)
{
	return ns.len > 0 ? ns : slice_str(n->ns);
}

static size_t
spellings(const struct node *n, struct slice host, struct slice ns,
    struct host_spellings *out)
{
	return host_spellings(
	    host, or_own(n, ns), slice_str(n->member.domain), out);
}

/* --- what is wanted ------------------------------------------------------- */

static void
add(struct interests *x, struct map *to, struct slice host)
{
	if (host.len == 0 || host.len > NAME_HOST_MAX || host_is_pattern(host))
		return;
	if (to->count < HOSTS_MAX)
		(void)map_put(to, host, x); /* only the mark */
	else if (!x->full)
		log_warn("too many hosts: configuration of some is missing",
		    "limit=%d", HOSTS_MAX);
	x->full |= to->count >= HOSTS_MAX;
}

static void
add_host(
    struct interests *x, struct map *to, struct slice host, struct slice ns)
{
	struct host_spellings s;
	size_t count = spellings(x->node, host, ns, &s);

	for (size_t i = 0; i < count; i++)
		add(x, to, s.names[i]);
}

static void
add_space(struct interests *x, struct map *to, struct slice ns)
{
	char text[HOST_TEXT_MAX];

	add(x, to, host_space(or_own(x->node, ns), text));
}

static void
add_upstreams(struct interests *x, struct map *to, struct arena *arena)
{
	const struct node *n = x->node;
	const struct view_upstream_input *u = upstreams_inputs(n, arena);

	for (size_t i = 0; u != NULL && i < upstreams_count(n); i++)
		add_space(x, to, u[i].ns);
	for (size_t i = 0; u != NULL && i < upstreams_count(n); i++)
		add_host(x, to, u[i].host, u[i].ns);
}

struct adding {
	struct interests *x;
	struct map *to;
};

static void
add_group(void *arg, struct slice host)
{
	const struct adding *a = arg;

	add(a->x, a->to, host);
}

static void
add_exposed(void *arg, const struct node_exposed *e)
{
	const struct adding *a = arg;

	add_space(a->x, a->to, e->what->ns);
	add_host(a->x, a->to, e->what->name, e->what->ns);
}

/* Gateways that select this one lead to all the rest; Services that do say at
 * which port. */
static void
add_gateways(struct interests *x, struct map *to)
{
	const struct node *n = x->node;
	char text[HOST_TEXT_MAX];

	add_space(x, to, slice_str(n->ns));
	add(x, to, host_gateway(NULL, text));
	for (size_t i = 0; i < n->labels.count; i++) {
		const struct label *l = &n->labels.items[i];

		add(x, to, host_gateway(l, text));
		add(x, to, host_front(slice_str(n->ns), l, text));
	}
}

/* What is for all of the mesh first: there is room for it. */
static void
gather(struct interests *x, struct map *to)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct adding adding = {x, to};
	struct slice host;
	void *asked;

	arena_init(&arena, LIMIT_RESOURCE_BYTES);
	add(x, to, S(HOST_MESH));
	add(x, to, S(HOST_NETWORKS));
	add_space(x, to, SLICE_NONE);
	if (captured_wants_all(x->node))
		add(x, to, S(HOST_ALL));
	add_upstreams(x, to, &arena);
	node_each_exposed(x->node, add_exposed, &adding);
	groups_each_host(x->node, add_group, &adding);
	if (x->node->proxy == VIEW_ROUTER)
		add_gateways(x, to);
	for (size_t i = 0; map_next(&x->asked, &i, &host, &asked);)
		add_host(x, to, host, SLICE_NONE);
}

static size_t
tell_missing(struct node *n, const struct map *some, const struct map *others,
    uplink_tell_cb tell, bool more)
{
	struct slice name;
	size_t count = 0;
	void *mark;

	for (size_t i = 0; map_next(some, &i, &name, &mark);) {
		if (map_get(others, name) != NULL)
			continue;
		tell(n, name, more);
		count++;
	}
	return count;
}

size_t
tell_changes(struct node *n, const struct map *before, const struct map *now,
    uplink_tell_cb tell)
{
	return tell_missing(n, now, before, tell, /* more */ true) +
	       tell_missing(n, before, now, tell, /* more */ false);
}

void
interests_refresh(struct node *n)
{
	struct interests *x = n->interests;
	struct map before;

	if (x == NULL || n->uplink == NULL)
		return;
	before = x->wanted;
	map_init(&x->wanted);
	gather(x, &x->wanted);
	if (tell_changes(n, &before, &x->wanted, uplink_want) > 0)
		x->version++;
	map_fini(&before, NULL);
}

/* The same, and a view that knows of it. */
static void
refresh(struct interests *x)
{
	uint64_t before = x->version;

	interests_refresh(x->node);
	if (x->version != before)
		publisher_touch(x->node);
}

bool
interests_have_all(const struct node *n)
{
	return n->interests != NULL &&
	       map_get(&n->interests->wanted, S(HOST_ALL)) != NULL;
}

enum err
interests_scope(
    const struct node *n, struct arena *arena, struct discovery_scope *out)
{
	const struct interests *x = n->interests;
	struct slice host, *hosts;
	size_t count = 0;
	void *mark;

	hosts = arena_alloc_array(
	    arena, x != NULL ? x->wanted.count + 1 : 1, sizeof(*hosts));
	if (hosts == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; x != NULL && map_next(&x->wanted, &i, &host, &mark);)
		hosts[count++] = host;
	*out = (struct discovery_scope){.domain = slice_str(n->member.domain),
	    .hosts = hosts,
	    .count = count,
	    .version = x != NULL ? x->version : 0};
	return OK;
}

/* --- those that were asked about ------------------------------------------ */

static void
drop_asked(void *value)
{
	struct asked *a = value;

	mem_free(&a);
}

/* One whose time is over; false if there is none. */
static bool
sweep_one(struct interests *x)
{
	uint64_t now = loop_now_us(x->node->loop);
	struct slice host;
	void *value;

	for (size_t i = 0; map_next(&x->asked, &i, &host, &value);) {
		struct asked *a = value;

		if (a->until_us > now)
			continue;
		(void)map_remove(&x->asked, host); /* it is `a` */
		drop_asked(a);
		return true;
	}
	return false;
}

static void
on_sweep(void *arg)
{
	struct interests *x;

	OBJ(x, arg, INTERESTS_MAGIC);
	while (sweep_one(x))
		;
	if (x->asked.count > 0)
		timer_set(&x->sweep, SWEEP_US);
	refresh(x);
}

static enum err
keep(struct interests *x, struct slice host, struct fault *why)
{
	struct asked *a = map_get(&x->asked, host);

	if (a == NULL && x->asked.count >= ASKED_MAX)
		return fault_set(why, ERR_BUSY,
		    "this agent was asked about %d hosts in the last minutes; "
		    "ask again later",
		    ASKED_MAX);
	if (a == NULL) {
		a = mem_new(sizeof(*a));
		(void)map_put(&x->asked, host, a); /* it was not there */
	}
	a->until_us = loop_now_us(x->node->loop) + KEEP_US;
	if (!timer_is_set(&x->sweep))
		timer_set(&x->sweep, SWEEP_US);
	refresh(x);
	return OK;
}

/* In all spellings: one of a name of the outside may be a service's. */
static bool
has_host(const struct node *n, struct slice host)
{
	struct host_spellings s;
	size_t count = spellings(n, host, SLICE_NONE, &s);

	for (size_t i = 0; i < count; i++)
		if (!uplink_has_host(n, s.names[i]))
			return false;
	return true;
}

/* --- those who wait ------------------------------------------------------- */

static void
answer(struct waiting *w, enum err e, const struct fault *why)
{
	list_remove(&w->link);
	timer_clear(&w->timer);
	w->interests->waiting_count--;
	w->done(w->arg, e, why);
	mem_free(&w);
}

static enum err
say_missing(const struct node *n, struct slice host, struct fault *why)
{
	return fault_set(why, ERR_UNREACHABLE,
	    "configuration of %.*s is not at hand: %s", SLICE_ARG(host),
	    uplink_has_host(n, host) ? "it is not in force yet"
	    : uplink_session(n) == NULL
		? "this agent has no server now"
		: "the server has not sent all of it yet");
}

static void
on_wait(void *arg)
{
	struct waiting *w = arg;
	struct fault why = {0};
	struct slice host = slice_of(w->host, w->len);
	enum err e = say_missing(w->interests->node, host, &why);

	log_warn("waited in vain for a host", "host=%.*s ms=%d why=\"%s\"",
	    SLICE_ARG(host), WAIT_US / 1000, why.text);
	answer(w, e, &why);
}

static bool
is_here(const struct interests *x, struct slice host)
{
	return x->in_force == x->version && has_host(x->node, host);
}

bool
interests_know_all(const struct node *n)
{
	const struct interests *x = n->interests;

	return x != NULL && x->in_force == x->version &&
	       uplink_has_host(n, S(HOST_ALL));
}

void
interests_arrived(struct node *n)
{
	struct interests *x = n->interests;

	if (x == NULL)
		return;
	LIST_EACH (&x->waiting, it) {
		struct waiting *w = CONTAINER(it, struct waiting, link);

		if (is_here(x, slice_of(w->host, w->len)))
			answer(w, OK, NULL);
	}
}

void
interests_in_force(struct node *n, uint64_t version)
{
	if (n->interests == NULL)
		return;
	n->interests->in_force = version;
	interests_arrived(n);
}

static void
wait(struct interests *x, struct slice host,
    void (*done)(void *arg, enum err e, const struct fault *why), void *arg)
{
	struct waiting *w = mem_new(sizeof(*w));

	w->interests = x;
	w->done = done;
	w->arg = arg;
	w->len = host.len;
	memcpy(w->host, host.ptr, host.len); /* not over NAME_HOST_MAX */
	timer_init(&w->timer, x->node->loop, on_wait, w);
	timer_set(&w->timer, WAIT_US);
	list_push_back(&x->waiting, &w->link);
	x->waiting_count++;
}

void
node_ask_host(struct node *n, struct slice host,
    void (*done)(void *arg, enum err e, const struct fault *why), void *arg)
{
	struct interests *x = n->interests;
	struct host_spellings s;
	size_t count = spellings(n, host, SLICE_NONE, &s);
	struct slice name = count > 0 ? s.names[0] : S("");
	struct fault why = {0};
	enum err e = OK;

	if (name.len == 0 || name.len > NAME_HOST_MAX || host_is_pattern(name))
		e = fault_set(&why, ERR_INVALID, "\"%.*s\" is no host",
		    SLICE_ARG(slice_sub(host, 0, NAME_HOST_MAX)));
	else if (x == NULL)
		e = fault_set(&why, ERR_BUSY, "this agent is no member now");
	if (e == OK)
		e = keep(x, name, &why);
	if (e == OK && !is_here(x, name)) {
		if ((uplink_session(n) != NULL || has_host(n, name)) &&
		    x->waiting_count < WAITING_MAX) {
			wait(x, name, done, arg);
			return;
		}
		e = say_missing(n, name, &why);
	}
	done(arg, e, &why);
}

/* --- birth and end -------------------------------------------------------- */

void
interests_open(struct node *n)
{
	struct interests *x = mem_new(sizeof(*x));

	x->magic = INTERESTS_MAGIC;
	x->node = n;
	x->version = 1;
	map_init(&x->wanted);
	map_init(&x->asked);
	list_init(&x->waiting);
	timer_init(&x->sweep, n->loop, on_sweep, x);
	n->interests = x;
	interests_refresh(n);
}

void
interests_close(struct node *n)
{
	struct interests *x = n->interests;
	struct fault why = {0};
	enum err e = fault_set(&why, ERR_CANCELLED, "this agent is stopping");

	if (x == NULL)
		return;
	LIST_EACH (&x->waiting, it)
		answer(CONTAINER(it, struct waiting, link), e, &why);
	timer_clear(&x->sweep);
	map_fini(&x->wanted, NULL);
	map_fini(&x->asked, drop_asked);
	x->magic = 0;
	mem_free(&n->interests);
}
