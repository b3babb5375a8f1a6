/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value — values of expressions: made, compared, looked into.
 */
#include <math.h>

#include "value.h"

enum { STEP_BYTES = 64 };

struct cel_value
cel_error(const char *words)
{
	return cel_text(CEL_ERROR, slice_str(words));
}

struct cel_value
cel_over(struct cel_run *run)
{
	run->over = true;
	return cel_error("the expression takes too long or too much memory");
}

struct cel_value
cel_no_overload(void)
{
	return cel_error("no such overload: operands of these types do not go "
			 "together");
}

struct cel_value
cel_bool(bool b)
{
	return (struct cel_value){.type = CEL_BOOL, .boolean = b};
}

struct cel_value
cel_int(int64_t n)
{
	return (struct cel_value){.type = CEL_INT, .integer = n};
}

struct cel_value
cel_text(enum cel_type type, struct slice text)
{
	return (struct cel_value){.type = type, .text = text};
}

bool
cel_spend(struct cel_run *run, size_t bytes)
{
	run->steps += 1 + bytes / STEP_BYTES;
	if (run->steps > CEL_STEPS_MAX)
		run->over = true;
	return !run->over;
}

const char *
cel_type_name(enum cel_type type)
{
	static const char *const names[CEL_TYPES] = {
	    [CEL_ERROR] = "error",
	    [CEL_NULL] = "null_type",
	    [CEL_BOOL] = "bool",
	    [CEL_INT] = "int",
	    [CEL_UINT] = "uint",
	    [CEL_DOUBLE] = "double",
	    [CEL_STRING] = "string",
	    [CEL_BYTES] = "bytes",
	    [CEL_LIST] = "list",
	    [CEL_MAP] = "map",
	    [CEL_TIMESTAMP] = "google.protobuf.Timestamp",
	    [CEL_DURATION] = "google.protobuf.Duration",
	    [CEL_TYPE] = "type",
	    [CEL_OBJECT] = "map",
	};

	return names[type];
}

/* --- numbers -------------------------------------------------------------- */

bool
cel_is_number(const struct cel_value *v)
{
	return v->type == CEL_INT || v->type == CEL_UINT ||
	       v->type == CEL_DOUBLE;
}

static int
sign(bool less, bool more)
{
	return (int)more - (int)less;
}

static int
order_int_uint(int64_t a, uint64_t b)
{
	if (a < 0)
		return -1;
	return sign((uint64_t)a<b, (uint64_t)a> b);
}

/* Exact, though not every integer is a double. */
static bool
order_int_double(int64_t a, double b, int *out)
{
	if (isnan(b))
		return false;
	if (b >= 0x1p63)
		*out = -1;
	else if (b < -0x1p63)
		*out = 1;
	else if ((int64_t)b != a)
		*out = sign(a<(int64_t)b, a>(int64_t) b);
	else
		*out = sign(trunc(b) < b, trunc(b) > b);
	return true;
}

static bool
order_uint_double(uint64_t a, double b, int *out)
{
	if (isnan(b))
		return false;
	if (b >= 0x1p64)
		*out = -1;
	else if (b < 0)
		*out = 1;
	else if ((uint64_t)b != a)
		*out = sign(a<(uint64_t)b, a>(uint64_t) b);
	else
		*out = trunc(b) < b ? -1 : 0;
	return true;
}

/* `a` is of the type that the enum has first. */
static bool
order_mixed(const struct cel_value *a, const struct cel_value *b, int *out)
{
	if (a->type == CEL_INT && b->type == CEL_UINT) {
		*out = order_int_uint(a->integer, b->natural);
		return true;
	}
	return a->type == CEL_INT ? order_int_double(a->integer, b->real, out)
				  : order_uint_double(a->natural, b->real, out);
}

static bool
order_numbers(const struct cel_value *a, const struct cel_value *b, int *out)
{
	bool known;

	if (a->type < b->type)
		return order_mixed(a, b, out);
	if (a->type > b->type) {
		known = order_mixed(b, a, out);
		*out = known ? -*out : 0;
		return known;
	}
	if (a->type == CEL_INT)
		*out = sign(a->integer<b->integer, a->integer> b->integer);
	else if (a->type == CEL_UINT)
		*out = sign(a->natural<b->natural, a->natural> b->natural);
	else if (isnan(a->real) || isnan(b->real))
		return false;
	else
		*out = sign(a->real<b->real, a->real> b->real);
	return true;
}

bool
cel_order(const struct cel_value *a, const struct cel_value *b, int *out)
{
	if (cel_is_number(a) && cel_is_number(b))
		return order_numbers(a, b, out);
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case CEL_BOOL:
		*out = (int)a->boolean - (int)b->boolean;
		return true;
	case CEL_STRING:
	case CEL_BYTES:
		*out = slice_cmp(a->text, b->text);
		return true;
	case CEL_TIMESTAMP:
	case CEL_DURATION:
		*out = sign(a->integer<b->integer, a->integer> b->integer);
		return true;
	default:
		return false;
	}
}

/* --- equality and members ------------------------------------------------- */

static bool
find_in_map(struct cel_run *run, const struct cel_value *map,
    const struct cel_value *key, struct cel_value *out)
{
	for (size_t i = 0; i < map->list.count && !run->over; i++) {
		if (!cel_equal(run, &map->list.items[2 * i], key))
			continue;
		*out = map->list.items[2 * i + 1];
		return true;
	}
	return false;
}

static bool
equal_maps(
    struct cel_run *run, const struct cel_value *a, const struct cel_value *b)
{
	struct cel_value other;

	if (a->list.count != b->list.count)
		return false;
	for (size_t i = 0; i < a->list.count; i++)
		if (!find_in_map(run, b, &a->list.items[2 * i], &other) ||
		    !cel_equal(run, &a->list.items[2 * i + 1], &other))
			return false;
	return true;
}

static bool
equal_lists(
    struct cel_run *run, const struct cel_value *a, const struct cel_value *b)
{
	if (a->list.count != b->list.count)
		return false;
	for (size_t i = 0; i < a->list.count; i++)
		if (!cel_equal(run, &a->list.items[i], &b->list.items[i]))
			return false;
	return true;
}

bool
cel_equal(
    struct cel_run *run, const struct cel_value *a, const struct cel_value *b)
{
	int order;

	if (!cel_spend(run, 0))
		return false;
	if (cel_is_number(a) && cel_is_number(b))
		return order_numbers(a, b, &order) && order == 0;
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case CEL_NULL:
		return true;
	case CEL_STRING:
	case CEL_BYTES:
	case CEL_TYPE:
		return cel_spend(run, MIN(a->text.len, b->text.len)) &&
		       slice_eq(a->text, b->text);
	case CEL_LIST:
		return equal_lists(run, a, b);
	case CEL_MAP:
		return equal_maps(run, a, b);
	case CEL_OBJECT:
		return a->object == b->object;
	default:
		return cel_order(a, b, &order) && order == 0;
	}
}

bool
cel_find(struct cel_run *run, const struct cel_value *of,
    const struct cel_value *key, struct cel_value *out)
{
	if (of->type == CEL_MAP)
		return find_in_map(run, of, key, out);
	return of->type == CEL_OBJECT && key->type == CEL_STRING &&
	       cel_spend(run, key->text.len) &&
	       run->scope->member(
		   run->scope->arg, of->object, key->text, run->arena, out);
}

static struct cel_value
list_item(const struct cel_value *list, const struct cel_value *key)
{
	struct cel_value zero = cel_int(0);
	struct cel_value end = cel_int((int64_t)list->list.count);
	double whole = key->type == CEL_DOUBLE ? trunc(key->real) : 0;
	int order;

	if (!cel_is_number(key) ||
	    (key->type == CEL_DOUBLE && !(whole == key->real)))
		return cel_no_overload();
	if (!cel_order(key, &zero, &order) || order < 0 ||
	    !cel_order(key, &end, &order) || order >= 0)
		return cel_error("index out of bounds");
	if (key->type == CEL_DOUBLE)
		return list->list.items[(size_t)whole];
	return list->list.items[key->natural];
}

struct cel_value
cel_item(struct cel_run *run, const struct cel_value *of,
    const struct cel_value *key)
{
	struct cel_value out;

	if (of->type == CEL_LIST)
		return list_item(of, key);
	if (of->type != CEL_MAP && of->type != CEL_OBJECT)
		return cel_error(
		    "there are no members in a value of this type");
	if (cel_find(run, of, key, &out))
		return out;
	return run->over ? cel_over(run) : cel_error("no such key");
}
