/* SPDX-License-Identifier: Apache-2.0 */
/*
 * members — the table of peers, and what has to follow a change of status.
 *
 *	   (new) --> UP <--higher incarnation-- any
 *	             | silent, or accused
 *	             v
 *	          SUSPECT --time is up, or told--> DOWN --72 h--> gone
 *	             |                               |
 *	             `---------- good-bye -----------+--> LEFT --72 h--> gone
 *
 * At one incarnation a status only moves to the right; LEFT is its member's
 * own signed word, never becomes DOWN, and is taken back by any newer one.
 */
#include "core.h"

struct peer *
peer_find(const struct core *c, const struct gossip_id *id)
{
	return map_get(&c->by_id, slice_of(id->bytes, GOSSIP_ID_LEN));
}

void
emit_event(struct core *c, enum gossip_event_type type, const struct peer *p,
    const struct peer *other)
{
	struct core_action a = {.type = CORE_EVENT};

	a.event.type = type;
	a.event.member = &p->pub;
	a.event.other = other != NULL ? &other->pub : NULL;
	c->config.sink(c->config.arg, &a);
}

static void
grow(struct core *c)
{
	size_t cap = MAX(c->cap * 2, 16);

	if (c->count < c->cap)
		return;
	c->peers = mem_resize(c->peers, c->cap, cap, sizeof(*c->peers));
	c->walk = mem_resize(c->walk, c->cap, cap, sizeof(*c->walk));
	c->cap = cap;
}

/* New ones go to a random place of the walk, so that none waits for long. */
static void
walk_insert(struct core *c, struct peer *p)
{
	size_t at = (size_t)rng_below(&c->rng, c->walk_count + 1);

	c->walk[c->walk_count] = c->walk[at];
	c->walk[at] = p;
	c->walk_count++;
}

struct peer *
peer_add(struct core *c, const struct gossip_id *id)
{
	struct peer *p;

	if (c->count >= GOSSIP_MEMBERS_MAX) {
		c->stats.drop_limit++;
		return NULL;
	}
	grow(c);
	p = mem_new(sizeof(*p));
	p->pub.id = *id;
	p->pub.status = GOSSIP_LEFT; /* until its first state is in force */
	p->index = c->count;
	c->peers[c->count++] = p;
	(void)map_put(&c->by_id, slice_of(id->bytes, GOSSIP_ID_LEN), p);
	list_push_back(&c->buckets[id->bytes[0]], &p->in_bucket);
	walk_insert(c, p);
	return p;
}

static void
name_release(struct core *c, const struct peer *p)
{
	struct slice name = slice_str(p->pub.name);

	if (map_get(&c->by_name, name) == p)
		(void)map_remove(&c->by_name, name);
}

void
peer_remove(struct core *c, struct peer *p)
{
	struct peer *last = c->peers[c->count - 1];

	spread_forget(c, p);
	name_release(c, p);
	if (p->pull_at_ms != 0)
		c->pulling--;
	if (p->pub.status == GOSSIP_DOWN)
		c->down--;
	for (size_t i = 0; i < c->walk_count; i++)
		if (c->walk[i] == p)
			c->walk[i] = c->walk[--c->walk_count];
	c->peers[p->index] = last;
	last->index = p->index;
	c->count--;
	list_remove(&p->in_bucket);
	(void)map_remove(&c->by_id, slice_of(p->pub.id.bytes, GOSSIP_ID_LEN));
	blob_unref(&p->offers);
	mem_free(&p);
}

static void
copy_text(char out[GOSSIP_NAME_MAX + 1], struct slice s)
{
	size_t len = MIN(s.len, GOSSIP_NAME_MAX);

	memcpy(out, s.ptr, len);
	out[len] = '\0';
}

/* --- names ---------------------------------------------------------------- */

/* The older voucher keeps the name; all members decide alike. */
static bool
name_beats(const struct peer *a, const struct peer *b)
{
	if (a->issued_s != b->issued_s)
		return a->issued_s < b->issued_s;
	return memcmp(a->pub.id.bytes, b->pub.id.bytes, GOSSIP_ID_LEN) < 0;
}

static void
name_claim(struct core *c, struct peer *p)
{
	struct slice name = slice_str(p->pub.name);
	struct peer *holder = map_get(&c->by_name, name);
	struct peer *loser;

	p->pub.name_lost = false;
	if (holder == NULL || holder == p) {
		(void)map_put(&c->by_name, name, p);
		return;
	}
	loser = name_beats(p, holder) ? holder : p;
	if (loser == holder) {
		(void)map_put(&c->by_name, name, p);
		holder = p;
	}
	loser->pub.name_lost = true;
	if (gossip_id_eq(&loser->name_rival, &holder->pub.id))
		return;
	loser->name_rival = holder->pub.id;
	emit_event(c, GOSSIP_EVENT_CONFLICT, loser, holder);
}

/* The holder is gone: the best of those that lost to it takes over. */
static void
name_pass_on(struct core *c, struct peer *gone)
{
	struct peer *heir = NULL;

	if (map_get(&c->by_name, slice_str(gone->pub.name)) != gone)
		return;
	name_release(c, gone);
	for (size_t i = 0; i < c->count; i++) {
		struct peer *p = c->peers[i];

		if (p != gone && p->pub.name_lost && peer_is_alive(p) &&
		    strcmp(p->pub.name, gone->pub.name) == 0 &&
		    (heir == NULL || name_beats(p, heir)))
			heir = p;
	}
	if (heir == NULL)
		return;
	name_claim(c, heir);
	emit_event(c, GOSSIP_EVENT_RECORD, heir, NULL);
}

/* Name and network go with it, and what is keyed by the name. */
void
peer_set_voucher(struct core *c, struct peer *p, struct slice bytes,
    const struct gossip_voucher *v)
{
	if (p->voucher_len > 0)
		name_pass_on(c, p);
	memcpy(p->voucher, bytes.ptr, bytes.len);
	p->voucher_len = (uint8_t)bytes.len;
	p->voucher_hash = record_hash(bytes);
	memcpy(p->public_key, v->public_key, sizeof(p->public_key));
	p->issued_s = v->issued_s;
	p->expires_s = v->expires_s;
	p->expired = false;
	p->offers_refused = 0; /* what it may offer has changed */
	copy_text(p->pub.name, v->name);
	copy_text(p->pub.network, v->network);
	if (p->pub.since_ms != 0 && peer_is_alive(p))
		name_claim(c, p);
}

void
peer_set_state(struct peer *p, struct slice bytes, const struct state *s)
{
	p->state = *s;
	memcpy(p->state_bytes, bytes.ptr, bytes.len);
	p->state_len = (uint8_t)bytes.len;
	p->pub.incarnation = s->incarnation;
	p->pub.epoch = s->epoch;
	p->pub.health = s->health;
	p->pub.addr = s->addr;
}

/* --- status --------------------------------------------------------------- */

/* FNV-1a over what the other side has to agree on; 0 for who is not alive. */
static uint64_t
digest_of(const struct core *c, const struct peer *p)
{
	uint8_t bytes[GOSSIP_ID_LEN + 16];
	struct packer b = {.mem = bytes, .cap = sizeof(bytes)};

	if (!peer_is_alive(p) || (p == c->self && c->leaving))
		return 0;
	pack_id(&b, &p->pub.id);
	pack_u64(&b, p->pub.incarnation);
	pack_u64(&b, p->pub.epoch);
	return slice_hash_stable(slice_of(bytes, b.len));
}

void
peer_set_digest(struct core *c, struct peer *p)
{
	uint64_t *bucket = &c->bucket_hash[p->pub.id.bytes[0]];

	*bucket ^= p->digest;
	p->digest = digest_of(c, p);
	*bucket ^= p->digest;
}

static void
count_status(struct core *c, const struct peer *p, bool add)
{
	size_t one = add ? 1 : (size_t)-1;

	if (peer_is_alive(p))
		c->alive += one;
	if (p->pub.status == GOSSIP_SUSPECT)
		c->doubted += one;
	if (p->pub.status == GOSSIP_DOWN)
		c->down += one;
}

void
peer_set_status(struct core *c, struct peer *p, enum gossip_status s)
{
	bool was_alive = peer_is_alive(p);
	bool fresh = p->pub.since_ms == 0;

	if (!fresh && p->pub.status == s) {
		peer_set_digest(c, p);
		return;
	}
	count_status(c, p, /* add */ false);
	p->pub.status = (uint8_t)s;
	p->pub.since_ms = MAX(c->now.ms, 1);
	count_status(c, p, /* add */ true);
	peer_set_digest(c, p);
	if (peer_is_alive(p))
		name_claim(c, p);
	else if (was_alive)
		name_pass_on(c, p);
	if (s == GOSSIP_DOWN)
		c->stats.deaths++;
	emit_event(c, GOSSIP_EVENT_MEMBER, p, NULL);
}

/* Sets or clears the wish for the offers that its state names. */
void
peer_want_offers(struct core *c, struct peer *p)
{
	bool want = p != c->self && peer_is_alive(p) && p->state.offers != 0 &&
		    p->state.offers != p->offers_have &&
		    p->state.offers != p->offers_refused;

	if (want == (p->pull_at_ms != 0))
		return;
	p->pull_tries = 0;
	p->pull_at_ms = 0;
	if (want) {
		p->pull_at_ms = c->now.ms + PULL_RETRY_MS +
				rng_below(&c->rng, PULL_RETRY_MS);
		c->pulling++;
	} else {
		c->pulling--;
	}
}

void
peer_expel(struct core *c, struct peer *p)
{
	if (peer_is_alive(p))
		name_pass_on(c, p);
	count_status(c, p, /* add */ false);
	p->pub.status = GOSSIP_LEFT;
	peer_set_digest(c, p);
	emit_event(c, GOSSIP_EVENT_FORGOTTEN, p, NULL);
	peer_remove(c, p);
}

/* --- sweeping and picking ------------------------------------------------- */

static bool
is_forgotten(const struct core *c, const struct peer *p)
{
	return p != c->self && !peer_is_alive(p) &&
	       c->now.ms - p->pub.since_ms >= DOWN_KEPT_MS;
}

static void
expire(struct core *c, struct peer *p)
{
	bool expired = voucher_is_expired(p->expires_s, c->now.wall_s);

	if (expired == p->expired)
		return;
	p->expired = expired;
	emit_event(c, GOSSIP_EVENT_RECORD, p, NULL);
}

void
members_sweep(struct core *c)
{
	revoked_sweep(c->config.revoked, c->now.wall_s);
	for (size_t i = c->count; i-- > 0;) {
		struct peer *p = c->peers[i];

		expire(c, p);
		if (!is_forgotten(c, p))
			continue;
		emit_event(c, GOSSIP_EVENT_FORGOTTEN, p, NULL);
		peer_remove(c, p);
	}
}

bool
fits_alive(const struct core *c, const struct peer *p)
{
	return p != c->self && peer_is_alive(p);
}

struct peer *
members_pick(
    struct core *c, bool (*fits)(const struct core *c, const struct peer *p))
{
	size_t start;

	/* Uniform as long as many fit; the walk behind it always ends. */
	for (unsigned i = 0; i < 8; i++) {
		struct peer *p = c->peers[rng_below(&c->rng, c->count)];

		if (fits(c, p))
			return p;
	}
	start = (size_t)rng_below(&c->rng, c->count);
	for (size_t i = 0; i < c->count; i++) {
		struct peer *p = c->peers[(start + i) % c->count];

		if (fits(c, p))
			return p;
	}
	return NULL;
}
