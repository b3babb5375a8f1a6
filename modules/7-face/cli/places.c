/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places — what files make of the mesh, as proxies at several places see it.
 */
#include "places.h"

#include "codec/codec.h"
#include "files/files.h"

#include "command.h"
#include "findings.h"

enum { KEY_BYTES = 4 << 10 };

static void
drop(void *value)
{
	struct view *v = value;

	view_unref(&v);
}

void
places_init(struct places *p)
{
	*p = (struct places){0};
	map_init(&p->by_key);
	map_init(&p->views);
}

void
places_fini(struct places *p)
{
	map_fini(&p->views, drop);
	map_fini(&p->by_key, NULL);
	for (size_t i = 0; i < p->count; i++)
		resource_unref(&p->items[i]);
	mem_free(&p->items);
}

static void
add(struct places *p, struct resource *r)
{
	if (p->count == p->cap) {
		size_t cap = MAX(p->cap * 2, 64);

		p->items = mem_resize(p->items, p->cap, cap, sizeof(*p->items));
		p->cap = cap;
	}
	p->items[p->count++] = r;
}

/* Another one of its key goes. */
static void
collect(void *arg, struct resource *r)
{
	struct places *p = arg;
	char text[RESOURCE_KEY_MAX];
	const struct resource *before = map_put(
	    &p->by_key, slice_str(resource_key_format(&r->key, text)), r);

	for (size_t i = 0; before != NULL && i < p->count; i++)
		if (p->items[i] == before) {
			resource_unref(&p->items[i]);
			p->items[i] = r;
			return;
		}
	add(p, r);
}

int
places_read(struct places *p, const char *path)
{
	AUTO(files_fini) struct files f;
	struct fault why = {0};

	files_init(&f, FILES_BYTES);
	if (files_read(&f, path, &why) != OK)
		return cli_fault(&why);
	if (files_decode(&f, SLICE_NONE, collect, p) == OK)
		return CLI_EXIT_OK;
	findings_print(&f.found);
	return command_fail(CLI_EXIT_INVALID,
	    "%s has mistakes; nothing is explained from it", path);
}

int
places_read_all(struct places *p, const struct option_values *paths)
{
	int code = CLI_EXIT_OK;

	for (size_t i = 0; code == CLI_EXIT_OK && i < paths->count; i++)
		code = places_read(p, paths->text[i]);
	return code;
}

static enum err
key_of(const struct explain_place *place, struct buf *out)
{
	char ip[ADDR_TEXT_MAX];
	enum err e = buf_printf(out, "%d %s %.*s", (int)place->proxy,
	    addr_format_ip(&place->ip, ip), SLICE_ARG(place->ns));

	for (size_t i = 0; e == OK && i < place->labels.count; i++)
		e = buf_printf(out, " %.*s=%.*s",
		    SLICE_ARG(place->labels.items[i].key),
		    SLICE_ARG(place->labels.items[i].value));
	return e;
}

const struct view *
places_view(
    struct places *p, const struct explain_place *place, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(KEY_BYTES);
	struct view_input in = {
	    .resources = (const struct resource *const *)p->items,
	    .resource_count = p->count,
	    .parse_yaml = codec_yaml_parse_one};
	struct view *v;

	if (key_of(place, &text) != OK) {
		(void)fault_set(why, ERR_LIMIT, "there are too many labels");
		return NULL;
	}
	v = map_get(&p->views, buf_slice(&text));
	if (v != NULL)
		return v;
	explain_view_input(place, &in);
	if (view_compile(&in, &v, why) != OK)
		return NULL;
	(void)map_put(&p->views, buf_slice(&text), v); /* was not there */
	return v;
}
