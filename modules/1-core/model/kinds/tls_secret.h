/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_secret — core's Secret of type kubernetes.io/tls: a certificate and its
 * key, for what the mesh shows to the outside.
 */
#ifndef MESHD_TLS_SECRET_H
#define MESHD_TLS_SECRET_H

#include "../field.h"

struct tls_secret {
	struct message_head head;
	struct slice type;
	struct labels data;        /* base64 */
	struct labels string_data; /* as it is; counts where both have a name */
};

enum {
	SECRET_KEY_MAX = 16 << 10,  /* bytes of tls.key, */
	SECRET_PART_MAX = 256 << 10 /* and of any other part */
};

/*
 * The bytes of "tls.crt", "tls.key", "ca.crt" …; false if it has none. `out`
 * is set then, and the caller's.
 */
bool tls_secret_part(
    const struct tls_secret *s, struct slice name, struct secret *out);

extern const struct message tls_secret_message;

#endif
