/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply — configuration from files into the server.
 */
#include "base/base.h"
#include "model/model.h"

#include "api.h"
#include "changes.h"
#include "command.h"
#include "files.h"
#include "findings.h"

#include <stdio.h>

enum { PATH_BYTES = 4096 };

/* --- what is sent --------------------------------------------------------- */

struct documents {
	struct body body;
	struct value *list; /* NULL: no room */
};

static void
documents_init(struct documents *d)
{
	body_init(&d->body);
	d->list = value_new(&d->body.arena, VALUE_LIST);
}

static void
documents_fini(struct documents *d)
{
	body_fini(&d->body);
}

static void
let_go(void *arg)
{
	struct resource *r = arg;

	resource_unref(&r);
}

/*
 * What is sent is what was decoded, so that the server sees the same. The
 * tree borrows from the resource, which therefore goes with the arena.
 */
static void
add_resource(void *arg, struct resource *r)
{
	struct documents *d = arg;
	struct arena *a = &d->body.arena;
	struct value *doc = resource_encode(r, RESOURCE_WITH_STATE, a);

	if (arena_on_reset(a, let_go, r) != OK) {
		resource_unref(&r);
		doc = NULL;
	}
	value_push(&d->list, doc);
}

/* Reads and judges here, where files and lines are known. */
static int
read_documents(struct files *f, const struct options *o, struct documents *d)
{
	bool allow = options_flag(o, "allow-inert");
	int code = command_files(f, o, /* words */ false);
	enum err e;

	if (code != CLI_EXIT_OK)
		return code;
	e = files_decode(
	    f, slice_str(options_text(o, "namespace")), add_resource, d);
	if (e != OK) {
		findings_print(&f->found);
		return command_fail(CLI_EXIT_INVALID,
		    "the configuration has mistakes; nothing was applied");
	}
	findings_print_warnings(&f->found);
	findings_print_inert(&f->found, allow);
	if (f->found.guards == 0 || allow)
		return CLI_EXIT_OK;
	return command_fail(CLI_EXIT_INVALID,
	    "what limits access is not in force yet; nothing was applied "
	    "(--allow-inert keeps it all the same)");
}

/* --- apply ---------------------------------------------------------------- */

static int
apply(struct options *o)
{
	AUTO(files_fini) struct files f;
	AUTO(documents_fini) struct documents d;
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	bool dry_run = options_flag(o, "dry-run");
	int code;

	files_init(&f);
	documents_init(&d);
	code = read_documents(&f, o, &d);
	if (code != CLI_EXIT_OK)
		return code;
	body_set(&d.body, "documents", d.list);
	if (buf_add_slice(&path, S("/v1/apply")) != OK ||
	    api_path_flag(&path, "dryRun", dry_run) != OK ||
	    api_path_flag(
		&path, "allowInert", options_flag(o, "allow-inert")) != OK ||
	    buf_add_byte(&path, 0) != OK)
		return command_fail(CLI_EXIT_USAGE, "apply: names too long");
	return changes_ask(o, buf_slice(&path).ptr, &d.body, dry_run);
}

static const struct option_row apply_rows[] = {
    OPTION_FILES,
    OPTION_NAMESPACE,
    {"dry-run", 0, OPTION_FLAG, NULL, NULL, false,
	"only say what would change"},
    {"allow-inert", 0, OPTION_FLAG, NULL, NULL, false,
	"also what limits access and is not in force yet"},
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
