/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog — the last that was heard of each member, and its file.
 *
 * Records lie sorted by id, so that all that is made of them is in one order.
 * The file: version 1 · count 4 · records · SHA-256 of all that. A record:
 * id 16 · status 1 · health 1 · name_lost 1 · issued 4 · expires 4 ·
 * unhealthy 8 · name, network, offers, each behind its length in 2 bytes.
 */
#include <stdlib.h>

#include "discovery.h"

enum { FILE_VERSION = 1, HEAD_LEN = 1 + 4 };

struct discovery_catalog {
	struct discovery_record **items; /* by id */
	size_t count;
	size_t cap;
	uint64_t version; /* the last that was given */
};

struct discovery_catalog *
discovery_catalog_new(void)
{
	return mem_new(sizeof(struct discovery_catalog));
}

static void
record_free(struct discovery_record **rp)
{
	if (*rp == NULL)
		return;
	blob_unref(&(*rp)->offers);
	mem_free(rp);
}

void
discovery_catalog_free(struct discovery_catalog **cp)
{
	struct discovery_catalog *c = *cp;

	if (c == NULL)
		return;
	for (size_t i = 0; i < c->count; i++)
		record_free(&c->items[i]);
	mem_free(&c->items);
	mem_free(cp);
}

/* Where `id` is, or would be. */
static size_t
find(const struct discovery_catalog *c, const struct gossip_id *id)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct discovery_record *e = c->items[mid];

		CHECK(e != NULL); /* there are no holes */
		if (memcmp(&e->id, id, sizeof(*id)) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct discovery_record *
get(const struct discovery_catalog *c, const struct gossip_id *id)
{
	size_t at = find(c, id);

	if (at < c->count && gossip_id_eq(&c->items[at]->id, id))
		return c->items[at];
	return NULL;
}

static void
insert(struct discovery_catalog *c, struct discovery_record *e)
{
	size_t at = find(c, &e->id);

	if (c->count == c->cap) {
		size_t cap = MAX(16, c->cap * 2);

		c->items = mem_resize(
		    c->items, c->cap, cap, sizeof(struct discovery_record *));
		c->cap = cap;
	}
	memmove(&c->items[at + 1], &c->items[at],
	    (c->count - at) * sizeof(c->items[0]));
	c->items[at] = e;
	c->count++;
}

/* They have to be right, though nobody reads them yet. */
static enum err
check_offers(struct discovery_record *row)
{
	struct gossip_reading x;
	struct gossip_service s;
	enum err e;

	row->service_count = 0;
	if (row->offers == NULL)
		return OK;
	e = gossip_offers_open(blob_bytes(row->offers), &x);
	while (e == OK && gossip_offers_next(&x, &s))
		row->service_count++;
	return e == OK ? gossip_offers_done(&x) : e;
}

static bool
same_facts(const struct discovery_record *a, const struct discovery_record *b)
{
	return a->status == b->status && a->health == b->health &&
	       a->name_lost == b->name_lost && a->issued_s == b->issued_s &&
	       a->expires_s == b->expires_s && a->unhealthy == b->unhealthy &&
	       strcmp(a->name, b->name) == 0 &&
	       strcmp(a->network, b->network) == 0;
}

/* `row` holds nothing; the offers are those that were checked before. */
static bool
update_row(struct discovery_catalog *c, struct discovery_record *before,
    const struct discovery_record *row)
{
	bool changed = !same_facts(before, row);
	struct blob *old = before->offers;
	size_t count = before->service_count;
	uint64_t version = before->version;

	*before = *row;
	before->offers = blob_ref(row->offers); /* gossip's, after a restart */
	before->service_count = count;
	before->version = changed ? ++c->version : version;
	blob_unref(&old);
	return changed;
}

static enum err
put_row(struct discovery_catalog *c, const struct discovery_record *row,
    bool *out_changed)
{
	struct discovery_record *before = get(c, &row->id);
	struct discovery_record *fresh;
	struct discovery_record checked = *row;
	enum err err;

	if (before != NULL &&
	    slice_eq(blob_bytes(before->offers), blob_bytes(row->offers))) {
		*out_changed = update_row(c, before, row);
		return OK;
	}
	if (before == NULL && c->count >= DISCOVERY_RECORDS_MAX)
		return ERR_LIMIT;
	err = check_offers(&checked);
	if (err != OK)
		return err;
	fresh = mem_new(sizeof(*fresh));
	*fresh = checked;
	fresh->offers = blob_ref(row->offers);
	(void)discovery_catalog_forget(
	    c, &row->id); /* maybe it was not there */
	fresh->version = ++c->version;
	insert(c, fresh);
	*out_changed = true;
	return OK;
}

MUST_USE enum err
discovery_catalog_put(struct discovery_catalog *c,
    const struct gossip_record *r, bool *out_changed)
{
	const struct gossip_member *m = r->member;
	const struct discovery_record *before = get(c, &m->id);
	struct discovery_record row = {
	    .id = m->id,
	    .status = m->status,
	    .health = m->health,
	    .name_lost = m->name_lost,
	    .issued_s = r->voucher.issued_s,
	    .expires_s = r->voucher.expires_s,
	    .unhealthy = r->unhealthy,
	    .offers = r->offers,
	};

	memcpy(row.name, m->name, sizeof(row.name));
	memcpy(row.network, m->network, sizeof(row.network));
	if (r->offers == NULL && before != NULL)
		row.offers = before->offers;
	return put_row(c, &row, out_changed);
}

bool
discovery_catalog_forget(
    struct discovery_catalog *c, const struct gossip_id *id)
{
	size_t at = find(c, id);

	if (at == c->count || !gossip_id_eq(&c->items[at]->id, id))
		return false;
	record_free(&c->items[at]);
	c->count--;
	memmove(&c->items[at], &c->items[at + 1],
	    (c->count - at) * sizeof(c->items[0]));
	return true;
}

const struct discovery_record *
discovery_catalog_next(const struct discovery_catalog *c, size_t *cursor)
{
	return *cursor < c->count ? c->items[(*cursor)++] : NULL;
}

/* --- the file ------------------------------------------------------------- */

static enum err
add_text(struct buf *out, struct slice text)
{
	enum err err = buf_add_u16(out, (uint16_t)text.len);

	return err != OK ? err : buf_add_slice(out, text);
}

static enum err
encode_row(const struct discovery_record *r, struct buf *out)
{
	uint8_t bytes[3] = {r->status, r->health, r->name_lost};
	enum err err = buf_add(out, r->id.bytes, sizeof(r->id.bytes));

	if (err == OK)
		err = buf_add(out, bytes, sizeof(bytes));
	if (err == OK)
		err = buf_add_u32(out, r->issued_s);
	if (err == OK)
		err = buf_add_u32(out, r->expires_s);
	if (err == OK)
		err = buf_add_u64(out, r->unhealthy);
	if (err == OK)
		err = add_text(out, slice_str(r->name));
	if (err == OK)
		err = add_text(out, slice_str(r->network));
	return err != OK ? err : add_text(out, blob_bytes(r->offers));
}

MUST_USE enum err
discovery_catalog_encode(const struct discovery_catalog *c, struct buf *out)
{
	uint8_t sum[CRYPTO_SHA256_LEN];
	size_t before = buf_len(out);
	enum err err = buf_add_byte(out, FILE_VERSION);

	if (err == OK)
		err = buf_add_u32(out, (uint32_t)c->count);
	for (size_t i = 0; err == OK && i < c->count; i++)
		err = encode_row(c->items[i], out);
	if (err != OK)
		return err;
	crypto_sha256(slice_sub(buf_slice(out), before, SIZE_MAX), sum);
	return buf_add(out, sum, sizeof(sum));
}

static struct slice
read_text(struct reader *r)
{
	uint16_t len = reader_u16(r);

	return reader_bytes(r, len);
}

/* Its offers are the caller's to let go of. */
static enum err
decode_row(struct reader *r, struct discovery_record *out)
{
	struct discovery_record row = {0};
	struct slice id = reader_bytes(r, sizeof(row.id.bytes));
	struct slice name, network, offers;

	row.status = reader_u8(r);
	row.health = reader_u8(r);
	row.name_lost = reader_u8(r) != 0;
	row.issued_s = reader_u32(r);
	row.expires_s = reader_u32(r);
	row.unhealthy = reader_u64(r);
	name = read_text(r);
	network = read_text(r);
	offers = read_text(r);
	if (r->failed || row.status > GOSSIP_LEFT ||
	    row.health > GOSSIP_DRAINING ||
	    slice_to_cstr(name, row.name, sizeof(row.name)) != OK ||
	    slice_to_cstr(network, row.network, sizeof(row.network)) != OK)
		return ERR_CORRUPT;
	memcpy(row.id.bytes, id.ptr, id.len);
	if (row.status == GOSSIP_SUSPECT)
		row.status = GOSSIP_UP;
	if (offers.len > 0) {
		row.offers = blob_new(offers);
		if (row.offers == NULL)
			return ERR_NO_MEMORY;
	}
	*out = row;
	return OK;
}

/* Into a catalog of its own, so that half a file changes nothing. */
static enum err
decode_rows(struct slice body, struct discovery_catalog *into)
{
	struct reader r = READER(body);
	uint32_t count;

	(void)reader_u8(&r); /* the version was looked at */
	count = reader_u32(&r);
	if (r.failed || count > DISCOVERY_RECORDS_MAX)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < count; i++) {
		struct discovery_record row = {0};
		enum err err = decode_row(&r, &row);
		bool changed;

		if (err == OK)
			err = put_row(into, &row, &changed);
		blob_unref(&row.offers);
		if (err != OK)
			return err == ERR_NO_MEMORY ? err : ERR_CORRUPT;
	}
	return reader_done(&r) == OK ? OK : ERR_CORRUPT;
}

/* All of `from` goes over to `c`, or nothing if there is no room for it. */
static enum err
move_all(struct discovery_catalog *c, struct discovery_catalog *from)
{
	size_t total = c->count;

	for (size_t i = 0; i < from->count; i++)
		total += get(c, &from->items[i]->id) == NULL;
	if (total > DISCOVERY_RECORDS_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < from->count; i++) {
		(void)discovery_catalog_forget(
		    c, &from->items[i]->id); /* maybe it was not there */
		from->items[i]->version = ++c->version;
		insert(c, TAKE(from->items[i]));
	}
	from->count = 0;
	return OK;
}

MUST_USE enum err
discovery_catalog_decode(
    struct discovery_catalog *c, struct slice bytes, struct fault *why)
{
	AUTO(discovery_catalog_free)
	struct discovery_catalog *fresh = discovery_catalog_new();
	uint8_t sum[CRYPTO_SHA256_LEN];
	struct slice body;
	enum err err;

	if (bytes.len < HEAD_LEN + sizeof(sum))
		return fault_set(why, ERR_CORRUPT, "it is cut short");
	if (bytes.ptr[0] != FILE_VERSION)
		return fault_set(
		    why, ERR_UNSUPPORTED, "another version of meshd wrote it");
	body = slice_sub(bytes, 0, bytes.len - sizeof(sum));
	crypto_sha256(body, sum);
	if (memcmp(sum, bytes.ptr + body.len, sizeof(sum)) != 0)
		return fault_set(why, ERR_CORRUPT, "its checksum is wrong");
	err = decode_rows(body, fresh);
	if (err != OK)
		return fault_set(why, err,
		    err == ERR_NO_MEMORY ? "out of memory"
					 : "it makes no sense inside");
	err = move_all(c, fresh);
	return err == OK ? OK : fault_set(why, err, "too many records");
}
