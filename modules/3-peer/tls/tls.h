/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls — who the peer is: keys, certificates, trust, and streams of TLS 1.3.
 *
 * X.509 here is pure: time, serial numbers and names are arguments. Keys,
 * chains, identities, trust and configurations are immutable once made and
 * counted with atomics, so that the control loop makes them and workers use
 * them. A stream belongs to one loop. tls_init() comes before all of it.
 */
#ifndef MESHD_TLS_H
#define MESHD_TLS_H

#include "base/base.h"
#include "net/net.h"

/* Once, after crypto_init(). */
MUST_USE enum err tls_init(void);

/* --- keys ----------------------------------------------------------------- */

enum {
	TLS_PIN_LEN = 32,   /* SHA-256 of the DER SubjectPublicKeyInfo */
	TLS_SPKI_MAX = 256, /* bytes of the keys we accept */
	TLS_KEY_BYTES_MAX = 16 << 10
};

struct tls_pin {
	uint8_t bytes[TLS_PIN_LEN];
};

bool tls_pin_eq(const struct tls_pin *a, const struct tls_pin *b);

struct tls_key; /* a private key, wiped with its last reference */

/* A new one on P-256. */
struct tls_key *tls_key_new(void);

/* PEM or DER, PKCS#8 or SEC 1, P-256 or P-384, without a password. */
MUST_USE enum err tls_key_parse(
    struct slice text, struct tls_key **out, struct fault *why);

struct tls_key *tls_key_ref(struct tls_key *k);
void tls_key_unref(struct tls_key **kp);

/* PKCS#8 (RFC 5958) as PEM or DER; `out` is empty before. */
MUST_USE enum err tls_key_pem(const struct tls_key *k, struct secret *out);
MUST_USE enum err tls_key_der(const struct tls_key *k, struct secret *out);

/* The DER SubjectPublicKeyInfo, borrowed from the key, and its hash. */
struct slice tls_key_spki(const struct tls_key *k);
void tls_key_pin(const struct tls_key *k, struct tls_pin *out);

/*
 * ECDSA over the text's SHA-256 (P-384: SHA-384), as DER (RFC 3279 §2.2.3), as
 * `openssl dgst -sha256 -verify` reads it.
 */
enum { TLS_SIGNATURE_MAX = 160 };
MUST_USE enum err tls_key_sign(const struct tls_key *k, struct slice text,
    uint8_t out[TLS_SIGNATURE_MAX], size_t *out_len);

/* The public half as PEM; appends to `out`. */
MUST_USE enum err tls_key_public_pem(const struct tls_key *k, struct buf *out);

/*
 * A file of mode 0600, written beside `path` and renamed over it after fsync.
 * Loading refuses a file that others may read (ERR_PERMISSION).
 */
MUST_USE enum err tls_key_save(
    const struct tls_key *k, const char *path, struct fault *why);
MUST_USE enum err tls_key_load(
    const char *path, struct tls_key **out, struct fault *why);

/* --- requests (PKCS#10, RFC 2986) ----------------------------------------- */

enum {
	TLS_CSR_BYTES_MAX = 8 << 10,
	TLS_NAME_MAX = 64,     /* a common name, RFC 5280 A.1 */
	TLS_SUBJECT_MAX = 256, /* a whole subject as text; longer is cut */
	TLS_SANS_MAX = 16
};

/* `uri` is the one SAN; SLICE_NONE for none. Appends PEM to `out`. */
MUST_USE enum err tls_csr_make(const struct tls_key *k,
    struct slice common_name, struct slice uri, struct buf *out);

struct tls_csr {
	char common_name[TLS_NAME_MAX + 1];
	char uri[NAME_SPIFFE_MAX + 1]; /* "" if there is none */
	uint8_t spki[TLS_SPKI_MAX];
	size_t spki_len;
	struct tls_pin pin;                /* of spki */
	uint8_t sha256[CRYPTO_SHA256_LEN]; /* of the DER request */
};

/*
 * PEM or DER. Checks the request's own signature, i.e. that the sender has
 * the key (ERR_AUTH). Refuses other keys than P-256 and P-384, more than one
 * URI SAN, and text with control bytes.
 */
MUST_USE enum err tls_csr_parse(
    struct slice text, struct tls_csr *out, struct fault *why);

/* --- certificates (RFC 5280) ---------------------------------------------- */

enum {
	TLS_SERIAL_LEN = 16,
	TLS_SERIAL_MAX = 20,
	TLS_CHAIN_MAX = 8, /* certificates */
	TLS_CHAIN_BYTES_MAX = 64 << 10,
	TLS_NO_PATH_LEN = -1
};

/* One or more certificates: a chain, leaf first, or a set of roots. */
struct tls_chain;

/* PEM (several) or DER (one, or several behind each other). */
MUST_USE enum err tls_chain_parse(
    struct slice text, struct tls_chain **out, struct fault *why);
/* `tail` (may be NULL) is put behind `head`; both stay the caller's. */
MUST_USE enum err tls_chain_join(const struct tls_chain *head,
    const struct tls_chain *tail, struct tls_chain **out);
/* `count` certificates from `first` on, as a chain of their own. */
MUST_USE enum err tls_chain_part(const struct tls_chain *c, size_t first,
    size_t count, struct tls_chain **out);
struct tls_chain *tls_chain_ref(struct tls_chain *c);
void tls_chain_unref(struct tls_chain **cp);
size_t tls_chain_count(const struct tls_chain *c);
/* Borrows the DER bytes of one. */
struct slice tls_chain_der(const struct tls_chain *c, size_t index);
/* Appends all of them to `out`. */
MUST_USE enum err tls_chain_pem(const struct tls_chain *c, struct buf *out);

struct tls_cert_info {
	char subject[TLS_SUBJECT_MAX];      /* "CN=web" */
	char common_name[TLS_NAME_MAX + 1]; /* "" if there is none */
	char issuer[TLS_SUBJECT_MAX];
	char uri[NAME_SPIFFE_MAX + 1]; /* the first URI SAN, or "" */
	unsigned uri_count;
	char serial[2 * TLS_SERIAL_MAX + 1]; /* hex */
	int64_t not_before_ms;               /* Unix time */
	int64_t not_after_ms;
	struct tls_pin pin; /* of its public key */
	bool is_ca;
	int path_len; /* TLS_NO_PATH_LEN if there is none */
};

void tls_cert_inspect(
    const struct tls_chain *c, size_t index, struct tls_cert_info *out);

/*
 * Whether the private key, RSA too, is that of the first certificate:
 * ERR_INVALID if it is another one's, else as tls_key_parse().
 */
MUST_USE enum err tls_key_fits(
    struct slice key, const struct tls_chain *c, struct fault *why);

/* From when to when the first certificate of the text is good. */
MUST_USE enum err tls_cert_validity(
    struct slice text, int64_t *out_not_before_ms, int64_t *out_not_after_ms);

/* Who signs. The chain begins with the issuer's own certificate. */
struct tls_issuer {
	const struct tls_chain *chain; /* NULL: the certificate signs itself */
	const struct tls_key *key;
};

struct tls_cert_spec {
	struct slice common_name; /* 1-64 bytes */
	struct slice uri;         /* SLICE_NONE for none */
	const struct slice *dns_names;
	size_t dns_count;
	const struct addr *ips;
	size_t ip_count;
	bool is_ca; /* keyCertSign, cRLSign; else digitalSignature, both EKUs */
	int path_len;
	int64_t not_before_ms;          /* cut to whole seconds */
	int64_t not_after_ms;           /* cut to the issuer's own end */
	uint8_t serial[TLS_SERIAL_LEN]; /* random; the top bit is cleared */
};

/*
 * Key usage is critical. ERR_INVALID, in words, for an issuer that is no CA
 * or whose key is another, for an end before the beginning, and for names
 * that a certificate cannot carry. `spki` is the subject's key.
 */
MUST_USE enum err tls_cert_issue(const struct tls_cert_spec *spec,
    struct slice spki, const struct tls_issuer *issuer, struct tls_chain **out,
    struct fault *why);

/* --- identity and trust --------------------------------------------------- */

struct tls_identity; /* a key and the chain that speaks for it */

/* Copies references. ERR_INVALID if the leaf is for another key. */
MUST_USE enum err tls_identity_new(struct tls_chain *chain, struct tls_key *key,
    struct tls_identity **out, struct fault *why);
struct tls_identity *tls_identity_ref(struct tls_identity *id);
void tls_identity_unref(struct tls_identity **ip);

/* Of the leaf; borrowed as long as the identity lives. */
const struct tls_cert_info *tls_identity_info(const struct tls_identity *id);
struct tls_chain *tls_identity_chain(const struct tls_identity *id);
struct tls_key *tls_identity_key(const struct tls_identity *id);

struct tls_trust; /* roots by trust domain; domains are never merged */

enum { TLS_TRUST_DOMAINS_MAX = 64 };

struct tls_root_set {
	struct slice trust_domain;
	struct tls_chain *roots;
};

/* Copies names and references. `epoch` names this state of the bundle. */
MUST_USE enum err tls_trust_new(const struct tls_root_set *sets, size_t count,
    uint64_t epoch, struct tls_trust **out, struct fault *why);
struct tls_trust *tls_trust_ref(struct tls_trust *t);
void tls_trust_unref(struct tls_trust **tp);
uint64_t tls_trust_epoch(const struct tls_trust *t);
/* Borrowed; NULL for a domain that is not there. */
struct tls_chain *tls_trust_roots(
    const struct tls_trust *t, struct slice trust_domain);

/* The peer of an open stream, or the leaf of a verified chain. */
struct tls_peer {
	const char *uri;          /* lies behind the struct */
	struct identity identity; /* borrows from uri */
	struct tls_pin pin;       /* of the leaf's key */
	char serial[2 * TLS_SERIAL_MAX + 1];
	char common_name[TLS_NAME_MAX + 1]; /* "" if there is none */
	int64_t not_before_ms;
	int64_t not_after_ms;
};

void tls_peer_free(struct tls_peer **pp);

/*
 * The chain (leaf first) ends in a root of its own trust domain at that time,
 * and the leaf is a SPIFFE X.509-SVID of our shape: one URI SAN, CA:false,
 * key usage critical with digitalSignature and without keyCertSign and
 * cRLSign, both EKUs if any (SPIFFE X509-SVID §2-4). ERR_AUTH, ERR_EXPIRED.
 * `out` may be NULL.
 */
MUST_USE enum err tls_chain_verify(const struct tls_chain *chain,
    const struct tls_trust *trust, int64_t now_ms, struct tls_peer **out,
    struct fault *why);

/* --- streams -------------------------------------------------------------- */

enum tls_role { TLS_CLIENT, TLS_SERVER };

/* Does a server ask who its client is? */
enum tls_ask {
	TLS_ASK_REQUIRED,
	TLS_ASK_OPTIONAL, /* none is fine, a bad one is refused */
	TLS_ASK_NONE
};

enum { TLS_ALPN_MAX = 4, TLS_HANDSHAKE_MS = 10000 };

/*
 * The last word on a peer whose chain is good (a revocation list, say). On
 * the stream's loop; anything but OK, with words, refuses the handshake. Asked
 * twice of one whose ticket is taken: when that comes, and at the end.
 */
typedef enum err (*tls_check_cb)(
    void *arg, const struct tls_peer *peer, struct fault *why);

/*
 * What a server seals its session tickets with (RFC 8446 §4.6.1): the keys of
 * any number of configurations, on any thread; new ones each hour.
 */
struct tls_tickets;
struct tls_tickets *tls_tickets_new(void);
struct tls_tickets *tls_tickets_ref(struct tls_tickets *t);
void tls_tickets_unref(struct tls_tickets **tp);

struct tls_config_spec {
	enum tls_role role;
	enum tls_ask ask;               /* servers */
	const char *alpn[TLS_ALPN_MAX]; /* static, best first; all NULL: none */
	const struct clock *clock;      /* kept; NULL is the machine's */
	uint32_t handshake_ms;          /* 0 is TLS_HANDSHAKE_MS */
	tls_check_cb check;             /* may be NULL */
	void *check_arg;
	/* Servers with TLS_ASK_REQUIRED: their clients may come back without
	 * certificates, for an hour. NULL: they may not. */
	struct tls_tickets *tickets;
	/* Clients: come back to servers that are named in struct
	 * tls_client_spec. All streams are of one loop then. */
	bool resume;
};

/* TLS 1.3 only; AES-128-GCM, AES-256-GCM, ChaCha20; X25519, P-256. */
struct tls_config; /* counted; any number of streams share it */
MUST_USE enum err tls_config_new(
    const struct tls_config_spec *spec, struct tls_config **out);
struct tls_config *tls_config_ref(struct tls_config *c);
void tls_config_unref(struct tls_config **cp);

/* Everything is copied or counted. Either trust or root_pin is needed. */
struct tls_client_spec {
	struct tls_config *config;
	struct tls_identity *identity; /* NULL: anonymous (join) */
	struct tls_trust *trust;
	/*
	 * The peer is one of these, all of one trust domain. An account "*",
	 * as in S("spiffe://d/ns/x/sa/" "*"), stands for any of the namespace.
	 */
	const struct slice *expected;
	size_t expected_count;
	/* Or, with none: anybody of this domain. */
	struct slice trust_domain;
	/*
	 * Join: the top of the presented chain is the root of this key. The
	 * peer is still one of `expected`, or of `trust_domain`.
	 */
	const struct tls_pin *root_pin;
	struct slice sni; /* SLICE_NONE sends none */
	/* With resume: what this server is known by, among all that the
	 * configuration goes to. SLICE_NONE: it is not known again. */
	struct slice server;
};

enum { TLS_EXPECTED_MAX = 64 };

/*
 * A stream over `below`, which it takes on success. on_open comes when the
 * handshake is complete and the peer is who it has to be. ERR_INVALID, in
 * words, for a spec that makes no sense; `below` is then still the caller's.
 */
MUST_USE enum err tls_stream_client(struct stream *below,
    const struct tls_client_spec *spec, const struct stream_events *events,
    void *arg, struct stream **out, struct fault *why);

/*
 * A client that takes WHOEVER ANSWERS, with any certificate: nothing that comes
 * of it says who the peer is, and nothing secret may be told to it. It is for
 * health checks alone, which ask a service of their own machine whether it is
 * there, as a kubelet does; the lint keeps everybody else from it. The one
 * configuration is good for nothing else, and takes RSA keys, too.
 */
MUST_USE enum err tls_unverified_config(
    uint32_t handshake_ms, struct tls_config **out);
MUST_USE enum err tls_unverified_client(struct stream *below,
    struct tls_config *config, struct slice sni,
    const struct stream_events *events, void *arg, struct stream **out,
    struct fault *why);

/* Which identity answers: a new reference, or NULL to refuse. `sni` may be
 * empty. On the stream's loop. */
typedef struct tls_identity *(*tls_pick_cb)(void *arg, struct slice sni);

struct tls_server_spec {
	struct tls_config *config;
	struct tls_identity *identity; /* or NULL, and pick */
	tls_pick_cb pick;              /* may be NULL */
	void *pick_arg;
	struct tls_trust *trust;   /* NULL only with TLS_ASK_NONE */
	struct slice trust_domain; /* clients are of this one */
};

MUST_USE enum err tls_stream_server(struct stream *below,
    const struct tls_server_spec *spec, const struct stream_events *events,
    void *arg, struct stream **out, struct fault *why);

/* True if this stream is one of ours (its ops are). */
bool tls_stream_is(const struct stream *s);

/* NULL before on_open and when the peer showed no certificate. */
const struct tls_peer *tls_stream_peer(const struct stream *s);

/*
 * True if a ticket spoke for both ends and neither showed a certificate. What
 * is known of the peer is the same then.
 */
bool tls_stream_is_resumed(const struct stream *s);

/* With TLS_CLIENT and root_pin: the root that was pinned; else NULL. */
struct tls_chain *tls_stream_root(const struct stream *s);

/* What was agreed on, or SLICE_NONE. */
struct slice tls_stream_alpn(const struct stream *s);

/* What the client asked for (servers), or SLICE_NONE. */
struct slice tls_stream_sni(const struct stream *s);

/* Why it failed, in words; code OK and no words if it did not. Until it is
 * freed, i.e. in on_close as well. */
const struct fault *tls_stream_fault(const struct stream *s);

/*
 * How many records the busier direction has carried under its keys. Ours move
 * on by themselves after 2^23; who would rather begin anew does so before.
 */
uint64_t tls_stream_records(const struct stream *s);

/*
 * New keys for what we send from the next record on (RFC 8446 §4.6.3), and
 * with `ask` for what the peer sends. ERR_INVALID when it is not open.
 */
MUST_USE enum err tls_stream_update_keys(struct stream *s, bool ask);

/* --- what old protocols ask for ------------------------------------------- */

/* SHA-1, which proves nothing any more; RFC 6455 §4.2.2 has it. */
enum { TLS_SHA1_LEN = 20 };
void tls_sha1(struct slice in, uint8_t out[TLS_SHA1_LEN]);

/* --- a ClientHello that is read ahead --------------------------------------
 */

enum {
	TLS_HELLO_BYTES_MAX = 16 << 10, /* of the message; Envoy's bound, too */
	TLS_HELLO_ALPNS_MAX = 16,       /* kept; further ones are passed over */
	TLS_HELLO_TEXT_MAX = 512        /* of all protocols that are kept */
};

/* What a client says of itself before anything is agreed on. */
struct tls_hello {
	char sni[NAME_HOST_MAX + 1];             /* in lower case; "": none */
	struct slice alpns[TLS_HELLO_ALPNS_MAX]; /* in `text` */
	size_t alpn_count;
	char text[TLS_HELLO_TEXT_MAX];
};

/* Takes the first bytes of a connection, in pieces of any size. */
struct tls_hello_reader {
	uint8_t header[5]; /* of the record at hand */
	size_t header_len;
	size_t left; /* bytes of the record that are to come */
	struct buf message;
};

void tls_hello_reader_init(struct tls_hello_reader *r);
void tls_hello_reader_fini(struct tls_hello_reader *r);

/*
 * ERR_AGAIN: that was not all of it. ERR_PROTOCOL: this is no ClientHello;
 * ERR_LIMIT: it is too long. OK: `out` has what it says; its slices lie in it,
 * so it is not to be moved. Nobody feeds a reader that was not told ERR_AGAIN.
 */
MUST_USE enum err tls_hello_feed(
    struct tls_hello_reader *r, struct slice bytes, struct tls_hello *out);

#endif
