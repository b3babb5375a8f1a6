/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes — where calls to addresses that stand for services go: 240.240.0.0/16
 * and 2001:2::/48, and never any other.
 */
#ifndef MESHD_CAPTURE_ROUTES_H
#define MESHD_CAPTURE_ROUTES_H

#include "kernel.h"

/* As what is loaded needs them: both, or none. */
void routes_settle(struct kernel *k, const struct capture_wish *w);

/* Nobody takes such calls now: where they were taken, each fails at once. */
void routes_let_go(struct kernel *k);

/* None of ours is left. True if there was one. */
bool routes_remove(struct kernel *k);

#endif
