/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity — one certificate for each account in use, renewed in time.
 *
 *	WANTED --session--> ASKING --granted--> HELD --renewal due--> WANTED
 *	   ^                  |
 *	   `---- a wait ------'-- refused or lost
 *
 * While a renewal is under way the former certificate stays in use. The node's
 * own key is kept for life, for the server knows the node by it; a workload's
 * key is new with each certificate.
 */
#define LOG_MODULE "node"

#include "inside.h"

enum {
	IDENTITY_MAGIC = 0x6964656e,
	IDENTITIES_MAX = 256,
	CALL_US = 10000000,
	RETRY_MS = 2000,       /* after a lost call, with jitter */
	REFUSED_MS = 300000,   /* after the server said no */
	LOAD_GRACE_MS = 60000, /* a leaf that ends sooner is not loaded */
	LOOK_EVERY_MS = 60000, /* whether it is time to renew */
	URI_MAX = 512,
	REVOCATIONS_BYTES = 64 << 20
};

struct entry {
	uint32_t magic;
	struct node *node;
	bool is_node;
	bool wanted; /* else only held, from before */
	bool is_unsaved;
	char uri[URI_MAX];
	struct slice ns; /* inside uri */
	struct slice account;
	struct tls_identity *held; /* NULL: none yet */
	struct tls_key *asked;     /* the key of a call under way */
	int64_t renew_at_ms;       /* Unix time; 0: as soon as can be */
	struct timer timer;
	struct http_call *call;
	struct fault problem; /* code OK: none */
};

struct identities {
	struct rng rng;
	struct entry *items[IDENTITIES_MAX]; /* [0] is the node's, once named */
	size_t count;
};

static void ask(struct entry *e);
static void save(struct entry *e);

/* --- the list ------------------------------------------------------------- */

static struct entry *
find(const struct node *n, struct slice ns, struct slice account)
{
	const struct identities *ids = n->identities;

	for (size_t i = 0; i < ids->count; i++)
		if (!ids->items[i]->is_node &&
		    slice_eq(ids->items[i]->ns, ns) &&
		    slice_eq(ids->items[i]->account, account))
			return ids->items[i];
	return NULL;
}

static struct entry *
find_node(const struct node *n)
{
	const struct identities *ids = n->identities;

	return ids->count > 0 && ids->items[0]->is_node ? ids->items[0] : NULL;
}

static void on_timer(void *arg);

static struct entry *
entry_new(struct node *n, struct slice uri, bool is_node)
{
	struct identities *ids = n->identities;
	struct entry *e;
	struct identity id;

	if (ids->count == IDENTITIES_MAX || uri.len >= URI_MAX)
		return NULL;
	e = mem_new(sizeof(*e));
	e->magic = IDENTITY_MAGIC;
	e->node = n;
	e->is_node = is_node;
	if (slice_to_cstr(uri, e->uri, sizeof(e->uri)) != OK ||
	    name_identity_parse(slice_str(e->uri), &id, NULL) != OK) {
		mem_free(&e);
		return NULL;
	}
	e->ns = id.ns;
	e->account = id.account;
	timer_init(&e->timer, n->loop, on_timer, e);
	if (is_node) {
		memmove(&ids->items[1], &ids->items[0],
		    ids->count * sizeof(ids->items[0]));
		ids->items[0] = e;
		ids->count++;
	} else {
		ids->items[ids->count++] = e;
	}
	return e;
}

static void
entry_free(struct entry *e)
{
	timer_clear(&e->timer);
	http_call_cancel(&e->call);
	tls_identity_unref(&e->held);
	tls_key_unref(&e->asked);
	e->magic = 0;
	mem_free(&e);
}

/* --- when ----------------------------------------------------------------- */

static void
arm(struct entry *e, int64_t delay_ms)
{
	timer_set(&e->timer, (uint64_t)MAX(delay_ms, 0) * 1000);
}

/* Certificates go by the wall's clock, which a timer does not follow: not
 * while the machine sleeps, and not when the clock is set. */
static void
wait_for_renewal(struct entry *e)
{
	int64_t left_ms = e->renew_at_ms - node_wall_ms(e->node);

	arm(e, MIN(left_ms, LOOK_EVERY_MS));
}

static void
on_timer(void *arg)
{
	struct entry *e;

	OBJ(e, arg, IDENTITY_MAGIC);
	if (e->is_unsaved)
		save(e);
	if (e->held != NULL && e->problem.code == OK &&
	    e->renew_at_ms > node_wall_ms(e->node))
		wait_for_renewal(e);
	else
		ask(e);
}

static void
arm_renewal(struct entry *e)
{
	const struct tls_cert_info *leaf = tls_identity_info(e->held);

	e->renew_at_ms = ca_renew_at_ms(leaf, &e->node->identities->rng);
	wait_for_renewal(e);
}

static void
hold(struct entry *e, struct tls_identity *id)
{
	tls_identity_unref(&e->held);
	e->held = tls_identity_ref(id);
	e->problem = (struct fault){0};
	if (e->is_node || e->wanted)
		arm_renewal(e);
}

static void
fail(struct entry *e, enum err err, const struct fault *why)
{
	int64_t wait = err == ERR_DENIED ? REFUSED_MS : RETRY_MS;

	if (strcmp(e->problem.text, why->text) != 0)
		log_warn("certificate was not given", "identity=%s why=\"%s\"",
		    e->uri, why->text);
	e->problem = *why;
	e->problem.code = err;
	tls_key_unref(&e->asked);
	arm(e, wait + (int64_t)rng_below(
			  &e->node->identities->rng, (uint64_t)wait));
}

/* --- asking --------------------------------------------------------------- */

/* What was given is what was asked for, and stands. */
static enum err
check(const struct entry *e, const struct tls_chain *chain, struct fault *why)
{
	struct tls_cert_info leaf;
	enum err err = tls_chain_verify(
	    chain, e->node->trust, node_wall_ms(e->node), NULL, why);

	if (err != OK)
		return err;
	tls_cert_inspect(chain, 0, &leaf);
	if (strcmp(leaf.uri, e->uri) != 0)
		return fault_set(why, ERR_PROTOCOL,
		    "the server's certificate is for %s", leaf.uri);
	return OK;
}

static void
save(struct entry *e)
{
	AUTO(buf_fini) struct buf pem = BUF(TLS_CHAIN_BYTES_MAX);
	const struct node *n = e->node;
	struct fault why = {0};
	enum err err;

	if (!e->is_node) {
		err = state_save_identity(
		    &n->state, e->ns, e->account, e->held, &why);
	} else {
		err = tls_chain_pem(tls_identity_chain(e->held), &pem);
		if (err == OK)
			err = state_write(
			    &n->state, STATE_NODE_CERT, buf_slice(&pem), &why);
	}
	if (err != OK && !e->is_unsaved)
		log_error("certificate was not saved; it is tried again",
		    "identity=%s why=\"%s\"", e->uri, why.text);
	e->is_unsaved = err != OK;
}

static void
take_voucher(struct node *n, const struct wire_certified *c)
{
	if (c->voucher_len == 0)
		return;
	memcpy(n->member.voucher, c->voucher, c->voucher_len);
	n->member.voucher_len = c->voucher_len;
	node_save_member(n);
	peers_set_voucher(n);
}

static enum err
use_answer(struct entry *e, struct slice body, struct fault *why)
{
	struct wire_certified c = {0};
	AUTO(tls_identity_unref) struct tls_identity *id = NULL;
	enum err err = wire_certified_decode(body, &c, why);

	if (err != OK)
		return err;
	err = check(e, c.chain, why);
	if (err == OK)
		err = tls_identity_new(c.chain, e->asked, &id, why);
	tls_chain_unref(&c.chain);
	if (err != OK)
		return err;
	tls_key_unref(&e->asked);
	hold(e, id);
	save(e);
	if (e->is_node)
		take_voucher(e->node, &c);
	log_info("certificate is here", "identity=%s", e->uri);
	return OK;
}

static void
on_answer(void *arg, const struct http_result *r)
{
	struct fault why = {0};
	struct entry *e;
	enum err err;

	OBJ(e, arg, IDENTITY_MAGIC);
	e->call = NULL; /* it is gone after this */
	if (r->err != OK)
		err = fault_set(&why, ERR_UNREACHABLE, "%s: %s",
		    r->what != NULL ? r->what : "asking the server",
		    err_text(r->err));
	else if (r->status != 200)
		err = wire_refusal(r->status, r->body, &why);
	else
		err = use_answer(e, r->body, &why);
	if (err != OK)
		fail(e, err, &why);
	else
		node_identities_changed(e->node);
}

static void
open_call(struct entry *e, struct slice body)
{
	struct node *n = e->node;
	struct http_call_spec spec = {.loop = n->loop,
	    .session = uplink_session(n),
	    .method = S("POST"),
	    .authority = uplink_server(n),
	    .path = S("/v1/certify"),
	    .content_type = S("application/json"),
	    .body = body,
	    .timeout_us = CALL_US,
	    .body_limit = WIRE_BODY_MAX,
	    .on_done = on_answer,
	    .arg = e};

	e->call = http_call_open(&spec);
}

/* Without a session nothing happens: identities_on_session() asks again. */
static void
ask(struct entry *e)
{
	AUTO(buf_fini) struct buf csr = BUF(TLS_CSR_BYTES_MAX);
	AUTO(buf_fini) struct buf body = BUF(WIRE_BODY_MAX);
	struct node *n = e->node;
	enum err err;

	e->renew_at_ms = 0;
	if (e->is_node && identities_node_expired(n)) {
		node_reenrol(n);
		return;
	}
	if (e->call != NULL || uplink_session(n) == NULL)
		return;
	tls_key_unref(&e->asked);
	e->asked = e->is_node ? tls_key_ref(n->state.node_key) : tls_key_new();
	err = tls_csr_make(e->asked, e->account, slice_str(e->uri), &csr);
	if (err == OK)
		err = wire_certify_encode(
		    buf_slice(&csr), node_wall_ms(n), &body);
	if (err != OK) {
		struct fault why = {0};

		(void)fault_set(
		    &why, err, "making the request: %s", err_text(err));
		fail(e, err, &why);
		return;
	}
	open_call(e, buf_slice(&body));
}

void
identities_on_session(struct node *n)
{
	struct identities *ids = n->identities;

	for (size_t i = 0; i < ids->count; i++) {
		struct entry *e = ids->items[i];

		if ((e->wanted || e->is_node) &&
		    e->problem.code != ERR_DENIED &&
		    (e->held == NULL || e->renew_at_ms == 0))
			ask(e);
	}
}

void
identities_retry(struct node *n)
{
	struct identities *ids = n->identities;

	for (size_t i = 0; i < ids->count; i++) {
		struct entry *e = ids->items[i];

		if (e->problem.code != ERR_DENIED)
			continue;
		e->problem.code = ERR_AGAIN; /* with the next session, else */
		ask(e);
	}
}

/* --- what others ask ------------------------------------------------------ */

void
identities_want(struct node *n, struct slice ns, struct slice account)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct identity id = {
	    slice_str(n->member.bundle.trust_domain), ns, account};
	struct entry *e = find(n, ns, account);

	if (!n->is_member || (e != NULL && e->wanted))
		return;
	arena_init(&arena, 2 * URI_MAX);
	if (e == NULL)
		e = entry_new(
		    n, name_identity_format(&arena, &id), /* is_node */ false);
	if (e == NULL) {
		log_error("identity cannot be had",
		    "account=%.*s namespace=%.*s why=\"too many, or the name "
		    "is too long\"",
		    SLICE_ARG(account), SLICE_ARG(ns));
		return;
	}
	e->wanted = true;
	if (e->held != NULL)
		arm_renewal(e);
	else
		ask(e);
}

bool
identities_have(const struct node *n, struct slice ns, struct slice account)
{
	const struct entry *e = find(n, ns, account);

	return e != NULL && e->held != NULL &&
	       tls_identity_info(e->held)->not_after_ms > node_wall_ms(n);
}

bool
identities_are_refused(
    const struct node *n, struct slice ns, struct slice account)
{
	const struct entry *e = find(n, ns, account);

	return e != NULL && e->problem.code == ERR_DENIED &&
	       !identities_have(n, ns, account);
}

struct slice
identities_problem(const struct node *n, struct slice ns, struct slice account)
{
	const struct entry *e = find(n, ns, account);

	if (e == NULL || e->problem.code == OK)
		return S("its account's certificate is on its way");
	return slice_str(e->problem.text);
}

struct tls_identity *
identities_node(const struct node *n)
{
	const struct entry *e = find_node(n);

	return e != NULL ? e->held : NULL;
}

bool
identities_node_expired(const struct node *n)
{
	struct tls_identity *id = identities_node(n);

	return id == NULL ||
	       tls_identity_info(id)->not_after_ms <= node_wall_ms(n);
}

MUST_USE enum err
identities_set_node(struct node *n, struct tls_chain *chain, struct fault *why)
{
	AUTO(tls_identity_unref) struct tls_identity *id = NULL;
	struct entry *e = find_node(n);
	enum err err = tls_identity_new(chain, n->state.node_key, &id, why);

	if (err != OK)
		return err;
	if (e == NULL)
		e = entry_new(n, slice_str(tls_identity_info(id)->uri),
		    /* is_node */ true);
	if (e == NULL)
		return fault_set(
		    why, ERR_INVALID, "the node's certificate has no identity");
	hold(e, id);
	save(e);
	return OK;
}

/* Our own, if it is named: programs here call as the spec's account. */
static size_t
fallback_of(
    const struct node *n, const struct entry *const *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (n->account[0] != '\0' && !entries[i]->is_node &&
		    slice_eq(entries[i]->ns, slice_str(n->ns)) &&
		    slice_eq(entries[i]->account, slice_str(n->account)))
			return i;
	return count > 0 && entries[0]->is_node ? 0 : count;
}

struct proxy_credentials *
identities_credentials(const struct node *n)
{
	AUTO(arena_fini) struct arena arena;
	const struct identities *ids = n->identities;
	struct proxy_identity rows[IDENTITIES_MAX];
	const struct entry *entries[IDENTITIES_MAX];
	struct proxy_credentials_spec spec = {
	    .identities = rows, .trust = n->trust};
	size_t count = 0;

	for (size_t i = 0; i < ids->count; i++) {
		const struct entry *e = ids->items[i];

		if (e->held == NULL)
			continue;
		entries[count] = e;
		rows[count++] =
		    (struct proxy_identity){slice_str(e->uri), e->held};
	}
	arena_init(&arena, REVOCATIONS_BYTES);
	spec.count = count;
	spec.fallback = fallback_of(n, entries, count);
	spec.revocations = revoked_all(n, &arena, &spec.revocation_count);
	return proxy_credentials_new(&spec);
}

void
node_each_identity(const struct node *n,
    void (*each)(void *arg, const struct node_identity *i), void *arg)
{
	const struct identities *ids = n->identities;

	for (size_t i = 0; i < ids->count; i++) {
		const struct entry *e = ids->items[i];
		struct node_identity row = {.uri = slice_str(e->uri),
		    .renew_at_ms = e->renew_at_ms,
		    .problem = slice_str(e->problem.text)};

		if (e->held != NULL)
			row.not_after_ms =
			    tls_identity_info(e->held)->not_after_ms;
		each(arg, &row);
	}
}

/* --- from the disk -------------------------------------------------------- */

static void
on_loaded(void *arg, struct tls_identity *id)
{
	struct node *n = arg;
	const struct tls_cert_info *leaf = tls_identity_info(id);
	struct entry *e;

	if (leaf->not_after_ms < node_wall_ms(n) + LOAD_GRACE_MS)
		return; /* its account asks anew when it is wanted */
	e = entry_new(n, slice_str(leaf->uri), /* is_node */ false);
	if (e != NULL)
		hold(e, id);
}

static void
load_node(struct node *n)
{
	AUTO(buf_fini) struct buf pem = BUF(TLS_CHAIN_BYTES_MAX);
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	AUTO(tls_identity_unref) struct tls_identity *id = NULL;
	struct fault why = {0};
	struct entry *e;

	if (state_read(&n->state, STATE_NODE_CERT, &pem, &why) != OK ||
	    tls_chain_parse(buf_slice(&pem), &chain, &why) != OK ||
	    tls_identity_new(chain, n->state.node_key, &id, &why) != OK) {
		log_warn("the node's certificate is not used; it re-enrols",
		    "why=\"%s\"", why.text);
		return;
	}
	e = entry_new(n, slice_str(tls_identity_info(id)->uri),
	    /* is_node */ true);
	if (e != NULL)
		hold(e, id);
}

void
identities_open(struct node *n)
{
	n->identities = mem_new(sizeof(*n->identities));
	rng_init_random(&n->identities->rng);
	if (!n->is_member)
		return;
	load_node(n);
	state_load_identities(&n->state, on_loaded, n);
}

void
identities_close(struct node *n)
{
	struct identities *ids = n->identities;

	if (ids == NULL)
		return;
	for (size_t i = 0; i < ids->count; i++)
		entry_free(ids->items[i]);
	mem_free(&n->identities);
}
