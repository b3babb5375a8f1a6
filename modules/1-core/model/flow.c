/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow — the words for how a request or connection ended.
 */
#include "flow.h"

struct flag_row {
	const char *letters;
	const char *token;
	const char *words;
};

static const struct flag_row flag_rows[FLOW_FLAG_COUNT] = {
#define X(name, letters, token, words) [name] = {letters, token, words},
    FLOW_FLAG_TABLE(X)
#undef X
};

static const struct flag_row *
row(enum flow_flag f)
{
	CHECK((unsigned)f < FLOW_FLAG_COUNT);
	return &flag_rows[f];
}

const char *
flow_flag_letters(enum flow_flag f)
{
	return row(f)->letters;
}

const char *
flow_flag_token(enum flow_flag f)
{
	return row(f)->token;
}

const char *
flow_flag_words(enum flow_flag f)
{
	return row(f)->words;
}
