/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gossip_world — see gossip_world.h.
 */
#include "gossip_world.h"

#include <stdio.h>
#include <stdlib.h>

enum { NODES_MAX = 1024, KEY_SEED = 32, WALL_S = 1800000000 };

enum what { DELIVER, REQUEST, REPLY, WAKE };

struct happening {
	uint64_t at_ms;
	uint64_t order; /* among those of one time */
	enum what what;
	size_t node;
	size_t from;
	uint64_t generation; /* WAKE: of the node */
	struct packet_from sender;
	uint8_t hops;
	size_t len;
	uint8_t bytes[];
};

struct node {
	struct core *core; /* NULL: not running */
	struct packets *packets;
	size_t key_of; /* whose key: another node's for a clone */
	char name[GOSSIP_NAME_MAX + 1];
	uint8_t secret[CRYPTO_ED25519_SECRET_LEN];
	uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN];
	struct gossip_id id;
	uint8_t voucher[GOSSIP_VOUCHER_MAX];
	size_t voucher_len;
	struct addr addr;
	struct buf saved;
	struct gossip_revoked *revoked; /* outlives runs, as a file */
	unsigned side;
	uint64_t boots;
	uint64_t generation;
	uint64_t paused_until_ms;
	size_t events[GOSSIP_EVENT_CLOSED + 1];
	size_t deaths;
	bool left;
};

struct world {
	struct world_options options;
	struct rng rng;
	uint64_t now_ms;
	uint64_t order;
	struct happening **heap;
	size_t heap_count;
	size_t heap_cap;
	struct node *nodes[NODES_MAX];
	size_t count;
	struct map by_id;
	uint8_t ca_secret[CRYPTO_ED25519_SECRET_LEN];
	struct gossip_trust trust;
	uint64_t hash;
	uint64_t packets;
	uint64_t bytes;
	bool replay;
	size_t acting;   /* whose step runs */
	size_t asked_by; /* REQUEST: who waits for the answer */
	uint8_t asked_hops;
};

/* --- a hash of all that happened ------------------------------------------ */

static void
trace(struct world *w, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t all[4] = {w->hash, w->now_ms << 16 ^ a, b, c};

	w->hash = slice_hash_stable(slice_of(all, sizeof(all)));
}

/* --- a memory of signatures ----------------------------------------------- */

/*
 * Every node checks the same few signatures; a real check of each, once, keeps
 * the simulation honest and fast. The answers outlive worlds.
 */
static struct map verified;
static char yes[] = "yes", no[] = "no";

static bool
verify_once(
    struct slice message, const uint8_t *public_key, const uint8_t *signature)
{
	uint8_t key[256];
	size_t len = message.len;
	void *known;

	memcpy(key, message.ptr, len);
	memcpy(key + len, public_key, CRYPTO_ED25519_PUBLIC_LEN);
	len += CRYPTO_ED25519_PUBLIC_LEN;
	memcpy(key + len, signature, CRYPTO_ED25519_SIGNATURE_LEN);
	len += CRYPTO_ED25519_SIGNATURE_LEN;
	known = map_get(&verified, slice_of(key, len));
	if (known == NULL) {
		known = crypto_ed25519_verify(message, public_key, signature)
			    ? yes
			    : no;
		(void)map_put(&verified, slice_of(key, len), known);
	}
	return known == yes;
}

/* --- the heap of what will happen ----------------------------------------- */

static bool
is_before(const struct happening *a, const struct happening *b)
{
	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms;
	return a->order < b->order;
}

static void
heap_push(struct world *w, struct happening *h)
{
	size_t i = w->heap_count;

	h->order = w->order++;
	if (w->heap_count == w->heap_cap) {
		size_t cap = MAX(w->heap_cap * 2, 1024);

		w->heap =
		    mem_resize(w->heap, w->heap_cap, cap, sizeof(*w->heap));
		w->heap_cap = cap;
	}
	w->heap_count++;
	while (i > 0 && is_before(h, w->heap[(i - 1) / 2])) {
		w->heap[i] = w->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->heap[i] = h;
}

static struct happening *
heap_pop(struct world *w)
{
	struct happening *first = w->heap[0];
	struct happening *last = w->heap[--w->heap_count];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= w->heap_count)
			break;
		if (child + 1 < w->heap_count &&
		    is_before(w->heap[child + 1], w->heap[child]))
			child++;
		if (!is_before(w->heap[child], last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

static struct happening *
happening_new(struct world *w, enum what what, size_t node, uint64_t delay_ms,
    struct slice bytes)
{
	struct happening *h = mem_new(sizeof(*h) + bytes.len);

	h->at_ms = w->now_ms + delay_ms;
	h->what = what;
	h->node = node;
	h->from = w->acting;
	h->len = bytes.len;
	if (bytes.len > 0)
		memcpy(h->bytes, bytes.ptr, bytes.len);
	return h;
}

/* --- what nodes do -------------------------------------------------------- */

/* Node i is 10.0.x.y with i in the last two bytes. */
static size_t
node_at(const struct world *w, const struct addr *a)
{
	size_t i = (size_t)a->bytes[2] << 8 | a->bytes[3];

	return i < w->count ? i : NODES_MAX;
}

static uint64_t
latency(struct world *w)
{
	unsigned min = w->options.latency_min_ms;

	return min + rng_below(&w->rng, w->options.latency_max_ms - min + 1);
}

static struct packet_from
sender_of(const struct world *w, size_t i)
{
	const struct node *n = w->nodes[i];

	return (struct packet_from){n->id, n->core->config.boot};
}

static void
send_packet(struct world *w, const struct core_action *a)
{
	uint8_t sealed[LIMIT_GOSSIP_PACKET];
	struct slice bytes = a->payload;
	size_t to = node_at(w, &a->to);
	struct happening *h;

	CHECK(a->payload.len <= PACKET_PAYLOAD_MAX); /* S4 */
	w->packets++;
	w->bytes += a->payload.len + LIMIT_GOSSIP_PACKET - PACKET_PAYLOAD_MAX;
	if (w->options.sealed)
		bytes = slice_of(sealed,
		    packets_seal(w->nodes[w->acting]->packets, bytes, sealed));
	if (to == NODES_MAX ||
	    rng_below(&w->rng, 1000) < w->options.loss_permille)
		return;
	h = happening_new(w, DELIVER, to, latency(w), bytes);
	h->sender = sender_of(w, w->acting);
	heap_push(w, h);
	if (!w->replay)
		return;
	h = happening_new(w, DELIVER, to, 500 + latency(w), bytes);
	h->sender = sender_of(w, w->acting);
	heap_push(w, h);
}

/* A connection costs a round trip, and survives loss. */
static void
send_call(struct world *w, const struct core_action *a)
{
	size_t to = node_at(w, &a->to);
	struct happening *h;

	CHECK(a->payload.len <= CALL_PAYLOAD_MAX);
	if (to == NODES_MAX)
		return;
	h = happening_new(w, REQUEST, to, 3 * latency(w), a->payload);
	h->sender = sender_of(w, w->acting);
	h->hops = a->hops;
	heap_push(w, h);
}

static void
send_answer(struct world *w, const struct core_action *a)
{
	struct happening *h;

	CHECK(a->payload.len <= CALL_PAYLOAD_MAX);
	h = happening_new(w, REPLY, w->asked_by, latency(w), a->payload);
	h->sender = sender_of(w, w->acting);
	h->hops = w->asked_hops;
	heap_push(w, h);
}

static void
note_event(struct world *w, const struct gossip_event *e)
{
	struct node *of;

	if (e->type == GOSSIP_EVENT_REVOKED) {
		trace(w, w->acting << 8 | (unsigned)e->type,
		    slice_hash_stable(e->node), 0);
		return;
	}
	of = map_get(&w->by_id, slice_of(e->member->id.bytes, GOSSIP_ID_LEN));
	trace(w, w->acting << 8 | (unsigned)e->type,
	    slice_hash_stable(slice_of(e->member->id.bytes, GOSSIP_ID_LEN)),
	    e->member->status);
	CHECK(of != NULL);
	of->events[e->type]++;
	if (e->type == GOSSIP_EVENT_MEMBER && e->member->status == GOSSIP_DOWN)
		of->deaths++;
}

static void
on_action(void *arg, const struct core_action *a)
{
	struct world *w = arg;

	if (a->type == CORE_SEND)
		send_packet(w, a);
	else if (a->type == CORE_CALL)
		send_call(w, a);
	else if (a->type == CORE_ANSWER)
		send_answer(w, a);
	else if (a->type == CORE_EVENT)
		note_event(w, &a->event);
	else
		w->nodes[w->acting]->left = true;
}

static struct core_time
now_of(const struct world *w)
{
	return (struct core_time){
	    w->now_ms, WALL_S + (int64_t)(w->now_ms / 1000)};
}

static void
wake_later(struct world *w, size_t i)
{
	struct node *n = w->nodes[i];
	uint64_t due = core_due_ms(n->core);
	struct happening *h;

	n->generation++;
	h = happening_new(w, WAKE, i, due - w->now_ms, SLICE_NONE);
	h->generation = n->generation;
	heap_push(w, h);
}

/* --- what must never happen ----------------------------------------------- */

struct before {
	struct gossip_id id;
	uint64_t incarnation;
	uint8_t status;
};

/* S1: nobody but its subject raises an incarnation. */
static void
check_raised(const struct world *w, const struct gossip_member *m)
{
	const struct node *subject =
	    map_get(&w->by_id, slice_of(m->id.bytes, GOSSIP_ID_LEN));

	CHECK(subject != NULL);
	/* A lost counter or a clone: the subject's own table says less. */
	if (subject->core == NULL || subject->boots > 1 || m->self)
		return;
	CHECK(m->incarnation <= subject->core->self->pub.incarnation);
}

/* S1, S2, S5, S9 for one node's whole table, against a moment ago. */
static void
check_node(const struct world *w, const struct node *n,
    const struct before *before, size_t count)
{
	const struct core *c = n->core;

	CHECK(c->queued <= c->count); /* S5 */
	for (size_t i = 0; i < count; i++) {
		const struct peer *p = peer_find(c, &before[i].id);
		const struct gossip_member *m;

		if (p == NULL) /* revoked */
			continue;
		m = &p->pub;
		CHECK(m->incarnation >= before[i].incarnation);
		if (m->incarnation > before[i].incarnation)
			check_raised(w, m);
		else /* S2, S9: UP < SUSPECT < DOWN < LEFT, as numbered */
			CHECK(m->status >= before[i].status);
	}
}

static size_t
look(const struct node *n, struct before *out)
{
	for (size_t i = 0; i < n->core->count; i++)
		out[i] = (struct before){n->core->peers[i]->pub.id,
		    n->core->peers[i]->pub.incarnation,
		    n->core->peers[i]->pub.status};
	return n->core->count;
}

static void
step(struct world *w, size_t i, const struct core_input *in)
{
	struct before before[NODES_MAX];
	struct node *n = w->nodes[i];
	size_t count = look(n, before);

	w->acting = i;
	core_step(n->core, now_of(w), in);
	check_node(w, n, before, count);
	wake_later(w, i);
}

/* --- happenings ----------------------------------------------------------- */

static bool
reaches(const struct world *w, size_t from, size_t to)
{
	return w->nodes[to]->core != NULL &&
	       w->nodes[from]->side == w->nodes[to]->side;
}

static void
deliver(struct world *w, const struct happening *h)
{
	uint8_t opened[PACKET_PAYLOAD_MAX];
	struct core_input in = {.type = CORE_PACKET};
	size_t len;

	in.from = w->nodes[h->from]->addr;
	in.sender = h->sender;
	in.payload = slice_of(h->bytes, h->len);
	if (w->options.sealed) {
		if (packets_open(w->nodes[h->node]->packets, in.payload, opened,
			&len, &in.sender) != OK)
			return;
		in.payload = slice_of(opened, len);
	}
	step(w, h->node, &in);
}

static void
serve(struct world *w, const struct happening *h)
{
	struct core_input in = {.type = CORE_REQUEST};

	in.from = w->nodes[h->from]->addr;
	in.sender = h->sender;
	in.payload = slice_of(h->bytes, h->len);
	w->asked_by = h->from;
	w->asked_hops = h->hops;
	step(w, h->node, &in);
}

static void
reply(struct world *w, const struct happening *h)
{
	struct core_input in = {.type = CORE_REPLY};

	in.from = w->nodes[h->from]->addr;
	in.sender = h->sender;
	in.payload = slice_of(h->bytes, h->len);
	in.hops = h->hops;
	step(w, h->node, &in);
}

/* A paused node finds everything that came when it wakes up. */
static bool
is_put_off(struct world *w, struct happening *h)
{
	const struct node *n = w->nodes[h->node];

	if (n->core == NULL || n->paused_until_ms <= w->now_ms)
		return false;
	h->at_ms = n->paused_until_ms;
	heap_push(w, h);
	return true;
}

static void
happen(struct world *w, struct happening *h)
{
	static const struct core_input tick = {.type = CORE_TICK};

	w->now_ms = MAX(w->now_ms, h->at_ms);
	if (is_put_off(w, h))
		return;
	trace(w, (uint64_t)h->what, h->node << 16 | h->from, h->len);
	if (h->what == WAKE) {
		if (w->nodes[h->node]->core != NULL &&
		    w->nodes[h->node]->generation == h->generation)
			step(w, h->node, &tick);
	} else if (reaches(w, h->from, h->node)) {
		if (h->what == DELIVER)
			deliver(w, h);
		else if (h->what == REQUEST)
			serve(w, h);
		else
			reply(w, h);
	}
	mem_free(&h);
}

void
world_run(struct world *w, uint64_t ms)
{
	uint64_t end = w->now_ms + ms;

	while (w->heap_count > 0 && w->heap[0]->at_ms <= end)
		happen(w, heap_pop(w));
	w->now_ms = end;
}

uint64_t
world_until(struct world *w, bool (*is_so)(const struct world *w, size_t arg),
    size_t arg, uint64_t limit_ms)
{
	uint64_t start = w->now_ms;

	while (!is_so(w, arg)) {
		if (w->now_ms - start > limit_ms)
			return UINT64_MAX;
		world_run(w, 100);
	}
	return w->now_ms - start;
}

uint64_t
world_now_ms(const struct world *w)
{
	return w->now_ms;
}

/* --- nodes come and go ---------------------------------------------------- */

struct world *
world_new(const struct world_options *options)
{
	static const uint8_t ca_seed[KEY_SEED] = {1};
	struct world *w = mem_new(sizeof(*w));

	CHECK(crypto_init() == OK);
	w->options = *options;
	w->now_ms = 1000;
	rng_init(&w->rng, options->seed);
	map_init(&w->by_id);
	crypto_ed25519_from_seed(ca_seed, w->trust.keys[0], w->ca_secret);
	w->trust.count = 1;
	return w;
}

static void
stop(struct node *n)
{
	core_free(&n->core);
	packets_free(&n->packets);
}

void
world_free(struct world **wp)
{
	struct world *w = *wp;

	if (w == NULL)
		return;
	for (size_t i = 0; i < w->count; i++) {
		stop(w->nodes[i]);
		buf_fini(&w->nodes[i]->saved);
		gossip_revoked_free(&w->nodes[i]->revoked);
		mem_free(&w->nodes[i]);
	}
	while (w->heap_count > 0)
		mem_free(&w->heap[--w->heap_count]);
	mem_free(&w->heap);
	map_fini(&w->by_id, NULL);
	mem_free(wp);
}

static void
make_voucher(struct world *w, struct node *n, uint32_t issued_s)
{
	struct gossip_voucher v = {.name = slice_str(n->name),
	    .network = S("default"),
	    .namespaces = S("default"),
	    .accounts = S("*"),
	    .issued_s = issued_s,
	    .expires_s = WALL_S + 7 * 86400};

	memcpy(v.public_key, n->public_key, sizeof(v.public_key));
	CHECK(gossip_voucher_sign(
		  &v, w->ca_secret, n->voucher, &n->voucher_len, NULL) == OK);
}

static void
offer_service(struct world *w, struct node *n)
{
	struct gossip_label label = {S("app"), slice_str(n->name)};
	struct gossip_service s = {.name = S("web"),
	    .ns = S("default"),
	    .account = S("web"),
	    .protocol = S("http"),
	    .labels = &label,
	    .label_count = 1,
	    .port = 8080,
	    .weight = 100};
	struct gossip_offers o = {.addrs = {n->addr},
	    .addr_count = 1,
	    .network = S("default"),
	    .roles = GOSSIP_ROLE_AGENT,
	    .tunnel_port = 15008,
	    .services = &s,
	    .service_count = 1};

	CHECK(core_set_offers(n->core, now_of(w), &o, NULL) == OK);
}

static void
start(struct world *w, size_t i, struct slice saved)
{
	static const uint8_t mesh[GOSSIP_MESH_LEN] = {7};
	struct gossip_keyring ring = {.keys = {{1, {42}}}, .count = 1};
	struct node *n = w->nodes[i];
	struct core_config config = {
	    .voucher = slice_of(n->voucher, n->voucher_len),
	    .trust = w->trust,
	    .revoked = n->revoked,
	    .advertise = n->addr,
	    .boot = (i + 1) << 32 | ++n->boots,
	    .seed = rng_u64(&w->rng),
	    .verify = verify_once,
	    .sink = on_action,
	    .arg = w};

	memcpy(config.secret_key, n->secret, sizeof(config.secret_key));
	w->acting = i;
	CHECK(core_new(&config, now_of(w), &n->core, NULL) == OK);
	core_restore(n->core, now_of(w), saved);
	CHECK(n->core->stats.drop_saved == 0);
	n->packets = packets_new(mesh, &n->id, config.boot);
	CHECK(packets_set_keyring(n->packets, &ring) == OK);
	offer_service(w, n);
	wake_later(w, i);
}

static struct node *
node_new(size_t i)
{
	struct node *n = mem_new(sizeof(*n));

	n->addr.family = ADDR_V4;
	n->addr.bytes[0] = 10;
	n->addr.bytes[2] = (uint8_t)(i >> 8);
	n->addr.bytes[3] = (uint8_t)i;
	n->addr.port = GOSSIP_PORT;
	buf_init(&n->saved, GOSSIP_SAVED_MAX);
	n->revoked = gossip_revoked_new();
	return n;
}

size_t
world_add(struct world *w, const char *name, uint32_t issued_s)
{
	uint8_t seed[KEY_SEED] = {2};
	size_t i = w->count;
	struct node *n;

	CHECK(i < NODES_MAX);
	n = w->nodes[w->count++] = node_new(i);
	seed[1] = (uint8_t)i;
	seed[2] = (uint8_t)(i >> 8);
	crypto_ed25519_from_seed(seed, n->public_key, n->secret);
	gossip_id_of_key(n->public_key, &n->id);
	(void)map_put(&w->by_id, slice_of(n->id.bytes, GOSSIP_ID_LEN), n);
	(void)snprintf(n->name, sizeof(n->name), "%s", name);
	make_voucher(w, n, issued_s);
	start(w, i, SLICE_NONE);
	return i;
}

void
world_join(struct world *w, size_t i, size_t seed)
{
	w->acting = i;
	core_join(w->nodes[i]->core, now_of(w), &w->nodes[seed]->addr, 1);
	wake_later(w, i);
}

void
world_fill(struct world *w, size_t count)
{
	char name[32];

	for (size_t i = 0; i < count; i++) {
		size_t n;

		(void)snprintf(name, sizeof(name), "node-%zu", w->count);
		n = world_add(w, name, WALL_S - 1000);
		if (n > 0)
			world_join(w, n, 0);
	}
}

void
world_kill(struct world *w, size_t i)
{
	struct node *n = w->nodes[i];

	buf_reset(&n->saved);
	CHECK(core_save(n->core, &n->saved) == OK);
	stop(n);
}

void
world_restart(struct world *w, size_t i, bool with_saved)
{
	struct node *n = w->nodes[i];

	if (n->core != NULL)
		world_kill(w, i);
	start(w, i, with_saved ? buf_slice(&n->saved) : SLICE_NONE);
}

size_t
world_clone(struct world *w, size_t i)
{
	const struct node *original = w->nodes[i];
	size_t k = w->count;
	struct node *n = w->nodes[w->count++] = node_new(k);

	n->key_of = i;
	n->id = original->id;
	memcpy(n->name, original->name, sizeof(n->name));
	memcpy(n->secret, original->secret, sizeof(n->secret));
	memcpy(n->public_key, original->public_key, sizeof(n->public_key));
	memcpy(n->voucher, original->voucher, sizeof(n->voucher));
	n->voucher_len = original->voucher_len;
	w->nodes[i]->boots++; /* its incarnation is shared now */
	start(w, k, SLICE_NONE);
	return k;
}

void
world_leave(struct world *w, size_t i)
{
	w->acting = i;
	core_leave(w->nodes[i]->core, now_of(w));
	wake_later(w, i);
}

void
world_revoke(struct world *w, size_t at, size_t subject)
{
	struct gossip_revocation r = {
	    .node = slice_str(w->nodes[subject]->name),
	    .since_ms = now_of(w).wall_s * 1000,
	    .expires_s = WALL_S + 10 * 86400};
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	size_t len;

	CHECK(gossip_revocation_sign(&r, w->ca_secret, bytes, &len) == OK);
	w->acting = at;
	CHECK(core_revoke(
		  w->nodes[at]->core, now_of(w), slice_of(bytes, len)) == OK);
	wake_later(w, at);
}

void
world_pause(struct world *w, size_t i, uint64_t ms)
{
	w->nodes[i]->paused_until_ms = w->now_ms + ms;
}

void
world_set_loss(struct world *w, unsigned permille)
{
	w->options.loss_permille = permille;
}

void
world_set_side(struct world *w, size_t i, unsigned side)
{
	w->nodes[i]->side = side;
}

void
world_replay(struct world *w, bool on)
{
	w->replay = on;
}

/* --- what there is to see ------------------------------------------------- */

struct core *
world_core(const struct world *w, size_t i)
{
	return w->nodes[i]->core;
}

size_t
world_count(const struct world *w)
{
	return w->count;
}

bool
world_is_running(const struct world *w, size_t i)
{
	return w->nodes[i]->core != NULL;
}

const struct peer *
world_view(const struct world *w, size_t of, size_t on)
{
	return peer_find(w->nodes[of]->core, &w->nodes[on]->id);
}

size_t
world_events(const struct world *w, size_t of, enum gossip_event_type type)
{
	return w->nodes[of]->events[type];
}

size_t
world_deaths(const struct world *w, size_t of)
{
	return w->nodes[of]->deaths;
}

static bool
all_see(const struct world *w, size_t subject, enum gossip_status status)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct peer *p;

		if (w->nodes[i]->core == NULL || i == subject ||
		    w->nodes[i]->side != 0)
			continue;
		p = world_view(w, i, subject);
		if (p == NULL || p->pub.status != status)
			return false;
	}
	return true;
}

bool
world_all_see_up(const struct world *w, size_t arg)
{
	return all_see(w, arg, GOSSIP_UP);
}

bool
world_all_see_down(const struct world *w, size_t arg)
{
	return all_see(w, arg, GOSSIP_DOWN);
}

bool
world_all_see_left(const struct world *w, size_t arg)
{
	return all_see(w, arg, GOSSIP_LEFT);
}

bool
world_all_refuse(const struct world *w, size_t arg)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct node *n = w->nodes[i];

		if (n->core == NULL || i == arg || n->side != 0)
			continue;
		if (world_view(w, i, arg) != NULL ||
		    !gossip_revoked_has(n->revoked,
			slice_str(w->nodes[arg]->name), WALL_S - 1000))
			return false;
	}
	return true;
}

bool
world_any_suspects(const struct world *w, size_t arg)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct peer *p;

		if (w->nodes[i]->core == NULL || i == arg)
			continue;
		p = world_view(w, i, arg);
		if (p != NULL && p->pub.status == GOSSIP_SUSPECT)
			return true;
	}
	return false;
}

static bool
sees_well(const struct world *w, size_t i, size_t j)
{
	const struct peer *p = world_view(w, i, j);

	return p != NULL && p->pub.status == GOSSIP_UP &&
	       (i == j || p->offers_have == p->state.offers);
}

bool
world_is_whole(const struct world *w, size_t unused)
{
	(void)unused;
	for (size_t i = 0; i < w->count; i++)
		for (size_t j = 0; j < w->count; j++)
			if (w->nodes[i]->core != NULL &&
			    w->nodes[j]->core != NULL && !sees_well(w, i, j))
				return false;
	return true;
}

uint64_t
world_hash(const struct world *w)
{
	return w->hash;
}

uint64_t
world_packets(const struct world *w)
{
	return w->packets;
}

uint64_t
world_bytes(const struct world *w)
{
	return w->bytes;
}
