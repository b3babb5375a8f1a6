/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow — the words for how a request or connection ended.
 */
#include "flow.h"
#include "origin.h"

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
flow_kind_name(enum flow_kind k)
{
	if (k == FLOW_HTTP)
		return "http";
	return k == FLOW_COPY ? "copy" : "tcp";
}

/* What Envoy calls its letters where it has room (%RESPONSE_FLAGS_LONG%). */
static const char *const long_names[][2] = {
    {"NR", "NoRouteFound"},
    {"NC", "NoClusterFound"},
    {"UH", "NoHealthyUpstream"},
    {"UF", "UpstreamConnectionFailure"},
    {"UR", "UpstreamRemoteReset"},
    {"LR", "LocalReset"},
    {"UC", "UpstreamConnectionTermination"},
    {"UT", "UpstreamRequestTimeout"},
    {"UPE", "UpstreamProtocolError"},
    {"DC", "DownstreamConnectionTermination"},
    {"DPE", "DownstreamProtocolError"},
    {"SI", "StreamIdleTimeout"},
    {"DT", "DurationTimeout"},
    {"UO", "UpstreamOverflow"},
    {"OM", "OverloadManagerTerminated"},
    {"RL", "RateLimited"},
    {"UAEX", "UnauthorizedExternalService"},
    {"DI", "DelayInjected"},
    {"FI", "FaultInjected"},
    {"URX", "UpstreamRetryLimitExceeded"},
};

static const char *
long_name(struct slice letters)
{
	for (size_t i = 0; i < ARRAY_LEN(long_names); i++)
		if (slice_eq(letters, slice_str(long_names[i][0])))
			return long_names[i][1];
	return "-";
}

char *
flow_names(const struct flow_record *r, char out[FLOW_NAMES_MAX])
{
	char letters[FLOW_LETTERS_MAX];
	struct slice rest = slice_str(flow_letters(r, letters));
	size_t n = 0;

	while (rest.len > 0 && n < FLOW_NAMES_MAX)
		n += (size_t)snprintf(out + n, FLOW_NAMES_MAX - n, "%s%s",
		    n > 0 ? "," : "", long_name(slice_split(&rest, ',')));
	return out;
}

struct slice
flow_reason(const struct flow_record *r)
{
	return r->detail.len > 0 ? r->detail : slice_str(row(r->flag)->words);
}

/* Bytes that nobody looked into have no response, so no details either. */
struct slice
flow_details(const struct flow_record *r)
{
	if (r->flag != FLOW_OK)
		return slice_str(row(r->flag)->token);
	if (r->kind != FLOW_HTTP || r->status == 0)
		return SLICE_NONE;
	/* A rule may answer by itself, and nothing is wrong. */
	return r->upstream.family == ADDR_NONE ? S("direct_response")
					       : S("via_upstream");
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

/* Where texts go: an arena, or so many bytes of somebody's. */
struct keeper {
	struct arena *arena; /* NULL: */
	char *mem;
	size_t room;
};

static void *
put(struct keeper *k, const void *bytes, size_t len)
{
	char *at = k->mem;

	if (len > k->room)
		return NULL;
	memcpy(at, bytes, len);
	k->mem += len;
	k->room -= len;
	return at;
}

/* What is no text has to be aligned; an arena does that. */
static void *
keep_rows(struct keeper *k, const void *rows, size_t len)
{
	size_t pad = -(uintptr_t)k->mem % sizeof(void *);
	struct slice kept;

	if (k->arena != NULL)
		return arena_copy(k->arena, slice_of(rows, len), &kept) == OK
			   ? (void *)(uintptr_t)kept.ptr
			   : NULL;
	if (pad > k->room)
		return NULL;
	k->mem += pad;
	k->room -= pad;
	return put(k, rows, len);
}

/* Each request comes by here some twenty times. */
static void
keep(struct keeper *k, struct slice *text)
{
	if (text->len == 0)
		return;
	if (k->arena != NULL) {
		if (arena_copy(k->arena, *text, text) != OK)
			*text = SLICE_NONE;
		return;
	}
	text->ptr = put(k, text->ptr, text->len);
	if (text->ptr == NULL)
		text->len = 0;
}

/* What a peer may make as long as it likes; packed it is cut. */
static void
keep_long(struct keeper *k, struct slice *text)
{
	if (k->arena == NULL)
		*text = slice_sub(*text, 0, FLOW_PACKED_TEXT_MAX);
	keep(k, text);
}

static void
keep_labels(struct keeper *k, struct flow_party *p)
{
	keep(k, &p->service_name);
	keep(k, &p->service_ns);
	keep(k, &p->app);
	keep(k, &p->version);
	keep(k, &p->canonical_name);
	keep(k, &p->canonical_revision);
	keep(k, &p->cluster);
}

/* Packed it is who it is; what only metrics ask for is left out. */
static void
keep_party(struct keeper *k, struct flow_party *p)
{
	struct flow_party packed = {.service = p->service,
	    .workload = p->workload,
	    .ns = p->ns,
	    .identity = p->identity};

	if (k->arena == NULL)
		*p = packed;
	else
		keep_labels(k, p);
	keep(k, &p->service);
	keep(k, &p->workload);
	keep(k, &p->ns);
	keep(k, &p->identity);
}

static const struct origin *
keep_origin(struct keeper *k, const struct origin *from)
{
	struct origin o;

	if (from == NULL)
		return NULL;
	o = *from;
	keep(k, &o.key.group);
	keep(k, &o.key.kind);
	keep(k, &o.key.ns);
	keep(k, &o.key.name);
	keep(k, &o.file);
	keep(k, &o.words);
	return keep_rows(k, &o, sizeof(o));
}

static void
keep_tries(struct keeper *k, struct flow_record *f)
{
	struct flow_try tries[FLOW_TRIES_MAX];

	CHECK(f->try_count <= FLOW_TRIES_MAX);
	for (size_t i = 0; i < f->try_count; i++) {
		tries[i] = f->tries[i];
		keep_long(k, &tries[i].words);
	}
	if (f->try_count > 0)
		f->tries = keep_rows(k, tries, f->try_count * sizeof(*tries));
	if (f->tries == NULL)
		f->try_count = 0;
}

/* What a client may make as long as it likes comes last. */
static void
keep_record(struct keeper *k, struct flow_record *f)
{
	f->heads = (struct flow_heads){0};
	keep_tries(k, f);
	f->origin = keep_origin(k, f->origin);
	keep_long(k, &f->request_id);
	keep_long(k, &f->detail);
	keep(k, &f->protocol);
	keep(k, &f->version);
	keep(k, &f->upstream_version);
	keep_long(k, &f->method);
	keep(k, &f->cluster);
	keep(k, &f->route);
	keep(k, &f->upstream_node);
	keep(k, &f->sni);
	keep_party(k, &f->destination);
	keep_party(k, &f->source);
	keep_long(k, &f->authority);
	keep_long(k, &f->path);
	keep_long(k, &f->forwarded_for);
	keep_long(k, &f->user_agent);
}

void
flow_record_copy(
    const struct flow_record *from, struct arena *a, struct flow_record *out)
{
	struct keeper k = {.arena = a};

	*out = *from;
	keep_record(&k, out);
}

void
flow_record_pack(const struct flow_record *from, char *mem, size_t room,
    struct flow_record *out)
{
	struct keeper k = {.mem = mem, .room = room};

	*out = *from;
	keep_record(&k, out);
}
