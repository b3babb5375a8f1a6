/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collected — the resources of files, all of them right, for one question.
 */
#include "base/base.h"
#include "files/files.h"
#include "model/model.h"

#include "collected.h"
#include "command.h"
#include "findings.h"

static void
collect(void *arg, struct resource *r)
{
	struct collected *c = arg;

	if (c->count == c->cap) {
		size_t cap = MAX(c->cap * 2, 64);

		c->items = mem_resize(c->items, c->cap, cap, sizeof(*c->items));
		c->cap = cap;
	}
	c->items[c->count++] = r;
}

void
collected_fini(struct collected *c)
{
	for (size_t i = 0; i < c->count; i++)
		resource_unref(&c->items[i]);
	mem_free(&c->items);
}

int
collected_read(struct collected *c, const char *path)
{
	AUTO(files_fini) struct files f;
	struct fault why = {0};

	files_init(&f, FILES_BYTES);
	if (files_read(&f, path, &why) != OK)
		return cli_fault(&why);
	if (files_decode(&f, SLICE_NONE, collect, c) == OK)
		return CLI_EXIT_OK;
	findings_print(&f.found);
	return command_fail(CLI_EXIT_INVALID,
	    "%s has mistakes; nothing is explained from it", path);
}
