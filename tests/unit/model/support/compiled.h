/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compiled — the view of YAML by itself: no records, no listeners.
 */
#ifndef MESHD_TEST_COMPILED_H
#define MESHD_TEST_COMPILED_H

#include "load.h"

struct compiled {
	struct loaded l;
	struct view *v;
	struct arena arena; /* for what a test makes of it */
};

/* The YAML has to be valid. */
void compiled_init(struct compiled *c, const char *yaml);
/* From a place; its resources are not looked at. */
void compiled_init_from(
    struct compiled *c, const char *yaml, const struct view_input *place);
void compiled_fini(struct compiled *c);

/* True if a problem of the view has these words in it. */
bool compiled_tells(const struct compiled *c, const char *words);

#endif
