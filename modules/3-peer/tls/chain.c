/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain — certificates in a row: read, cut, joined, looked into.
 */
#include <mbedtls/asn1.h>
#include <mbedtls/x509.h>

#include "x509.h"

struct tls_chain *
x509_chain_new(void)
{
	struct tls_chain *c = mem_new(sizeof(*c));

	atomic_init(&c->refs, 1);
	mbedtls_x509_crt_init(&c->first);
	return c;
}

enum err
x509_append(struct tls_chain *c, struct slice der, struct fault *why)
{
	int code;

	if (c->count == TLS_CHAIN_MAX)
		return fault_set(why, ERR_LIMIT,
		    "there are more than %d certificates", TLS_CHAIN_MAX);
	code = mbedtls_x509_crt_parse_der(
	    &c->first, (const unsigned char *)der.ptr, der.len);
	if (code != 0)
		return x509_fault(
		    why, ERR_PARSE, code, "this is no usable certificate");
	c->count++;
	return OK;
}

struct tls_chain *
tls_chain_ref(struct tls_chain *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void
tls_chain_unref(struct tls_chain **cp)
{
	struct tls_chain *c = TAKE(*cp);

	if (c == NULL ||
	    atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
		return;
	mbedtls_x509_crt_free(&c->first);
	mem_free(&c);
}

size_t
tls_chain_count(const struct tls_chain *c)
{
	return c->count;
}

mbedtls_x509_crt *
x509_at(const struct tls_chain *c, size_t index)
{
	const mbedtls_x509_crt *crt = &c->first;

	if (index >= c->count)
		return NULL;
	while (index-- > 0)
		crt = crt->next;
	/* The library's functions take no const, and change nothing. */
	return (mbedtls_x509_crt *)(uintptr_t)crt;
}

struct slice
tls_chain_der(const struct tls_chain *c, size_t index)
{
	const mbedtls_x509_crt *crt = x509_at(c, index);

	return crt == NULL ? SLICE_NONE : slice_of(crt->raw.p, crt->raw.len);
}

/* The length of the DER sequence at the front, its head included. */
static enum err
der_len(struct slice bytes, size_t *out)
{
	unsigned char *p = (unsigned char *)(uintptr_t)bytes.ptr;
	unsigned char *start = p;
	size_t len;

	if (mbedtls_asn1_get_tag(&p, start + bytes.len, &len,
		MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0)
		return ERR_PARSE;
	*out = (size_t)(p - start) + len;
	return OK;
}

static enum err
parse_der(struct tls_chain *c, struct slice rest, struct fault *why)
{
	while (rest.len > 0) {
		size_t len;
		enum err e;

		if (der_len(rest, &len) != OK)
			return fault_set(why, ERR_PARSE,
			    "certificate %zu is cut short or malformed",
			    c->count + 1);
		e = x509_append(c, slice_sub(rest, 0, len), why);
		if (e != OK)
			return e;
		rest = slice_sub(rest, len, rest.len);
	}
	return OK;
}

/* Cuts the text up to the end of the next block off *rest. */
static bool
next_block(struct slice *rest, struct slice *out)
{
	static const struct slice begin = {"-----BEGIN CERTIFICATE-----", 27};
	static const struct slice end = {"-----END CERTIFICATE-----", 25};
	const char *from = memmem(rest->ptr, rest->len, begin.ptr, begin.len);
	const char *to;
	size_t at;

	if (from == NULL)
		return false;
	at = (size_t)(from - rest->ptr);
	to = memmem(from, rest->len - at, end.ptr, end.len);
	*out = to == NULL ? slice_sub(*rest, at, rest->len)
			  : slice_of(from, (size_t)(to - from) + end.len);
	*rest = slice_sub(*rest, at + out->len, rest->len);
	return true;
}

static enum err
parse_pem(struct tls_chain *c, struct slice rest, struct fault *why)
{
	struct slice block;

	while (next_block(&rest, &block)) {
		AUTO(buf_fini) struct buf der = BUF(TLS_CHAIN_BYTES_MAX);
		enum err e = x509_unwrap(block, "CERTIFICATE", &der, why);

		if (e == OK)
			e = x509_append(c, buf_slice(&der), why);
		if (e != OK)
			return e;
	}
	if (c->count == 0)
		return fault_set(
		    why, ERR_PARSE, "there is no certificate in it");
	return OK;
}

enum err
tls_chain_parse(struct slice text, struct tls_chain **out, struct fault *why)
{
	AUTO(tls_chain_unref) struct tls_chain *c = x509_chain_new();
	enum err e;

	if (text.len == 0 || text.len > TLS_CHAIN_BYTES_MAX)
		return fault_set(why, ERR_LIMIT,
		    "certificates have 1 to %d bytes together",
		    TLS_CHAIN_BYTES_MAX);
	if ((uint8_t)text.ptr[0] == 0x30)
		e = parse_der(c, text, why);
	else
		e = parse_pem(c, text, why);
	if (e == OK)
		*out = TAKE(c);
	return e;
}

static enum err
append_part(
    struct tls_chain *to, const struct tls_chain *from, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		enum err e = x509_append(to, tls_chain_der(from, i), NULL);

		if (e != OK)
			return e;
	}
	return OK;
}

enum err
tls_chain_join(const struct tls_chain *head, const struct tls_chain *tail,
    struct tls_chain **out)
{
	AUTO(tls_chain_unref) struct tls_chain *c = x509_chain_new();
	enum err e = append_part(c, head, 0, head->count);

	if (e == OK && tail != NULL)
		e = append_part(c, tail, 0, tail->count);
	if (e == OK)
		*out = TAKE(c);
	return e;
}

enum err
tls_chain_part(const struct tls_chain *c, size_t first, size_t count,
    struct tls_chain **out)
{
	AUTO(tls_chain_unref) struct tls_chain *part = x509_chain_new();
	enum err e;

	if (count == 0 || first >= c->count || count > c->count - first)
		return ERR_NOT_FOUND;
	e = append_part(part, c, first, count);
	if (e == OK)
		*out = TAKE(part);
	return e;
}

enum err
tls_chain_pem(const struct tls_chain *c, struct buf *out)
{
	for (size_t i = 0; i < c->count; i++) {
		enum err e = x509_wrap(tls_chain_der(c, i), "CERTIFICATE", out);

		if (e != OK)
			return e;
	}
	return OK;
}

/* --- looking into one --- */

static void
name_text(const mbedtls_x509_name *name, char out[TLS_SUBJECT_MAX])
{
	char text[1024] = "";

	out[0] = '\0';
	if (mbedtls_x509_dn_gets(text, sizeof(text), name) < 0)
		return;
	memcpy(out, text, TLS_SUBJECT_MAX - 1); /* a long one is cut */
	out[TLS_SUBJECT_MAX - 1] = '\0';
}

void
x509_inspect(const mbedtls_x509_crt *crt, struct tls_cert_info *out)
{
	size_t serial = MIN(crt->serial.len, (size_t)TLS_SERIAL_MAX);
	int path = crt->MBEDTLS_PRIVATE(max_pathlen);

	*out = (struct tls_cert_info){0};
	name_text(&crt->subject, out->subject);
	name_text(&crt->issuer, out->issuer);
	if (x509_common_name(&crt->subject, out->common_name) != OK)
		out->common_name[0] = '\0';
	/* A URI that is none of ours is left empty, but counted. */
	if (x509_uris(&crt->subject_alt_names, out->uri, &out->uri_count) != OK)
		out->uri_count = 1;
	crypto_hex(slice_of(crt->serial.p, serial), out->serial);
	out->not_before_ms = x509_time_ms(&crt->valid_from);
	out->not_after_ms = x509_time_ms(&crt->valid_to);
	x509_pin(slice_of(crt->pk_raw.p, crt->pk_raw.len), &out->pin);
	out->is_ca = crt->MBEDTLS_PRIVATE(ca_istrue) != 0;
	out->path_len = path > 0 ? path - 1 : TLS_NO_PATH_LEN;
}

void
tls_cert_inspect(
    const struct tls_chain *c, size_t index, struct tls_cert_info *out)
{
	const mbedtls_x509_crt *crt = x509_at(c, index);

	CHECK(crt != NULL);
	x509_inspect(crt, out);
}

enum err
tls_cert_validity(
    struct slice text, int64_t *out_not_before_ms, int64_t *out_not_after_ms)
{
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	struct tls_cert_info info;
	enum err e = tls_chain_parse(text, &chain, NULL);

	if (e != OK)
		return e;
	tls_cert_inspect(chain, 0, &info);
	*out_not_before_ms = info.not_before_ms;
	*out_not_after_ms = info.not_after_ms;
	return OK;
}
