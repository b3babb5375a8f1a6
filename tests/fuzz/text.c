/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text — fuzzes base's readers of short texts: addresses, names, numbers.
 *
 * Beyond not crashing: what was read prints back to what reads the same, and
 * no result lies outside the input.
 */
#include "base/base.h"

static void
check_inside(struct slice outer, struct slice inner)
{
	CHECK(inner.len == 0 ||
	      (inner.ptr >= outer.ptr &&
		  inner.ptr + inner.len <= outer.ptr + outer.len));
}

static void
check_address(struct slice s)
{
	struct addr a, again;
	struct cidr c;
	char text[ADDR_TEXT_MAX];

	if (addr_parse(s, &a) == OK) {
		CHECK(
		    addr_parse(slice_str(addr_format(&a, text)), &again) == OK);
		CHECK(addr_eq(&a, &again));
	}
	if (addr_parse_ip(s, &a) == OK) {
		CHECK(addr_parse_ip(
			  slice_str(addr_format_ip(&a, text)), &again) == OK);
		CHECK(addr_eq(&a, &again));
	}
	if (cidr_parse(s, &c) == OK)
		CHECK(cidr_contains(&c, &c.base));
}

static void
check_name(struct slice s)
{
	AUTO(arena_fini) struct arena a;
	struct service_name service;
	struct identity id;
	struct fault why;
	struct slice text;

	arena_init(&a, 8192);
	if (name_service_parse(s, S("ns"), S("mesh.internal"), &service) == OK)
		CHECK(name_check_label(service.name, NULL) == OK &&
		      name_check_label(service.ns, NULL) == OK);
	if (name_check_label(s, &why) == OK)
		CHECK(name_check_subdomain(s, NULL) == OK);
	if (name_identity_parse(s, &id, &why) != OK)
		return;
	check_inside(s, id.account);
	text = name_identity_format(&a, &id);
	CHECK(slice_eq(text, s));
}

static void
check_numbers(struct slice s)
{
	uint64_t u = 1, us;
	int64_t i = 2;

	if (slice_to_u64(s, &u) == OK && u <= INT64_MAX)
		CHECK(slice_to_i64(s, &i) == OK && (uint64_t)i == u);
	if (slice_to_duration_us(s, &us) == OK)
		CHECK(us <= (uint64_t)INT64_MAX / 1000);
}

static void
check_cutting(struct slice s)
{
	struct slice rest = s;
	size_t total = 0, splits = 0;

	check_inside(s, slice_trim(s));
	while (rest.len > 0) {
		struct slice part = slice_split(&rest, '.');

		check_inside(s, part);
		total += part.len;
		splits++;
	}
	/* Each split but the last dropped one byte; a final dot its own. */
	CHECK(total + splits == s.len || total + splits == s.len + 1);
	(void)slice_is_utf8(s); /* must merely stay inside */
}

static void
check_base64(struct slice s)
{
	uint8_t out[256];
	char text[352];
	size_t len;

	if (crypto_base64url_decode(s, out, sizeof(out), &len) != OK)
		return;
	CHECK(crypto_base64url_len(len) == s.len);
	crypto_base64url(slice_of(out, len), text);
	CHECK(slice_eq(slice_of(text, s.len), s));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice s = slice_of(data, len);

	check_address(s);
	check_name(s);
	check_numbers(s);
	check_cutting(s);
	check_base64(s);
	return 0;
}
