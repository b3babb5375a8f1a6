/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format_parts — between format.c and format_time.c.
 */
#ifndef MESHD_FORMAT_PARTS_H
#define MESHD_FORMAT_PARTS_H

#include "format.h"

/* The value is this number. */
void format_count(struct format_value *v, uint64_t n);

/* %START_TIME% and its kin; %REQUEST_DURATION%, %COMMON_DURATION%, … */
void format_put_time(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f);
void format_put_span(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f);

#endif
