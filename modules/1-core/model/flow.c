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

static void
keep(struct arena *a, struct slice *text)
{
	if (text->len > 0 && arena_copy(a, *text, text) != OK)
		*text = SLICE_NONE;
}

static void
keep_party(struct arena *a, struct flow_party *p)
{
	keep(a, &p->service);
	keep(a, &p->service_name);
	keep(a, &p->ns);
	keep(a, &p->workload);
	keep(a, &p->identity);
	keep(a, &p->app);
	keep(a, &p->version);
}

void
flow_record_copy(
    const struct flow_record *from, struct arena *a, struct flow_record *out)
{
	*out = *from;
	keep(a, &out->detail);
	keep(a, &out->protocol);
	keep(a, &out->version);
	keep(a, &out->method);
	keep(a, &out->path);
	keep(a, &out->authority);
	keep(a, &out->user_agent);
	keep(a, &out->forwarded_for);
	keep(a, &out->request_id);
	keep(a, &out->cluster);
	keep(a, &out->route);
	keep(a, &out->sni);
	keep_party(a, &out->source);
	keep_party(a, &out->destination);
}
