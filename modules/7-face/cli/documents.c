/* SPDX-License-Identifier: Apache-2.0 */
/*
 * documents — configuration from files, as a server is sent it.
 */
#include "documents.h"

#include "files/files.h"
#include "model/model.h"

#include "command.h"
#include "findings.h"

void
documents_init(struct documents *d)
{
	body_init(&d->body);
	d->list = value_new(&d->body.arena, VALUE_LIST);
	d->places = NULL;
}

void
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

static void
add_place(
    struct documents *d, const struct resource *r, const struct value *doc)
{
	struct arena *a = &d->body.arena;
	struct value *place = value_new(a, VALUE_MAP);

	value_put_text(a, &place, S("file"), r->file);
	value_put(&place, S("lines"), value_lines(doc, a));
	value_push(&d->places, place);
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
	if (doc != NULL && d->places != NULL)
		add_place(d, r, doc);
}

int
documents_add(struct documents *d, struct files *f, struct slice ns)
{
	if (files_decode(f, ns, add_resource, d) == OK &&
	    files_check_once(f, ns) == OK)
		return CLI_EXIT_OK;
	findings_print(&f->found);
	return command_fail(CLI_EXIT_INVALID,
	    "the configuration has mistakes; nothing was applied");
}

/* Reads here, where files and lines are known. */
int
documents_read(struct documents *d, struct files *f, const struct options *o)
{
	int code = command_files(f, o, /* words */ false);

	if (code == CLI_EXIT_OK)
		code = documents_add(
		    d, f, slice_str(options_text(o, "namespace")));
	if (code == CLI_EXIT_OK)
		body_set(&d->body, "documents", d->list);
	return code;
}
