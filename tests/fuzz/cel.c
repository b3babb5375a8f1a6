/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cel — any bytes as an expression, looked at and evaluated.
 *
 * The scope has a value of each type. What is evaluated twice is the same.
 */
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 1 << 20, OUT_MAX = 1 << 20 };

static const struct cel_value numbers[] = {
    {.type = CEL_INT, .integer = INT64_MIN},
    {.type = CEL_UINT, .natural = UINT64_MAX},
    {.type = CEL_DOUBLE, .real = 0.5},
    {.type = CEL_STRING, .text = {"a1b", 3}},
};

struct named {
	const char *name;
	struct cel_value value;
};

static const int request, headers;

static const struct named scope[] = {
    {"b", {.type = CEL_BOOL, .boolean = true}},
    {"i", {.type = CEL_INT, .integer = 5}},
    {"s", {.type = CEL_STRING, .text = {"h\xc3\xa9llo", 6}}},
    {"y", {.type = CEL_BYTES, .text = {"\xff\0", 2}}},
    {"l", {.type = CEL_LIST, .list = {numbers, 4}}},
    {"m", {.type = CEL_MAP, .list = {numbers, 2}}},
    {"t", {.type = CEL_TIMESTAMP, .integer = 1709168523500000}},
    {"d", {.type = CEL_DURATION, .integer = -1500000}},
    {"request", {.type = CEL_OBJECT, .object = &request}},
};

static bool
member(void *arg, const void *object, struct slice name, struct arena *arena,
    struct cel_value *out)
{
	(void)arg;
	(void)arena;
	if (object == &request && slice_eq(name, S("headers"))) {
		*out =
		    (struct cel_value){.type = CEL_OBJECT, .object = &headers};
		return true;
	}
	if (object == &headers) {
		*out = (struct cel_value){.type = CEL_STRING, .text = name};
		return true;
	}
	for (size_t i = 0; object == NULL && i < ARRAY_LEN(scope); i++)
		if (slice_eq(name, slice_str(scope[i].name))) {
			*out = scope[i].value;
			return true;
		}
	return false;
}

static void
evaluate(const struct cel *c, struct buf *out)
{
	static const struct cel_scope over = {member, NULL};
	AUTO(arena_fini) struct arena a;
	struct cel_value v = {.type = CEL_ERROR};
	struct fault why = {0};
	enum err e;

	arena_init(&a, ARENA_MAX);
	e = cel_eval(c, &over, &a, &v, &why);
	CHECK((e == OK) == (v.type != CEL_ERROR));
	CHECK((e == OK) == (why.text[0] == '\0'));
	/* What was made of the arena may be larger than that, printed. */
	e = e == OK ? cel_print(&v, out)
		    : buf_add_slice(out, slice_str(why.text));
	CHECK(e == OK || e == ERR_LIMIT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_fini) struct buf once = BUF(OUT_MAX);
	AUTO(buf_fini) struct buf twice = BUF(OUT_MAX);
	AUTO(cel_free) struct cel *c = NULL;
	struct faults found = {0};
	struct fault why = {0};

	if (cel_parse(slice_of(data, size), &c, &why) != OK) {
		CHECK(why.code != OK && why.text[0] != '\0' && c == NULL);
		return 0;
	}
	cel_check(c, &found);
	faults_fini(&found);
	evaluate(c, &once);
	evaluate(c, &twice);
	CHECK(slice_eq(buf_slice(&once), buf_slice(&twice)));
	return 0;
}
