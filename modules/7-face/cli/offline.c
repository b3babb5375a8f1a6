/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline — commands that need nobody: validate, version.
 */
#include "base/base.h"
#include "model/model.h"

#include "command.h"
#include "files.h"
#include "output.h"

#include <stdio.h>

enum { VERDICT_BYTES = 4 << 20 };

static void
let_go(void *arg, struct resource *r)
{
	size_t *count = arg;

	(*count)++;
	resource_unref(&r);
}

static int
read_all(struct files *f, const struct options *o)
{
	const struct option_values *paths = options_list(o, "file");
	struct fault why = {0};

	if (paths->count == 0 && o->arg_count == 0)
		return command_fail(CLI_EXIT_USAGE,
		    "nothing to read; name files with -f FILE, -f DIR or -f -");
	for (size_t i = 0; i < paths->count; i++)
		if (files_read(f, paths->text[i], &why) != OK)
			return cli_fault(&why);
	for (size_t i = 0; i < o->arg_count; i++)
		if (files_read(f, o->args[i], &why) != OK)
			return cli_fault(&why);
	return CLI_EXIT_OK;
}

static int
print_verdict(const struct files *f, enum err e, size_t count)
{
	size_t errors = f->found.errors.count + f->found.errors.dropped;

	files_print_findings(f);
	if (e != OK)
		return command_fail(CLI_EXIT_INVALID,
		    "%zu error%s in %zu file%s", errors, errors == 1 ? "" : "s",
		    f->file_count, f->file_count == 1 ? "" : "s");
	(void)printf("%zu resource%s valid, %zu warning%s\n", count,
	    count == 1 ? "" : "s", f->found.warnings.count,
	    f->found.warnings.count == 1 ? "" : "s");
	return CLI_EXIT_OK;
}

static int
emit_verdict(const struct files *f, enum err e, size_t count, enum output how)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct fault why = {0};
	struct value *v;

	arena_init(&arena, VERDICT_BYTES);
	v = files_findings(f, &arena);
	value_put_int(&arena, &v, S("resources"), (int64_t)count);
	if (v == NULL)
		return command_fail(
		    CLI_EXIT_FAILED, "the verdict is too large");
	if (output_value(how, v, &why) != OK)
		return cli_fault(&why);
	return e != OK ? CLI_EXIT_INVALID : CLI_EXIT_OK;
}

static int
validate(struct options *o)
{
	AUTO(files_fini) struct files f;
	struct fault why = {0};
	size_t count = 0;
	enum output how;
	enum err e;
	int code;

	files_init(&f);
	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "validate: %s", why.text);
	code = read_all(&f, o);
	if (code != CLI_EXIT_OK)
		return code;
	e = files_decode(
	    &f, slice_str(options_text(o, "namespace")), let_go, &count);
	return how == OUTPUT_TABLE ? print_verdict(&f, e, count)
				   : emit_verdict(&f, e, count, how);
}

static const struct option_row validate_rows[] = {
    OPTION_FILES,
    OPTION_NAMESPACE,
    OPTION_OUTPUT,
};

const struct command command_validate = {
    .name = "validate",
    .args = "[FILE...]",
    .words = OPTION_ARGS_MAX,
    .summary = "say whether configuration is right, without a server",
    .rows = validate_rows,
    .row_count = ARRAY_LEN(validate_rows),
    .run = validate,
};

static int
version(struct options *o)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct fault why = {0};
	enum output how;
	struct value *v;

	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "version: %s", why.text);
	if (how == OUTPUT_TABLE) {
		(void)printf("meshd %s\n", MESHD_VERSION);
		return CLI_EXIT_OK;
	}
	arena_init(&arena, VERDICT_BYTES);
	v = value_new(&arena, VALUE_MAP);
	value_put_text(&arena, &v, S("version"), S(MESHD_VERSION));
	return output_value(how, v, &why) == OK ? CLI_EXIT_OK : cli_fault(&why);
}

static const struct option_row version_rows[] = {OPTION_OUTPUT};

const struct command command_version = {
    .name = "version",
    .args = "",
    .summary = "print the version",
    .rows = version_rows,
    .row_count = ARRAY_LEN(version_rows),
    .run = version,
};
