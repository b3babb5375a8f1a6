/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidecar_rules — what a Sidecar's listeners ask of their fields.
 */
#ifndef MESHD_SIDECAR_RULES_H
#define MESHD_SIDECAR_RULES_H

#include "kinds.h"

/* For rows and messages. */
void check_sidecar_port_name(struct check *c, const void *slice);
void check_sidecar_ingress(struct check *c, const void *ingress);
void check_sidecar_egress(struct check *c, const void *egress);
void check_outbound_policy(struct check *c, const void *policy);

/* Between listeners; `c` is the spec. */
void check_sidecar_listeners(struct check *c, const struct sidecar *s);

/* Hosts that others say already; `ns` is what "." means. */
void check_sidecar_hosts(
    struct check *c, const struct sidecar *s, struct slice ns);

#endif
