/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_header — the PROXY protocol, versions 1 and 2: the first bytes of a
 * connection say between whom it really is.
 *
 * HAProxy's doc/proxy-protocol.txt. Whoever stands between a client and a
 * server writes one before any other byte. Pure.
 */
#ifndef MESHD_PROXY_HEADER_H
#define MESHD_PROXY_HEADER_H

#include "base/base.h"

enum {
	/* Of one that is read, with all that version 2 may add. */
	PROXY_HEADER_BYTES_MAX = 16 << 10,
	/* Of one that is written: version 1, as the document counts it. */
	PROXY_HEADER_SENT_MAX = 107
};

struct proxy_header {
	size_t len; /* of all of it */
	/* False (UNKNOWN, LOCAL, no IP addresses): the connection is between
	 * the ends that it has. */
	bool is_for_another;
	struct addr source;
	struct addr destination;
};

/*
 * Reads the one that a connection's bytes begin with. ERR_AGAIN: all of these
 * may be the beginning of one. ERR_PARSE, ERR_LIMIT: *out_why are words.
 */
MUST_USE enum err proxy_header_read(
    struct slice bytes, struct proxy_header *out, struct slice *out_why);

/*
 * One of that version, 1 or 2, in `out`. Without two IP addresses it says that
 * nothing is known.
 */
struct slice proxy_header_write(unsigned version, const struct addr *source,
    const struct addr *destination, char out[PROXY_HEADER_SENT_MAX]);

#endif
