/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operators — what + and its kin do with two values.
 *
 * No number turns into another type, and none wraps round.
 */
#include <math.h>

#include "value.h"

static struct cel_value
overflow(void)
{
	return cel_error("a number is out of the range of its type");
}

static struct cel_value
by_zero(void)
{
	return cel_error("division by zero");
}

/* A time has to lie in the years 1 to 9999. */
static struct cel_value
in_range(struct cel_value v)
{
	if (v.type == CEL_TIMESTAMP &&
	    (v.integer < CEL_TIME_MIN_US || v.integer > CEL_TIME_MAX_US))
		return overflow();
	return v;
}

static struct cel_value
add_int(enum cel_type type, int64_t a, int64_t b)
{
	struct cel_value v = {.type = type};

	return __builtin_add_overflow(a, b, &v.integer) ? overflow()
							: in_range(v);
}

static struct cel_value
subtract_int(enum cel_type type, int64_t a, int64_t b)
{
	struct cel_value v = {.type = type};

	return __builtin_sub_overflow(a, b, &v.integer) ? overflow()
							: in_range(v);
}

static struct cel_value
ints(enum cel_op op, int64_t a, int64_t b)
{
	struct cel_value v = {.type = CEL_INT};

	switch (op) {
	case CEL_OP_ADD:
		return add_int(CEL_INT, a, b);
	case CEL_OP_SUBTRACT:
		return subtract_int(CEL_INT, a, b);
	case CEL_OP_MULTIPLY:
		return __builtin_mul_overflow(a, b, &v.integer) ? overflow()
								: v;
	default:
		break;
	}
	if (b == 0)
		return by_zero();
	if (a == INT64_MIN && b == -1)
		return overflow();
	return cel_int(op == CEL_OP_DIVIDE ? a / b : a % b);
}

static struct cel_value
uints(enum cel_op op, uint64_t a, uint64_t b)
{
	struct cel_value v = {.type = CEL_UINT};
	bool over = false;

	if ((op == CEL_OP_DIVIDE || op == CEL_OP_MODULO) && b == 0)
		return by_zero();
	if (op == CEL_OP_ADD)
		over = __builtin_add_overflow(a, b, &v.natural);
	else if (op == CEL_OP_SUBTRACT)
		over = __builtin_sub_overflow(a, b, &v.natural);
	else if (op == CEL_OP_MULTIPLY)
		over = __builtin_mul_overflow(a, b, &v.natural);
	else
		v.natural = op == CEL_OP_DIVIDE ? a / b : a % b;
	return over ? overflow() : v;
}

static struct cel_value
doubles(enum cel_op op, double a, double b)
{
	struct cel_value v = {.type = CEL_DOUBLE};

	if (op == CEL_OP_ADD)
		v.real = a + b;
	else if (op == CEL_OP_SUBTRACT)
		v.real = a - b;
	else if (op == CEL_OP_MULTIPLY)
		v.real = a * b;
	else if (op == CEL_OP_DIVIDE)
		v.real = a / b; /* by zero too, as IEEE 754 has it */
	else
		return cel_no_overload();
	return v;
}

/* --- texts, lists, times -------------------------------------------------- */

static struct cel_value
join_texts(
    struct cel_run *run, const struct cel_value *a, const struct cel_value *b)
{
	size_t len = a->text.len + b->text.len;
	char *text;

	if (!cel_spend(run, len) ||
	    (text = arena_alloc(run->arena, len)) == NULL)
		return cel_over(run);
	if (a->text.len > 0)
		memcpy(text, a->text.ptr, a->text.len);
	if (b->text.len > 0)
		memcpy(text + a->text.len, b->text.ptr, b->text.len);
	return cel_text(a->type, slice_of(text, len));
}

static struct cel_value
join_lists(
    struct cel_run *run, const struct cel_value *a, const struct cel_value *b)
{
	struct cel_value v = {.type = CEL_LIST};
	size_t count = a->list.count + b->list.count;
	struct cel_value *items;

	if (count > CEL_ITEMS_MAX || !cel_spend(run, count * sizeof(*items)) ||
	    (items = arena_alloc_array(run->arena, count, sizeof(*items))) ==
		NULL)
		return cel_over(run);
	if (a->list.count > 0)
		memcpy(items, a->list.items, a->list.count * sizeof(*items));
	if (b->list.count > 0)
		memcpy(items + a->list.count, b->list.items,
		    b->list.count * sizeof(*items));
	v.list.items = items;
	v.list.count = count;
	return v;
}

/* A time and a duration, two durations, the time between two times. */
static struct cel_value
times(enum cel_op op, const struct cel_value *a, const struct cel_value *b)
{
	bool a_time = a->type == CEL_TIMESTAMP;
	bool b_time = b->type == CEL_TIMESTAMP;

	if (op == CEL_OP_ADD && !(a_time && b_time))
		return add_int(a_time || b_time ? CEL_TIMESTAMP : CEL_DURATION,
		    a->integer, b->integer);
	if (op == CEL_OP_SUBTRACT && (a_time || !b_time))
		return subtract_int(
		    a_time && !b_time ? CEL_TIMESTAMP : CEL_DURATION,
		    a->integer, b->integer);
	return cel_no_overload();
}

static bool
is_time(const struct cel_value *v)
{
	return v->type == CEL_TIMESTAMP || v->type == CEL_DURATION;
}

static struct cel_value
arithmetic(struct cel_run *run, enum cel_op op, const struct cel_value *a,
    const struct cel_value *b)
{
	if (is_time(a) && is_time(b))
		return times(op, a, b);
	if (a->type != b->type)
		return cel_no_overload();
	switch (a->type) {
	case CEL_INT:
		return ints(op, a->integer, b->integer);
	case CEL_UINT:
		return uints(op, a->natural, b->natural);
	case CEL_DOUBLE:
		return doubles(op, a->real, b->real);
	case CEL_STRING:
	case CEL_BYTES:
		return op == CEL_OP_ADD ? join_texts(run, a, b)
					: cel_no_overload();
	case CEL_LIST:
		return op == CEL_OP_ADD ? join_lists(run, a, b)
					: cel_no_overload();
	default:
		return cel_no_overload();
	}
}

/* --- relations ------------------------------------------------------------ */

static struct cel_value
in(struct cel_run *run, const struct cel_value *a, const struct cel_value *b)
{
	struct cel_value found;

	if (b->type == CEL_MAP || b->type == CEL_OBJECT)
		return cel_bool(cel_find(run, b, a, &found));
	if (b->type != CEL_LIST)
		return cel_no_overload();
	for (size_t i = 0; i < b->list.count && !run->over; i++)
		if (cel_equal(run, a, &b->list.items[i]))
			return cel_bool(true);
	return cel_bool(false);
}

static bool
is_ordered(const struct cel_value *v)
{
	return cel_is_number(v) || v->type == CEL_BOOL ||
	       v->type == CEL_STRING || v->type == CEL_BYTES || is_time(v);
}

static struct cel_value
order(enum cel_op op, const struct cel_value *a, const struct cel_value *b)
{
	int order;

	if (!is_ordered(a) || !is_ordered(b) ||
	    (a->type != b->type && !(cel_is_number(a) && cel_is_number(b))))
		return cel_no_overload();
	if (!cel_order(a, b, &order))
		return cel_bool(false); /* NaN */
	switch (op) {
	case CEL_OP_LESS:
		return cel_bool(order < 0);
	case CEL_OP_LESS_EQUAL:
		return cel_bool(order <= 0);
	case CEL_OP_GREATER:
		return cel_bool(order > 0);
	default:
		return cel_bool(order >= 0);
	}
}

struct cel_value
cel_binary(struct cel_run *run, enum cel_op op, const struct cel_value *a,
    const struct cel_value *b)
{
	switch (op) {
	case CEL_OP_EQUAL:
		return cel_bool(cel_equal(run, a, b));
	case CEL_OP_NOT_EQUAL:
		return cel_bool(!cel_equal(run, a, b));
	case CEL_OP_IN:
		return in(run, a, b);
	case CEL_OP_ADD:
	case CEL_OP_SUBTRACT:
	case CEL_OP_MULTIPLY:
	case CEL_OP_DIVIDE:
	case CEL_OP_MODULO:
		return arithmetic(run, op, a, b);
	default:
		return order(op, a, b);
	}
}

struct cel_value
cel_negate(const struct cel_value *v)
{
	if (v->type == CEL_INT)
		return subtract_int(CEL_INT, 0, v->integer);
	if (v->type == CEL_DOUBLE)
		return (struct cel_value){.type = CEL_DOUBLE, .real = -v->real};
	return cel_no_overload();
}
