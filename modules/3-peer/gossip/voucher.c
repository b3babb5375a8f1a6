/* SPDX-License-Identifier: Apache-2.0 */
/*
 * voucher — what the CA says about a node's gossip key.
 *
 * version 1 · issued 4 · expires 4 · key 32 · name, network, namespaces and
 * accounts with a length byte each · signature 64. That leaves 91 bytes for
 * the four texts: a voucher goes with every first word about a node.
 */
#include "record.h"

enum { VOUCHER_VERSION = 1, VOUCHER_SKEW_S = 2 * 3600 };

void
gossip_id_of_key(
    const uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN], struct gossip_id *out)
{
	uint8_t sum[CRYPTO_SHA256_LEN];

	crypto_sha256(slice_of(public_key, CRYPTO_ED25519_PUBLIC_LEN), sum);
	memcpy(out->bytes, sum, GOSSIP_ID_LEN);
}

bool
gossip_id_eq(const struct gossip_id *a, const struct gossip_id *b)
{
	return memcmp(a->bytes, b->bytes, GOSSIP_ID_LEN) == 0;
}

char *
gossip_id_format(const struct gossip_id *id, char out[GOSSIP_ID_TEXT_MAX])
{
	crypto_hex(slice_of(id->bytes, GOSSIP_ID_LEN), out);
	out[GOSSIP_ID_TEXT_MAX - 1] = '\0';
	return out;
}

static bool
list_is_legal(struct slice list)
{
	while (list.len > 0) {
		struct slice item = slice_split(&list, ',');

		if (!slice_eq(item, S("*")) &&
		    name_check_label(item, NULL) != OK)
			return false;
	}
	return true;
}

/* Text that will be printed and compared: never anything but plain names. */
static bool
texts_are_legal(const struct gossip_voucher *v)
{
	return v->name.len <= GOSSIP_NAME_MAX &&
	       name_check_subdomain(v->name, NULL) == OK &&
	       name_check_label(v->network, NULL) == OK &&
	       list_is_legal(v->namespaces) && list_is_legal(v->accounts);
}

MUST_USE enum err
gossip_voucher_sign(const struct gossip_voucher *v,
    const uint8_t ca_secret[CRYPTO_ED25519_SECRET_LEN],
    uint8_t out[GOSSIP_VOUCHER_MAX], size_t *out_len, struct fault *why)
{
	size_t text =
	    v->name.len + v->network.len + v->namespaces.len + v->accounts.len;
	struct packer p = {.mem = out, .cap = GOSSIP_VOUCHER_MAX};

	if (!texts_are_legal(v))
		return fault_set(why, ERR_INVALID,
		    "a voucher needs a node name, a network and lists of "
		    "namespaces and accounts that are legal names");
	pack_u8(&p, VOUCHER_VERSION);
	pack_u32(&p, v->issued_s);
	pack_u32(&p, v->expires_s);
	pack_bytes(&p, v->public_key, sizeof(v->public_key));
	pack_text(&p, v->name);
	pack_text(&p, v->network);
	pack_text(&p, v->namespaces);
	pack_text(&p, v->accounts);
	record_sign(&p, 0, RECORD_VOUCHER, ca_secret);
	if (p.failed)
		return fault_set(why, ERR_LIMIT,
		    "node name, network, namespaces and accounts take %zu "
		    "bytes together, a voucher has room for 91: shorten the "
		    "name or grant fewer",
		    text);
	*out_len = p.len;
	return OK;
}

MUST_USE enum err
gossip_voucher_parse(struct slice bytes, struct gossip_voucher *out)
{
	struct reader r = READER(record_body(bytes));
	struct gossip_voucher v = {0};
	struct slice key;

	if (bytes.len > GOSSIP_VOUCHER_MAX || reader_u8(&r) != VOUCHER_VERSION)
		return ERR_PARSE;
	v.issued_s = reader_u32(&r);
	v.expires_s = reader_u32(&r);
	key = reader_bytes(&r, sizeof(v.public_key));
	v.name = wire_text(&r);
	v.network = wire_text(&r);
	v.namespaces = wire_text(&r);
	v.accounts = wire_text(&r);
	if (reader_done(&r) != OK || !texts_are_legal(&v))
		return ERR_PARSE;
	memcpy(v.public_key, key.ptr, key.len);
	*out = v;
	return OK;
}

MUST_USE enum err
gossip_voucher_verify(struct slice bytes, const struct gossip_trust *trust,
    int64_t now_s, struct gossip_voucher *out)
{
	return voucher_verify_with(
	    bytes, trust, now_s, crypto_ed25519_verify, out);
}

MUST_USE enum err
voucher_verify_with(struct slice bytes, const struct gossip_trust *trust,
    int64_t now_s, record_verify_fn verify, struct gossip_voucher *out)
{
	struct gossip_voucher v;

	if (gossip_voucher_parse(bytes, &v) != OK)
		return ERR_PARSE;
	for (size_t i = 0; i < trust->count; i++) {
		if (!record_check(
			bytes, RECORD_VOUCHER, trust->keys[i], verify))
			continue;
		if (voucher_is_expired(v.expires_s, now_s))
			return ERR_EXPIRED;
		*out = v;
		return OK;
	}
	return ERR_AUTH;
}

bool
voucher_is_expired(uint32_t expires_s, int64_t now_s)
{
	return now_s > (int64_t)expires_s + VOUCHER_SKEW_S;
}

static bool
list_has(struct slice list, struct slice name)
{
	while (list.len > 0) {
		struct slice item = slice_split(&list, ',');

		if (slice_eq(item, S("*")) || slice_eq(item, name))
			return true;
	}
	return false;
}

bool
gossip_voucher_grants(
    const struct gossip_voucher *v, struct slice ns, struct slice account)
{
	return list_has(v->namespaces, ns) &&
	       (account.len == 0 || list_has(v->accounts, account));
}
