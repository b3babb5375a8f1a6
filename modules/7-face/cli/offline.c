/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline — commands that need nobody: validate, version.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "files/files.h"
#include "model/model.h"

#include "command.h"
#include "fields.h"
#include "findings.h"
#include "output.h"

#include <stdio.h>

enum { ANSWER_BYTES = 512 << 20 };

/* What validation adds up over all documents. */
struct tally {
	size_t valid;
	size_t errors;
	size_t warnings;
	struct arena arena;  /* of the list, if there is one */
	struct value *items; /* NULL: people read it, or there is no room */
};

static void
tally_fini(struct tally *t)
{
	arena_fini(&t->arena);
}

static void
add_item(struct tally *t, const struct files_doc *doc, const char *verdict,
    const struct findings *found)
{
	struct arena *a = &t->arena;
	struct value *m = value_new(a, VALUE_MAP);
	struct resource_key key;

	value_put_text(a, &m, S("file"), slice_str(doc->file));
	value_put_int(a, &m, S("line"), doc->root->line);
	if (resource_key_read(doc->root, S("default"), &key, NULL) == OK) {
		value_put_text(a, &m, S("group"), key.group);
		value_put_text(a, &m, S("kind"), key.kind);
		value_put_text(a, &m, S("namespace"), key.ns);
		value_put_text(a, &m, S("name"), key.name);
	}
	value_put_text(a, &m, S("verdict"), slice_str(verdict));
	value_put(&m, S("errors"), faults_value(&found->errors, a));
	value_put(&m, S("warnings"), faults_value(&found->warnings, a));
	value_push(&t->items, m);
}

/* One document with findings of its own, so that all are told. */
static void
judge(struct tally *t, const struct files_doc *doc, struct slice ns)
{
	AUTO(findings_fini) struct findings alone = {0};
	struct resource_source source = {.parse_json = codec_json_parse,
	    .file = doc->file,
	    .place = doc->place,
	    .ns = ns};
	struct resource *r = NULL;
	bool valid = resource_decode(doc->root, &source, &r, &alone) == OK;

	t->valid += valid && r != NULL;
	t->errors += alone.errors.count + alone.errors.dropped;
	t->warnings += alone.warnings.count + alone.warnings.dropped;
	if (t->items != NULL)
		add_item(t, doc,
		    !valid      ? "invalid"
		    : r != NULL ? "valid"
				: "skipped",
		    &alone);
	else
		findings_print(&alone);
	resource_unref(&r);
}

static int
print_items(struct tally *t, const struct files *f, enum output how)
{
	struct value *all = value_new(&t->arena, VALUE_MAP);
	struct fault why = {0};

	value_put(&all, S("items"), t->items);
	value_put(&all, S("syntax"), faults_value(&f->found.errors, &t->arena));
	if (all == NULL)
		return command_fail(CLI_EXIT_FAILED, "the answer is too large");
	if (output_value(how, all, &why) != OK)
		return cli_fault(&why);
	return t->errors > 0 ? CLI_EXIT_INVALID : CLI_EXIT_OK;
}

static int
validate(struct options *o)
{
	AUTO(files_fini) struct files f;
	AUTO(tally_fini) struct tally t = {0};
	struct fault why = {0};
	enum output how;
	int code;

	files_init(&f, FILES_BYTES);
	arena_init(&t.arena, ANSWER_BYTES);
	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "validate: %s", why.text);
	code = command_files(&f, o, /* words */ true);
	if (code != CLI_EXIT_OK)
		return code;
	t.errors = f.found.errors.count + f.found.errors.dropped;
	if (how != OUTPUT_TABLE)
		t.items = value_new(&t.arena, VALUE_LIST);
	else
		findings_print(&f.found);
	for (size_t i = 0; i < f.count; i++)
		judge(&t, &f.docs[i], slice_str(options_text(o, "namespace")));
	if (how != OUTPUT_TABLE)
		return print_items(&t, &f, how);
	if (t.errors > 0)
		return command_fail(CLI_EXIT_INVALID,
		    "%zu error%s in %zu file%s", t.errors,
		    command_plural(t.errors), f.file_count,
		    command_plural(f.file_count));
	(void)printf("%zu resource%s valid, %zu warning%s\n", t.valid,
	    command_plural(t.valid), t.warnings, command_plural(t.warnings));
	return CLI_EXIT_OK;
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
emit_version(enum output how)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct fault why = {0};
	struct value *v;

	arena_init(&arena, ANSWER_BYTES);
	v = value_new(&arena, VALUE_MAP);
	value_put_text(&arena, &v, S("version"), S(MESHD_VERSION));
	return output_value(how, v, &why) == OK ? CLI_EXIT_OK : cli_fault(&why);
}

static int
version(struct options *o)
{
	struct fault why = {0};
	enum output how;

	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "version: %s", why.text);
	if (options_flag(o, "fields"))
		return fields_print_inert(how);
	if (how != OUTPUT_TABLE)
		return emit_version(how);
	(void)printf("meshd %s\n", MESHD_VERSION);
	return CLI_EXIT_OK;
}

static const struct option_row version_rows[] = {
    {"fields", 0, OPTION_FLAG, NULL, NULL, false,
	"kinds and fields that are valid but not in force yet"},
    OPTION_OUTPUT,
};

const struct command command_version = {
    .name = "version",
    .args = "",
    .summary = "print the version",
    .rows = version_rows,
    .row_count = ARRAY_LEN(version_rows),
    .run = version,
};
