/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base — what every module stands on: errors, memory, text, time, chance.
 *
 * The one header of the lowest layer. Its parts are headers of their own so
 * that each reads as a page; nobody includes them one by one.
 */
#ifndef MESHD_BASE_H
#define MESHD_BASE_H

#include "addr.h"
#include "arena.h"
#include "attr.h"
#include "blob.h"
#include "buf.h"
#include "check.h"
#include "clock.h"
#include "crypto.h"
#include "err.h"
#include "file.h"
#include "hot.h"
#include "limit.h"
#include "list.h"
#include "log.h"
#include "map.h"
#include "metric.h"
#include "name.h"
#include "nearest.h"
#include "regex.h"
#include "rng.h"
#include "secret.h"
#include "slice.h"
#include "sm.h"
#include "value.h"

#endif
