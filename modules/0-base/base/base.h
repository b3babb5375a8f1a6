/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base — what every module stands on: errors, memory, text, time, chance.
 *
 * The one header of the lowest layer. Its parts are headers of their own so
 * that each reads as a page; nobody includes them one by one.
 */
#ifndef MESHD_BASE_H
#define MESHD_BASE_H

#include "attr.h"
#include "err.h"
#include "check.h"
#include "slice.h"
#include "arena.h"
#include "buf.h"
#include "file.h"
#include "list.h"
#include "map.h"
#include "rng.h"
#include "clock.h"
#include "sm.h"
#include "log.h"
#include "metric.h"
#include "addr.h"
#include "value.h"
#include "name.h"
#include "secret.h"
#include "crypto.h"
#include "limit.h"

#endif
