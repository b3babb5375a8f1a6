/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recent — the last requests of one writer, to be asked about by their ids.
 *
 * Two rings of places of one size: what went well passes through its own, so
 * that what failed, was refused or was tried again stays for longer. Memory is
 * taken as places are used.
 */
#ifndef MESHD_RECENT_H
#define MESHD_RECENT_H

#include "base/base.h"
#include "model/model.h"

struct recent;

struct recent *recent_new(void);
void recent_free(struct recent **rp);

/* Copies; what has no id is not kept. */
void recent_note(struct recent *r, const struct flow_record *record);

/* All requests with this id, as lines of JSON, the older ring first. */
MUST_USE enum err recent_find(
    const struct recent *r, struct slice id, struct buf *out);

#endif
