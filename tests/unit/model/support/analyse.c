/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analyse — YAML in, findings out, for the tests of the analysis.
 */
#include <stdio.h>

#include "analyse.h"
#include "codec/codec.h"
#include "unit.h"

/* What a run borrows. */
struct read {
	struct arena arena;
	struct analysis_document docs[ANALYSED_MAX];
	struct resource *resources[ANALYSED_MAX];
	struct findings found[ANALYSED_MAX];
	size_t count;
};

static void
read_yaml(struct read *d, const char *yaml)
{
	struct codec_documents docs;
	struct faults faults = {0};

	arena_init(&d->arena, 64 << 20);
	CHECK(codec_yaml_parse(
		  slice_str(yaml), "x.yaml", &d->arena, &docs, &faults) == OK);
	CHECK(d->count + docs.count <= ANALYSED_MAX);
	for (size_t i = 0; i < docs.count; i++) {
		const struct resource_source source = {
		    .parse_json = codec_json_parse,
		    .file = "x.yaml",
		    .keep_wrong = true};
		size_t at = d->count++;
		enum err e = resource_decode(docs.items[i].root, &source,
		    &d->resources[at], &d->found[at]);

		CHECK((e == OK) == (d->found[at].errors.count == 0));
		d->docs[at] =
		    (struct analysis_document){.resource = d->resources[at],
			.tree = docs.items[i].root,
			.file = "x.yaml",
			.found = &d->found[at]};
	}
	faults_fini(&faults);
}

void
analyse(const char *yaml, const struct analysis_input *more,
    struct analysis_result *out)
{
	struct read *d = mem_new(sizeof(*d));
	struct analysis_input in = {.flags = 0};
	size_t stored = 0;

	if (more != NULL) {
		in = *more;
		stored = more->document_count;
		CHECK(stored <= ANALYSED_MAX);
		for (size_t i = 0; i < stored; i++)
			d->docs[i] = more->documents[i];
		d->count = stored;
	}
	read_yaml(d, yaml);
	in.documents = d->docs;
	in.document_count = d->count;
	analysis_run(&in, out);
	for (size_t i = stored; i < d->count; i++) {
		resource_unref(&d->resources[i]);
		findings_fini(&d->found[i]);
	}
	arena_fini(&d->arena);
	mem_free(&d);
}

static bool
is_of_one_document(const struct analysis_finding *f)
{
	return strcmp(f->code->id, "IST0106") == 0 ||
	       strcmp(f->code->id, "IST0133") == 0;
}

const char *
analysed_text(const struct analysis_result *r, char out[ANALYSED_TEXT_MAX])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < r->count; i++) {
		const struct analysis_finding *f = &r->items[i];
		char key[RESOURCE_KEY_MAX];

		if (is_of_one_document(f))
			continue;
		used += (size_t)snprintf(out + used, ANALYSED_TEXT_MAX - used,
		    "%s %s %s\n", f->code->id,
		    resource_key_format(&f->key, key), f->field);
		CHECK(used < ANALYSED_TEXT_MAX);
	}
	return out;
}

void
expect_found_with(
    const char *yaml, const struct analysis_input *more, const char *wanted)
{
	AUTO(analysis_result_fini) struct analysis_result r = {0};
	char text[ANALYSED_TEXT_MAX];

	analyse(yaml, more, &r);
	EXPECT_STR(analysed_text(&r, text), wanted);
}

void
expect_found(const char *yaml, const char *wanted)
{
	expect_found_with(yaml, NULL, wanted);
}
