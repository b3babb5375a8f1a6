/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry_rules — what the fields of a ServiceEntry ask of each other.
 */
#ifndef MESHD_ENTRY_RULES_H
#define MESHD_ENTRY_RULES_H

#include "kinds.h"

/* `c` is the spec. */
void check_entry_ports(struct check *c, const struct service_entry *s);
void check_entry_addresses(struct check *c, const struct service_entry *s);
/*
 * A service of bytes is told from others by its address. One is given to it by
 * itself, unless that is declined.
 */
void check_bytes_have_address(
    struct check *c, const struct service_entry *s, bool declined);
void check_entry_resolution(struct check *c, const struct service_entry *s);

#endif
