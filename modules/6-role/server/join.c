/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join — a machine becomes a node, by a token or again by its known key.
 *
 *	read ─► decide (ca) ─► issue ─► one mutation ─► answer
 *	          ^                          |
 *	          `------ someone was faster-'
 *
 * Decided from what is at hand; the mutation consumes the token, takes the
 * name and records the certificate, or does nothing. If it is refused because
 * another request came first, the question is asked again: the words are then
 * those of the new situation.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "ca/ca.h"
#include "codec/codec.h"
#include "http/http.h"
#include "store/store.h"

#include "inside.h"
#include "rows.h"

#include <stdio.h>

enum { JOB_MAGIC = 0x6a6f696e, TRIES_MAX = 3, OPS_MAX = 3 };

struct job {
	uint32_t magic;
	struct server *server;
	struct http_exchange *x; /* lives until it is answered */
	bool again;              /* re-enrol: no token */
	unsigned tries;
	struct slice token_id;
	struct slice network;
	struct ca_join join; /* text lies in the exchange */
	struct ca_wanted wanted[CA_WANTED_MAX];
	uint8_t gossip_key[CRYPTO_ED25519_PUBLIC_LEN];
	uint8_t proof[CRYPTO_HMAC_LEN];
	struct registry_node node; /* as it will be */
	int64_t expected;          /* revision of the row that it replaces */
	struct issued issued;
	uint8_t voucher[GOSSIP_VOUCHER_MAX];
	size_t voucher_len;
};

static void
job_free(struct job **jp)
{
	struct job *j = *jp;

	issued_fini(&j->issued);
	j->magic = 0;
	mem_free(jp);
}

/* --- reading --- */

static bool
read_bytes(const struct value *v, struct slice key, uint8_t *out, size_t len)
{
	struct slice text = value_get_string(v, key, SLICE_NONE);
	size_t got;

	return crypto_base64url_decode(text, out, len, &got) == OK &&
	       got == len;
}

static bool
read_wanted(struct job *j, const struct value *list)
{
	VALUE_EACH(list, it)
	{
		struct ca_wanted *w = &j->wanted[j->join.wanted_count];

		if (j->join.wanted_count == CA_WANTED_MAX ||
		    it->type != VALUE_MAP)
			return false;
		w->ns = value_get_string(it, S("namespace"), SLICE_NONE);
		w->account = value_get_string(it, S("account"), SLICE_NONE);
		j->join.wanted_count++;
	}
	j->join.wanted = j->wanted;
	return true;
}

/* What is wrong with the body, or NULL. */
static const char *
read_fields(struct job *j, const struct value *v)
{
	const struct value *clock = value_get(v, S("clock_ms"));

	j->join.csr = value_get_string(v, S("csr_pem"), SLICE_NONE);
	j->join.node_name = value_get_string(v, S("node_name"), SLICE_NONE);
	j->network = value_get_string(v, S("network"), S(MESH_NETWORK));
	j->join.clock_ms =
	    clock != NULL && clock->type == VALUE_INT ? clock->integer : 0;
	j->join.gossip_key = j->gossip_key;
	if (!read_bytes(v, S("gossip_public_key"), j->gossip_key,
		sizeof(j->gossip_key)))
		return "gossip_public_key is not the base64url of 32 bytes";
	if (!read_wanted(j, value_get(v, S("wanted"))))
		return "wanted is not a list of at most 32 identities";
	if (j->again)
		return NULL;
	j->token_id = value_get_string(v, S("token_id"), SLICE_NONE);
	j->join.proof = slice_of(j->proof, sizeof(j->proof));
	if (!read_bytes(v, S("hmac"), j->proof, sizeof(j->proof)))
		return "hmac is not the base64url of 32 bytes";
	return NULL;
}

static const char *
read_body(struct job *j, struct fault *why)
{
	const struct value *v;

	if (codec_json_parse(http_exchange_body(j->x),
		http_exchange_arena(j->x), &v, why) != OK)
		return why->text;
	return v->type == VALUE_MAP ? read_fields(j, v)
				    : "the body is no JSON object";
}

/* --- deciding --- */

static void
holder_of(const struct server *s, const struct registry_node *n,
    struct ca_node_row *out)
{
	*out = (struct ca_node_row){
	    .key = n->key,
	    .grant = n->grant,
	    .not_after_ms = n->not_after_ms,
	    .revoked = registry_node_is_revoked(
		&s->registry, n, slice_str(s->mesh.trust_domain)),
	};
	memcpy(out->gossip_key, n->gossip_key, sizeof(out->gossip_key));
}

/* False if there is no such token, or nobody can read its key. */
static bool
token_row(struct job *j, struct ca_token_row *out)
{
	const struct registry *r = &j->server->registry;
	const struct registry_token *t = registry_token(r, j->token_id);
	AUTO(secret_fini) struct secret key = {0};
	char name[sizeof("token/") + CA_TOKEN_ID_TEXT];

	if (t == NULL || ca_token_id_parse(j->token_id, out->id) != OK)
		return false;
	(void)snprintf(name, sizeof(name), "token/%s", t->id);
	if (store_unseal(j->server->store, slice_str(name),
		slice_of(t->sealed, sizeof(t->sealed)), &key) != OK ||
	    key.len != sizeof(out->key)) {
		log_error("token is not readable", "id=%s", t->id);
		return false;
	}
	memcpy(out->key, key.bytes, sizeof(out->key));
	out->created_ms = t->created_ms;
	out->bounds = t->bounds;
	out->revoked = t->revoked;
	return true;
}

static void
decide_join(
    struct job *j, const struct ca_node_row *holder, struct ca_decision *out)
{
	struct ca_token_row row = {0};
	AUTO(mem_free) struct tls_pin *users = NULL;
	bool known = token_row(j, &row);

	if (known) {
		users = registry_users(
		    &j->server->registry, j->token_id, &row.user_count);
		row.users = users;
	}
	ca_join_check(j->server->own.ca, known ? &row : NULL, holder, &j->join,
	    server_now_ms(j->server), out);
	secret_wipe(row.key, sizeof(row.key));
}

/* Of two members with one name the younger one's services are not used. */
static void
refuse_own_name(const struct job *j, struct ca_decision *out)
{
	if (out->verdict != CA_OK ||
	    !slice_eq(j->join.node_name, slice_str(j->server->own.name)))
		return;
	out->verdict = CA_NAME_TAKEN;
	(void)snprintf(out->detail, sizeof(out->detail), "it is this server's");
}

static void
decide(struct job *j, struct ca_decision *out)
{
	const struct server *s = j->server;
	const struct registry_node *n =
	    registry_node(&s->registry, j->join.node_name);
	struct ca_node_row row;

	if (n != NULL)
		holder_of(s, n, &row);
	if (j->again)
		ca_reenrol_check(s->own.ca, n != NULL ? &row : NULL, &j->join,
		    server_now_ms(s), out);
	else
		decide_join(j, n != NULL ? &row : NULL, out);
	refuse_own_name(j, out);
}

/* --- granting --- */

/* The row as it will be; a yes has checked every name. */
static enum err
fill_node(struct job *j, const struct ca_decision *d)
{
	struct registry_node *n = &j->node;
	const struct registry_node *old =
	    registry_node(&j->server->registry, j->join.node_name);
	struct gossip_id id;
	enum err e;

	*n = (struct registry_node){0};
	j->expected = STORE_EXPECT_ABSENT;
	if (old != NULL) {
		*n = *old;
		j->expected = (int64_t)old->revision;
	}
	/* Another key is another node, though it has the name of a revoked. */
	if (old == NULL ||
	    memcmp(&old->key, &d->csr.pin, sizeof(old->key)) != 0)
		n->joined_ms = server_now_ms(j->server);
	n->key = d->csr.pin;
	n->grant = d->grant;
	memcpy(n->gossip_key, j->gossip_key, sizeof(n->gossip_key));
	gossip_id_of_key(n->gossip_key, &id);
	(void)gossip_id_format(&id, n->id);
	e = slice_to_cstr(j->join.node_name, n->name, sizeof(n->name));
	if (e == OK)
		e = slice_to_cstr(j->network, n->network, sizeof(n->network));
	if (e == OK && !j->again)
		e = slice_to_cstr(
		    j->token_id, n->token_id, sizeof(n->token_id));
	return e;
}

static enum err
grant(struct job *j, const struct ca_decision *d, struct fault *why)
{
	enum err e = fill_node(j, d);

	issued_fini(&j->issued);
	if (e == OK)
		e = issue_leaf(j->server, slice_str(j->node.name),
		    /* workload */ NULL, &d->csr, &j->issued, why);
	if (e != OK)
		return e;
	issue_note(&j->node, &j->issued);
	return issue_voucher(
	    j->server, &j->node, j->voucher, &j->voucher_len, why);
}

/* --- recording --- */

static void
consume_op(struct job *j, struct slice key_hash, struct store_op *out)
{
	*out = (struct store_op){.type = STORE_CONSUME_TOKEN};
	out->row.table = STORE_TOKEN_USES;
	out->row.token_use = (struct store_token_use){
	    .token_id = j->token_id,
	    .key_hash = key_hash,
	    .node = slice_str(j->node.name),
	};
}

static void on_stored(const struct store_result *r, void *arg);

static enum err
record(struct job *j)
{
	struct store_op ops[OPS_MAX];
	struct store_mutation m = {
	    .actor = arena_printf(
		http_exchange_arena(j->x), "node %s", j->node.name),
	    .time_ms = server_now_ms(j->server),
	    .ops = ops,
	};
	enum err e = registry_node_op(&j->node, http_exchange_arena(j->x),
	    j->expected, &ops[m.op_count++]);

	if (e != OK)
		return e;
	issue_cert_op(&j->issued, slice_str(j->node.name), &ops[m.op_count++]);
	if (!j->again)
		consume_op(j, ops[0].row.node.key_hash, &ops[m.op_count++]);
	store_propose(j->server->store, &m, on_stored, j);
	return OK;
}

/* --- answering --- */

static struct value *
server_list(const struct job *j, struct arena *a)
{
	const struct server *s = j->server;
	struct value *list = value_new(a, VALUE_LIST);
	char text[CA_TOKEN_SERVER_LEN];

	for (size_t i = 0; i < s->own.host_count; i++)
		if (own_server_text(&s->own, i, control_port(s), text) == OK)
			value_push_text(a, &list, slice_str(text));
	return list;
}

static struct value *
seed_list(const struct job *j, struct arena *a)
{
	const struct server *s = j->server;
	struct value *list = value_new(a, VALUE_LIST);
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < s->own.ip_count; i++) {
		struct addr seed = s->own.ips[i];

		seed.port = s->gossip != NULL ? gossip_port(s->gossip) : 0;
		if (seed.port != 0)
			value_push_text(
			    a, &list, slice_str(addr_format(&seed, text)));
	}
	return list;
}

static void
answer(struct job *j)
{
	const struct server *s = j->server;
	struct arena *a = http_exchange_arena(j->x);
	struct value *v = value_new(a, VALUE_MAP);
	struct value *keys = feed_gossip_keys(s, a);

	value_put_text(a, &v, S("node_name"), slice_str(j->node.name));
	value_put_text(
	    a, &v, S("trust_domain"), slice_str(s->mesh.trust_domain));
	value_put_text(a, &v, S("domain"), S(MESH_DOMAIN));
	value_put_bytes(
	    a, &v, S("mesh_id"), slice_of(s->mesh.id, sizeof(s->mesh.id)));
	value_put_text(a, &v, S("network"), slice_str(j->node.network));
	issue_put_pem(a, &v, j->issued.chain);
	value_put(&v, S("bundle"), feed_bundle(s, a));
	value_put_bytes(
	    a, &v, S("voucher"), slice_of(j->voucher, j->voucher_len));
	value_put(&v, S("gossip_keys"), keys);
	value_put(&v, S("gossip_seeds"), seed_list(j, a));
	value_put(&v, S("servers"), server_list(j, a));
	value_put_int(a, &v, S("clock_ms"), server_now_ms(s));
	control_answer(j->x, v);
}

static void
refuse(struct job *j, const struct ca_decision *d)
{
	char words[2 * FAULT_TEXT_MAX];

	ca_decision_format(d, words, sizeof(words));
	log_warn("join refused", "code=%s why=\"%s\"",
	    ca_verdict_code(d->verdict), words);
	control_refuse_verdict(j->x, d);
	job_free(&j);
}

static void
refuse_words(
    struct job *j, const char *code, const char *words, const char *hint)
{
	log_warn("join refused", "code=%s why=\"%s\"", code, words);
	control_refuse(j->x, 400, code, slice_str(words), hint);
	job_free(&j);
}

/* What is off by more than two hours was refused. */
static void
warn_of_clock(const struct job *j, int64_t skew_ms)
{
	if (skew_ms > CA_SKEW_WARN_MS || skew_ms < -CA_SKEW_WARN_MS)
		log_warn("the clock of a node differs from this server's",
		    "node=%.*s minutes=%lld node_is=%s",
		    SLICE_ARG(j->join.node_name),
		    (long long)((skew_ms < 0 ? -skew_ms : skew_ms) / 60000),
		    skew_ms > 0 ? "ahead" : "behind");
}

/* Decides, issues and records; ends with an answer in every case. */
static void
try_to_join(struct job *j)
{
	struct ca_decision d;
	struct fault why = {0};

	j->tries++;
	decide(j, &d);
	if (d.verdict == CA_OK)
		warn_of_clock(j, d.skew_ms);
	if (d.verdict != CA_OK)
		refuse(j, &d);
	else if (grant(j, &d, &why) != OK || record(j) != OK)
		refuse_words(j, "not_issued", why.text,
		    "the token's grants or the node's name are too long, or "
		    "the server's own certificate has expired: see its log");
}

static bool
came_too_late(const struct store_result *r)
{
	return r->err == ERR_CONFLICT || r->err == ERR_LIMIT ||
	       r->err == ERR_DENIED || r->err == ERR_EXPIRED ||
	       r->err == ERR_NOT_FOUND;
}

/* The store knows the gossip key under another name. */
static void
refuse_second_name(struct job *j, const struct fault *why)
{
	struct ca_decision d = {.verdict = CA_CSR_OTHER_NAME};

	(void)snprintf(d.detail, sizeof(d.detail),
	    "this machine's gossip key belongs to another node: %.300s",
	    why->text);
	refuse(j, &d);
}

static void
on_stored(const struct store_result *r, void *arg)
{
	struct job *j;

	OBJ(j, arg, JOB_MAGIC);
	if (r->err == OK) {
		log_info(j->again ? "node enrolled again" : "node joined",
		    "name=%s id=%s token=%s", j->node.name, j->node.id,
		    j->node.token_id);
		answer(j);
		job_free(&j);
	} else if (r->err == ERR_EXISTS) {
		refuse_second_name(j, r->why);
	} else if (came_too_late(r) && j->tries < TRIES_MAX &&
		   !j->server->closing) {
		try_to_join(j);
	} else {
		control_refuse_store(j->x, r->err, r->why);
		job_free(&j);
	}
}

/* --- handlers --- */

static void
begin(struct server *s, struct http_exchange *x, bool again)
{
	struct job *j = mem_new(sizeof(*j));
	struct fault why = {0};
	const char *wrong;

	j->magic = JOB_MAGIC;
	j->server = s;
	j->x = x;
	j->again = again;
	j->join.from = stream_peer(http_exchange_stream(x));
	wrong = read_body(j, &why);
	if (wrong != NULL)
		refuse_words(j, "bad_request", wrong,
		    "use the same release of meshd on both sides");
	else if (!slice_eq(j->network, S(MESH_NETWORK)))
		refuse_words(j, "network_unknown",
		    "networks other than \"" MESH_NETWORK
		    "\" are not supported yet",
		    "join without a network");
	else
		try_to_join(j);
}

void
join_handle(struct server *s, struct http_exchange *x)
{
	begin(s, x, /* again */ false);
}

void
reenrol_handle(struct server *s, struct http_exchange *x)
{
	begin(s, x, /* again */ true);
}
