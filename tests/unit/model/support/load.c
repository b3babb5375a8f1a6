/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load — resources and views out of YAML, for the tests of model.
 */
#include "load.h"
#include "codec/codec.h"

static enum err
take(void *arg, const struct value *doc, const char *place)
{
	struct loaded *l = arg;
	struct resource_source source = {.parse_json = codec_json_parse,
	    .file = l->file,
	    .place = place,
	    .trust_domain = S("mesh.internal")};
	struct resource *r = NULL;
	enum err e = resource_decode(doc, &source, &r, &l->found);

	CHECK(l->count < LOADED_MAX);
	if (e == OK && r != NULL)
		l->items[l->count++] = r;
	else if (e == OK)
		l->skipped++;
	else if (l->e == OK)
		l->e = e;
	return OK;
}

void
load(const char *yaml, const char *file, struct loaded *out)
{
	AUTO(arena_fini) struct arena a;
	struct codec_documents docs;
	enum err e;

	memset(out, 0, sizeof(*out));
	out->file = file;
	arena_init(&a, 64 << 20);
	e = codec_yaml_parse(
	    slice_str(yaml), file, &a, &docs, &out->found.errors);
	CHECK(e == OK);
	for (size_t i = 0; i < docs.count; i++)
		CHECK(resource_unfold(docs.items[i].root, &a, take, out) == OK);
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
