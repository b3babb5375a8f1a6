/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swarm — very many agents' control streams in one process.
 *
 *	swarm TOKEN AGENTS SERVICES HOSTS [REFUSED]
 *
 *	JOINING --certificate--> DIALING --TLS--> OPEN --lost--> DIALING
 *
 * Each joins by the token with a key and a name of its own, then holds the
 * stream that an agent holds, over its own TLS connection, and says that what
 * comes is in force at once: there is no proxy, so what is seen is the server.
 * Agent n asks for what holds for the mesh and the namespace default, for
 * service-0 and for HOSTS others, of SERVICES. The first
 * agent refuses resources whose name ends with REFUSED.
 *
 * Prints one JSON object a line, with monotonic times: {"joined": AGENTS};
 * {"synced": AGENTS, "news": N} each time that all are up to date after some
 * were not, with the answers to resources that were given so far; and for the
 * line "expect N" on its input, once N answers to resources were
 * given since, {"answers": N, …} with the bytes of both directions, TLS's
 * included. The end of its input ends it.
 */
#include "ca/ca.h"
#include "http/http.h"
#include "model/model.h"
#include "node/link.h"
#include "node/wire.h"
#include "xds/xds.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	AGENT_MAGIC = 0x73776172,
	AGENTS_MAX = CA_USES_MAX,
	JOINING_MAX = 32,
	QUIET_US = 30000, /* what follows the last answer has left by then */
	BUSY_US = 5000,
	CALL_US = 60000000,
	HOST_MAX = 320 /* a domain, and what is before it */
};

#define RESOURCE S("type.googleapis.com/meshd.v1.Resource")
#define HOST S("type.googleapis.com/meshd.v1.Host")

struct swarm;

struct agent {
	uint32_t magic;
	struct swarm *swarm;
	size_t number;
	char name[32];
	struct tls_key *key;
	struct tls_identity *identity;
	uint8_t gossip_public[CRYPTO_ED25519_PUBLIC_LEN];
	struct xds_client *client;
	struct xds_backoff backoff;
	struct timer retry;
	struct link *link;
	struct http_call *join;
	struct http2 *session;
	struct xds_call *call;
	bool synced;
	uint64_t bytes; /* of connections that have ended */
};

struct swarm {
	struct loop *loop;
	struct ca_token token;
	struct tls_trust *trust;
	struct tls_config *tls;
	struct loop_io input;
	size_t count;
	size_t services;
	size_t hosts;
	const char *refused;
	size_t begun; /* to join */
	size_t joined;
	size_t synced;
	size_t expected; /* 0: nothing is */
	size_t answers;
	size_t news; /* answers to resources, ever */
	uint64_t first_us, last_us;
	uint64_t bytes; /* when it was asked for */
	struct timer quiet;
	struct agent agents[AGENTS_MAX];
};

static struct agent *
agent_of(void *arg)
{
	struct agent *a;

	OBJ(a, arg, AGENT_MAGIC);
	return a;
}

static void
fail(const struct agent *a, const char *what, const char *why)
{
	(void)fprintf(stderr, "swarm: %s: %s: %s\n", a->name, what, why);
	exit(EXIT_FAILURE);
}

static uint64_t
now_us(void)
{
	return clock_mono_us(&clock_system);
}

static void
say(const char *what, size_t count)
{
	(void)printf("{\"%s\": %zu, \"us\": %llu}\n", what, count,
	    (unsigned long long)now_us());
	(void)fflush(stdout);
}

static struct slice
server_of(const struct swarm *w)
{
	return slice_str(w->token.servers[0]);
}

/* --- what is measured ----------------------------------------------------- */

/* Both ways, as TCP carried them. */
static uint64_t
bytes_of(const struct agent *a)
{
	const struct stream *s =
	    a->session != NULL ? http2_transport(a->session) : NULL;

	if (s == NULL || s->below == NULL)
		return a->bytes;
	return a->bytes + s->below->bytes_in + s->below->bytes_out;
}

static uint64_t
all_bytes(const struct swarm *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->count; i++)
		sum += bytes_of(&w->agents[i]);
	return sum;
}

static void
on_quiet(void *arg)
{
	struct swarm *w = arg;

	(void)printf("{\"answers\": %zu, \"first_us\": %llu, "
		     "\"last_us\": %llu, \"bytes\": %llu}\n",
	    w->answers, (unsigned long long)w->first_us,
	    (unsigned long long)w->last_us,
	    (unsigned long long)(all_bytes(w) - w->bytes));
	(void)fflush(stdout);
	w->expected = 0;
}

static void
note_answer(struct swarm *w)
{
	w->last_us = now_us();
	w->news++;
	if (w->answers++ == 0)
		w->first_us = w->last_us;
	if (w->answers == w->expected)
		timer_set(&w->quiet, QUIET_US);
}

static void
note_synced(struct agent *a)
{
	bool synced = xds_client_is_synced(a->client);

	if (synced == a->synced)
		return;
	a->synced = synced;
	a->swarm->synced += synced ? 1 : (size_t)-1;
	if (a->swarm->synced < a->swarm->count)
		return;
	(void)printf("{\"synced\": %zu, \"us\": %llu, \"news\": %zu}\n",
	    a->swarm->count, (unsigned long long)now_us(), a->swarm->news);
	(void)fflush(stdout);
}

/* --- the stream ----------------------------------------------------------- */

static void
refuse(const struct agent *a, struct xds_update *u)
{
	const char *name = a->swarm->refused;

	for (size_t i = 0;
	     name != NULL && a->number == 0 && i < u->resource_count; i++)
		if (slice_ends(u->resources[i].name, slice_str(name)))
			xds_update_refuse(u, i, S("this agent cannot use it"));
}

static void
on_update(void *arg, struct xds_update *u)
{
	struct agent *a = agent_of(arg);
	bool is_news = slice_eq(u->type_url, RESOURCE) &&
		       u->resource_count + u->removed_count > 0;

	refuse(a, u);
	xds_update_settle(&u);
	if (is_news)
		note_answer(a->swarm);
	xds_backoff_success(&a->backoff);
	note_synced(a);
}

static void
on_send(void *arg, const struct codec_delta_request *m)
{
	struct agent *a = agent_of(arg);

	if (a->call != NULL)
		xds_call_request(a->call, m);
}

static void
on_call_closed(void *arg, enum err why, struct slice words)
{
	struct agent *a = agent_of(arg);

	if (why == ERR_DENIED)
		fail(a, "refused", words.ptr);
	a->call = NULL;
	xds_client_disconnected(a->client);
	note_synced(a);
	if (a->session != NULL)
		http2_close(a->session, HTTP2_NO_ERROR);
}

static void
retry(struct agent *a)
{
	uint64_t delay_ms;

	/* The token has one server. */
	(void)xds_backoff_next(&a->backoff, &delay_ms);
	timer_set(&a->retry, delay_ms * 1000);
}

static void
on_session_close(void *arg, struct http2 *session, enum err why)
{
	struct agent *a = agent_of(arg);

	(void)session;
	(void)why;
	a->bytes = bytes_of(a);
	a->session = NULL;
	retry(a);
}

static void
on_link(void *arg, struct stream *open, enum err e, const struct fault *why)
{
	static const struct http2_events events = {
	    .on_close = on_session_close};
	/* Those of an agent: the server pays for what it may send at once. */
	static const struct http2_limits limits = {
	    .streams = 100,
	    .head_bytes = LIMIT_HEAD_BYTES,
	    .frame_bytes = 16 << 10,
	};
	struct agent *a = agent_of(arg);
	struct http2_spec spec = {.loop = a->swarm->loop,
	    .transport = open,
	    .limits = &limits,
	    .events = &events,
	    .arg = a};

	a->link = NULL;
	if (e == ERR_AUTH)
		fail(a, "the server", why->text);
	if (e == ERR_BUSY) { /* an agent of its own process never is */
		timer_set(&a->retry, BUSY_US);
		return;
	}
	if (e != OK) {
		retry(a);
		return;
	}
	a->session = http2_open(&spec);
	a->call = xds_call_open(
	    a->session, server_of(a->swarm), a->client, on_call_closed, a);
	if (a->call != NULL)
		xds_client_connected(a->client);
	else
		http2_close(a->session, HTTP2_NO_ERROR);
}

static void
dial(struct agent *a, void (*done)(void *arg, struct stream *open, enum err e,
			  const struct fault *why))
{
	struct swarm *w = a->swarm;
	struct link_spec spec = {.loop = w->loop,
	    .config = w->tls,
	    .server = server_of(w),
	    .identity = a->identity,
	    .trust = a->identity != NULL ? w->trust : NULL,
	    .root_pin = a->identity != NULL ? NULL : &w->token.root_pin,
	    .trust_domain = slice_str(w->token.trust_domain),
	    .done = done,
	    .arg = a};

	a->link = link_dial(&spec);
}

static void
on_retry(void *arg)
{
	dial(agent_of(arg), on_link);
}

static void
want(struct agent *a, const char *name)
{
	CHECK(xds_client_subscribe(a->client, HOST, slice_str(name)) == OK);
}

static void
want_host(struct agent *a, size_t service, const char *domain)
{
	char host[HOST_MAX];

	(void)snprintf(
	    host, sizeof(host), "service-%zu.default.svc.%s", service, domain);
	want(a, host);
}

static void
client_init(struct agent *a, const struct membership *m)
{
	static const struct xds_client_ops ops = {on_send, on_update};
	static const char *const types[] = {
	    "type.googleapis.com/meshd.v1.Bundle",
	    "type.googleapis.com/meshd.v1.GossipKeys",
	    "type.googleapis.com/meshd.v1.Revocation",
	    "type.googleapis.com/meshd.v1.Resource"};
	const struct swarm *w = a->swarm;

	a->client =
	    xds_client_new(&ops, a, slice_str(a->name), slice_str(m->network));
	CHECK(xds_client_add_type(a->client, HOST) == OK);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		CHECK(xds_client_subscribe(
			  a->client, slice_str(types[i]), S("")) == OK);
	want(a, HOST_MESH);
	want(a, HOST_NETWORKS);
	want(a, "space/default");
	want_host(a, 0, m->domain);
	for (size_t i = 0; i < w->hosts && w->services > 1; i++)
		want_host(a, 1 + (a->number * w->hosts + i) % (w->services - 1),
		    m->domain);
	xds_backoff_init(&a->backoff, 1, a->number + 1);
}

/* --- joining -------------------------------------------------------------- */

static void join_next(struct swarm *w);

static void
take_membership(struct agent *a, struct slice json)
{
	AUTO(membership_fini) struct membership m = {0};
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	struct tls_root_set set = {
	    slice_str(a->swarm->token.trust_domain), NULL};
	struct fault why = {0};
	enum err e = wire_membership_decode(json, &m, &chain, &why);

	set.roots = m.bundle.roots;
	if (e == OK && a->swarm->trust == NULL)
		e = tls_trust_new(
		    &set, 1, m.bundle.epoch, &a->swarm->trust, &why);
	if (e == OK)
		e = tls_identity_new(chain, a->key, &a->identity, &why);
	if (e != OK)
		fail(a, "the answer", why.text);
	client_init(a, &m);
}

static void
on_joined(void *arg, const struct http_result *r)
{
	struct agent *a = agent_of(arg);
	struct swarm *w = a->swarm;

	a->join = NULL;
	if (r->err != OK)
		fail(a, "joining", err_text(r->err));
	if (r->status != 200)
		fail(a, "joining", r->body.ptr);
	take_membership(a, r->body);
	if (++w->joined == w->count)
		say("joined", w->count);
	timer_set(&a->retry, 0);
	join_next(w);
}

/* Its name, key and the proof that it knows the token's secret. */
static void
make_request(struct agent *a, struct buf *out)
{
	AUTO(buf_fini) struct buf csr = BUF(TLS_CSR_BYTES_MAX);
	const struct ca_token *token = &a->swarm->token;
	char uri[NAME_SPIFFE_MAX + 1], id[CA_TOKEN_ID_TEXT];
	uint8_t key[CRYPTO_KEY_LEN], proof[CRYPTO_HMAC_LEN];
	struct addr addr;
	struct tls_csr parsed;
	struct wire_join j = {.name = slice_str(a->name),
	    .network = S("default"),
	    .proof = proof,
	    .gossip_key = a->gossip_public,
	    .addrs = &addr,
	    .addr_count = 1,
	    .clock_ms = clock_wall_ms(&clock_system)};

	CHECK(addr_parse_ip(S("127.0.0.1"), &addr) == OK);
	CHECK(ca_node_uri(slice_str(token->trust_domain), j.name, uri) == OK);
	CHECK(tls_csr_make(a->key, j.name, slice_str(uri), &csr) == OK);
	j.csr = buf_slice(&csr);
	CHECK(tls_csr_parse(j.csr, &parsed, NULL) == OK);
	ca_token_key(token, key);
	ca_join_proof(key, parsed.sha256, a->gossip_public, proof);
	j.token_id = slice_str(ca_token_id_format(token->id, id));
	CHECK(wire_join_encode(&j, out) == OK);
}

static void
on_join_link(
    void *arg, struct stream *open, enum err e, const struct fault *why)
{
	struct agent *a = agent_of(arg);
	AUTO(buf_fini) struct buf body = BUF(WIRE_BODY_MAX);
	struct http_call_spec spec = {.loop = a->swarm->loop,
	    .conn = open,
	    .proto = HTTP_PROTO_2,
	    .method = S("POST"),
	    .authority = server_of(a->swarm),
	    .path = S("/v1/join"),
	    .content_type = S("application/json"),
	    .timeout_us = CALL_US,
	    .on_done = on_joined,
	    .arg = a};

	a->link = NULL;
	if (e != OK)
		fail(a, "joining", why->text);
	make_request(a, &body);
	spec.body = buf_slice(&body);
	a->join = http_call_open(&spec);
}

static void
join_next(struct swarm *w)
{
	struct agent *a;
	uint8_t secret[CRYPTO_ED25519_SECRET_LEN];

	if (w->begun == w->count)
		return;
	a = &w->agents[w->begun];
	a->magic = AGENT_MAGIC;
	a->swarm = w;
	a->number = w->begun++;
	(void)snprintf(a->name, sizeof(a->name), "swarm-%zu", a->number);
	a->key = tls_key_new();
	crypto_ed25519_new(a->gossip_public, secret);
	timer_init(&a->retry, w->loop, on_retry, a);
	dial(a, on_join_link);
}

/* --- the program ---------------------------------------------------------- */

static void
take_line(struct swarm *w, struct slice line)
{
	uint64_t n;

	if (!slice_starts(line, S("expect ")) ||
	    slice_to_u64(slice_sub(line, 7, line.len), &n) != OK || n == 0) {
		(void)fputs("swarm: a line is \"expect N\"\n", stderr);
		exit(EXIT_FAILURE);
	}
	w->expected = n;
	w->answers = 0;
	w->bytes = all_bytes(w);
	say("ready", n);
}

static void
on_input(void *arg, bool readable, bool writable)
{
	struct swarm *w = arg;
	char text[256];
	ssize_t n;

	(void)readable;
	(void)writable;
	while ((n = read(STDIN_FILENO, text, sizeof(text))) > 0) {
		struct slice line = slice_of(text, (size_t)n);

		take_line(w, slice_sub(line, 0, slice_find(line, '\n')));
	}
	if (n == 0)
		exit(EXIT_SUCCESS);
}

static bool
read_number(const char *text, size_t most, size_t *out)
{
	uint64_t n;

	if (slice_to_u64(slice_str(text), &n) != OK || n > most)
		return false;
	*out = n;
	return true;
}

int
main(int argc, char **argv)
{
	struct tls_config_spec tls = {.role = TLS_CLIENT, .alpn = {"h2"}};
	struct swarm *w = mem_new(sizeof(*w));
	struct fault why = {0};

	if (argc < 5 || argc > 6 ||
	    !read_number(argv[2], AGENTS_MAX, &w->count) ||
	    !read_number(argv[3], SIZE_MAX, &w->services) ||
	    !read_number(argv[4], SIZE_MAX, &w->hosts)) {
		(void)fputs("usage: swarm TOKEN AGENTS SERVICES HOSTS "
			    "[REFUSED]\n",
		    stderr);
		return EXIT_FAILURE;
	}
	w->refused = argc > 5 ? argv[5] : NULL;
	CHECK(crypto_init() == OK && tls_init() == OK);
	if (ca_token_parse(
		slice_str(argv[1]), CA_TOKEN_JOIN, &w->token, &why) != OK) {
		(void)fprintf(stderr, "swarm: the token: %s\n", why.text);
		return EXIT_FAILURE;
	}
	CHECK(tls_config_new(&tls, &w->tls) == OK);
	w->loop = loop_new(NULL);
	timer_init(&w->quiet, w->loop, on_quiet, w);
	CHECK(fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) == 0);
	CHECK(
	    loop_io_open(&w->input, w->loop, STDIN_FILENO, on_input, w) == OK);
	for (size_t i = 0; i < JOINING_MAX; i++)
		join_next(w);
	loop_run(w->loop);
	return EXIT_SUCCESS;
}
