/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_row — what a token is checked by, out of the registry and the seal.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "ca/ca.h"
#include "store/store.h"

#include "inside.h"

#include <stdio.h>

/* Under which its key is sealed. */
struct slice
token_sealed_name(const char *id, char out[TOKEN_SEALED_NAME_MAX])
{
	(void)snprintf(out, TOKEN_SEALED_NAME_MAX, "token/%s", id);
	return slice_str(out);
}

bool
token_row(const struct server *s, struct slice id, struct ca_token_row *out)
{
	const struct registry_token *t = registry_token(&s->registry, id);
	AUTO(secret_fini) struct secret key = {0};
	char name[TOKEN_SEALED_NAME_MAX];

	*out = (struct ca_token_row){0};
	if (t == NULL || ca_token_id_parse(id, out->id) != OK)
		return false;
	if (store_unseal(s->store, token_sealed_name(t->id, name),
		slice_of(t->sealed, sizeof(t->sealed)), &key) != OK ||
	    key.len != sizeof(out->key)) {
		log_error("token is not readable", "id=%s", t->id);
		return false;
	}
	memcpy(out->key, key.bytes, sizeof(out->key));
	out->created_ms = t->created_ms;
	out->bounds = t->bounds;
	out->revoked = t->revoked;
	return true;
}
