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
	if (error.len == 0)
		error = flag;
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

enum { CHAINS_SHOWN = 10 }; /* of a listener with many */

static void
print_chains(const struct value *v)
{
	const struct value *chains = value_get(v, S("chains"));
	bool taken = !slice_eq(
	    value_get_string(v, S("error"), SLICE_NONE), S("ErrNoFilterChain"));
	size_t i = 0;

	if (chains != NULL)
		(void)printf(
		    "%s\n", taken ? "other chains, and why they do not take it:"
				  : "chains, and why none of them takes it:");
	VALUE_EACH(chains, it)
	{
		if (++i <= CHAINS_SHOWN || !taken)
			print_parts(it, "  - ");
	}
	if (taken && i > CHAINS_SHOWN)
		(void)printf("  ... and %zu more\n", i - CHAINS_SHOWN);
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

static void print_inside(const struct value *list);

/* Of what is true its name is enough, which stands before. */
static void
print_one(const struct value *v)
{
	if (v->type == VALUE_STRING)
		(void)printf("%.*s", SLICE_ARG(v->string));
	else if (v->type == VALUE_INT)
		(void)printf("%lld", (long long)v->integer);
	else if (v->type == VALUE_FLOAT)
		(void)printf("%g", v->real);
	else if (v->type == VALUE_BOOL && !v->boolean)
		(void)printf("no");
	else if (v->type == VALUE_LIST || v->type == VALUE_MAP) {
		(void)printf("(");
		print_inside(v);
		(void)printf(")");
	}
}

/* "maxConnections 7, retryOn (a, b)". */
static void
print_inside(const struct value *list)
{
	const char *between = "";

	VALUE_EACH(list, it)
	{
		(void)printf("%s%.*s%s", between, SLICE_ARG(it->key),
		    it->key.len == 0 || is_true(it) ? "" : " ");
		print_one(it);
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
	(void)printf("      %.*s\n", SLICE_ARG(origin));
	VALUE_EACH(value_get(destination, S("policy")), it)
	{
		(void)printf("      %.*s: ", SLICE_ARG(it->key));
		if (it->type == VALUE_MAP)
			print_inside(it);
		else
			print_one(it);
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
	if (value_get(endpoint, S("localityWeight")) != NULL)
		(void)printf("  locality weight %lld",
		    (long long)value_get_int(endpoint, S("localityWeight"), 0));
	if (weighs)
		(void)printf("  weight %lld",
		    (long long)value_get_int(endpoint, S("weight"), 0));
}

/* Where connections are tried beside its first address. */
static void
print_others(const struct value *endpoint)
{
	VALUE_EACH(value_get(endpoint, S("alsoAt")), it)
	(void)printf(" or %.*s", SLICE_ARG(it->string));
}

/* Whether it is used; from files alone nobody knows whether it lives. */
static void
print_endpoint(const struct value *endpoint, bool judged)
{
	bool usable = is_true(value_get(endpoint, S("usable")));
	struct slice name = value_get_string(endpoint, S("name"), SLICE_NONE);
	struct slice node = value_get_string(endpoint, S("node"), name);

	(void)printf("    %s %.*s", usable ? "+" : "-",
	    SLICE_ARG(value_get_string(endpoint, S("address"), S("?"))));
	print_others(endpoint);
	(void)printf("%s%.*s  %.*s  %.*s", node.len > 0 ? "  " : "",
	    SLICE_ARG(node),
	    SLICE_ARG(value_get_string(endpoint, S("reason"),
		!usable  ? S("not usable")
		: judged ? S("in use")
			 : S("health not known"))),
	    SLICE_ARG(value_get_string(endpoint, S("security"), S(""))));
}

static void
print_endpoints(const struct value *destination)
{
	const struct value *list = value_get(destination, S("endpoints"));
	bool judged = value_get(destination, S("usable")) != NULL;
	bool weighs = list != NULL && !have_one_weight(list);

	/* One that goes where the caller went has none. */
	if (list == NULL && judged &&
	    !slice_eq(value_get_string(destination, S("type"), SLICE_NONE),
		S("ORIGINAL_DST")))
		(void)printf("      no endpoint is known\n");
	VALUE_EACH(list, it)
	{
		print_endpoint(it, judged);
		print_place(it, weighs);
		(void)printf("\n");
	}
}

/* Each of `keys` that is there, behind two blanks. */
static void
print_some(const struct value *v, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct slice s =
		    value_get_string(v, slice_str(keys[i]), SLICE_NONE);

		if (s.len > 0)
			(void)printf("  %.*s%s", SLICE_ARG(s),
			    strcmp(keys[i], "percent") == 0 ? " %" : "");
	}
}

static void
print_destinations(const struct value *list)
{
	static const char *const keys[] = {
	    "percent", "balancer", "security", "missing"};

	if (list != NULL && list->count > 0)
		(void)printf("destinations:\n");
	VALUE_EACH(list, it)
	{
		(void)printf(
		    "  %.*s", SLICE_ARG(value_get_string(it, S("cluster"),
				  S("(no such destination)"))));
		print_some(it, keys, ARRAY_LEN(keys));
		(void)printf("\n");
		print_policy(it);
		print_endpoints(it);
	}
}

/* What is told elsewhere, as destinations, path and location; and no time. */
static bool
is_told(const struct value *part)
{
	static const char *const names[] = {"cluster", "weightedClusters",
	    "prefixRewrite", "regexRewrite", "redirect", "retry"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_eq(part->key, slice_str(names[i])))
			return true;
	return part->type == VALUE_STRING && slice_eq(part->string, S("0s"));
}

static void
print_if_there(const struct value *v, const char *key, const char *before)
{
	const struct value *there = value_get(v, slice_str(key));

	if (there == NULL)
		return;
	(void)printf("%s", before);
	print_one(there);
}

/* Not how another host is chosen. */
static void
print_retry(const struct value *retry)
{
	int64_t times = value_get_int(retry, S("numRetries"), 0);

	(void)printf("%-13s %lld more %s, on ", "retry", (long long)times,
	    times == 1 ? "try" : "tries");
	print_if_there(retry, "retryOn", "");
	print_if_there(retry, "statusCodes", " ");
	print_if_there(retry, "perTryTimeout", ", each within ");
	print_if_there(retry, "backoffBase", ", after ");
	(void)printf("\n");
}

static void
print_action(const struct value *action)
{
	const struct value *retry = value_get(action, S("retry"));

	if (retry != NULL)
		print_retry(retry);
	VALUE_EACH(action, it)
	{
		if (is_told(it))
			continue;
		(void)printf("%-13.*s ", SLICE_ARG(it->key));
		if (it->type == VALUE_LIST || it->type == VALUE_MAP)
			print_inside(it);
		else
			print_one(it);
		(void)printf("\n");
	}
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

static void
print_problems(const struct value *problems)
{
	static const char *const keys[] = {"origin", "text"};

	if (problems != NULL)
		(void)printf("problems of what the call meets:\n");
	VALUE_EACH(problems, it)
	{
		print_some(it, keys, ARRAY_LEN(keys));
		(void)printf("\n");
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
	print_chains(v);
	explained_access_rules(value_get_path(v, S("access.rules")));
	print_rules(value_get(v, S("rules")));
	print_destinations(value_get(v, S("destinations")));
	print_problems(value_get(v, S("problems")));
	return CLI_EXIT_OK;
}
