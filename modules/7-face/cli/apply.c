/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply — configuration from files into the server.
 */
#include "base/base.h"
#include "files/files.h"
#include "model/model.h"

#include "api.h"
#include "changes.h"
#include "command.h"
#include "documents.h"
#include "findings.h"

#include <stdio.h>

enum { PATH_BYTES = 4096 };

/* --- apply ---------------------------------------------------------------- */

static int
judge(const struct findings *found, bool allow_inert)
{
	findings_print_warnings(found);
	findings_print_inert(found, allow_inert);
	if (found->guards == 0 || allow_inert)
		return CLI_EXIT_OK;
	return command_fail(CLI_EXIT_INVALID,
	    "what limits access is not in force yet; nothing was applied "
	    "(--allow-inert keeps it all the same)");
}

/* The labels that what is pruned has; NULL: nothing is pruned. */
static int
read_prune(const struct options *o, struct buf *text, const char **out)
{
	const struct option_values *labels = options_list(o, "label");
	bool prune = options_flag(o, "prune");
	enum err e = OK;

	*out = NULL;
	if (!prune && labels->count > 0)
		return command_fail(
		    CLI_EXIT_USAGE, "apply: --label goes with --prune only");
	if (prune && labels->count == 0)
		return command_fail(CLI_EXIT_USAGE,
		    "apply: --prune needs -l KEY=VALUE: what has no such label "
		    "is never deleted");
	for (size_t i = 0; e == OK && i < labels->count; i++)
		e = buf_printf(text, "%s%s", i > 0 ? "," : "", labels->text[i]);
	if (e == OK)
		e = buf_add_byte(text, 0);
	if (e != OK)
		return command_fail(CLI_EXIT_USAGE, "apply: labels too long");
	if (prune)
		*out = buf_slice(text).ptr;
	return CLI_EXIT_OK;
}

static enum err
apply_path(const struct options *o, const char *prune, struct buf *out)
{
	enum err e = buf_add_slice(out, S("/v1/apply"));

	if (e == OK)
		e = api_path_flag(
		    out, "allowInert", options_flag(o, "allow-inert"));
	if (e == OK)
		e = api_path_flag(out, "force", options_flag(o, "force"));
	if (e == OK)
		e = api_path_add(out, "prune", prune);
	return e == OK ? buf_add_byte(out, 0) : e;
}

static int
apply(struct options *o)
{
	AUTO(files_fini) struct files f;
	AUTO(documents_fini) struct documents d;
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	AUTO(buf_fini) struct buf labels = BUF(PATH_BYTES);
	enum changes_how how;
	const char *prune;
	int code = read_prune(o, &labels, &prune);

	files_init(&f, FILES_BYTES);
	documents_init(&d);
	if (code == CLI_EXIT_OK)
		code = changes_how(o, &how);
	if (code == CLI_EXIT_OK)
		code = documents_read(&d, &f, o);
	if (code == CLI_EXIT_OK)
		code = judge(&f.found, options_flag(o, "allow-inert"));
	if (code != CLI_EXIT_OK)
		return code;
	if (apply_path(o, prune, &path) != OK)
		return command_fail(CLI_EXIT_USAGE, "apply: words too long");
	return changes_ask(o, buf_slice(&path).ptr, &d.body, &f, how);
}

static const struct option_row apply_rows[] = {
    OPTION_FILES,
    OPTION_NAMESPACE,
    OPTION_DRY_RUN,
    OPTION_BLAST,
    OPTION_ALLOW_INERT,
    OPTION_FORCE,
    {"prune", 0, OPTION_FLAG, NULL, NULL, false,
	"delete what has the labels and is not in the files"},
    {"label", 'l', OPTION_LIST, "KEY=VALUE[,...]", NULL, false,
	"of what may be pruned; all of them"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_apply = {
    .name = "apply",
    .args = "-f FILE...",
    .summary = "put configuration in force, all of it or none",
    .section = "cli",
    .rows = apply_rows,
    .row_count = ARRAY_LEN(apply_rows),
    .run = apply,
};

/* --- diff ----------------------------------------------------------------- */

/* As diff(1): 1 says that there are differences, so a failure is 2. */
static int
diff_exit(int code)
{
	if (code == CHANGES_DIFFERENT)
		return 1;
	return code == CLI_EXIT_FAILED ? CLI_EXIT_USAGE : code;
}

static int
diff(struct options *o)
{
	AUTO(files_fini) struct files f;
	AUTO(documents_fini) struct documents d;
	int code;

	files_init(&f, FILES_BYTES);
	documents_init(&d);
	code = documents_read(&d, &f, o);
	if (code == CLI_EXIT_OK)
		code = changes_ask(o, "/v1/diff", &d.body, NULL, CHANGES_DIFF);
	return diff_exit(code);
}

static const struct option_row diff_rows[] = {
    OPTION_FILES,
    OPTION_NAMESPACE,
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_diff = {
    .name = "diff",
    .args = "-f FILE...",
    .summary = "show by field what apply would change",
    .section = "cli",
    .rows = diff_rows,
    .row_count = ARRAY_LEN(diff_rows),
    .run = diff,
};
