/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrets — Secrets at rest, and whether they hold what they say.
 *
 * The body of a kind that holds keys lies in the store, its log and its past
 * as {"sealed": "…"}, bound to the resource's key.
 */
#ifndef MESHD_SERVER_SECRETS_H
#define MESHD_SERVER_SECRETS_H

#include "model/model.h"
#include "store/store.h"

/* Appends what is stored in place of the body. */
MUST_USE enum err secrets_seal(const struct store *store,
    const struct resource_key *key, struct slice body, struct buf *out);

/* True if the row's body is a sealed one. */
bool secrets_are_in(const struct store_resource *row);

/*
 * The body of a row, sealed or not, to be read; `opened`, the caller's, holds
 * what was sealed. ERR_AUTH if that was not sealed here, or for another
 * resource.
 */
MUST_USE enum err secrets_body(const struct store *store,
    const struct store_resource *row, struct secret *opened, struct slice *out,
    struct fault *why);

/*
 * Looks at certificate and key: whether they are any, belong together, and how
 * long they last. Adds to `found`; no word of it holds what is secret.
 * ERR_INVALID if there were errors.
 */
MUST_USE enum err secrets_check(
    const struct tls_secret *s, int64_t now_ms, struct findings *found);

#endif
