/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analyze — a file of configuration, from its text to what is found.
 *
 * Whatever the documents say, wrong ones included: each finding has a code of
 * the table, words and an analyzer that gives the code; the order is that of
 * the levels; a second run finds the same, and nothing that is new beside it.
 * What is near a change is no more than there is, and nothing stays behind.
 */
#include "codec/codec.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MAX_TRIED = 8192, DOCS_MAX = 32, ARENA_MAX = 64 << 20 };

/* What a run borrows. */
struct documents {
	struct arena arena;
	struct analysis_document docs[DOCS_MAX];
	struct resource *resources[DOCS_MAX];
	struct findings found[DOCS_MAX];
	size_t count;
};

static void
read_all(struct documents *d, struct slice text)
{
	const struct resource_source source = {.parse_json = codec_json_parse,
	    .file = "fuzz.yaml",
	    .created_ms = 1,
	    .keep_wrong = true};
	struct codec_documents docs;
	struct faults faults = {0};
	enum err e;

	arena_init(&d->arena, ARENA_MAX);
	e = codec_yaml_parse(text, source.file, &d->arena, &docs, &faults);
	CHECK((e == OK) == (faults.count == 0));
	for (size_t i = 0; i < docs.count && d->count < DOCS_MAX; i++) {
		size_t at = d->count;

		if (docs.items[i].root == NULL)
			continue;
		e = resource_decode(docs.items[i].root, &source,
		    &d->resources[at], &d->found[at]);
		CHECK((e == OK) == (d->found[at].errors.count == 0));
		d->docs[d->count++] =
		    (struct analysis_document){.resource = d->resources[at],
			.tree = docs.items[i].root,
			.file = source.file,
			.found = &d->found[at]};
	}
	faults_fini(&faults);
}

static void
free_all(struct documents *d)
{
	for (size_t i = 0; i < d->count; i++) {
		resource_unref(&d->resources[i]);
		findings_fini(&d->found[i]);
	}
	arena_fini(&d->arena);
	mem_free(&d);
}

static enum err
read_pem(
    struct slice pem, int64_t *out_not_before_ms, int64_t *out_not_after_ms)
{
	*out_not_before_ms = 0;
	*out_not_after_ms = (int64_t)pem.len * 86400000;
	return pem.len % 2 == 0 ? OK : ERR_PARSE;
}

static bool
gives(const struct analyzer *a, const char *id)
{
	for (size_t i = 0; i < ANALYZER_CODES_MAX; i++)
		if (a->codes[i] != NULL && strcmp(a->codes[i], id) == 0)
			return true;
	return false;
}

static void
check_result(const struct analysis_result *r)
{
	AUTO(arena_fini) struct arena a;

	arena_init(&a, ARENA_MAX);
	CHECK(r->count <= ANALYSIS_FINDINGS_MAX);
	for (size_t i = 0; i < r->count; i++) {
		const struct analysis_finding *f = &r->items[i];

		CHECK(gives(f->by, f->code->id));
		CHECK(
		    f->message[0] != '\0' || f->by == analyzers(&(size_t){0}));
		CHECK(i == 0 || r->items[i - 1].code->level >= f->code->level);
	}
	CHECK(analysis_value(r, &a) != NULL);
}

static void
analyze(struct documents *d)
{
	AUTO(analysis_result_fini) struct analysis_result r = {0};
	AUTO(analysis_result_fini) struct analysis_result again = {0};
	const struct label label = {S("app"), S("a")};
	const struct addr at = {.family = ADDR_V4, .bytes = {1, 1, 1, 1}};
	struct analysis_workload living[] = {{.node = S("n"),
						 .addrs = &at,
						 .addr_count = 1,
						 .name = S("a"),
						 .ns = S("default"),
						 .protocol = S("http"),
						 .labels = {&label, 1},
						 .port = 80},
	    {.node = S("m"),
		.addrs = &at,
		.addr_count = 1,
		.name = S("a"),
		.ns = S("default"),
		.protocol = S("tcp"),
		.port = 80,
		.healthy = true}};
	struct analysis_input in = {.documents = d->docs,
	    .document_count = d->count,
	    .now_ms = 86400000,
	    .read_pem = read_pem,
	    .flags = ANALYSIS_USUAL_GATEWAYS};

	analysis_run(&in, &r);
	check_result(&r);
	analysis_run(&in, &again);
	CHECK(r.count == again.count);
	analysis_subtract(&again, &r);
	CHECK(again.count == 0);
	analysis_result_fini(&again);
	in.workloads = living;
	in.workload_count = ARRAY_LEN(living);
	in.flags |= ANALYSIS_LIVING;
	analysis_run(&in, &again);
	check_result(&again);
}

static void
index_all(const struct documents *d)
{
	AUTO(analysis_index_free)
	struct analysis_index *x = analysis_index_new(S("mesh.internal"));
	const struct resource *out[DOCS_MAX];
	size_t n;

	for (size_t i = 0; i < d->count; i++)
		if (d->resources[i] != NULL)
			analysis_index_add(x, d->resources[i]);
	for (size_t i = 0; i < d->count; i++) {
		const struct resource *r = d->resources[i];

		if (r == NULL)
			continue;
		n = analysis_index_near(x, &r, 1, out, DOCS_MAX);
		CHECK(n < d->count);
		analysis_index_remove(x, r);
	}
	for (size_t i = 0; i < d->count; i++) {
		const struct resource *r = d->resources[i];

		if (r != NULL)
			CHECK(
			    analysis_index_near(x, &r, 1, out, DOCS_MAX) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct documents *d;

	if (size > SIZE_MAX_TRIED)
		return 0;
	d = mem_new(sizeof(*d));
	read_all(d, slice_of(data, size));
	analyze(d);
	index_all(d);
	free_all(d);
	return 0;
}
