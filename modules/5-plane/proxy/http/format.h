/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format — values of headers that each request makes anew.
 *
 * What is not known (yet) is empty, as Envoy has it for headers: there is no
 * endpoint before an answer, and no answer before it is there.
 */
#ifndef MESHD_HTTP_FORMAT_H
#define MESHD_HTTP_FORMAT_H

#include "http/request.h"

/*
 * `h` is the head that is to be changed: the request's, or an answer's. The
 * text is the request's; without spaces around it. ERR_LIMIT: no room.
 */
MUST_USE enum err format_make(const struct view_format *f, struct request *r,
    const struct http_head *h, struct slice *out);

#endif
