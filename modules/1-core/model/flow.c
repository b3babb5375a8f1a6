/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow — the words for how a request or connection ended.
 */
#include "flow.h"

#include <stdio.h>

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

/* Envoy's order of letters: what comes before those of a delay. */
static bool
comes_before_delay(enum flow_flag f)
{
	switch (f) {
	case FLOW_NO_ROUTE:
	case FLOW_NOT_EXPOSED:
	case FLOW_NO_ENDPOINT:
	case FLOW_CONNECT_FAILED:
	case FLOW_UPSTREAM_RESET:
	case FLOW_UPSTREAM_CLOSED:
	case FLOW_TIMEOUT:
	case FLOW_OVERFLOW:
		return true;
	default:
		return false;
	}
}

char *
flow_letters(const struct flow_record *r, char out[FLOW_LETTERS_MAX])
{
	const char *flag = r->flag != FLOW_OK ? row(r->flag)->letters : NULL;
	bool first = comes_before_delay(r->flag);
	const char *parts[] = {first ? flag : NULL, r->delayed ? "DI" : NULL,
	    first ? NULL : flag, r->retries_spent ? "URX" : NULL};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i] != NULL)
			n += (size_t)snprintf(out + n, FLOW_LETTERS_MAX - n,
			    "%s%s", n > 0 ? "," : "", parts[i]);
	if (n == 0)
		(void)snprintf(out, FLOW_LETTERS_MAX, "-");
	return out;
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

/* The first of the labels that is there. */
static struct slice
first_of(const struct labels *labels, const struct slice *names, size_t count)
{
	struct slice value = SLICE_NONE;

	for (size_t i = 0; i < count && value.len == 0; i++)
		value = labels_get(labels, names[i]);
	return value;
}

void
flow_party_label(struct flow_party *p, const struct labels *labels)
{
	const struct slice names[] = {S("service.istio.io/canonical-name"),
	    S("app.kubernetes.io/name"), S("app")};
	const struct slice revisions[] = {
	    S("service.istio.io/canonical-revision"),
	    S("app.kubernetes.io/version"), S("version")};

	p->app = labels_get(labels, S("app"));
	p->version = labels_get(labels, S("version"));
	p->canonical_name = first_of(labels, names, ARRAY_LEN(names));
	if (p->canonical_name.len == 0)
		p->canonical_name = p->workload;
	p->canonical_revision =
	    first_of(labels, revisions, ARRAY_LEN(revisions));
	if (p->canonical_revision.len == 0 && p->canonical_name.len > 0)
		p->canonical_revision = S("latest");
}

/* Where a text ends is a part of it, so that none can stand for another. */
void
flow_party_seal(struct flow_party *p)
{
	enum { TEXTS_MAX = 4096 }; /* of names, which are bounded */
	const struct slice texts[] = {p->service, p->service_name,
	    p->service_ns, p->workload, p->ns, p->identity, p->app, p->version,
	    p->canonical_name, p->canonical_revision, p->cluster};
	char all[TEXTS_MAX];

	p->key =
	    slice_hash(slice_join(texts, ARRAY_LEN(texts), all, sizeof(all)));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		p->key = p->key * UINT64_C(0x9e3779b97f4a7c15) + texts[i].len;
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
	keep(a, &p->service_ns);
	keep(a, &p->workload);
	keep(a, &p->ns);
	keep(a, &p->identity);
	keep(a, &p->app);
	keep(a, &p->version);
	keep(a, &p->canonical_name);
	keep(a, &p->canonical_revision);
	keep(a, &p->cluster);
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
