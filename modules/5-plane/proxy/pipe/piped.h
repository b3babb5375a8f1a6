/* SPDX-License-Identifier: Apache-2.0 */
/*
 * piped — a pipe with what is to be said of it: listed, counted, reported.
 *
 * For TCP, upgrades and inbound tunnels. It copies what it needs and keeps no
 * view.
 */
#ifndef MESHD_PIPED_H
#define MESHD_PIPED_H

#include "outbound/listeners.h"
#include "pipe/pipe.h"
#include "snapshot.h"

struct piped_spec {
	struct worker *worker;
	enum proxy_conn_kind kind;
	struct listener *listener; /* that let it in, or NULL */
	struct stream *down;       /* taken */
	struct stream *up;         /* taken */
	/* Copied. TCP reports it as opened now; all report it at the end. */
	const struct flow_record *record;
	struct slice what;   /* listener or service, for lists; copied */
	struct host *host;   /* taken, with its count of one active; or NULL */
	uint64_t longest_us; /* then it is cut; 0: it may be of any age */
};

void piped_new(const struct piped_spec *spec);

#endif
