/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series — Istio's standard metrics, and the way from a flow to its series.
 */
#ifndef MESHD_SERIES_H
#define MESHD_SERIES_H

#include "base/base.h"
#include "model/model.h"

struct series_table; /* of one thread */
struct series_entry; /* all that one kind of flow counts into */

/* Makes the families; harmless the second time. */
void series_register(void);

/* Where the label of this name stands; it is one of the metrics'. */
size_t series_label(const char *name);

struct series_table *series_table_new(void);
void series_table_free(struct series_table **tp);

/* Never NULL; valid until the next call. */
const struct series_entry *series_table_find(
    struct series_table *t, const struct flow_record *r);

void series_count(const struct series_entry *e, const struct flow_record *r);

#endif
