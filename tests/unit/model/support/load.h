/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load — resources and views out of YAML, for the tests of model.
 */
#ifndef MESHD_TEST_LOAD_H
#define MESHD_TEST_LOAD_H

#include "model/model.h"

enum { LOADED_MAX = 64 };

/* What came of a text: resources that were right, and all findings. */
struct loaded {
	struct resource *items[LOADED_MAX];
	size_t count;
	size_t skipped;
	enum err e; /* of the first resource that was refused */
	const char *file;
	struct findings found;
};

/* Creation times are those of the documents; `file` may be NULL. */
void load(const char *yaml, const char *file, struct loaded *out);
void loaded_fini(struct loaded *l);

/* The fault that mentions `words`, or NULL. */
const struct fault *find_error(const struct loaded *l, const char *words);
const struct fault *find_warning(const struct loaded *l, const char *words);

#endif
