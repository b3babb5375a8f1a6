/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot — the set in force as a file, and a file as the set.
 *
 * "meshdxds", a u32 version, a u64 length; then the resources, each as four
 * texts with a u32 length before; then SHA-256 over all that went before.
 * Everything is looked at before the first resource is handed out, so a bad
 * file has no effect.
 */
#define LOG_MODULE "xds"

#include <stdio.h>

#include "client.h"

static const char magic[8] = "meshdxds";

enum { SNAPSHOT_VERSION = 1, SNAPSHOT_HEAD = 8 + 4 + 8 };

/* --- writing -------------------------------------------------------------- */

struct writer {
	struct buf *out;
	enum err err; /* sticky */
};

static void
add(struct writer *w, struct slice s)
{
	if (w->err == OK)
		w->err = buf_add_u32(w->out, (uint32_t)s.len);
	if (w->err == OK)
		w->err = buf_add_slice(w->out, s);
}

static void
add_resource(void *arg, const struct xds_resource *r)
{
	struct writer *w = arg;

	add(w, r->type_url);
	add(w, r->name);
	add(w, r->version);
	add(w, r->body);
}

enum err
xds_snapshot_encode(const struct xds_client *c, struct buf *out)
{
	AUTO(buf_fini) struct buf body = BUF(XDS_SNAPSHOT_MAX);
	struct writer w = {&body, OK};
	uint8_t sum[CRYPTO_SHA256_LEN];
	size_t start = buf_len(out);
	enum err e;

	xds_client_each(c, add_resource, &w);
	if (w.err != OK)
		return w.err;
	e = buf_add(out, magic, sizeof(magic));
	if (e == OK)
		e = buf_add_u32(out, SNAPSHOT_VERSION);
	if (e == OK)
		e = buf_add_u64(out, buf_len(&body));
	if (e == OK)
		e = buf_add_slice(out, buf_slice(&body));
	if (e != OK)
		return e;
	crypto_sha256(slice_sub(buf_slice(out), start, SIZE_MAX), sum);
	return buf_add(out, sum, sizeof(sum));
}

/* --- reading -------------------------------------------------------------- */

static struct slice
read_text(struct reader *r)
{
	return reader_bytes(r, reader_u32(r));
}

/* `each` may be NULL, to see whether it is well-formed. */
static enum err
read_resources(struct slice body,
    void (*each)(void *arg, const struct xds_resource *r), void *arg)
{
	struct reader r = READER(body);

	while (r.rest.len > 0 && !r.failed) {
		struct xds_resource item = {
		    .type_url = read_text(&r), .name = read_text(&r)};

		item.version = read_text(&r);
		item.body = read_text(&r);
		if (r.failed || item.name.len == 0 || item.version.len == 0)
			return ERR_CORRUPT;
		if (each != NULL)
			each(arg, &item);
	}
	return r.failed ? ERR_CORRUPT : OK;
}

static enum err
check_head(struct slice bytes, struct slice *out_body, struct fault *why)
{
	struct reader r = READER(bytes);
	struct slice start = reader_bytes(&r, sizeof(magic));
	uint32_t version = reader_u32(&r);
	uint64_t len = reader_u64(&r);

	if (r.failed || !slice_eq(start, slice_of(magic, sizeof(magic))))
		return fault_set(why, ERR_CORRUPT, "it is not a snapshot");
	if (version != SNAPSHOT_VERSION)
		return fault_set(why, ERR_UNSUPPORTED,
		    "it was written by another meshd (format %u, this one "
		    "knows %d)",
		    version, SNAPSHOT_VERSION);
	if (r.rest.len < CRYPTO_SHA256_LEN ||
	    len != r.rest.len - CRYPTO_SHA256_LEN)
		return fault_set(why, ERR_CORRUPT, "it is cut short");
	*out_body = reader_bytes(&r, len);
	return OK;
}

enum err
xds_snapshot_decode(struct slice bytes,
    void (*each)(void *arg, const struct xds_resource *r), void *arg,
    struct fault *why)
{
	uint8_t sum[CRYPTO_SHA256_LEN];
	struct slice body;
	struct slice there;
	enum err e = check_head(bytes, &body, why);

	if (e != OK)
		return e;
	there = slice_sub(bytes, SNAPSHOT_HEAD + body.len, SIZE_MAX);
	crypto_sha256(slice_sub(bytes, 0, SNAPSHOT_HEAD + body.len), sum);
	if (!slice_eq(there, slice_of(sum, sizeof(sum))))
		return fault_set(
		    why, ERR_CORRUPT, "its checksum does not match");
	if (read_resources(body, NULL, NULL) != OK)
		return fault_set(why, ERR_CORRUPT, "it makes no sense inside");
	return read_resources(body, each, arg);
}

/* --- at start-up ---------------------------------------------------------- */

struct restore {
	struct xds_client *client;
	size_t refused;
};

static void
restore(void *arg, const struct xds_resource *r)
{
	struct restore *to = arg;

	if (xds_client_restore(to->client, r) != OK)
		to->refused++;
}

/* The evidence is kept beside, one file at most. */
static void
set_aside(const char *path, const struct fault *why)
{
	AUTO(buf_fini) struct buf bad = BUF(8192);

	if (buf_printf(&bad, "%s.bad%c", path, 0) != OK ||
	    rename(path, buf_slice(&bad).ptr) != 0) {
		log_warn("snapshot is bad and stays where it is",
		    "file=%s reason=\"%s\"", path, why->text);
		return;
	}
	log_warn("snapshot is bad and was set aside",
	    "file=%s kept=%s reason=\"%s\"", path, buf_slice(&bad).ptr,
	    why->text);
}

enum err
xds_snapshot_load(const char *path, struct xds_client *c, struct fault *why)
{
	AUTO(buf_fini) struct buf bytes = BUF(XDS_SNAPSHOT_MAX);
	struct restore to = {c, 0};
	struct fault unused;
	enum err e;

	if (why == NULL)
		why = &unused;
	e = file_read(path, &bytes, why);
	if (e != OK && e != ERR_LIMIT)
		return e;
	if (e == OK)
		e = xds_snapshot_decode(buf_slice(&bytes), restore, &to, why);
	if (e != OK)
		set_aside(path, why);
	if (to.refused > 0)
		log_warn("some of the snapshot is beyond the limits",
		    "file=%s resources=%zu", path, to.refused);
	return e;
}
