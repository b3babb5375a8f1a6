/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check — who may join, come back, have which identity, and use the API.
 *
 * Each check is a row of questions; the first "no" is the verdict. Before the
 * proof is good the answers tell no more than that: whoever guesses token ids
 * learns nothing about a token.
 */
#include <stdarg.h>
#include <stdio.h>

#include "authority.h"

struct verdict_row {
	const char *code;
	unsigned status;
	const char *text;
	const char *hint;
};

static const struct verdict_row verdicts[CA_VERDICT_COUNT] = {
#define X(name, code, status, sentence, hint)                                  \
	[name] = {code, status, sentence, hint},
    CA_VERDICT_TABLE(X)
#undef X
};

const char *
ca_verdict_code(enum ca_verdict v)
{
	return verdicts[v].code;
}

const char *
ca_verdict_text(enum ca_verdict v)
{
	return verdicts[v].text;
}

const char *
ca_verdict_hint(enum ca_verdict v)
{
	return verdicts[v].hint;
}

unsigned
ca_verdict_status(enum ca_verdict v)
{
	return verdicts[v].status;
}

enum err
ca_verdict_parse(struct slice code, enum ca_verdict *out)
{
	for (unsigned v = 0; v < CA_VERDICT_COUNT; v++)
		if (slice_eq(code, slice_str(verdicts[v].code))) {
			*out = (enum ca_verdict)v;
			return OK;
		}
	return ERR_NOT_FOUND;
}

/* --- deciding --- */

static void decide(struct ca_decision *d, enum ca_verdict v, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

static void
decide(struct ca_decision *d, enum ca_verdict v, const char *fmt, ...)
{
	va_list args;

	d->verdict = v;
	va_start(args, fmt);
	vsnprintf(d->detail, sizeof(d->detail), fmt, args);
	va_end(args);
}

void
ca_decision_format(const struct ca_decision *d, char *out, size_t out_len)
{
	if (d->detail[0] == '\0')
		snprintf(out, out_len, "%s", ca_verdict_text(d->verdict));
	else
		snprintf(out, out_len, "%s (%s)", ca_verdict_text(d->verdict),
		    d->detail);
}

static bool
may_go_on(const struct ca_decision *d)
{
	return d->verdict == CA_OK;
}

/* --- the questions --- */

static void
ask_csr(struct ca_decision *d, struct slice csr)
{
	struct fault why = {0};

	if (may_go_on(d) && tls_csr_parse(csr, &d->csr, &why) != OK)
		decide(d, CA_CSR_BAD, "%s", why.text);
}

/* The request may leave the identity out; it may not name another. */
static void
ask_csr_name(struct ca_decision *d, const struct ca *ca, struct slice node_name)
{
	char uri[NAME_SPIFFE_MAX + 1];

	if (!may_go_on(d))
		return;
	if (name_check_label(node_name, NULL) != OK ||
	    ca_node_uri(ca_trust_domain(ca), node_name, uri) != OK)
		decide(
		    d, CA_NAME_INVALID, "%s", ""); /* not repeated: a peer's */
	else if (d->csr.uri[0] != '\0' && strcmp(d->csr.uri, uri) != 0)
		decide(d, CA_CSR_OTHER_NAME, "it says %.200s instead of %.200s",
		    d->csr.uri, uri);
}

static void
ask_clock(struct ca_decision *d, const struct ca_join *join, int64_t now_ms)
{
	int64_t off;

	if (join->clock_ms == 0)
		return;
	d->skew_ms = join->clock_ms - now_ms;
	off = d->skew_ms < 0 ? -d->skew_ms : d->skew_ms;
	if (may_go_on(d) && off > CA_BACKDATE_MS)
		decide(d, CA_CLOCK_SKEW, "by %lld min, the machine is %s",
		    (long long)(off / 60000),
		    d->skew_ms > 0 ? "ahead" : "behind");
}

static void
ask_wanted(struct ca_decision *d, const struct ca_join *join,
    const struct ca_grant *grant)
{
	for (size_t i = 0; may_go_on(d) && i < join->wanted_count; i++) {
		const struct ca_wanted *w = &join->wanted[i];

		if (name_check_label(w->ns, NULL) != OK ||
		    name_check_subdomain(w->account, NULL) != OK)
			decide(d, CA_NAMESPACE_NOT_GRANTED, "%s",
			    "what was asked for is no name");
		else if (ca_grant_allows(grant, w->ns, w->account))
			continue;
		else if (!ca_grant_has_namespace(grant, w->ns))
			decide(d, CA_NAMESPACE_NOT_GRANTED,
			    "%.*s was asked for, %s is granted",
			    (int)MIN(w->ns.len, (size_t)NAME_LABEL_MAX),
			    w->ns.ptr, grant->namespaces);
		else
			decide(d, CA_ACCOUNT_NOT_GRANTED,
			    "%.*s was asked for, %s is granted",
			    (int)MIN(w->account.len, (size_t)NAME_LABEL_MAX),
			    w->account.ptr, grant->accounts);
	}
}

/* --- joining --- */

static void
ask_proof(struct ca_decision *d, const struct ca_token_row *row,
    const struct ca_join *join)
{
	uint8_t proof[CRYPTO_HMAC_LEN];
	struct secret wanted;

	if (!may_go_on(d))
		return;
	ca_join_proof(row->key, d->csr.sha256, join->gossip_key, proof);
	secret_set(&wanted, slice_of(proof, sizeof(proof)));
	if (!secret_eq(&wanted, join->proof))
		decide(d, CA_PROOF_WRONG, "%s", "");
	secret_fini(&wanted);
}

static bool
has_used(const struct ca_token_row *row, const struct tls_pin *key)
{
	for (size_t i = 0; i < row->user_count; i++)
		if (tls_pin_eq(&row->users[i], key))
			return true;
	return false;
}

/* "40 s ago", "10 min ago", "5 h ago", "3 days ago". */
static void
decide_since(struct ca_decision *d, enum ca_verdict v, int64_t ms)
{
	static const struct {
		int64_t from_ms;
		int64_t unit_ms;
		const char *unit;
	} rows[] = {
	    {2 * CA_DAY_MS, CA_DAY_MS, "days"},
	    {2 * CA_HOUR_MS, CA_HOUR_MS, "h"},
	    {60000, 60000, "min"},
	    {0, 1000, "s"},
	};
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(rows) && ms < rows[i].from_ms)
		i++;
	decide(d, v, "%lld %s ago", (long long)(ms / rows[i].unit_ms),
	    rows[i].unit);
}

static void
ask_end(struct ca_decision *d, const struct ca_token_row *row, int64_t now_ms,
    enum ca_verdict expired)
{
	int64_t end = row->created_ms + row->bounds.lifetime_ms;

	if (may_go_on(d) && now_ms >= end)
		decide_since(d, expired, now_ms - end);
}

static void
ask_token(struct ca_decision *d, const struct ca_token_row *row, int64_t now_ms)
{
	if (!may_go_on(d))
		return;
	d->first_use = !has_used(row, &d->csr.pin);
	if (row->revoked)
		decide(d, CA_TOKEN_REVOKED, "%s", "");
	ask_end(d, row, now_ms, CA_TOKEN_EXPIRED);
	if (!may_go_on(d))
		return;
	if (!d->first_use || row->user_count < row->bounds.uses)
		return; /* the same key may try again */
	else if (row->bounds.uses == 1)
		decide(d, CA_TOKEN_OTHER_KEY, "%s", "");
	else
		decide(d, CA_TOKEN_USED_UP, "%u times", row->bounds.uses);
}

static bool
glob_matches(const char *glob, struct slice name)
{
	const char *star = NULL;
	size_t i = 0, mark = 0;

	while (i < name.len) {
		if (*glob == '?' || (*glob != '*' && *glob == name.ptr[i])) {
			glob++;
			i++;
		} else if (*glob == '*') {
			star = ++glob;
			mark = i;
		} else if (star != NULL) {
			glob = star;
			i = ++mark;
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return *glob == '\0';
}

static void
ask_bounds(struct ca_decision *d, const struct ca_bounds *b,
    const struct ca_join *join)
{
	char ip[ADDR_TEXT_MAX];
	bool inside = b->cidr_count == 0;

	if (!may_go_on(d))
		return;
	if (b->name_glob[0] != '\0' &&
	    !glob_matches(b->name_glob, join->node_name)) {
		decide(d, CA_NAME_NOT_ALLOWED, "%.*s is not like %s",
		    SLICE_ARG(join->node_name), b->name_glob);
		return;
	}
	for (size_t i = 0; i < b->cidr_count; i++)
		inside = inside || cidr_contains(&b->cidrs[i], &join->from);
	if (!inside)
		decide(d, CA_ADDRESS_NOT_ALLOWED, "%s",
		    addr_format_ip(&join->from, ip));
}

static void
ask_holder(
    struct ca_decision *d, const struct ca_node_row *holder, struct slice name)
{
	if (!may_go_on(d) || holder == NULL)
		return;
	if (tls_pin_eq(&holder->key, &d->csr.pin)) {
		/* A revoked key stays out, whatever token it brings. */
		if (holder->revoked)
			decide(d, CA_NODE_REVOKED, "%s", "");
	} else if (!holder->revoked) {
		decide(d, CA_NAME_TAKEN, "%.*s", SLICE_ARG(name));
	}
}

void
ca_join_check(const struct ca *ca, const struct ca_token_row *row,
    const struct ca_node_row *holder, const struct ca_join *join,
    int64_t now_ms, struct ca_decision *out)
{
	*out = (struct ca_decision){.verdict = CA_OK};
	if (row == NULL || row->bounds.role != CA_ROLE_NONE) {
		decide(out, CA_TOKEN_UNKNOWN, "%s", "");
		return;
	}
	ask_csr(out, join->csr);
	ask_proof(out, row, join);
	ask_token(out, row, now_ms);
	ask_clock(out, join, now_ms);
	ask_csr_name(out, ca, join->node_name);
	ask_bounds(out, &row->bounds, join);
	ask_wanted(out, join, &row->bounds.grant);
	ask_holder(out, holder, join->node_name);
	out->grant = row->bounds.grant;
}

/* --- coming back --- */

/*
 * The request's signature proves the key; a request is no secret though, so
 * the gossip key has to be the known one as well, or whoever saw the request
 * could have a voucher made for a key of his own.
 */
static void
ask_known(struct ca_decision *d, const struct ca_node_row *node,
    const struct ca_join *join, int64_t now_ms)
{
	if (!may_go_on(d))
		return;
	if (!tls_pin_eq(&node->key, &d->csr.pin) ||
	    memcmp(node->gossip_key, join->gossip_key,
		CRYPTO_ED25519_PUBLIC_LEN) != 0)
		decide(d, CA_NODE_OTHER_KEY, "%s", "");
	else if (node->revoked)
		decide(d, CA_NODE_REVOKED, "%s", "");
	else if (now_ms > node->not_after_ms + CA_GRACE_MS)
		decide_since(
		    d, CA_NODE_GRACE_OVER, now_ms - node->not_after_ms);
}

void
ca_reenrol_check(const struct ca *ca, const struct ca_node_row *node,
    const struct ca_join *join, int64_t now_ms, struct ca_decision *out)
{
	*out = (struct ca_decision){.verdict = CA_OK};
	if (node == NULL) {
		decide(out, CA_NODE_UNKNOWN, "%s", "");
		return;
	}
	ask_csr(out, join->csr);
	ask_known(out, node, join, now_ms);
	ask_clock(out, join, now_ms);
	ask_csr_name(out, ca, join->node_name);
	ask_wanted(out, join, &node->grant);
	out->grant = node->grant;
}

/* --- workloads --- */

static void
ask_identity(
    struct ca_decision *d, const struct ca *ca, const struct ca_node_row *node)
{
	struct identity id;
	struct ca_wanted wanted;
	struct ca_join join = {.wanted = &wanted, .wanted_count = 1};

	if (!may_go_on(d))
		return;
	if (name_identity_parse(slice_str(d->csr.uri), &id, NULL) != OK ||
	    !slice_eq(id.trust_domain, ca_trust_domain(ca))) {
		decide(d, CA_CSR_BAD, "it names no identity of %s",
		    ca->trust_domain);
		return;
	}
	wanted = (struct ca_wanted){id.ns, id.account};
	ask_wanted(d, &join, &node->grant);
}

void
ca_certify_check(const struct ca *ca, const struct ca_node_row *node,
    const struct tls_peer *peer, struct slice csr, struct ca_decision *out)
{
	*out = (struct ca_decision){.verdict = CA_OK};
	if (node == NULL || !slice_eq(peer->identity.ns, S(CA_NS_NODES))) {
		decide(out, CA_NODE_UNKNOWN, "%.200s", peer->uri);
		return;
	}
	if (!tls_pin_eq(&node->key, &peer->pin))
		decide(out, CA_NODE_OTHER_KEY, "%s", "");
	else if (node->revoked)
		decide(out, CA_NODE_REVOKED, "%s", "");
	ask_csr(out, csr);
	ask_identity(out, ca, node);
	out->grant = node->grant;
}

/* --- operators --- */

static bool
is_key_of(const struct ca_token *t, const struct ca_token_row *row)
{
	AUTO(secret_fini) struct secret key = {0};

	secret_init(&key, CRYPTO_KEY_LEN);
	ca_token_key(t, key.bytes);
	return secret_eq(&key, slice_of(row->key, sizeof(row->key)));
}

void
ca_operator_check(const struct ca_token_row *row, const struct ca_token *token,
    int64_t now_ms, struct ca_decision *out)
{
	*out = (struct ca_decision){.verdict = CA_OK};
	if (row == NULL || row->bounds.role == CA_ROLE_NONE)
		decide(out, CA_OPERATOR_UNKNOWN, "%s", "");
	else if (!is_key_of(token, row))
		decide(out, CA_OPERATOR_WRONG, "%s", "");
	else if (row->revoked)
		decide(out, CA_OPERATOR_REVOKED, "%s", "");
	else
		ask_end(out, row, now_ms, CA_OPERATOR_EXPIRED);
}
