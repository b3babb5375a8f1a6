/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_scalar — what a plain scalar means (YAML 1.2.2 §10.3, core schema).
 */
#ifndef MESHD_YAML_SCALAR_H
#define MESHD_YAML_SCALAR_H

#include "base/base.h"

/*
 * Sets the type and the content of `out` from a plain scalar; whatever is no
 * null, boolean or number is a string that borrows `text`.
 */
void yaml_scalar_resolve(struct slice text, struct value *out);

/*
 * True if `text` may be written without quotes and reads back as the same
 * string here and in readers of YAML 1.1 (yes, off, 1:30, 2026-01-01).
 */
bool yaml_scalar_is_plain(struct slice text);

#endif
