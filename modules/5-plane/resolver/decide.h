/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide — what the mesh says to a question, and why.
 *
 * Pure: a view and a question in, rows out. What is a name of the mesh, in any
 * of its forms, the look-ups of the view say, which the proxy asks as well.
 */
#ifndef MESHD_RESOLVER_DECIDE_H
#define MESHD_RESOLVER_DECIDE_H

#include "dns/dns.h"
#include "model/model.h"

enum {
	DECIDED_ROWS_MAX = 64,
	DECIDED_PORTS_MAX = 64,     /* of one service, that are looked at */
	DECIDED_MEMBERS_MAX = 4096, /* the same of one port */
	DECIDED_HOST_MAX = NAME_HOST_MAX + 1
};

enum decision {
	DECIDED_RECORDS, /* none: there is nothing of that type (NODATA) */
	DECIDED_NO_NAME, /* NXDOMAIN */
	DECIDED_REFUSED,
	DECIDED_OUTSIDE /* others know it */
};

/* One record. A name is that of `host`, below it `label` if there is one; of an
 * address it is whose it is, unless that is who was asked for. */
struct decided_row {
	uint16_t type;
	bool additional;
	uint16_t port; /* SRV */
	struct addr addr;
	struct slice label;
	struct slice host;
};

struct decided {
	enum decision what;
	/* Nobody here has asked the servers about it: more may come. */
	bool may_come;
	bool is_ours; /* below the mesh's own domain: nobody else knows it */
	const char *form; /* which one of the mesh's it is; NULL: none */
	const char *why;  /* words */
	const struct view_service *service; /* NULL: it is of none */
	struct slice ask;  /* whom they are to be asked about, or were; lies in
			    * `host`. Empty: nobody */
	struct slice zone; /* of SOA; empty: the name itself */
	struct decided_row rows[DECIDED_ROWS_MAX];
	size_t count;
	char host[DECIDED_HOST_MAX]; /* what was asked; rows may lie here */
	size_t host_len;
};

/* `v` may be NULL: then nothing is known. Rows borrow from it. `chance` turns
 * the order of members. */
void decide(const struct view *v, const struct dns_question *q, uint64_t chance,
    struct decided *out);

/*
 * The answer, in `out`, of which the asker takes `limit` bytes. Not for
 * DECIDED_OUTSIDE. `asked` is the message of the question.
 */
struct slice decided_render(const struct decided *d, struct slice asked,
    const struct dns_question *q, const struct view *v, uint32_t ttl_s,
    char *out, size_t limit);

#endif
