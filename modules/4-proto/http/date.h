/* SPDX-License-Identifier: Apache-2.0 */
/*
 * date — a moment as the field Date has it (RFC 9110 §5.6.7). Pure.
 */
#ifndef MESHD_HTTP_DATE_H
#define MESHD_HTTP_DATE_H

#include "base/base.h"

enum { HTTP_DATE_LEN = 30 }; /* with the zero */

/* "Thu, 26 Nov 2026 17:12:03 GMT". Returns out. */
char *http_date_format(int64_t unix_ms, char out[HTTP_DATE_LEN]);

/* Only this form, which all who send it now use. ERR_PARSE. */
MUST_USE enum err http_date_parse(struct slice text, int64_t *out_ms);

#endif
