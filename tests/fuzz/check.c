/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check — `--check` of expose: what it takes is a map that the kind judges,
 * and what the kind takes is shown as a line that means the same.
 */
#include "codec/codec.h"
#include "health/health.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 4 << 20 };

static struct resource *
judge(struct value *spec, struct arena *a)
{
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	struct value *doc = value_new(a, VALUE_MAP);
	struct value *metadata = value_new(a, VALUE_MAP);
	struct resource *r = NULL;

	value_put_text(a, &metadata, S("name"), S("a"));
	value_put_text(a, &doc, S("apiVersion"), S("meshd.dev/v1"));
	value_put_text(a, &doc, S("kind"), S("HealthCheckPolicy"));
	value_put(&doc, S("metadata"), metadata);
	value_put(&doc, S("spec"), spec);
	CHECK(doc != NULL);
	if (resource_decode(doc, &source, &r, &found) != OK)
		CHECK(r == NULL && found.errors.count > 0);
	return r;
}

/* A line that was not cut. */
static void
read_again(const struct resource *r, struct arena *a)
{
	AUTO(resource_unref) struct resource *again = NULL;
	char first[HEALTH_REASON_MAX], second[HEALTH_REASON_MAX];
	struct slice line = health_check_text(r->spec, first);
	struct value *spec;

	CHECK(slice_is_utf8(line));
	if (line.len >= HEALTH_REASON_MAX - 4)
		return;
	CHECK(health_check_parse(line, a, &spec, NULL) == OK);
	again = judge(spec, a);
	CHECK(again != NULL);
	CHECK(slice_eq(health_check_text(again->spec, second), line));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(resource_unref) struct resource *r = NULL;
	struct fault why = {0};
	struct value *spec = NULL;

	arena_init(&arena, ARENA_MAX);
	if (health_check_parse(slice_of(data, size), &arena, &spec, &why) !=
	    OK) {
		CHECK(why.text[0] != '\0' && spec == NULL);
		return 0;
	}
	r = judge(spec, &arena);
	if (r != NULL)
		read_again(r, &arena);
	return 0;
}
