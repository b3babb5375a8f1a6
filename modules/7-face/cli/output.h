/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output — one answer as a table, as JSON or as YAML.
 */
#ifndef MESHD_OUTPUT_H
#define MESHD_OUTPUT_H

#include "base/base.h"

enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML };

/* "table", "json", "yaml"; ERR_INVALID in words. */
MUST_USE enum err output_parse(
    const char *text, enum output *out, struct fault *why);

/* The tree to stdout, as JSON or YAML. */
MUST_USE enum err output_value(
    enum output how, const struct value *v, struct fault *why);

/* "label  text", the label that wide; nothing where there is no text. */
void output_line(const char *label, int width, struct slice text);

#endif
