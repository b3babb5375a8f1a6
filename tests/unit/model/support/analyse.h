/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analyse — YAML in, findings out, for the tests of the analysis.
 */
#ifndef MESHD_TEST_ANALYSE_H
#define MESHD_TEST_ANALYSE_H

#include "model/model.h"

enum { ANALYSED_MAX = 64, ANALYSED_TEXT_MAX = 16384 };

/*
 * Runs over the documents of the text, as of a file x.yaml. `more` (may be
 * NULL) is what else is known; its own documents come first, as a store's do.
 */
void analyse(const char *yaml, const struct analysis_input *more,
    struct analysis_result *out);

/*
 * "IST0101 VirtualService/shop/a spec.http[0]", one a line, in the order of
 * the result; what is said of single documents is left out. Returns out.
 */
const char *analysed_text(
    const struct analysis_result *r, char out[ANALYSED_TEXT_MAX]);

/* Exactly this is found; `wanted` as above. */
void expect_found(const char *yaml, const char *wanted);
void expect_found_with(
    const char *yaml, const struct analysis_input *more, const char *wanted);

#endif
