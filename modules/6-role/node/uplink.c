/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink — the control stream: delta ADS over gRPC, to one server at a time.
 *
 *	WAITING --back-off--> DIALING --tls--> OPEN --lost--> WAITING
 *	   ^                     |
 *	   `---- next server ----'
 *
 * What is in force outlives every connection and lies in the snapshot. The
 * same HTTP/2 session carries requests for certificates.
 */
#define LOG_MODULE "node"

#include "inside.h"

enum {
	UPLINK_MAGIC = 0x6374726c,
	SNAPSHOT_US = 1000000,
	PING_EVERY_US = 15000000,
	PING_TIMEOUT_US = 10000000
};

static const char type_resource[] = "type.googleapis.com/meshd.v1.Resource";
static const char type_host[] = "type.googleapis.com/meshd.v1.Host";
static const char type_machine[] = "type.googleapis.com/meshd.v1.Machine";
static const char type_bundle[] = "type.googleapis.com/meshd.v1.Bundle";
static const char type_keys[] = "type.googleapis.com/meshd.v1.GossipKeys";
static const char type_revocation[] = "type.googleapis.com/meshd.v1.Revocation";

struct uplink {
	uint32_t magic;
	struct node *node;
	struct xds_client *client;
	struct xds_backoff backoff;
	size_t server; /* that is tried or connected */
	struct timer retry;
	struct timer snapshot;
	struct link *link;
	struct http2 *session; /* NULL: not connected */
	struct xds_call *call; /* the same */
	bool closing;
	bool refused; /* what the trouble is only an operator heals */
	struct fault trouble;
	/* Of each server since the last session: what the log has of it. */
	uint64_t said[WIRE_SERVERS_MAX];
};

static void retry(struct uplink *c);

/* --- small types ---------------------------------------------------------- */

static enum err
use_bundle(struct node *n, struct slice body, struct fault *why)
{
	struct wire_bundle b = {0};
	enum err err = wire_bundle_decode(body, &b, why);

	if (err == OK &&
	    strcmp(b.trust_domain, n->member.bundle.trust_domain) != 0) {
		wire_bundle_fini(&b);
		return fault_set(why, ERR_UNSUPPORTED,
		    "the bundle of another trust domain is not supported yet");
	}
	if (err == OK)
		node_set_bundle(n, &b);
	return err;
}

static enum err
use_keys(struct node *n, struct slice body, struct fault *why)
{
	struct gossip_keyring k;
	enum err err = wire_gossip_keys_decode(body, &k, why);

	if (err != OK)
		return err;
	n->member.keyring = k;
	secret_wipe(&k, sizeof(k));
	node_save_member(n);
	peers_set_keyring(n);
	return OK;
}

/* They say nothing but that they are here. */
static void
use_hosts(struct node *n, struct xds_update *u)
{
	xds_update_settle(&u);
	interests_arrived(n);
	uplink_settled(n);
}

static void
use_small(struct node *n, struct xds_update *u)
{
	bool revoked;

	for (size_t i = 0; i < u->resource_count; i++) {
		struct slice body = u->resources[i].body;
		struct fault why = {0};
		enum err err;

		if (slice_eq(u->type_url, slice_str(type_bundle)))
			err = use_bundle(n, body, &why);
		else if (slice_eq(u->type_url, slice_str(type_keys)))
			err = use_keys(n, body, &why);
		else
			err = revoked_take(n, body, &why);
		if (err != OK)
			xds_update_refuse(u, i, slice_str(why.text));
	}
	revoked = slice_eq(u->type_url, slice_str(type_revocation));
	xds_update_settle(&u);
	if (revoked)
		node_revocations_changed(n);
	uplink_settled(n);
}

/* --- trouble -------------------------------------------------------------- */

/* Each server says a thing once: it may go on for days. */
static void
tell_trouble(struct uplink *c, const char *event)
{
	const char *server = c->node->member.servers[c->server];

	uint64_t hash = slice_hash(slice_str(c->trouble.text));

	if (c->said[c->server] == hash)
		return;
	c->said[c->server] = hash;
	if (c->refused)
		log_error("refused; it is asked again less and less often",
		    "server=%s why=\"%s\"", server, c->trouble.text);
	else
		log_warn(
		    event, "server=%s why=\"%s\"", server, c->trouble.text);
}

static void
is_well(struct uplink *c)
{
	c->refused = false;
	c->trouble = (struct fault){0};
	memset(c->said, 0, sizeof(c->said));
	log_info("connected to a server", "server=%s",
	    c->node->member.servers[c->server]);
}

/* --- the client's machine ------------------------------------------------- */

static void
on_update(void *arg, struct xds_update *u)
{
	struct uplink *c;

	OBJ(c, arg, UPLINK_MAGIC);
	if (c->refused)
		is_well(c); /* it lets us in again */
	if (slice_eq(u->type_url, slice_str(type_resource)))
		publisher_update(c->node, u);
	else if (slice_eq(u->type_url, slice_str(type_host)))
		use_hosts(c->node, u);
	else if (slice_eq(u->type_url, slice_str(type_machine)))
		xds_update_settle(&u); /* facts are heard, not answered */
	else
		use_small(c->node, u);
}

static void
on_send(void *arg, const struct codec_delta_request *m)
{
	struct uplink *c;

	OBJ(c, arg, UPLINK_MAGIC);
	if (c->call != NULL) /* else it is said anew with the next stream */
		xds_call_request(c->call, m);
}

static const struct xds_client_ops client_ops = {
    .send = on_send,
    .on_update = on_update,
};

/* --- the call ------------------------------------------------------------- */

static void
on_call_closed(void *arg, enum err why, struct slice words)
{
	struct uplink *c;

	OBJ(c, arg, UPLINK_MAGIC);
	c->call = NULL;
	xds_client_disconnected(c->client);
	c->refused = why == ERR_DENIED;
	if (c->refused)
		(void)fault_set(&c->trouble, why,
		    "the server refuses this node: %.*s", SLICE_ARG(words));
	else if (why != OK)
		(void)fault_set(&c->trouble, why,
		    "the server ended the stream: %.*s (%s)", SLICE_ARG(words),
		    err_text(why));
	if (c->session != NULL)
		http2_close(c->session, HTTP2_NO_ERROR);
}

static void
open_call(struct uplink *c)
{
	c->call = xds_call_open(
	    c->session, uplink_server(c->node), c->client, on_call_closed, c);
	if (c->call != NULL)
		xds_client_connected(c->client);
	else
		http2_close(c->session, HTTP2_NO_ERROR);
}

/* --- the session ---------------------------------------------------------- */

static void
on_session_close(void *arg, struct http2 *session, enum err why)
{
	struct uplink *c;

	(void)session;
	OBJ(c, arg, UPLINK_MAGIC);
	c->session = NULL;
	if (c->closing) {
		node_part_closed(c->node);
		return;
	}
	if (c->trouble.code == OK)
		(void)fault_set(&c->trouble, why != OK ? why : ERR_CLOSED,
		    "the connection ended: %s",
		    err_text(why != OK ? why : ERR_CLOSED));
	tell_trouble(c, "server is gone; everything goes on without it");
	retry(c);
}

static void
open_session(struct uplink *c, struct stream *transport)
{
	static const struct http2_events events = {
	    .on_close = on_session_close,
	};
	static const struct http2_limits limits = {
	    .streams = 100, /* of ours at a time; the server opens none */
	    .head_bytes = LIMIT_HEAD_BYTES,
	    .frame_bytes = 16 << 10,
	    .ping_every_us = PING_EVERY_US,
	    .ping_timeout_us = PING_TIMEOUT_US,
	};
	struct http2_spec spec = {.loop = c->node->loop,
	    .transport = transport,
	    .limits = &limits,
	    .events = &events,
	    .arg = c};

	c->session = http2_open(&spec);
	if (!c->refused) /* else let it first say that it takes us */
		is_well(c);
	open_call(c);
	identities_on_session(c->node);
}

static void
on_link(void *arg, struct stream *open, enum err e, const struct fault *why)
{
	struct uplink *c;

	OBJ(c, arg, UPLINK_MAGIC);
	c->link = NULL;
	if (e == OK) {
		open_session(c, open);
		return;
	}
	c->refused = e == ERR_AUTH;
	if (c->refused)
		(void)fault_set(&c->trouble, e,
		    "%s; meshd doctor looks at the clock; if the mesh was made "
		    "anew, leave it with: meshd leave",
		    why->text);
	else
		c->trouble = *why;
	tell_trouble(c, "no server");
	retry(c);
}

static void
on_retry(void *arg)
{
	struct uplink *c;
	struct link_spec spec = {0};
	struct node *n;

	OBJ(c, arg, UPLINK_MAGIC);
	n = c->node;
	if (identities_node_expired(n)) {
		node_reenrol(n); /* then uplink_start() */
		return;
	}
	spec = (struct link_spec){.loop = n->loop,
	    .config = n->client_tls,
	    .server = uplink_server(n),
	    .identity = identities_node(n),
	    .trust = n->trust,
	    .trust_domain = slice_str(n->member.bundle.trust_domain),
	    .done = on_link,
	    .arg = c};
	c->link = link_dial(&spec);
}

static void
retry(struct uplink *c)
{
	uint64_t delay_ms;

	if (c->refused)
		xds_backoff_refused(&c->backoff);
	c->server = xds_backoff_next(&c->backoff, &delay_ms);
	timer_set(&c->retry, delay_ms * 1000);
}

/* --- the snapshot --------------------------------------------------------- */

static void
on_snapshot(void *arg)
{
	AUTO(buf_fini) struct buf out = BUF(XDS_SNAPSHOT_MAX);
	struct uplink *c;
	struct node *n;
	enum err err;

	OBJ(c, arg, UPLINK_MAGIC);
	n = c->node;
	err = xds_snapshot_encode(c->client, &out);
	if (err != OK)
		log_error(
		    "configuration was not saved", "why=%s", err_text(err));
	else
		state_write_later(&n->state, STATE_SNAPSHOT, &out);
}

void
uplink_settled(struct node *n)
{
	struct uplink *c = n->uplink;

	if (c == NULL)
		return;
	/* A server that only lets us in and throws us out does not count. */
	xds_backoff_success(&c->backoff);
	if (!timer_is_set(&c->snapshot))
		timer_set(&c->snapshot, SNAPSHOT_US);
}

static void
restore(void *arg, const struct xds_resource *r)
{
	if (slice_eq(r->type_url, slice_str(type_resource)))
		publisher_restore(arg, r);
}

static void
load_snapshot(struct uplink *c)
{
	const struct state *s = &c->node->state;
	char path[STATE_PATH_MAX];
	struct fault why = {0};
	enum err err = state_path(s, STATE_SNAPSHOT, path);

	if (err == OK)
		err = xds_snapshot_load(path, c->client, &why);
	if (err != OK && err != ERR_NOT_FOUND)
		log_warn(
		    "configuration waits for a server", "why=\"%s\"", why.text);
	xds_client_each(c->client, restore, c->node);
}

/* --- birth and end -------------------------------------------------------- */

void
uplink_open(struct node *n)
{
	static const char *const types[] = {
	    type_bundle, type_keys, type_revocation, type_resource};
	struct uplink *c = mem_new(sizeof(*c));
	uint64_t seed;

	c->magic = UPLINK_MAGIC;
	c->node = n;
	c->client = xds_client_new(&client_ops, c, slice_str(n->member.name),
	    slice_str(n->member.network));
	/* First on each stream: what concerns us has to be known before. */
	CHECK(xds_client_add_type(c->client, slice_str(type_host)) == OK);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		CHECK(xds_client_subscribe(
			  c->client, slice_str(types[i]), S("")) == OK);
	timer_init(&c->retry, n->loop, on_retry, c);
	timer_init(&c->snapshot, n->loop, on_snapshot, c);
	crypto_random(&seed, sizeof(seed));
	xds_backoff_init(&c->backoff, n->member.server_count, seed);
	n->uplink = c;
	interests_open(n);
	facts_open(n);
	load_snapshot(c);
}

void
uplink_start(struct node *n)
{
	struct uplink *c = n->uplink;

	if (c->link == NULL && c->session == NULL && !timer_is_set(&c->retry))
		retry(c);
}

void
uplink_refused(struct node *n, const struct fault *why)
{
	struct uplink *c = n->uplink;

	if (c == NULL)
		return;
	c->refused = true;
	c->trouble = *why;
	tell_trouble(c, NULL);
	retry(c);
}

void
uplink_retry(struct node *n)
{
	struct uplink *c = n->uplink;

	if (c == NULL || !timer_is_set(&c->retry))
		return;
	xds_backoff_success(&c->backoff);
	timer_set(&c->retry, 0);
}

void
uplink_close(struct node *n)
{
	struct uplink *c = n->uplink;

	c->closing = true;
	interests_close(n);
	facts_close(n);
	timer_clear(&c->retry);
	link_cancel(&c->link);
	if (timer_is_set(&c->snapshot)) {
		timer_clear(&c->snapshot);
		on_snapshot(c);
	}
	if (c->session == NULL)
		node_part_closed(n);
	else
		http2_close(c->session, HTTP2_NO_ERROR);
}

void
uplink_free(struct node *n)
{
	struct uplink *c = n->uplink;

	if (c == NULL)
		return;
	timer_clear(&c->snapshot);
	xds_client_free(&c->client);
	c->magic = 0;
	mem_free(&n->uplink);
}

/* --- hosts and facts ------------------------------------------------------ */

/* There are fewer of any type than XDS_NAMES_MAX. */
static void
ask(struct node *n, const char *type, struct slice name, bool more)
{
	struct xds_client *c = n->uplink->client;

	if (!more)
		xds_client_unsubscribe(c, slice_str(type), name);
	else if (xds_client_subscribe(c, slice_str(type), name) != OK)
		log_error("the servers are not asked", "type=%s name=\"%.*s\"",
		    type, SLICE_ARG(name));
}

void
uplink_want(struct node *n, struct slice host, bool more)
{
	ask(n, type_host, host, more);
}

void
uplink_tell(struct node *n, struct slice fact, bool more)
{
	ask(n, type_machine, fact, more);
}

bool
uplink_has_host(const struct node *n, struct slice host)
{
	return n->uplink != NULL &&
	       xds_client_has(n->uplink->client, slice_str(type_host), host);
}

/* --- what others ask ------------------------------------------------------ */

struct http2 *
uplink_session(const struct node *n)
{
	const struct uplink *c = n->uplink;

	if (c == NULL || c->closing || c->session == NULL ||
	    !http2_is_usable(c->session))
		return NULL;
	return c->session;
}

struct slice
uplink_server(const struct node *n)
{
	if (n->uplink == NULL)
		return SLICE_NONE;
	return slice_str(n->member.servers[n->uplink->server]);
}

struct revocations {
	void (*each)(void *arg, const struct xds_resource *r);
	void *arg;
};

static void
tell_revocation(void *arg, const struct xds_resource *r)
{
	const struct revocations *to = arg;

	if (slice_eq(r->type_url, slice_str(type_revocation)))
		to->each(to->arg, r);
}

void
uplink_each_revocation(const struct node *n,
    void (*each)(void *arg, const struct xds_resource *r), void *arg)
{
	struct revocations to = {each, arg};

	if (n->uplink != NULL)
		xds_client_each(n->uplink->client, tell_revocation, &to);
}

static void
count_refused(void *arg, const struct xds_status *s)
{
	struct node_status *out = arg;

	(void)s;
	out->refused++;
}

void
uplink_fill_status(const struct node *n, struct node_status *out)
{
	const struct uplink *c = n->uplink;

	if (c == NULL)
		return;
	out->connected = c->session != NULL && c->call != NULL && !c->refused;
	out->synced = out->connected && xds_client_is_synced(c->client);
	out->server = uplink_server(n);
	if (!out->connected && n->join != NULL)
		out->trouble = join_trouble(n);
	else if (!out->connected)
		out->trouble = slice_str(c->trouble.text);
	xds_client_each_refused(c->client, count_refused, out);
}

struct teller {
	void (*each)(void *arg, const struct node_problem *p);
	void *arg;
};

static void
tell_refused(void *arg, const struct xds_status *s)
{
	const struct teller *t = arg;
	struct node_problem row = {
	    .kind = "resource", .about = s->name, .text = s->reason};

	t->each(t->arg, &row);
}

void
uplink_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	struct teller t = {each, arg};

	if (n->uplink != NULL)
		xds_client_each_refused(n->uplink->client, tell_refused, &t);
}
