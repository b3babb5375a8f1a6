/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit — main() of every test program in C, and how failures are printed.
 *
 * The last line is "N passed, N failed"; tests/run.sh adds these up, and a
 * program that dies before it prints one counts as failed.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static struct unit_test *tests;
static size_t count;

void
unit_register(struct unit_test *t)
{
	struct unit_test **end = &tests;

	while (*end != NULL)
		end = &(*end)->next;
	*end = t;
	count++;
}

/* Ends the running test; cmocka prints where. */
static void
fail_at(struct unit_at at)
{
	_fail(at.file, at.line);
}

static bool
same_number(struct unit_value l, struct unit_value r)
{
	if (l.is_signed != r.is_signed && (l.i < 0 || r.i < 0))
		return false;
	return l.u == r.u;
}

static void
print_number(const char *source, struct unit_value v)
{
	if (v.is_signed)
		print_error("  %s is %" PRId64 "\n", source, v.i);
	else
		print_error(
		    "  %s is %" PRIu64 " (0x%" PRIx64 ")\n", source, v.u, v.u);
}

void
unit_number(struct unit_at at, struct unit_value left, struct unit_value right,
    bool equal)
{
	if (same_number(left, right) == equal)
		return;
	print_error(
	    "expected %s %s %s, but\n", at.left, equal ? "==" : "!=", at.right);
	print_number(at.left, left);
	print_number(at.right, right);
	fail_at(at);
}

void
unit_truth(struct unit_at at, bool value, bool wanted)
{
	if (value == wanted)
		return;
	print_error("expected %s to be %s, but it is %s\n", at.left, at.right,
	    value ? "true" : "false");
	fail_at(at);
}

static void
print_bytes(const char *source, const void *data, size_t len)
{
	const unsigned char *p = data;

	print_error("  %s is %zu bytes: \"", source, len);
	for (size_t i = 0; i < len && i < 400; i++)
		print_error(isprint(p[i]) ? "%c" : "\\x%02x", p[i]);
	print_error("\"\n");
}

void
unit_bytes(struct unit_at at, const void *left, size_t left_len,
    const void *right, size_t right_len)
{
	if (left_len == right_len &&
	    (left_len == 0 || memcmp(left, right, left_len) == 0))
		return;
	print_error("expected %s == %s, but\n", at.left, at.right);
	print_bytes(at.left, left, left_len);
	print_bytes(at.right, right, right_len);
	fail_at(at);
}

void
unit_text(struct unit_at at, const char *left, const char *right)
{
	if (left != NULL && right != NULL)
		unit_bytes(at, left, strlen(left), right, strlen(right));
	else if (left != right) {
		print_error("expected %s == %s, but\n  %s is %s\n  %s is %s\n",
		    at.left, at.right, at.left, left ? left : "NULL", at.right,
		    right ? right : "NULL");
		fail_at(at);
	}
}

/* Of base, if the program is linked with it. */
__attribute__((weak)) const char *err_name(int e);

void
unit_error(struct unit_at at, int err, int wanted)
{
	if (err == wanted)
		return;
	print_error("expected %s to give %s, but it gave %s (%d)\n", at.left,
	    at.right, err_name ? err_name(err) : "an error", err);
	fail_at(at);
}

static void
run_one(void **state)
{
	const struct unit_test *t = *state;

	t->run();
}

static bool
is_wanted(const struct unit_test *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(t->name, argv[i]) != NULL)
			return true;
	return argc < 2;
}

int
main(int argc, char **argv)
{
	struct CMUnitTest *list = calloc(count + 1, sizeof(*list));
	size_t chosen = 0;
	int failed;

	if (list == NULL)
		abort();
	for (struct unit_test *t = tests; t != NULL; t = t->next)
		if (is_wanted(t, argc, argv))
			list[chosen++] = (struct CMUnitTest){
			    t->name, run_one, NULL, NULL, t};
	failed = _cmocka_run_group_tests(argv[0], list, chosen, NULL, NULL);
	free(list);
	if (failed < 0)
		failed = (int)chosen;
	printf("%zu passed, %d failed\n", chosen - (size_t)failed, failed);
	return failed != 0 || chosen == 0;
}
