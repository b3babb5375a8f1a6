/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explained — an explanation, for people or for programs.
 */
#include "explained.h"

#include "output.h"

#include "cli.h"

#include <stdio.h>

void
explained_line(const struct value *v, const char *key, const char *label)
{
	struct slice s = value_get_string(v, slice_str(key), SLICE_NONE);

	if (s.len > 0)
		(void)printf("%-13s %.*s\n", label, SLICE_ARG(s));
}

static bool
is_true(const struct value *v)
{
	return v != NULL && v->type == VALUE_BOOL && v->boolean;
}

static void
print_outcome(const struct value *v)
{
	const struct value *o = value_get(v, S("outcome"));
	struct slice reason = value_get_string(o, S("reason"), SLICE_NONE);
	struct slice flag = value_get_string(o, S("flag"), SLICE_NONE);
	struct slice error = value_get_string(v, S("error"), SLICE_NONE);
	int64_t status = value_get_int(o, S("status"), 0);

	if (slice_eq(flag, S("-"))) /* nothing went wrong */
		flag = S("");
	if (status == 0)
		(void)printf("%-13s %.*s%s%.*s\n", "outcome", SLICE_ARG(error),
		    error.len > 0 ? ": " : "", SLICE_ARG(reason));
	else
		(void)printf("%-13s %d%s%.*s: %.*s\n", "outcome", (int)status,
		    flag.len > 0 ? " " : "", SLICE_ARG(flag),
		    SLICE_ARG(reason));
}

/* Where a program of the agent's machine would find the host. */
static void
print_listener(const struct value *v)
{
	const struct value *l = value_get(v, S("listener"));
	struct slice identity = value_get_string(l, S("identity"), SLICE_NONE);

	if (l != NULL)
		(void)printf("%-13s %.*s at %.*s%s%.*s\n", "listener",
		    SLICE_ARG(value_get_string(l, S("name"), S("-"))),
		    SLICE_ARG(value_get_string(l, S("address"), S("-"))),
		    identity.len > 0 ? ", calls as " : "", SLICE_ARG(identity));
	else if (value_get_int(v, S("listeners"), 0) > 0)
		(void)printf(
		    "%-13s none of this machine leads there\n", "listener");
}

/* Those of name, origin and reason that are there. */
static void
print_parts(const struct value *v, const char *before)
{
	static const char *const keys[] = {"name", "origin", "why"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct slice s =
		    value_get_string(v, slice_str(keys[i]), SLICE_NONE);

		if (s.len > 0)
			(void)printf("%s%.*s", before, SLICE_ARG(s));
		if (s.len > 0)
			before = "  ";
	}
	(void)printf("\n");
}

/* What a connection met on its way, and where that is written. */
static void
print_steps(const struct value *steps)
{
	VALUE_EACH(steps, it)
	{
		(void)printf("%-13.*s",
		    SLICE_ARG(value_get_string(it, S("step"), S("-"))));
		print_parts(it, " ");
	}
}

static void
print_chains(const struct value *chains)
{
	if (chains != NULL)
		(void)printf("chains, and why none of them takes it:\n");
	VALUE_EACH(chains, it)
	print_parts(it, "  - ");
}

static void
print_rules(const struct value *rules)
{
	if (rules != NULL && rules->count > 0)
		(void)printf("rules, in the order they are asked:\n");
	VALUE_EACH(rules, it)
	{
		bool matched = is_true(value_get(it, S("matched")));
		struct slice name = value_get_string(it, S("name"), SLICE_NONE);

		(void)printf("  %s %d%s%.*s  %.*s  %.*s\n", matched ? "+" : "-",
		    (int)value_get_int(it, S("rule"), 0) + 1,
		    name.len > 0 ? " " : "", SLICE_ARG(name),
		    SLICE_ARG(value_get_string(it, S("origin"), S(""))),
		    SLICE_ARG(value_get_string(
			it, S("why"), matched ? S("matches") : S(""))));
	}
}

/* "maxConnections 7, maxRetries 4". */
static void
print_settings(const struct value *map)
{
	const char *between = " ";

	VALUE_EACH(map, it)
	{
		(void)printf("%s%.*s", between, SLICE_ARG(it->key));
		if (it->type == VALUE_STRING)
			(void)printf(" %.*s", SLICE_ARG(it->string));
		else if (it->type == VALUE_INT)
			(void)printf(" %lld", (long long)it->integer);
		between = ", ";
	}
}

static void
print_inert(const struct value *names, const char *before)
{
	VALUE_EACH(names, it)
	{
		(void)printf("%s%.*s", before, SLICE_ARG(it->string));
		before = ", ";
	}
	if (names != NULL)
		(void)printf("\n");
}

/* Only where somebody wrote it: what is the default needs no words. */
static void
print_policy(const struct value *destination)
{
	struct slice origin =
	    value_get_string(destination, S("origin"), SLICE_NONE);

	if (origin.len == 0)
		return;
	(void)printf("      %.*s: %.*s\n", SLICE_ARG(origin),
	    SLICE_ARG(value_get_string(destination, S("security"), S(""))));
	VALUE_EACH(value_get(destination, S("policy")), it)
	{
		(void)printf("      %.*s:", SLICE_ARG(it->key));
		if (it->type == VALUE_MAP)
			print_settings(it);
		else if (it->type == VALUE_STRING)
			(void)printf(" %.*s", SLICE_ARG(it->string));
		else
			(void)printf(" %lld", (long long)it->integer);
		(void)printf("\n");
	}
	print_inert(value_get(destination, S("notInForce")),
	    "      not in force yet: ");
}

static bool
have_one_weight(const struct value *endpoints)
{
	VALUE_EACH(endpoints, it)
	{
		if (value_get_int(it, S("weight"), 0) !=
		    value_get_int(endpoints->child, S("weight"), 0))
			return false;
	}
	return true;
}

/* Where it lies, and its weight, once these tell it from others. */
static void
print_place(const struct value *endpoint, bool weighs)
{
	const struct value *priority = value_get(endpoint, S("priority"));

	if (priority != NULL)
		(void)printf("  %.*s  priority %lld",
		    SLICE_ARG(value_get_string(
			endpoint, S("locality"), S("(no locality)"))),
		    (long long)priority->integer);
	if (weighs)
		(void)printf("  weight %lld",
		    (long long)value_get_int(endpoint, S("weight"), 0));
}

static void
print_endpoints(const struct value *destination)
{
	const struct value *list = value_get(destination, S("endpoints"));
	bool weighs = list != NULL && !have_one_weight(list);

	/* From files there is neither. */
	if (list == NULL && value_get(destination, S("usable")) != NULL)
		(void)printf("      no endpoint is known\n");
	VALUE_EACH(list, it)
	{
		bool usable = is_true(value_get(it, S("usable")));

		(void)printf("    %s %.*s  %.*s  %.*s", usable ? "+" : "-",
		    SLICE_ARG(value_get_string(it, S("address"), S("?"))),
		    SLICE_ARG(value_get_string(it, S("node"), S("-"))),
		    SLICE_ARG(value_get_string(it, S("reason"),
			usable ? S("in use") : S("not usable"))));
		print_place(it, weighs);
		(void)printf("\n");
	}
}

static void
print_destinations(const struct value *list)
{
	if (list != NULL && list->count > 0)
		(void)printf("destinations:\n");
	VALUE_EACH(list, it)
	{
		struct slice share =
		    value_get_string(it, S("percent"), SLICE_NONE);

		(void)printf("  %.*s  %.*s%s%.*s\n",
		    SLICE_ARG(value_get_string(
			it, S("cluster"), S("(no such destination)"))),
		    SLICE_ARG(share), share.len > 0 ? " %  " : "",
		    SLICE_ARG(value_get_string(it, S("balancer"), S(""))));
		print_policy(it);
		print_endpoints(it);
	}
}

static void
print_action(const struct value *action)
{
	struct slice none = S("0s");

	if (!slice_eq(value_get_string(action, S("timeout"), none), none))
		explained_line(action, "timeout", "timeout");
}

void
explained_access_rules(const struct value *rules)
{
	if (rules != NULL)
		(void)printf("policies' rules, in the order they are asked:\n");
	VALUE_EACH(rules, it)
	{
		bool matched = is_true(value_get(it, S("matched")));

		(void)printf("  %s %.*s  %.*s %d  %.*s  %.*s\n",
		    matched ? "+" : "-",
		    SLICE_ARG(value_get_string(it, S("stage"), S(""))),
		    SLICE_ARG(value_get_string(it, S("policy"), S(""))),
		    (int)value_get_int(it, S("rule"), 0),
		    SLICE_ARG(value_get_string(it, S("origin"), S(""))),
		    SLICE_ARG(value_get_string(
			it, S("why"), matched ? S("takes it") : S(""))));
	}
}

int
explained_print(const struct value *v, enum output how)
{
	struct fault why = {0};

	if (how != OUTPUT_TABLE)
		return output_value(how, v, &why) == OK ? CLI_EXIT_OK
							: cli_fault(&why);
	print_outcome(v);
	print_steps(value_get(v, S("steps")));
	print_listener(v);
	if (value_get(v, S("steps")) == NULL)
		explained_line(v, "virtualHostMatched", "virtual host");
	explained_line(v, "routeMatched", "route");
	explained_line(v, "origin", "from");
	explained_line(v, "clusterMatched", "cluster");
	print_action(value_get(v, S("action")));
	print_inert(value_get(v, S("notInForce")), "not in force  ");
	explained_line(v, "rewrittenPath", "path becomes");
	explained_line(v, "location", "location");
	explained_line(v, "note", "note");
	print_chains(value_get(v, S("chains")));
	explained_access_rules(value_get_path(v, S("access.rules")));
	print_rules(value_get(v, S("rules")));
	print_destinations(value_get(v, S("destinations")));
	return CLI_EXIT_OK;
}
