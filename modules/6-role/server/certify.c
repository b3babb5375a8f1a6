/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certify — certificates for who is a node already: its accounts', its own.
 *
 * The request's URI says whose. A node's own is renewed under the key that it
 * joined with, and with it its voucher.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "ca/ca.h"
#include "codec/codec.h"
#include "http/http.h"
#include "store/store.h"

#include "inside.h"

#include <stdio.h>

enum { JOB_MAGIC = 0x63657274, OPS_MAX = 2 };

struct job {
	uint32_t magic;
	struct server *server;
	struct http_exchange *x;
	bool own; /* the node's own certificate */
	struct registry_node node;
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

static void
refuse(struct http_exchange *x, const struct registry_node *n,
    const struct ca_decision *d)
{
	char words[2 * FAULT_TEXT_MAX];

	ca_decision_format(d, words, sizeof(words));
	log_warn("certificate refused", "node=%s code=%s why=\"%s\"",
	    n != NULL ? n->name : "-", ca_verdict_code(d->verdict), words);
	control_refuse_verdict(x, d);
}

/* --- deciding --- */

static bool
is_for_node(
    const struct server *s, const struct registry_node *n, struct slice csr)
{
	char uri[NAME_SPIFFE_MAX + 1];
	struct tls_csr parsed;

	return tls_csr_parse(csr, &parsed, NULL) == OK &&
	       ca_node_uri(slice_str(s->mesh.trust_domain), slice_str(n->name),
		   uri) == OK &&
	       strcmp(parsed.uri, uri) == 0;
}

static void
check_clock(struct ca_decision *d, int64_t clock_ms, int64_t now_ms)
{
	int64_t skew_ms = clock_ms - now_ms;

	if (d->verdict != CA_OK || clock_ms == 0 ||
	    (skew_ms <= CA_BACKDATE_MS && skew_ms >= -CA_BACKDATE_MS))
		return;
	d->verdict = CA_CLOCK_SKEW;
	(void)snprintf(d->detail, sizeof(d->detail),
	    "by %lld min, the machine is %s",
	    (long long)((skew_ms < 0 ? -skew_ms : skew_ms) / 60000),
	    skew_ms > 0 ? "ahead" : "behind");
}

static void
decide(struct job *j, const struct value *body, struct ca_decision *out)
{
	const struct server *s = j->server;
	const struct registry_node *n = &j->node;
	const struct value *clock = value_get(body, S("clock_ms"));
	struct ca_node_row row = {
	    .key = n->key, .grant = n->grant, .not_after_ms = n->not_after_ms};
	struct ca_join join = {
	    .csr = value_get_string(body, S("csr_pem"), SLICE_NONE),
	    .gossip_key = n->gossip_key,
	    .node_name = slice_str(n->name),
	};

	memcpy(row.gossip_key, n->gossip_key, sizeof(row.gossip_key));
	j->own = is_for_node(s, n, join.csr);
	if (j->own)
		ca_reenrol_check(s->own.ca, &row, &join, server_now_ms(s), out);
	else
		ca_certify_check(s->own.ca, &row,
		    tls_stream_peer(http_exchange_stream(j->x)), join.csr, out);
	check_clock(out,
	    clock != NULL && clock->type == VALUE_INT ? clock->integer : 0,
	    server_now_ms(s));
}

/* --- issuing, recording, answering --- */

static enum err
issue(struct job *j, const struct ca_decision *d, struct fault *why)
{
	struct identity id = {0};
	enum err e = name_identity_parse(slice_str(d->csr.uri), &id, why);

	if (e == OK)
		e = issue_leaf(j->server, slice_str(j->node.name),
		    j->own ? NULL : &id, &d->csr, &j->issued, why);
	if (e != OK || !j->own)
		return e;
	issue_note(&j->node, &j->issued);
	return issue_voucher(
	    j->server, &j->node, j->voucher, &j->voucher_len, why);
}

static void
answer(struct job *j)
{
	struct arena *a = http_exchange_arena(j->x);
	struct value *v = value_new(a, VALUE_MAP);

	issue_put_pem(a, &v, j->issued.chain);
	if (j->own)
		value_put_bytes(
		    a, &v, S("voucher"), slice_of(j->voucher, j->voucher_len));
	control_answer(j->x, v);
}

static void
on_stored(const struct store_result *r, void *arg)
{
	struct job *j;

	OBJ(j, arg, JOB_MAGIC);
	if (r->err == OK) {
		log_info("certificate issued", "node=%s identity=%s serial=%s",
		    j->node.name, j->issued.info.uri, j->issued.serial);
		answer(j);
	} else {
		control_refuse_store(j->x, r->err, r->why);
	}
	job_free(&j);
}

static enum err
record(struct job *j)
{
	struct arena *a = http_exchange_arena(j->x);
	struct store_op ops[OPS_MAX];
	struct store_mutation m = {
	    .actor = arena_printf(a, "node %s", j->node.name),
	    .time_ms = server_now_ms(j->server),
	    .ops = ops,
	};
	enum err e = OK;

	issue_cert_op(&j->issued, slice_str(j->node.name), &ops[m.op_count++]);
	if (j->own)
		e = registry_node_op(
		    &j->node, a, (int64_t)j->node.revision, &ops[m.op_count++]);
	if (e == OK)
		store_propose(j->server->store, &m, on_stored, j);
	return e;
}

static void
certify(struct job *j, const struct value *body)
{
	struct ca_decision d;
	struct fault why = {0};
	enum err e;

	decide(j, body, &d);
	if (d.verdict != CA_OK) {
		refuse(j->x, &j->node, &d);
		job_free(&j);
		return;
	}
	e = issue(j, &d, &why);
	if (e == OK)
		e = record(j);
	if (e == OK)
		return;
	log_error("cannot issue", "node=%s why=\"%s\"", j->node.name, why.text);
	control_refuse(j->x, 503, "not_issued", slice_str(why.text),
	    "see the server's log");
	job_free(&j);
}

void
certify_handle(struct server *s, struct http_exchange *x)
{
	struct ca_decision d;
	const struct registry_node *n =
	    control_peer(s, http_exchange_stream(x), &d);
	struct fault why = {0};
	const struct value *body;
	struct job *j;

	if (n == NULL) {
		refuse(x, NULL, &d);
		return;
	}
	if (codec_json_parse(http_exchange_body(x), http_exchange_arena(x),
		&body, &why) != OK) {
		control_refuse(x, 400, "bad_request", slice_str(why.text),
		    "use the same release of meshd on both sides");
		return;
	}
	j = mem_new(sizeof(*j));
	j->magic = JOB_MAGIC;
	j->server = s;
	j->x = x;
	j->node = *n;
	certify(j, body);
}
