/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh — what makes a mesh this one: root, voucher key, gossip keys, its id.
 *
 *	sealed   ca/root           PEM of the key; info: its certificates
 *	sealed   ca/voucher        Ed25519 secret
 *	sealed   gossip/default/1  the pool's key number 1
 *	setting  mesh/id           hex
 *	setting  mesh/trust-domain
 */
#include "codec/codec.h"

#include "mesh.h"
#include "rows.h"

#define NAME_ROOT "ca/root"
#define NAME_VOUCHER "ca/voucher"
#define NAME_GOSSIP "gossip/" MESH_NETWORK "/1"
#define NAME_ID "mesh/id"
#define NAME_TRUST_DOMAIN "mesh/trust-domain"

enum part {
	PART_ROOT = 1 << 0,
	PART_VOUCHER = 1 << 1,
	PART_GOSSIP = 1 << 2,
	PART_ID = 1 << 3,
	PART_TRUST_DOMAIN = 1 << 4
};

enum { INFO_BYTES = 4 * TLS_CHAIN_BYTES_MAX, GOSSIP_KEY_FIRST = 1 };

void
mesh_init(struct mesh *m)
{
	*m = (struct mesh){0};
}

void
mesh_fini(struct mesh *m)
{
	tls_chain_unref(&m->root_chain);
	tls_key_unref(&m->root_key);
	secret_wipe(m, sizeof(*m));
}

/* --- making --- */

static enum err
load_root(struct mesh *m, const char *cert, const char *key, int64_t now_ms,
    struct fault *why)
{
	AUTO(buf_fini) struct buf pem = BUF(TLS_CHAIN_BYTES_MAX);
	enum err e = file_read(cert, &pem, why);

	if (e == OK) {
		e = tls_chain_parse(buf_slice(&pem), &m->root_chain, why);
		if (e != OK)
			return fault_prefix(why, e, "%s: ", cert);
	}
	if (e == OK)
		e = tls_key_load(key, &m->root_key, why);
	if (e == OK)
		e = ca_root_check(m->root_chain, m->root_key, now_ms, why);
	return e;
}

static enum err
make_root(struct mesh *m, int64_t now_ms, struct fault *why)
{
	uint8_t serial[TLS_SERIAL_LEN];

	crypto_random(serial, sizeof(serial));
	m->root_key = tls_key_new();
	return ca_root_make(slice_str(m->trust_domain), m->root_key, serial,
	    now_ms, &m->root_chain, why);
}

enum err
mesh_make(struct mesh *m, const char *trust_domain, const char *cert,
    const char *key, int64_t now_ms, struct fault *why)
{
	uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN];
	enum err e = name_check_trust_domain(slice_str(trust_domain), why);

	if (e == OK && (cert == NULL) != (key == NULL))
		e = fault_set(why, ERR_INVALID,
		    "a CA of your own needs both, --ca-cert and --ca-key");
	if (e == OK)
		e = slice_to_cstr(slice_str(trust_domain), m->trust_domain,
		    sizeof(m->trust_domain));
	if (e == OK)
		e = cert != NULL ? load_root(m, cert, key, now_ms, why)
				 : make_root(m, now_ms, why);
	if (e != OK)
		return e;
	crypto_ed25519_new(public_key, m->voucher_secret);
	crypto_random(m->id, sizeof(m->id));
	m->keyring.count = 1;
	m->keyring.keys[0].id = GOSSIP_KEY_FIRST;
	crypto_random(m->keyring.keys[0].bytes, CRYPTO_KEY_LEN);
	return OK;
}

/* --- into the store --- */

static enum err
seal_into(struct store_op *op, const struct store *store, const char *name,
    struct slice secret, struct arena *arena)
{
	AUTO(buf_fini)
	struct buf blob = BUF(TLS_KEY_BYTES_MAX + CRYPTO_SEAL_OVERHEAD);
	struct store_sealed *row = &op->row.sealed;
	enum err e = store_seal(store, slice_str(name), secret, &blob);

	op->row.table = STORE_SEALED;
	row->name = slice_str(name);
	row->info = S("{}");
	return e == OK ? arena_copy(arena, buf_slice(&blob), &row->blob) : e;
}

static enum err
root_op(const struct mesh *m, const struct store *store, struct arena *arena,
    struct store_op *op)
{
	AUTO(buf_fini) struct buf text = BUF(INFO_BYTES);
	AUTO(secret_fini) struct secret pem = {0};
	struct value *info = value_new(arena, VALUE_MAP);
	enum err e = tls_key_pem(m->root_key, &pem);

	if (e == OK)
		e = seal_into(
		    op, store, NAME_ROOT, slice_of(pem.bytes, pem.len), arena);
	if (e == OK)
		e = tls_chain_pem(m->root_chain, &text);
	if (e != OK)
		return e;
	value_put_text(arena, &info, S("certificates"), buf_slice(&text));
	buf_reset(&text);
	e = info == NULL ? ERR_NO_MEMORY : codec_json_emit(info, &text);
	return e == OK
		   ? arena_copy(arena, buf_slice(&text), &op->row.sealed.info)
		   : e;
}

static void
setting_op(struct store_op *op, const char *name, struct slice value)
{
	op->row.table = STORE_SETTINGS;
	op->row.setting.name = slice_str(name);
	op->row.setting.value = value;
}

enum err
mesh_ops(const struct mesh *m, const struct store *store, struct arena *arena,
    struct store_op ops[MESH_OPS])
{
	char *id = arena_alloc(arena, 2 * GOSSIP_MESH_LEN);
	enum err e = id == NULL ? ERR_NO_MEMORY : OK;

	for (size_t i = 0; i < MESH_OPS; i++)
		ops[i] = (struct store_op){
		    .type = STORE_PUT, .expected = STORE_EXPECT_ABSENT};
	if (e == OK)
		e = root_op(m, store, arena, &ops[0]);
	if (e == OK)
		e = seal_into(&ops[1], store, NAME_VOUCHER,
		    slice_of(m->voucher_secret, sizeof(m->voucher_secret)),
		    arena);
	if (e == OK)
		e = seal_into(&ops[2], store, NAME_GOSSIP,
		    slice_of(m->keyring.keys[0].bytes, CRYPTO_KEY_LEN), arena);
	if (e != OK)
		return e;
	crypto_hex(slice_of(m->id, sizeof(m->id)), id);
	setting_op(&ops[3], NAME_ID, slice_of(id, 2 * GOSSIP_MESH_LEN));
	setting_op(&ops[4], NAME_TRUST_DOMAIN, slice_str(m->trust_domain));
	return OK;
}

/* --- out of the store --- */

static enum err
unseal(const struct store *store, const struct store_row *row,
    struct secret *out, struct fault *why)
{
	enum err e =
	    store_unseal(store, row->sealed.name, row->sealed.blob, out);

	return e == OK ? OK
		       : fault_set(why, e,
			     "%.*s in the store does not open with seal.key",
			     SLICE_ARG(row->sealed.name));
}

/* A secret of exactly that many bytes. */
static enum err
unseal_bytes(const struct store *store, const struct store_row *row,
    uint8_t *out, size_t len, struct fault *why)
{
	AUTO(secret_fini) struct secret s = {0};
	enum err e = unseal(store, row, &s, why);

	if (e != OK)
		return e;
	if (s.len != len)
		return fault_set(why, ERR_CORRUPT,
		    "%.*s in the store has %zu bytes, not %zu",
		    SLICE_ARG(row->sealed.name), s.len, len);
	memcpy(out, s.bytes, len);
	return OK;
}

static enum err
take_root(struct mesh *m, const struct store *store,
    const struct store_row *row, struct fault *why)
{
	AUTO(secret_fini) struct secret pem = {0};
	AUTO(arena_fini) struct arena arena;
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	AUTO(tls_key_unref) struct tls_key *key = NULL;
	const struct value *info;
	enum err e;

	arena_init(&arena, 2 * INFO_BYTES);
	e = codec_json_parse(row->sealed.info, &arena, &info, why);
	if (e == OK)
		e = tls_chain_parse(
		    value_get_string(info, S("certificates"), SLICE_NONE),
		    &chain, why);
	if (e == OK)
		e = unseal(store, row, &pem, why);
	if (e == OK)
		e = tls_key_parse(slice_of(pem.bytes, pem.len), &key, why);
	if (e != OK)
		return e;
	tls_chain_unref(&m->root_chain);
	tls_key_unref(&m->root_key);
	m->root_chain = TAKE(chain);
	m->root_key = TAKE(key);
	m->parts |= PART_ROOT;
	return OK;
}

static enum err
take_sealed(struct mesh *m, const struct store *store,
    const struct store_row *row, struct fault *why)
{
	struct slice name = row->sealed.name;
	enum err e = OK;

	if (slice_eq(name, S(NAME_ROOT)))
		return take_root(m, store, row, why);
	if (slice_eq(name, S(NAME_VOUCHER))) {
		e = unseal_bytes(store, row, m->voucher_secret,
		    sizeof(m->voucher_secret), why);
		m->parts |= e == OK ? PART_VOUCHER : 0;
	} else if (slice_eq(name, S(NAME_GOSSIP))) {
		e = unseal_bytes(
		    store, row, m->keyring.keys[0].bytes, CRYPTO_KEY_LEN, why);
		m->keyring.keys[0].id = GOSSIP_KEY_FIRST;
		m->keyring.count = 1;
		m->parts |= e == OK ? PART_GOSSIP : 0;
	}
	return e;
}

static enum err
take_id(struct mesh *m, struct slice hex, struct fault *why)
{
	if (crypto_hex_decode(hex, m->id, sizeof(m->id)) != OK)
		return fault_set(
		    why, ERR_CORRUPT, "the mesh id in the store is no id");
	m->parts |= PART_ID;
	return OK;
}

static enum err
take_setting(struct mesh *m, const struct store_setting *s, struct fault *why)
{
	enum err e = OK;

	if (slice_eq(s->name, S(NAME_ID)))
		return take_id(m, s->value, why);
	if (slice_eq(s->name, S(NAME_TRUST_DOMAIN))) {
		e = name_check_trust_domain(s->value, why);
		if (e == OK)
			e = slice_to_cstr(
			    s->value, m->trust_domain, sizeof(m->trust_domain));
		m->parts |= e == OK ? PART_TRUST_DOMAIN : 0;
	}
	return e;
}

enum err
mesh_take(struct mesh *m, const struct store *store,
    const struct store_row *row, struct fault *why)
{
	if (row->deleted)
		return OK; /* what is in use stays until the next start */
	if (row->table == STORE_SEALED)
		return take_sealed(m, store, row, why);
	return row->table == STORE_SETTINGS
		   ? take_setting(m, &row->setting, why)
		   : OK;
}

enum err
mesh_check(const struct mesh *m, struct fault *why)
{
	static const struct {
		enum part part;
		const char *name;
	} rows[] = {
	    {PART_ROOT, NAME_ROOT},
	    {PART_VOUCHER, NAME_VOUCHER},
	    {PART_GOSSIP, NAME_GOSSIP},
	    {PART_ID, NAME_ID},
	    {PART_TRUST_DOMAIN, NAME_TRUST_DOMAIN},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!(m->parts & rows[i].part))
			return fault_set(why, ERR_CORRUPT,
			    "the store has no %s: `meshd server init` was "
			    "interrupted; empty the state directory and run "
			    "it again",
			    rows[i].name);
	return OK;
}
