/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_tls — how a server of a Gateway, or a Sidecar's ingress, is secured.
 */
#ifndef MESHD_SERVER_TLS_H
#define MESHD_SERVER_TLS_H

#include "../field.h"
#include "protocols.h"

enum server_tls_mode {
	SERVER_TLS_PASSTHROUGH, /* also what is meant if nothing is said */
	SERVER_TLS_SIMPLE,
	SERVER_TLS_MUTUAL,
	SERVER_TLS_AUTO_PASSTHROUGH,
	SERVER_TLS_ISTIO_MUTUAL,
	SERVER_TLS_OPTIONAL_MUTUAL
};

enum tls_version { TLS_AUTO, TLS_V1_0, TLS_V1_1, TLS_V1_2, TLS_V1_3 };

struct server_certificate {
	struct message_head head;
	struct slice server_certificate; /* paths */
	struct slice private_key;
	struct slice ca_certificates;
};

struct server_tls {
	struct message_head head;
	bool https_redirect;
	int mode; /* enum server_tls_mode */
	struct slice server_certificate;
	struct slice private_key;
	struct slice ca_certificates;
	struct slice ca_crl;
	struct slice credential_name;
	LIST_OF(struct slice) credential_names;
	struct slice ca_cert_credential_name;
	LIST_OF(struct server_certificate) tls_certificates;
	LIST_OF(struct slice) subject_alt_names;
	LIST_OF(struct slice) verify_certificate_spki;
	LIST_OF(struct slice) verify_certificate_hash;
	int min_protocol_version; /* enum tls_version */
	int max_protocol_version;
	LIST_OF(struct slice) cipher_suites;
	bool insecure_skip_verify;
};

extern const struct message server_tls_message;

/* What the protocol of the port asks of it; `tls` may be NULL. */
void check_server_tls_of_port(
    struct check *c, const struct server_tls *tls, enum port_protocol protocol);

#endif
