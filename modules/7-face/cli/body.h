/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body — the JSON object that a command sends.
 */
#ifndef MESHD_BODY_H
#define MESHD_BODY_H

#include "base/base.h"

/* map becomes NULL, for good, when something did not fit. */
struct body {
	struct arena arena;
	struct value *map;
};

void body_init(struct body *b);
void body_fini(struct body *b);

/* Keys and text are borrowed. Empty text and NULL are left out. */
void body_set(struct body *b, const char *key, struct value *v);
void body_slice(struct body *b, const char *key, struct slice text);
void body_text(struct body *b, const char *key, const char *text);

#endif
