/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collected — the resources of files, all of them right, for one question.
 */
#ifndef MESHD_COLLECTED_H
#define MESHD_COLLECTED_H

#include "base/base.h"

struct resource;

struct collected {
	struct resource **items;
	size_t count;
	size_t cap;
};

/*
 * Those of a file or folder. Returns an exit status; what is wrong was told,
 * and then there are none to be used.
 */
int collected_read(struct collected *c, const char *path);
void collected_fini(struct collected *c);

#endif
