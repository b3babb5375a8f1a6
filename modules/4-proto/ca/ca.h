/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ca — who may have which certificate, and the certificates themselves.
 *
 * Root, a server's intermediate, leaves, tokens and vouchers. Pure: the
 * time, serial numbers, keys and chance are arguments; what is stored, where
 * and how it is sealed is the server's business. The checks answer with a
 * verdict: a code, one sentence and a hint for each way to be refused.
 */
#ifndef MESHD_CA_H
#define MESHD_CA_H

#include "base/base.h"
#include "gossip/gossip.h"
#include "tls/tls.h"

#define CA_HOUR_MS INT64_C(3600000)
#define CA_DAY_MS (24 * CA_HOUR_MS)
#define CA_ROOT_MS (3650 * CA_DAY_MS)
#define CA_INTERMEDIATE_MS (30 * CA_DAY_MS)
#define CA_NODE_MS (7 * CA_DAY_MS)
#define CA_WORKLOAD_MS (72 * CA_HOUR_MS)
#define CA_BACKDATE_MS (2 * CA_HOUR_MS)
#define CA_GRACE_MS (30 * CA_DAY_MS)
#define CA_TOKEN_MS (15 * 60 * INT64_C(1000))
#define CA_OPERATOR_MS (30 * CA_DAY_MS)
#define CA_TOKEN_MAX_MS (365 * CA_DAY_MS)
/* A clock that is further off is told so; past CA_BACKDATE_MS it is refused. */
#define CA_SKEW_WARN_MS (5 * 60 * INT64_C(1000))

/* Reserved: identities of machines, not of workloads. No token grants them. */
#define CA_NS_NODES "meshd-nodes"     /* …/sa/<node name> */
#define CA_NS_SERVERS "meshd-servers" /* …/sa/<server name> */

/* --- the authority -------------------------------------------------------- */

/* A self-signed root. `key` is its own; serial is random. */
MUST_USE enum err ca_root_make(struct slice trust_domain,
    const struct tls_key *key, const uint8_t serial[TLS_SERIAL_LEN],
    int64_t now_ms, struct tls_chain **out, struct fault *why);

/*
 * Whether a given CA may be the mesh's: `chain` begins with the certificate
 * of `key` and ends in the root, each signed by the next, all CAs, all valid
 * now, with room in the path length for one intermediate more.
 */
MUST_USE enum err ca_root_check(const struct tls_chain *chain,
    const struct tls_key *key, int64_t now_ms, struct fault *why);

/*
 * A server's own signing certificate, path length 0, in front of the root's
 * chain. `server_key` is the server's alone.
 */
MUST_USE enum err ca_intermediate_make(const struct tls_issuer *root,
    struct slice trust_domain, struct slice server_name,
    const struct tls_key *server_key, const uint8_t serial[TLS_SERIAL_LEN],
    int64_t now_ms, struct tls_chain **out, struct fault *why);

struct ca; /* what signs; immutable, counted with atomics */

struct ca_spec {
	struct slice trust_domain;
	struct tls_chain *chain; /* intermediate first, root last */
	struct tls_key *key;     /* the intermediate's */
	/* Ed25519; signs vouchers, the same key on all servers. */
	const uint8_t *voucher_secret; /* CRYPTO_ED25519_SECRET_LEN, copied */
};

MUST_USE enum err ca_new(
    const struct ca_spec *spec, struct ca **out, struct fault *why);
void ca_unref(struct ca **cp);

/* Borrowed: the last certificate of the chain, alone. */
struct tls_chain *ca_root(const struct ca *ca);
/* Of the root's key: what a token pins. */
void ca_root_pin(const struct ca *ca, struct tls_pin *out);
struct slice ca_trust_domain(const struct ca *ca);
void ca_voucher_key(
    const struct ca *ca, uint8_t out[CRYPTO_ED25519_PUBLIC_LEN]);
/* When the intermediate ends, and with it all that it signed. */
int64_t ca_not_after_ms(const struct ca *ca);

enum ca_leaf { CA_LEAF_NODE, CA_LEAF_WORKLOAD, CA_LEAF_SERVER };

struct ca_leaf_spec {
	enum ca_leaf kind;
	struct slice ns;      /* workloads; the others have a reserved one */
	struct slice account; /* or the node's or server's name */
	/* Workloads: whose key it is. It becomes the common name, so that what
	 * a revoked node holds can be told from what others hold. */
	struct slice node;
	struct slice spki; /* tls_csr.spki, tls_key_spki() */
	/* Servers: what browsers and curl check. */
	const struct slice *dns_names;
	size_t dns_count;
	const struct addr *ips;
	size_t ip_count;
	int64_t lifetime_ms; /* 0: the kind's own (servers as nodes) */
	int64_t now_ms;
	uint8_t serial[TLS_SERIAL_LEN];
	bool with_root; /* for peers that know the root's pin only */
};

/* Leaf, intermediates and, if asked, the root. ERR_EXPIRED: our own end. */
MUST_USE enum err ca_issue(const struct ca *ca, const struct ca_leaf_spec *spec,
    struct tls_chain **out, struct fault *why);

/* A random moment in 20-35 % of the leaf's life, counted from its issue. */
int64_t ca_renew_at_ms(const struct tls_cert_info *leaf, struct rng *rng);

/* "spiffe://<trust domain>/ns/meshd-nodes/sa/<name>"; ERR_LIMIT. */
MUST_USE enum err ca_node_uri(struct slice trust_domain, struct slice name,
    char out[NAME_SPIFFE_MAX + 1]);

/* --- revocation ----------------------------------------------------------- */

/* What this identity was given before that time is no longer good. */
struct ca_revocation {
	struct slice identity; /* a node's stands for all of its accounts */
	int64_t since_ms;      /* Unix time */
};

/*
 * True if one of them is about this peer's certificate: about its identity, or
 * about the node that holds it. Times are compared by the second, as
 * certificates count: one of the same second is refused.
 */
bool ca_peer_is_revoked(const struct ca_revocation *list, size_t count,
    const struct tls_peer *peer);

/* The same for what a node says of itself under a voucher. */
bool ca_node_is_revoked(const struct ca_revocation *list, size_t count,
    struct slice node, int64_t issued_ms);

/* The node that an identity is, or nothing: it is an account's. */
struct slice ca_node_of(struct slice uri);

/* As gossip carries it, under the vouchers' key. ERR_INVALID: the name. */
MUST_USE enum err ca_revocation_make(const struct ca *ca,
    const struct gossip_revocation *r, uint8_t out[GOSSIP_REVOCATION_MAX],
    size_t *out_len);

/* --- tokens --------------------------------------------------------------- */

/* What it is for; its first letters say so. */
enum ca_token_kind {
	CA_TOKEN_JOIN,    /* "mj1.…": a machine joins by it */
	CA_TOKEN_OPERATOR /* "mo1.…": the API is used by it */
};

enum {
	CA_TOKEN_ID_LEN = 8,
	CA_TOKEN_SECRET_LEN = 16,
	CA_TOKEN_ID_TEXT = 2 * CA_TOKEN_ID_LEN + 1, /* hex and the zero */
	CA_TOKEN_SERVERS_MAX = 8,
	CA_TOKEN_SERVER_LEN = NAME_HOST_MAX + 9, /* "[…]:65535" and the zero */
	CA_TOKEN_TEXT_MAX = 4096
};

/* What the line says. Holds the secret: wipe with ca_token_fini(). */
struct ca_token {
	enum ca_token_kind kind;
	char servers[CA_TOKEN_SERVERS_MAX][CA_TOKEN_SERVER_LEN]; /* host:port */
	size_t server_count;
	char trust_domain[NAME_TRUST_DOMAIN_MAX + 1];
	struct tls_pin root_pin;
	uint8_t id[CA_TOKEN_ID_LEN];
	uint8_t secret[CA_TOKEN_SECRET_LEN];
};

void ca_token_fini(struct ca_token *t);

/* `out` is empty before; no zero at its end. */
MUST_USE enum err ca_token_format(
    const struct ca_token *t, struct secret *out, struct fault *why);

/*
 * Forgives white space around the token, says exactly what else is wrong: the
 * other kind, another version, white space inside, a part missing, a mistyped
 * character.
 */
MUST_USE enum err ca_token_parse(struct slice text, enum ca_token_kind kind,
    struct ca_token *out, struct fault *why);

/* Hex. Returns out. */
char *ca_token_id_format(
    const uint8_t id[CA_TOKEN_ID_LEN], char out[CA_TOKEN_ID_TEXT]);
MUST_USE enum err ca_token_id_parse(
    struct slice text, uint8_t out[CA_TOKEN_ID_LEN]);

/*
 * What both sides make of the secret and the server keeps: with it one can
 * check the token or a proof of it, but not print the token again.
 */
void ca_token_key(const struct ca_token *t, uint8_t out[CRYPTO_KEY_LEN]);

/* HMAC over SHA-256(DER of the CSR) and the gossip key. */
void ca_join_proof(const uint8_t key[CRYPTO_KEY_LEN],
    const uint8_t csr_sha256[CRYPTO_SHA256_LEN],
    const uint8_t gossip_key[CRYPTO_ED25519_PUBLIC_LEN],
    uint8_t out[CRYPTO_HMAC_LEN]);

/* --- what a token allows -------------------------------------------------- */

enum {
	CA_GLOB_MAX = 64,
	CA_LIST_MAX = 64, /* a list of names, as text; a voucher is small */
	CA_CIDRS_MAX = 8,
	CA_USES_MAX = 1000
};

/* Names with commas between them, or "*" for any; as in a voucher. */
struct ca_grant {
	char namespaces[CA_LIST_MAX];
	char accounts[CA_LIST_MAX];
};

/* What an operator may do; each may do what those before it may. */
enum ca_role {
	CA_ROLE_NONE,   /* a machine: it may join */
	CA_ROLE_VIEWER, /* reads everything but keys */
	CA_ROLE_EDITOR, /* writes what lies in its namespaces */
	CA_ROLE_ADMIN
};

const char *ca_role_name(enum ca_role r); /* "viewer" */

/* One of an operator; ERR_INVALID in words. */
MUST_USE enum err ca_role_parse(
    struct slice text, enum ca_role *out, struct fault *why);

struct ca_bounds {
	/* Of an operator, for whom an editor's namespaces and the lifetime
	 * count, and the rest is empty. */
	enum ca_role role;
	char name_glob[CA_GLOB_MAX]; /* "web-*", "?"; "" is any */
	struct cidr cidrs[CA_CIDRS_MAX];
	size_t cidr_count; /* 0: from anywhere */
	struct ca_grant grant;
	uint32_t uses;       /* different keys; the same one may retry */
	int64_t lifetime_ms; /* from its making */
};

/*
 * Machines: any name, any address, namespace default, any account, once, 15
 * minutes. Operators: 30 days; an editor's namespace is default.
 */
void ca_bounds_default(enum ca_role role, struct ca_bounds *out);

/* ERR_INVALID in words: which bound makes no sense, and what would. */
MUST_USE enum err ca_bounds_check(const struct ca_bounds *b, struct fault *why);

/* True if both are in the grant; the reserved namespaces never are. */
bool ca_grant_allows(
    const struct ca_grant *g, struct slice ns, struct slice account);
bool ca_grant_has_namespace(const struct ca_grant *g, struct slice ns);

/* What the server keeps of a token. */
struct ca_token_row {
	uint8_t id[CA_TOKEN_ID_LEN];
	uint8_t key[CRYPTO_KEY_LEN]; /* ca_token_key(); sealed at rest */
	int64_t created_ms;
	struct ca_bounds bounds;
	bool revoked;
	const struct tls_pin *users; /* keys that joined by it */
	size_t user_count;
};

/* --- verdicts ------------------------------------------------------------- */

/*	X(name, code for programs, HTTP status, sentence, hint)	*/
#define CA_VERDICT_TABLE(X)                                                    \
	X(CA_OK, "ok", 200, "granted", "")                                     \
	X(CA_TOKEN_UNKNOWN, "token_unknown", 403,                              \
	    "this server knows no such token",                                 \
	    "check that the token was made by this mesh, or make a new one "   \
	    "with: meshd token create")                                        \
	X(CA_TOKEN_EXPIRED, "token_expired", 403, "the token has expired",     \
	    "make a new one with: meshd token create")                         \
	X(CA_TOKEN_REVOKED, "token_revoked", 403, "the token was revoked",     \
	    "ask who revoked it, or make a new one with: meshd token create")  \
	X(CA_TOKEN_USED_UP, "token_used_up", 403,                              \
	    "the token was used as often as it may be",                        \
	    "make a new one with: meshd token create --uses N")                \
	X(CA_TOKEN_OTHER_KEY, "token_bound_to_another_key", 403,               \
	    "the token was used already, by another key",                      \
	    "if that was this machine before its state was lost, make a new "  \
	    "token; if not, revoke the node that used it")                     \
	X(CA_PROOF_WRONG, "proof_wrong", 403,                                  \
	    "the proof does not match the token's secret",                     \
	    "copy the whole token again, from mj1. to its last character")     \
	X(CA_CSR_BAD, "csr_bad", 400,                                          \
	    "the certificate request is not acceptable",                       \
	    "use the same release of meshd on both sides")                     \
	X(CA_CSR_OTHER_NAME, "csr_other_name", 400,                            \
	    "the certificate request is for another identity",                 \
	    "remove the agent's identity directory and join again")            \
	X(CA_NAME_INVALID, "name_invalid", 400, "the node name is not valid",  \
	    "use at most 63 of a-z, 0-9 and '-', e.g.: --name web-1")          \
	X(CA_NAME_NOT_ALLOWED, "name_not_allowed", 403,                        \
	    "the token does not allow this node name",                         \
	    "join with --name, or make a token with another --name-glob")      \
	X(CA_NAME_TAKEN, "name_taken", 409, "another node has this name",      \
	    "join with another --name, or remove the old node first with: "    \
	    "meshd node revoke NODE")                                          \
	X(CA_ADDRESS_NOT_ALLOWED, "address_not_allowed", 403,                  \
	    "the token does not allow this address",                           \
	    "join from an allowed address, or make a token with --cidr")       \
	X(CA_NAMESPACE_NOT_GRANTED, "namespace_not_granted", 403,              \
	    "this namespace was not granted",                                  \
	    "make a token that grants it with: meshd token create "            \
	    "--namespaces NAME")                                               \
	X(CA_ACCOUNT_NOT_GRANTED, "account_not_granted", 403,                  \
	    "this account was not granted",                                    \
	    "make a token that grants it with: meshd token create "            \
	    "--accounts NAME")                                                 \
	X(CA_NODE_ANONYMOUS, "certificate_required", 403,                      \
	    "only a node with its certificate may ask for this",               \
	    "join first with: meshd agent --join TOKEN")                       \
	X(CA_NODE_UNKNOWN, "node_unknown", 403,                                \
	    "this server knows no such node", "join again with a new token")   \
	X(CA_NODE_REVOKED, "node_revoked", 403, "the node was revoked",        \
	    "an operator decided so; join again with a new token and name")    \
	X(CA_NODE_OTHER_KEY, "node_other_key", 403,                            \
	    "this is not the key that the node joined with",                   \
	    "restore the agent's state directory, or join with a new token")   \
	X(CA_NODE_GRACE_OVER, "node_grace_over", 403,                          \
	    "the node's certificate expired too long ago",                     \
	    "join again with a new token")                                     \
	X(CA_CLOCK_SKEW, "clock_skew", 403,                                    \
	    "the clocks of this machine and the server are too far apart",     \
	    "set the clock, e.g. with: timedatectl set-ntp true")              \
	X(CA_OPERATOR_MISSING, "operator_token_missing", 401,                  \
	    "who asks from elsewhere needs an operator token",                 \
	    "send \"Authorization: Bearer TOKEN\"; an admin makes one with: "  \
	    "meshd token create --role viewer")                                \
	X(CA_OPERATOR_BAD, "operator_token_bad", 401,                          \
	    "this is no operator token",                                       \
	    "copy the whole token again, from mo1. to its last character")     \
	X(CA_OPERATOR_UNKNOWN, "operator_token_unknown", 401,                  \
	    "this server knows no such operator token",                        \
	    "check that the token was made by this mesh; an admin makes a "    \
	    "new one with: meshd token create --role ROLE")                    \
	X(CA_OPERATOR_WRONG, "operator_token_wrong", 401,                      \
	    "the operator token has the wrong secret",                         \
	    "copy the whole token again, from mo1. to its last character")     \
	X(CA_OPERATOR_EXPIRED, "operator_token_expired", 401,                  \
	    "the operator token has expired",                                  \
	    "an admin makes a new one with: meshd token create --role ROLE")   \
	X(CA_OPERATOR_REVOKED, "operator_token_revoked", 401,                  \
	    "the operator token was revoked",                                  \
	    "ask who revoked it; meshd history says so")

enum ca_verdict {
#define X(name, code, status, sentence, hint) name,
	CA_VERDICT_TABLE(X)
#undef X
	    CA_VERDICT_COUNT
};

/* "token_expired", the sentence, the hint: static strings. */
const char *ca_verdict_code(enum ca_verdict v);
const char *ca_verdict_text(enum ca_verdict v);
const char *ca_verdict_hint(enum ca_verdict v);
unsigned ca_verdict_status(enum ca_verdict v);

/* ERR_NOT_FOUND for a code that is not in the table. */
MUST_USE enum err ca_verdict_parse(struct slice code, enum ca_verdict *out);

/* --- joining -------------------------------------------------------------- */

enum { CA_WANTED_MAX = 32 };

struct ca_wanted {
	struct slice ns;
	struct slice account;
};

/* What an agent sends, decoded; all of it borrowed. */
struct ca_join {
	struct slice csr;          /* PEM */
	const uint8_t *gossip_key; /* CRYPTO_ED25519_PUBLIC_LEN */
	struct slice proof;        /* CRYPTO_HMAC_LEN bytes; joins only */
	struct slice node_name;
	struct addr from; /* where the connection comes from */
	/* Identities that it knows it will ask for; may be none. */
	const struct ca_wanted *wanted;
	size_t wanted_count;
	int64_t clock_ms; /* the agent's wall clock, 0 if it did not say */
};

/* What the server knows of a node that joined. */
struct ca_node_row {
	struct tls_pin key;
	uint8_t gossip_key[CRYPTO_ED25519_PUBLIC_LEN];
	struct ca_grant grant;
	int64_t not_after_ms; /* of its last certificate */
	bool revoked;
};

/* What comes of it. */
struct ca_decision {
	enum ca_verdict verdict;
	char detail[FAULT_TEXT_MAX]; /* more words, or "" */
	struct tls_csr csr;          /* when the verdict is CA_OK */
	struct ca_grant grant;       /* the same */
	bool first_use;  /* join: this key must be added to the row's users */
	int64_t skew_ms; /* agent's clock minus ours, 0 if not told */
};

/*
 * `row` is the token's or NULL; `holder` is the node that has the name now,
 * or NULL. A name may be taken over by its own key, and after revocation.
 * Says no more than "unknown" and "wrong" before the proof is good.
 */
void ca_join_check(const struct ca *ca, const struct ca_token_row *row,
    const struct ca_node_row *holder, const struct ca_join *join,
    int64_t now_ms, struct ca_decision *out);

/*
 * For a node whose certificate has expired, or soon will: the request's key
 * and gossip key are those that it joined with, and it is not later than
 * CA_GRACE_MS behind the end. `node` is NULL for a name that is not known.
 */
void ca_reenrol_check(const struct ca *ca, const struct ca_node_row *node,
    const struct ca_join *join, int64_t now_ms, struct ca_decision *out);

/*
 * A workload certificate, asked for by a node over its own mutual TLS: the
 * request's URI is granted to the node. `peer` is the connection's.
 */
void ca_certify_check(const struct ca *ca, const struct ca_node_row *node,
    const struct tls_peer *peer, struct slice csr, struct ca_decision *out);

/* --- operators ------------------------------------------------------------ */

/*
 * May who has this token use the API? `row` is the token's or NULL. A wrong
 * secret is told from a right one in constant time; until it is right the
 * answer says nothing else. What may be done is in the row's bounds.
 */
void ca_operator_check(const struct ca_token_row *row,
    const struct ca_token *token, int64_t now_ms, struct ca_decision *out);

/* "the token has expired (10 min ago)"; for an answer or a log line. */
void ca_decision_format(const struct ca_decision *d, char *out, size_t out_len);

/* --- vouchers ------------------------------------------------------------- */

struct ca_voucher_spec {
	const uint8_t *gossip_key;
	struct slice node_name;
	struct slice network;
	const struct ca_grant *grant;
	int64_t issued_ms; /* when the name was first given */
	int64_t expires_ms;
};

MUST_USE enum err ca_voucher_make(const struct ca *ca,
    const struct ca_voucher_spec *spec, uint8_t out[GOSSIP_VOUCHER_MAX],
    size_t *out_len, struct fault *why);

#endif
