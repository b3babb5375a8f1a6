/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sniff — whether a client's first bytes are HTTP.
 *
 * Pure: asked again with all that came each time there is more. As Envoy's
 * http_inspector has it, a request line has to be whole, up to its version, as
 * other protocols have lines that begin like one.
 */
#ifndef MESHD_HTTP_SNIFF_H
#define MESHD_HTTP_SNIFF_H

#include "base/base.h"

enum {
	/* A line that began like a request's and is longer is taken for one:
	 * whoever reads it says what is wrong. */
	HTTP_SNIFF_MAX = 8 << 10
};

enum http_sniff {
	HTTP_SNIFF_MORE, /* may become HTTP; not said of HTTP_SNIFF_MAX bytes */
	HTTP_SNIFF_1,    /* 1.0 too */
	HTTP_SNIFF_2,    /* its preface, as far as a line goes */
	HTTP_SNIFF_BYTES
};

enum http_sniff http_sniff(struct slice all);

#endif
