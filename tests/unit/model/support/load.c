/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load — resources and views out of YAML, for the tests of model.
 */
#include "load.h"
#include "codec/codec.h"

void
load(const char *yaml, const char *file, struct loaded *out)
{
	AUTO(arena_fini) struct arena a;
	struct codec_documents docs;
	struct resource_source source = {
	    .parse_json = codec_json_parse, .file = file};
	enum err e;

	memset(out, 0, sizeof(*out));
	arena_init(&a, 64 << 20);
	e = codec_yaml_parse(
	    slice_str(yaml), file, &a, &docs, &out->found.errors);
	CHECK(e == OK && docs.count <= LOADED_MAX);
	for (size_t i = 0; i < docs.count; i++) {
		struct resource *r = NULL;

		e = resource_decode(
		    docs.items[i].root, &source, &r, &out->found);
		if (e == OK && r != NULL)
			out->items[out->count++] = r;
		else if (e == OK)
			out->skipped++;
		else if (out->e == OK)
			out->e = e;
	}
}

void
loaded_fini(struct loaded *l)
{
	for (size_t i = 0; i < l->count; i++)
		resource_unref(&l->items[i]);
	findings_fini(&l->found);
}

static const struct fault *
find(const struct faults *f, const char *words)
{
	for (size_t i = 0; i < f->count; i++)
		if (strstr(f->items[i].text, words) != NULL)
			return &f->items[i];
	return NULL;
}

const struct fault *
find_error(const struct loaded *l, const char *words)
{
	return find(&l->found.errors, words);
}

const struct fault *
find_warning(const struct loaded *l, const char *words)
{
	return find(&l->found.warnings, words);
}
