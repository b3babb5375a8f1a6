/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ties — what ties a resource to others, each tie a number.
 */
#ifndef MESHD_ANALYSIS_TIES_H
#define MESHD_ANALYSIS_TIES_H

#include "../resource.h"

enum tie_part {
	TIE_HAS = 1 << 0, /* it is found by others under this */
	TIE_ASKS = 1 << 1 /* it looks for others under this */
};

struct tie_user {
	struct slice domain;
	void (*each)(void *arg, uint64_t tie, unsigned part);
	/* Labels that workloads are chosen by, of these namespaces or any. */
	void (*select)(void *arg, const struct labels *labels);
	void *arg;
};

/* A tie that comes twice is told twice. */
void ties_each(const struct resource *r, const struct tie_user *u);

/* The tie of what has this label. */
uint64_t tie_of_label(const struct label *l);

/* The workload has all of these; a ServiceEntry may have one that does. */
bool tie_fits(const struct resource *r, const struct labels *wanted);

#endif
