/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer — what is known of a peer: out of its certificate, or a ticket.
 */
#ifndef MESHD_TLS_PEER_H
#define MESHD_TLS_PEER_H

#include "tls.h"

/* Of a leaf whose identity was found well-formed. */
struct tls_peer *peer_new(const struct tls_cert_info *info);

struct tls_peer *peer_copy(const struct tls_peer *from);

/* All of it, as bytes; and back: NULL, with `from` failed, if it is not. */
MUST_USE enum err peer_write(const struct tls_peer *p, struct buf *out);
struct tls_peer *peer_read(struct reader *from);

#endif
