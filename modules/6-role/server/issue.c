/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issue — certificates and vouchers, once it is decided that they are given.
 */
#include "base/base.h"
#include "ca/ca.h"
#include "store/store.h"
#include "tls/tls.h"

#include "inside.h"

void
issued_fini(struct issued *i)
{
	tls_chain_unref(&i->chain);
}

enum err
issue_leaf(const struct server *s, struct slice node,
    const struct identity *workload, const struct tls_csr *csr,
    struct issued *out, struct fault *why)
{
	struct ca_leaf_spec spec = {
	    .kind = workload != NULL ? CA_LEAF_WORKLOAD : CA_LEAF_NODE,
	    .ns = workload != NULL ? workload->ns : SLICE_NONE,
	    .account = workload != NULL ? workload->account : node,
	    .node = node,
	    .spki = slice_of(csr->spki, csr->spki_len),
	    .now_ms = server_now_ms(s),
	};
	struct issued i = {0};
	enum err e;

	crypto_random(spec.serial, sizeof(spec.serial));
	e = ca_issue(s->own.ca, &spec, &i.chain, why);
	if (e != OK)
		return e;
	tls_cert_inspect(i.chain, 0, &i.info);
	e = slice_to_cstr(slice_str(i.info.serial), i.serial, sizeof(i.serial));
	CHECK(e == OK); /* ours are no longer than that */
	*out = i;
	return OK;
}

void
issue_cert_op(const struct issued *i, struct slice node, struct store_op *out)
{
	*out = (struct store_op){
	    .type = STORE_PUT, .expected = STORE_EXPECT_ABSENT};
	out->row.table = STORE_CERTS;
	out->row.cert = (struct store_cert){
	    .serial = slice_str(i->serial),
	    .identity = slice_str(i->info.uri),
	    .node = node,
	    .not_before_ms = i->info.not_before_ms,
	    .expires_ms = i->info.not_after_ms,
	};
}

void
issue_note(struct registry_node *n, const struct issued *i)
{
	memmove(n->serials[1], n->serials[0],
	    sizeof(n->serials) - sizeof(n->serials[0]));
	memcpy(n->serials[0], i->serial, sizeof(n->serials[0]));
	n->not_after_ms = i->info.not_after_ms;
}

enum err
issue_voucher(const struct server *s, const struct registry_node *n,
    uint8_t out[GOSSIP_VOUCHER_MAX], size_t *out_len, struct fault *why)
{
	struct ca_voucher_spec spec = {
	    .gossip_key = n->gossip_key,
	    .node_name = slice_str(n->name),
	    .network = slice_str(n->network),
	    .grant = &n->grant,
	    .issued_ms = n->joined_ms,
	    .expires_ms = n->not_after_ms,
	};

	return ca_voucher_make(s->own.ca, &spec, out, out_len, why);
}

void
issue_put_pem(
    struct arena *a, struct value **map, const struct tls_chain *chain)
{
	AUTO(buf_fini) struct buf pem = BUF(2 * TLS_CHAIN_BYTES_MAX);

	if (tls_chain_pem(chain, &pem) == OK)
		value_put_text(a, map, S("certificate_pem"), buf_slice(&pem));
	else
		*map = NULL;
}
