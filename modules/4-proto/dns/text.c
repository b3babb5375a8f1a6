/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text — records as people read them.
 */
#include "dns.h"

#include <stdio.h>

/* A name that lies `skip` bytes into the data. */
static struct slice
data_name(struct slice message, const struct dns_record *r, size_t skip,
    char out[DNS_TEXT_MAX])
{
	struct dns_name n;
	size_t end;

	if (dns_name_read(message, r->data_at + skip, &n, &end) != OK)
		return S("?");
	return dns_name_text(&n, out);
}

static unsigned
number_at(struct slice data, size_t at)
{
	return (unsigned)(uint8_t)data.ptr[at] << 8 | (uint8_t)data.ptr[at + 1];
}

static struct slice
addr_text(const struct dns_record *r, char *out)
{
	struct addr a = {.family = r->type == DNS_A ? ADDR_V4 : ADDR_V6};
	char text[ADDR_TEXT_MAX];

	memcpy(a.bytes, r->data.ptr, r->data.len);
	(void)snprintf(out, ADDR_TEXT_MAX, "%s", addr_format_ip(&a, text));
	return slice_str(out);
}

/* RFC 3597 §5, cut. */
static struct slice
unknown_text(const struct dns_record *r, char out[DNS_RECORD_TEXT_MAX])
{
	enum { SHOWN = 256 };
	size_t len =
	    (size_t)snprintf(out, DNS_RECORD_TEXT_MAX, "\\# %zu ", r->data.len);

	for (size_t i = 0; i < MIN(r->data.len, (size_t)SHOWN); i++)
		len += (size_t)snprintf(out + len, DNS_RECORD_TEXT_MAX - len,
		    "%02x", (uint8_t)r->data.ptr[i]);
	return slice_of(out, len);
}

struct slice
dns_record_text(struct slice message, const struct dns_record *r,
    char out[DNS_RECORD_TEXT_MAX])
{
	char name[DNS_TEXT_MAX];
	struct slice s;

	if ((r->type == DNS_A && r->data.len == 4) ||
	    (r->type == DNS_AAAA && r->data.len == 16))
		return addr_text(r, out);
	if (r->type == DNS_CNAME || r->type == DNS_PTR || r->type == DNS_NS ||
	    r->type == DNS_SOA)
		return data_name(message, r, 0, out);
	if (r->type == DNS_SRV && r->data.len > 6) {
		s = data_name(message, r, 6, name);
		(void)snprintf(out, DNS_RECORD_TEXT_MAX, "%u %u %u %.*s",
		    number_at(r->data, 0), number_at(r->data, 2),
		    number_at(r->data, 4), SLICE_ARG(s));
		return slice_str(out);
	}
	if (r->type == DNS_MX && r->data.len > 2) {
		s = data_name(message, r, 2, name);
		(void)snprintf(out, DNS_RECORD_TEXT_MAX, "%u %.*s",
		    number_at(r->data, 0), SLICE_ARG(s));
		return slice_str(out);
	}
	return unknown_text(r, out);
}
