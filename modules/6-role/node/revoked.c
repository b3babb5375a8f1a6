/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revoked — whose word is not taken any more, from wherever it was heard.
 *
 *	stream  ── a resource, in the snapshot ─────────────┐
 *	   `─── its statement, signed by the CA ─┐          ├─► credentials,
 *view gossip ── statements of others ──────────┴─► set ───┘
 *
 * The set passes the statements on by gossip and lies on the disk, so that a
 * restart with neither server nor peer lets nobody in again.
 */
#define LOG_MODULE "node"

#include "inside.h"

enum { BODY_BYTES = 64 << 10 };

static void
load(struct node *n)
{
	AUTO(buf_fini) struct buf file = BUF(GOSSIP_REVOKED_BYTES_MAX);
	struct fault why = {0};
	enum err err = state_read(&n->state, STATE_REVOKED, &file, &why);

	if (err == ERR_NOT_FOUND)
		return;
	if (err == OK &&
	    gossip_revoked_decode(n->revoked, buf_slice(&file),
		&n->member.bundle.voucher_keys, node_wall_ms(n) / 1000) != OK)
		err = fault_set(&why, ERR_CORRUPT,
		    "some of the file is damaged, or signed by another mesh");
	if (err != OK)
		log_warn("revocations wait for a server or a peer",
		    "file=%s why=\"%s\"", STATE_REVOKED, why.text);
}

static void
save(const struct node *n)
{
	AUTO(buf_fini) struct buf out = BUF(GOSSIP_REVOKED_BYTES_MAX);
	enum err err = gossip_revoked_encode(n->revoked, &out);

	if (err == OK)
		state_write_later(&n->state, STATE_REVOKED, &out);
	else
		log_error(
		    "revocations were not saved", "why=%s", err_text(err));
}

/* Once for all that a turn brought: who joins hears of many at once. */
static void
on_news(void *arg)
{
	struct node *n;

	OBJ(n, arg, NODE_MAGIC);
	if (n->stopped)
		return;
	save(n);
	node_revocations_changed(n);
}

void
revoked_open(struct node *n)
{
	loop_later_init(&n->revoked_news, on_news, n);
	n->revoked = gossip_revoked_new();
	load(n);
}

void
revoked_close(struct node *n)
{
	if (n->revoked == NULL)
		return;
	loop_later_cancel(&n->revoked_news);
	gossip_revoked_free(&n->revoked);
}

bool
revoked_self(const struct node *n)
{
	return n->revoked != NULL &&
	       gossip_revoked_has(
		   n->revoked, slice_str(n->member.name), peers_issued_s(n));
}

void
revoked_news(struct node *n, struct slice node)
{
	if (slice_eq(node, slice_str(n->member.name)) && revoked_self(n))
		log_error("this node was revoked", "hint=\"%s\"",
		    ca_verdict_hint(CA_NODE_REVOKED));
	else
		log_info("node was revoked; nothing is taken from it any more",
		    "node=%.*s", SLICE_ARG(node));
	loop_later(n->loop, &n->revoked_news);
}

/* An open gossip tells us what is news, as what it hears itself. */
static void
learn(struct node *n, struct slice statement)
{
	struct gossip *g = peers_gossip(n);
	struct gossip_revocation r;
	enum err err = gossip_revocation_parse(statement, &r);

	if (err == OK && g != NULL)
		err = gossip_revoke(g, statement);
	else if (err == OK)
		err = gossip_revoked_add(n->revoked, statement,
		    &n->member.bundle.voucher_keys, node_wall_ms(n) / 1000);
	if (err == OK && g == NULL)
		revoked_news(n, r.node);
	if (err != OK && err != ERR_EXISTS)
		log_warn(
		    "a revocation is not told on", "why=\"%s\"", err_text(err));
}

MUST_USE enum err
revoked_take(struct node *n, struct slice body, struct fault *why)
{
	AUTO(arena_fini) struct arena arena;
	struct wire_revocation r;
	enum err err;

	arena_init(&arena, BODY_BYTES);
	err = wire_revocation_decode(body, &arena, &r, why);
	if (err == OK && r.statement_len > 0)
		learn(n, slice_of(r.statement, r.statement_len));
	else if (err == OK)
		log_warn("identity was revoked", "identity=%.*s",
		    SLICE_ARG(r.what.identity));
	return err;
}

/* --- all of them ---------------------------------------------------------- */

/* What is said of a node, as it is said of its identity. */
static enum err
as_identity(const struct node *n, const struct gossip_revocation *r,
    struct arena *arena, struct ca_revocation *out)
{
	char uri[NAME_SPIFFE_MAX + 1];
	struct slice copy;
	enum err err =
	    ca_node_uri(slice_str(n->member.bundle.trust_domain), r->node, uri);

	if (err == OK)
		err = arena_copy(arena, slice_str(uri), &copy);
	if (err == OK)
		*out = (struct ca_revocation){copy, r->since_ms};
	return err;
}

struct gathering {
	struct arena *arena;
	struct ca_revocation *items; /* NULL: they are only counted */
	size_t count;
};

static void
gather_streamed(void *arg, const struct xds_resource *r)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct gathering *g = arg;
	struct wire_revocation w;

	if (g->items == NULL) {
		g->count++;
		return;
	}
	arena_init(&arena, BODY_BYTES);
	if (wire_revocation_decode(r->body, &arena, &w, NULL) != OK ||
	    arena_copy(g->arena, w.what.identity, &w.what.identity) != OK)
		log_error("a revocation is not in force", "name=%.*s",
		    SLICE_ARG(r->name));
	else
		g->items[g->count++] = w.what;
}

static void
gather(const struct node *n, struct gathering *g)
{
	struct gossip_revocation r;

	uplink_each_revocation(n, gather_streamed, g);
	for (size_t i = 0; gossip_revoked_next(n->revoked, &i, &r);)
		if (g->items == NULL ||
		    as_identity(n, &r, g->arena, &g->items[g->count]) == OK)
			g->count++;
		else
			log_error("a revocation is not in force", "node=%.*s",
			    SLICE_ARG(r.node));
}

const struct ca_revocation *
revoked_all(const struct node *n, struct arena *arena, size_t *out_count)
{
	struct gathering g = {.arena = arena};

	*out_count = 0;
	if (n->revoked == NULL)
		return NULL;
	gather(n, &g);
	g.items = arena_alloc_array(arena, MAX(g.count, 1), sizeof(*g.items));
	g.count = 0;
	if (g.items != NULL)
		gather(n, &g);
	else
		log_error("no revocation is in force", "why=\"%s\"",
		    err_text(ERR_NO_MEMORY));
	*out_count = g.count;
	return g.items;
}
