/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config — what all connections of one kind have in common.
 *
 * TLS 1.3 only, with fresh keys each time, by a ticket too, and no early data.
 * AES-GCM stands first because two defaults of the library would agree on
 * ChaCha20.
 */
#include "session.h"

/* With AES-128 goes SHA-256, which processors have instructions for. */
static const int suites[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384, MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    0};

static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

static const uint16_t signatures[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384, MBEDTLS_TLS1_3_SIG_NONE};

/* Of who is not verified any will do: services have RSA keys, too. */
static const uint16_t all_signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256, /* in certificates */
    MBEDTLS_TLS1_3_SIG_NONE};

bool
config_choose_identity(struct tls *t)
{
	struct shake *h = t->shake;
	size_t len = 0;
	const unsigned char *sni = mbedtls_ssl_get_hs_sni(&t->ssl, &len);

	mem_free(&t->sni); /* of a first ClientHello */
	if (len > NAME_HOST_MAX)
		return false;
	if (len > 0)
		t->sni = mem_strndup((const char *)sni, len);
	if (h->pick != NULL) {
		tls_identity_unref(&t->identity);
		t->identity = h->pick(h->pick_arg, slice_of(sni, len));
	}
	return t->identity != NULL;
}

/* The client has said whom it wants. */
static int
on_client_hello(mbedtls_ssl_context *ssl)
{
	struct tls *t = mbedtls_ssl_get_user_data_p(ssl);

	if (!config_choose_identity(t)) {
		(void)fault_set(&t->shake->verify.why, ERR_NOT_FOUND,
		    "no identity answers to the name '%s'",
		    t->sni == NULL ? "" : t->sni);
		return MBEDTLS_ERR_SSL_UNRECOGNIZED_NAME;
	}
	return mbedtls_ssl_set_hs_own_cert(
	    ssl, x509_at(t->identity->chain, 0), &t->identity->key->pk);
}

static int
ask_mode(const struct tls_config *c)
{
	const struct tls_config_spec *spec = &c->spec;

	if (c->unverified)
		return MBEDTLS_SSL_VERIFY_NONE;
	if (spec->role == TLS_CLIENT || spec->ask == TLS_ASK_REQUIRED)
		return MBEDTLS_SSL_VERIFY_REQUIRED;
	return spec->ask == TLS_ASK_OPTIONAL ? MBEDTLS_SSL_VERIFY_OPTIONAL
					     : MBEDTLS_SSL_VERIFY_NONE;
}

/* With new keys each time: the ticket stands for certificates only. */
static void
set_up_resumption(const struct tls_config *c, mbedtls_ssl_config *conf)
{
	int modes = MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL;
	bool resumes = c->resumables != NULL || c->spec.tickets != NULL;

	if (resumes)
		modes |= MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL;
	mbedtls_ssl_conf_tls13_key_exchange_modes(conf, modes);
	if (c->spec.tickets != NULL)
		ticket_set_up(conf, c->spec.tickets);
	if (c->spec.role == TLS_SERVER)
		return;
	mbedtls_ssl_conf_session_tickets(
	    conf, resumes ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
			  : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
	if (resumes)
		mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(conf,
		    MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
}

int
config_set_up(const struct tls_config *c, mbedtls_ssl_config *conf)
{
	bool server = c->spec.role == TLS_SERVER;
	int code = mbedtls_ssl_config_defaults(conf,
	    server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
	    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

	if (code != 0)
		return code;
	mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
	set_up_resumption(c, conf);
	mbedtls_ssl_conf_rng(conf, x509_random, NULL);
	mbedtls_ssl_conf_authmode(conf, ask_mode(c));
	mbedtls_ssl_conf_ciphersuites(conf, suites);
	mbedtls_ssl_conf_groups(conf, groups);
	mbedtls_ssl_conf_sig_algs(
	    conf, c->unverified ? all_signatures : signatures);
	if (server)
		mbedtls_ssl_conf_cert_cb(conf, on_client_hello);
	if (c->alpn[0] != NULL)
		code = mbedtls_ssl_conf_alpn_protocols(
		    conf, (const char **)(uintptr_t)c->alpn);
	return code;
}

static enum err
make(const struct tls_config_spec *spec, bool unverified,
    struct tls_config **out)
{
	AUTO(tls_config_unref) struct tls_config *c = mem_new(sizeof(*c));

	if (spec->resume && spec->role != TLS_CLIENT)
		return ERR_INVALID;
	if (spec->tickets != NULL &&
	    (spec->role != TLS_SERVER || spec->ask != TLS_ASK_REQUIRED))
		return ERR_INVALID;
	atomic_init(&c->refs, 1);
	mbedtls_ssl_config_init(&c->conf);
	c->spec = *spec;
	c->unverified = unverified;
	if (spec->tickets != NULL)
		(void)tls_tickets_ref(spec->tickets);
	if (spec->resume)
		c->resumables = resumables_new();
	if (c->spec.clock == NULL)
		c->spec.clock = &clock_system;
	if (c->spec.handshake_ms == 0)
		c->spec.handshake_ms = TLS_HANDSHAKE_MS;
	for (size_t i = 0; i < TLS_ALPN_MAX; i++)
		c->alpn[i] = spec->alpn[i];
	if (config_set_up(c, &c->conf) != 0)
		return ERR_INVALID;
	*out = TAKE(c);
	return OK;
}

enum err
tls_config_new(const struct tls_config_spec *spec, struct tls_config **out)
{
	return make(spec, /* unverified */ false, out);
}

enum err
tls_unverified_config(uint32_t handshake_ms, struct tls_config **out)
{
	const struct tls_config_spec spec = {
	    .role = TLS_CLIENT, .handshake_ms = handshake_ms};

	return make(&spec, /* unverified */ true, out);
}

struct tls_config *
tls_config_ref(struct tls_config *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void
tls_config_unref(struct tls_config **cp)
{
	struct tls_config *c = TAKE(*cp);

	if (c == NULL ||
	    atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
		return;
	mbedtls_ssl_config_free(&c->conf);
	tls_tickets_unref(&c->spec.tickets);
	resumables_free(&c->resumables);
	mem_free(&c);
}
