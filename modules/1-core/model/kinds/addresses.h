/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addresses — checks of addresses, blocks of them, and ports written as text.
 */
#ifndef MESHD_ADDRESSES_H
#define MESHD_ADDRESSES_H

#include "../field.h"

/* For rows: `value` is a struct slice. */
void check_ip(struct check *c, const void *value);
void check_ip_or_subnet(struct check *c, const void *value);
void check_port_text(struct check *c, const void *value); /* 0 to 65535 */

/* True if it is an IPv4 or IPv6 address, without a port or a zone. */
bool is_ip(struct slice text);

#endif
