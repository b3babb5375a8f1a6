/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join — becomes a member by a token, or again by the known key.
 *
 *	WAITING --back-off--> DIALING --open--> ASKING --200--> granted
 *	   ^                     |                |--no----> refused
 *	   `---- next server ----'----------------' (5xx, lost)
 *
 * A server that cannot be reached is no refusal: the next one is tried, for as
 * long as it takes. A refusal by a server, or a round in which everyone showed
 * another mesh's certificate, is final.
 */
#define LOG_MODULE "node"

#include "inside.h"

enum { JOIN_MAGIC = 0x6a6f696e, JOIN_CALL_US = 10000000 };

struct join {
	uint32_t magic;
	struct node *node;
	bool by_token;
	struct ca_token token;
	char servers[WIRE_SERVERS_MAX][CA_TOKEN_SERVER_LEN];
	size_t server_count;
	size_t server; /* the one that is tried */
	struct xds_backoff backoff;
	struct timer timer;
	struct link *link;
	struct http_call *call;
	char name[NODE_LABEL_MAX];
	char trust_domain[NAME_TRUST_DOMAIN_MAX + 1];
	size_t strangers; /* failures of identity, one after the other */
	struct fault told;
};

static void next_server(struct join *j);

void
join_cancel(struct node *n)
{
	struct join *j = n->join;

	if (j == NULL)
		return;
	timer_clear(&j->timer);
	link_cancel(&j->link);
	http_call_cancel(&j->call);
	ca_token_fini(&j->token);
	mem_free(&n->join);
}

struct slice
join_trouble(const struct node *n)
{
	return slice_str(n->join->told.text);
}

static void
refuse(struct join *j, enum err e, const struct fault *why)
{
	struct node *n = j->node;
	struct fault words = *why;

	join_cancel(n);
	node_refused(n, e, &words);
}

static void
try_later(struct join *j, const struct fault *why)
{
	if (strcmp(j->told.text, why->text) != 0)
		log_warn(
		    j->by_token ? "joining goes on" : "re-enrolling goes on",
		    "why=\"%s\"", why->text);
	j->told = *why;
	next_server(j);
}

/* --- the answer ----------------------------------------------------------- */

static enum err
check_granted(const struct join *j, const struct membership *m,
    const struct tls_chain *chain, struct fault *why)
{
	AUTO(tls_trust_unref) struct tls_trust *trust = NULL;
	struct tls_root_set set = {slice_str(j->trust_domain), NULL};
	struct gossip_voucher v;
	struct tls_pin pin;
	struct tls_cert_info root;
	int64_t now_ms = node_wall_ms(j->node);
	enum err err;

	if (chain == NULL)
		return fault_set(
		    why, ERR_PROTOCOL, "the server sent no certificate");
	if (strcmp(m->bundle.trust_domain, j->trust_domain) != 0)
		return fault_set(why, ERR_AUTH,
		    "the server speaks for trust domain %s, not %s",
		    m->bundle.trust_domain, j->trust_domain);
	pin = j->token.root_pin;
	tls_cert_inspect(m->bundle.roots, 0, &root);
	if (j->by_token && !tls_pin_eq(&root.pin, &pin))
		return fault_set(why, ERR_AUTH,
		    "the server's root is not the one that the token names");
	set.roots = m->bundle.roots;
	err = tls_trust_new(&set, 1, m->bundle.epoch, &trust, why);
	if (err == OK)
		err = tls_chain_verify(chain, trust, now_ms, NULL, why);
	if (err != OK)
		return fault_prefix(
		    why, err, "the certificate that the server gave: ");
	err = gossip_voucher_verify(slice_of(m->voucher, m->voucher_len),
	    &m->bundle.voucher_keys, now_ms / 1000, &v);
	return err == OK
		   ? OK
		   : fault_set(why, err, "the voucher that the server gave: %s",
			 err_text(err));
}

/* Not refused up to two hours, yet certificates and logs will surprise. */
static void
warn_of_clock(const struct node *n, const struct membership *m)
{
	int64_t off = node_wall_ms(n) - m->clock_ms;

	if (m->clock_ms == 0 ||
	    (off <= CA_SKEW_WARN_MS && off >= -CA_SKEW_WARN_MS))
		return;
	log_warn("this machine's clock differs from the server's; set it, e.g. "
		 "with: timedatectl set-ntp true",
	    "minutes=%lld this_machine=%s",
	    (long long)((off < 0 ? -off : off) / 60000),
	    off > 0 ? "ahead" : "behind");
}

static void
on_granted(struct join *j, struct slice body)
{
	AUTO(membership_fini) struct membership m = {0};
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	struct fault why = {0};
	struct node *n = j->node;
	enum err err = wire_membership_decode(body, &m, &chain, &why);

	if (err == OK)
		err = check_granted(j, &m, chain, &why);
	if (err != OK) {
		refuse(j, err, &why);
		return;
	}
	warn_of_clock(n, &m);
	if (m.server_count == 0) {
		memcpy(m.servers, j->servers, sizeof(m.servers));
		m.server_count = j->server_count;
	}
	join_cancel(n);
	node_granted(n, &m, chain);
}

static void
on_answer(void *arg, const struct http_result *r)
{
	struct fault why = {0};
	struct join *j;

	OBJ(j, arg, JOIN_MAGIC);
	j->call = NULL; /* it is gone after this */
	if (r->err != OK) {
		(void)fault_set(&why, r->err, "%s: %s",
		    r->what != NULL ? r->what : "asking the server",
		    err_text(r->err));
		try_later(j, &why);
	} else if (r->status == 200) {
		on_granted(j, r->body);
	} else if (wire_refusal(r->status, r->body, &why) == ERR_DENIED) {
		refuse(j, ERR_DENIED, &why);
	} else {
		try_later(j, &why);
	}
}

/* --- the question --------------------------------------------------------- */

static enum err
make_csr(const struct join *j, struct buf *out, struct fault *why)
{
	char uri[NAME_SPIFFE_MAX + 1];
	enum err err =
	    ca_node_uri(slice_str(j->trust_domain), slice_str(j->name), uri);

	if (err == OK)
		err = tls_csr_make(j->node->state.node_key, slice_str(j->name),
		    slice_str(uri), out);
	return err == OK ? OK
			 : fault_set(why, err,
			       "the certificate request for node %s: %s",
			       j->name, err_text(err));
}

static enum err
make_body(struct join *j, struct buf *out, struct fault *why)
{
	const struct node *n = j->node;
	AUTO(buf_fini) struct buf csr = BUF(TLS_CSR_BYTES_MAX);
	struct ca_wanted wanted[WIRE_WANTED_MAX];
	char id[CA_TOKEN_ID_TEXT];
	uint8_t key[CRYPTO_KEY_LEN], proof[CRYPTO_HMAC_LEN];
	struct tls_csr parsed;
	struct wire_join w = {.name = slice_str(j->name),
	    .network =
		slice_str(n->is_member ? n->member.network : n->want_network),
	    .gossip_key = n->state.gossip_public,
	    .addrs = n->addrs,
	    .addr_count = n->addr_count,
	    .wanted = wanted,
	    .wanted_count = exposed_wanted(n, wanted, WIRE_WANTED_MAX),
	    .clock_ms = node_wall_ms(n)};
	enum err err = make_csr(j, &csr, why);

	if (err != OK)
		return err;
	w.csr = buf_slice(&csr);
	if (j->by_token) {
		err = tls_csr_parse(w.csr, &parsed, why);
		if (err != OK)
			return err;
		ca_token_key(&j->token, key);
		ca_join_proof(
		    key, parsed.sha256, n->state.gossip_public, proof);
		secret_wipe(key, sizeof(key));
		w.token_id = slice_str(ca_token_id_format(j->token.id, id));
		w.proof = proof;
	}
	err = wire_join_encode(&w, out);
	return err == OK
		   ? OK
		   : fault_set(why, err, "the request: %s", err_text(err));
}

static void
ask(struct join *j, struct stream *conn, struct slice server)
{
	AUTO(buf_fini) struct buf body = BUF(WIRE_BODY_MAX);
	struct fault why = {0};
	struct http_call_spec spec = {.loop = j->node->loop,
	    .conn = conn,
	    .proto = HTTP_PROTO_2,
	    .method = S("POST"),
	    .authority = server,
	    .path = j->by_token ? S("/v1/join") : S("/v1/reenroll"),
	    .content_type = S("application/json"),
	    .timeout_us = JOIN_CALL_US,
	    .body_limit = WIRE_BODY_MAX,
	    .secret = true, /* the gossip's keys */
	    .on_done = on_answer,
	    .arg = j};
	enum err err = make_body(j, &body, &why);

	spec.body = buf_slice(&body);
	j->call = http_call_open(&spec); /* takes the stream in any case */
	if (err == OK)
		return;
	http_call_cancel(&j->call);
	refuse(j, err, &why);
}

static void
on_link(void *arg, struct stream *open, enum err e, const struct fault *why)
{
	struct join *j;

	OBJ(j, arg, JOIN_MAGIC);
	j->link = NULL;
	if (e == OK) {
		j->strangers = 0;
		ask(j, open, slice_str(j->servers[j->server]));
		return;
	}
	j->strangers = e == ERR_AUTH ? j->strangers + 1 : 0;
	if (j->strangers >= j->server_count)
		refuse(j, e, why);
	else
		try_later(j, why);
}

static void
dial(struct join *j)
{
	struct link_spec spec = {.loop = j->node->loop,
	    .config = j->node->client_tls,
	    .server = slice_str(j->servers[j->server]),
	    .trust = j->by_token ? NULL : j->node->trust,
	    .root_pin = j->by_token ? &j->token.root_pin : NULL,
	    .trust_domain = slice_str(j->trust_domain),
	    .done = on_link,
	    .arg = j};

	j->link = link_dial(&spec);
}

static void
on_timer(void *arg)
{
	struct join *j;

	OBJ(j, arg, JOIN_MAGIC);
	dial(j);
}

static void
next_server(struct join *j)
{
	uint64_t delay_ms;

	j->server = xds_backoff_next(&j->backoff, &delay_ms);
	timer_set(&j->timer, delay_ms * 1000);
}

void
join_retry(struct node *n)
{
	if (n->join != NULL && timer_is_set(&n->join->timer))
		timer_set(&n->join->timer, 0);
}

static void
set_servers(
    struct join *j, const char (*servers)[CA_TOKEN_SERVER_LEN], size_t count)
{
	memcpy(j->servers, servers, count * sizeof(*servers));
	j->server_count = count;
}

/* All texts fit: they were checked when they were read. */
static void
copy_text(const char *from, char *out, size_t out_len)
{
	CHECK(slice_to_cstr(slice_str(from), out, out_len) == OK);
}

void
join_begin(struct node *n, const struct ca_token *token)
{
	struct join *j = mem_new(sizeof(*j));
	const struct membership *m = &n->member;
	uint64_t seed;

	CHECK(n->join == NULL);
	j->magic = JOIN_MAGIC;
	j->node = n;
	j->by_token = token != NULL;
	if (token != NULL) {
		j->token = *token;
		set_servers(j, token->servers, token->server_count);
		copy_text(n->want_name, j->name, sizeof(j->name));
		copy_text(token->trust_domain, j->trust_domain,
		    sizeof(j->trust_domain));
	} else {
		set_servers(j, m->servers, m->server_count);
		copy_text(m->name, j->name, sizeof(j->name));
		copy_text(m->bundle.trust_domain, j->trust_domain,
		    sizeof(j->trust_domain));
	}
	timer_init(&j->timer, n->loop, on_timer, j);
	crypto_random(&seed, sizeof(seed));
	xds_backoff_init(&j->backoff, j->server_count, seed);
	n->join = j;
	next_server(j);
}
