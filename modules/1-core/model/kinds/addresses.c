/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addresses — checks of addresses, blocks of them, and ports written as text.
 */
#include "addresses.h"
#include "validate.h"

enum { TEXT_MAX = 64 };

bool
is_ip(struct slice text)
{
	struct addr ignored;

	return slice_find(text, '[') == text.len &&
	       addr_parse_ip(text, &ignored) == OK;
}

void
check_ip(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (!is_ip(*s))
		check_error(c, ERR_INVALID, "\"%.*s\" is not a valid IP",
		    SLICE_ARG(slice_sub(*s, 0, TEXT_MAX)));
}

void
check_ip_or_subnet(struct check *c, const void *value)
{
	const struct slice *s = value;
	struct cidr ignored;

	if (slice_find(*s, '[') < s->len || cidr_parse(*s, &ignored) != OK)
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is neither an address nor a network such as "
		    "10.1.0.0/16",
		    SLICE_ARG(slice_sub(*s, 0, TEXT_MAX)));
}

void
check_port_text(struct check *c, const void *value)
{
	const struct slice *s = value;
	uint64_t port;

	if (slice_to_u64(*s, &port) != OK || port > UINT16_MAX)
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no port; it is a number from 0 to 65535",
		    SLICE_ARG(slice_sub(*s, 0, TEXT_MAX)));
}
