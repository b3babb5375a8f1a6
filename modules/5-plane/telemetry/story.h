/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story — all that is known of one flow, as an object of JSON.
 *
 * What `meshd tap` shows while it happens and `meshd why` tells afterwards.
 */
#ifndef MESHD_STORY_H
#define MESHD_STORY_H

#include "base/base.h"
#include "model/model.h"

/* Without a newline. ERR_LIMIT: there is no room, and some of it is written. */
MUST_USE enum err story_write(const struct flow_record *r, struct buf *out);

#endif
