/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain_workload — what configuration makes of one workload, beside its
 * calls: tracing, logs, metrics, how its proxy is run, what is plugged in.
 */
#include "base/base.h"
#include "model/model.h"

#include "command.h"
#include "output.h"
#include "places.h"

enum { ARENA_BYTES = 64 << 20 };

struct asked {
	struct arena arena;
	struct places files;
	struct view *view;
};

static void
asked_fini(struct asked *a)
{
	view_unref(&a->view);
	places_fini(&a->files);
	arena_fini(&a->arena);
}

static enum err
find_workload(struct asked *a, const struct options *o,
    const struct view_input *in, struct view_exposed_input *out,
    struct fault *why)
{
	struct value *question = value_new(&a->arena, VALUE_MAP), *labels;
	enum err e =
	    command_labels(options_list(o, "labels"), &a->arena, &labels, why);

	if (e != OK)
		return e;
	value_put_text(&a->arena, &question, S("to"), slice_str(o->args[0]));
	if (labels != NULL) /* else those of its Service */
		value_put(&question, S("labels"), labels);
	if (question == NULL)
		return fault_set(why, ERR_LIMIT, "the words are too long");
	return explain_access_workload(question, in, &a->arena, out, why);
}

static enum err
tell(struct asked *a, const struct options *o, struct value **out,
    struct fault *why)
{
	struct view_input in = {
	    .resources = (const struct resource *const *)a->files.items,
	    .resource_count = a->files.count};
	const struct view_settings *s;
	struct view_exposed_input w;
	enum err e = find_workload(a, o, &in, &w, why);

	if (e == OK)
		e = view_compile(&in, &a->view, why);
	if (e != OK)
		return e;
	s = view_settings_of(a->view, w.ns, &w.labels, &a->arena);
	*out = s != NULL ? view_settings_value(s, &a->arena) : NULL;
	return *out != NULL
		   ? OK
		   : fault_set(why, ERR_LIMIT, "the explanation is too large");
}

static int
explain_workload(struct options *o)
{
	AUTO(asked_fini) struct asked a = {.view = NULL};
	const struct option_values *files = options_list(o, "files");
	struct fault why = {0};
	struct value *v;
	enum output how;
	int code;

	arena_init(&a.arena, ARENA_BYTES);
	places_init(&a.files);
	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "%s", why.text);
	if (o->arg_count != 1 || files->count == 0)
		return command_fail(CLI_EXIT_USAGE,
		    "explain workload: say which: --files DIR "
		    "NAME[.NAMESPACE]");
	code = places_read_all(&a.files, files);
	if (code != CLI_EXIT_OK)
		return code;
	if (tell(&a, o, &v, &why) != OK ||
	    output_value(how == OUTPUT_TABLE ? OUTPUT_YAML : how, v, &why) !=
		OK)
		return cli_fault(&why);
	return CLI_EXIT_OK;
}

static const struct option_row workload_rows[] = {
    {"labels", 0, OPTION_LIST, "KEY=VALUE", NULL, false,
	"a label that it has; else its Service's selector"},
    {"files", 0, OPTION_LIST, "FILE|DIR", NULL, false, "the configuration"},
    {"output", 'o', OPTION_TEXT, "FORMAT", "yaml", false, "json or yaml"},
};

const struct command command_explain_workload = {
    .name = "explain workload",
    .args = "NAME[.NAMESPACE]",
    .words = 1,
    .summary = "say how a workload traces, logs, counts and is run",
    .section = "cli",
    .rows = workload_rows,
    .row_count = ARRAY_LEN(workload_rows),
    .run = explain_workload,
};
