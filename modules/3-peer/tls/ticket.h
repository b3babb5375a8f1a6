/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticket — what a server knows of a client, sealed and handed to it.
 */
#ifndef MESHD_TLS_TICKET_H
#define MESHD_TLS_TICKET_H

#include "tls.h"

/* The inside of a ticket. */
struct ticket {
	int64_t issued_ms;
	uint64_t epoch;                    /* of the trust that judged */
	uint8_t server[CRYPTO_SHA256_LEN]; /* hash of who answered */
	struct tls_peer *peer;             /* owned */
	struct slice session;              /* the library's half */
};

void ticket_fini(struct ticket *k);

/* ERR_LIMIT if it is too long for a ticket. */
MUST_USE enum err ticket_write(const struct ticket *k, struct buf *out);

/* Borrows from `plain`. ERR_PARSE for what ticket_write() does not make. */
MUST_USE enum err ticket_read(struct slice plain, struct ticket *out);

#endif
