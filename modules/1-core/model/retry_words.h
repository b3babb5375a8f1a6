/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry_words — the conditions that retryOn may name (Envoy's words).
 */
#ifndef MESHD_RETRY_WORDS_H
#define MESHD_RETRY_WORDS_H

#include "base/base.h"

/*
 * One word: a bit of enum view_retry_on in *out_on, or, for a number, the
 * status in *out_status with the bit of status codes. False if it is neither.
 */
bool retry_word_parse(
    struct slice word, uint32_t *out_on, uint16_t *out_status);

/* "connect-failure" for one bit; NULL for none of ours. */
const char *retry_word(uint32_t bit);

void retry_words_offer(struct nearest *n);

#endif
