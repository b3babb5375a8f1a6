/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listening — how one service's port is listened for, and its chains.
 */
#ifndef MESHD_VIEW_LISTENING_H
#define MESHD_VIEW_LISTENING_H

#include "inside.h"
#include "kinds/protocols.h"

/* One service's port as it is listened for. */
struct listening {
	struct egress *egress;
	struct service_row *service;
	const struct port_row *port; /* NULL: a socket's */
	uint16_t number;
	enum view_protocol protocol;
	enum port_protocol said;
	struct slice bind; /* empty: by the service's address */
	struct addr addr;  /* of `bind`; family ADDR_NONE: any */
	bool bound;
	bool by_members; /* it has no address: its members' lead to it */
	const struct cidr *cidrs; /* where the address is a network */
	size_t cidr_count;
};

/* What the first bytes of requests show. HTTP/1.0 is not among it. */
enum { HTTP_ALPNS = 2 };
extern const struct slice http_alpns[HTTP_ALPNS];

extern const struct slice any_ip; /* 0.0.0.0 */

bool is_any_bound(const struct listening *l); /* at any address */
bool is_socket(const struct listening *l);    /* of a file */
bool is_bytes(enum view_protocol p);

/* Its chains; struct view_chain. */
void add_chains(struct builder *b, const struct listening *l, struct rows *to);

/* Is there one that takes what this takes? */
bool is_ambiguous(const struct rows *chains, const struct view_chain *c);
bool takes_all(const struct view_chain *c);

#endif
