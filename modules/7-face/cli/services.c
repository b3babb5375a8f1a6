/* SPDX-License-Identifier: Apache-2.0 */
/*
 * services — what a machine offers, by files in a folder.
 *
 *	[web.shop]		the name, and the namespace, else default
 *	target = 80:8080	as `meshd expose` takes it
 *	check = http/healthz	and each option that says something of a service
 *
 * Each section is that command once more: the same words mean the same, and
 * are refused with the same sentence, here with file and line.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "files/files.h"
#include "node/node.h"

#include "body.h"
#include "cli.h"
#include "command.h"
#include "services.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	FILE_BYTES_MAX = 1 << 20,
	SERVICES_BYTES_MAX = 16 << 20,
	KEYS_MAX = 48, /* of a section */
	PATH_BYTES = 4096
};

static const char default_folder[] = "/etc/meshd/services.d";

static const struct option_row rows[] = {
    {"account", 0, OPTION_TEXT, "NAME", "default", false,
	"who the service is to its callers"},
    {"namespace", 'n', OPTION_TEXT, "NAME", "default", false,
	"where its name lies"},
    OPTIONS_OF_SERVICE,
};

/* One file, while it is read. */
struct reading {
	const char *path;
	struct cli_services *to;
	struct codec_ini ini;
};

/* What must be there before what speaks of it. */
static int
order_of(const struct codec_ini_entry *e)
{
	return slice_eq(e->key, S("target"))  ? 0
	       : slice_eq(e->key, S("check")) ? 1
					      : 2;
}

static enum err
check_key(const struct codec_ini_entry *e, struct fault *why)
{
	char text[NEAREST_TEXT_MAX];
	struct nearest near;

	if (slice_eq(e->key, S("target")))
		return OK;
	nearest_init(&near, e->key);
	nearest_offer(&near, "target");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* It is in the section's name. */
		if (strcmp(rows[i].name, "namespace") == 0)
			continue;
		if (slice_eq(slice_str(rows[i].name), e->key))
			return OK;
		nearest_offer(&near, rows[i].name);
	}
	return fault_set(why, ERR_INVALID,
	    "a service has no setting \"%.*s\"%s; meshd.conf(5) lists them",
	    SLICE_ARG(e->key), nearest_text(&near, text));
}

/* The first of them say a service that is right so far? */
static enum err
try(const struct codec_ini_entry *const *entries, size_t count, struct body *b,
    struct fault *why)
{
	AUTO(options_fini) struct options o = {0};
	struct slice ns = entries[0]->section;
	struct slice name = slice_split(&ns, '.');
	char *argv[KEYS_MAX + 1];
	int argc = 0;
	bool help;
	enum err e;

	for (size_t i = 1; i < count; i++)
		argv[argc++] = (char *)(uintptr_t)arena_printf(&b->arena,
		    "--%.*s=%.*s", SLICE_ARG(entries[i]->key),
		    SLICE_ARG(entries[i]->value))
				   .ptr;
	if (ns.len > 0)
		argv[argc++] = (char *)(uintptr_t)arena_printf(
		    &b->arena, "--namespace=%.*s", SLICE_ARG(ns))
				   .ptr;
	for (int i = 0; i < argc; i++)
		if (argv[i] == NULL)
			return fault_set(why, ERR_LIMIT, "it says too much");
	e = options_parse(&o, rows, ARRAY_LEN(rows), argc, argv, &help, why);
	if (e == OK)
		e = command_expose_body(&o,
		    arena_printf(&b->arena, "%.*s", SLICE_ARG(name)).ptr,
		    arena_printf(
			&b->arena, "%.*s", SLICE_ARG(entries[0]->value))
			.ptr,
		    b, why);
	return e;
}

static enum err
check_twice(struct reading *r, const struct node_expose *e, struct fault *why)
{
	for (size_t i = 0; i < r->to->count; i++) {
		const struct node_expose *o = &r->to->items[i];

		if (slice_eq(o->name, e->name) && slice_eq(o->ns, e->ns) &&
		    o->port == e->port)
			return fault_set(why, ERR_EXISTS,
			    "%.*s.%.*s:%u is there already, at %.*s",
			    SLICE_ARG(e->name), SLICE_ARG(e->ns),
			    (unsigned)e->port, SLICE_ARG(o->origin));
	}
	return OK;
}

/* All of its settings are right. */
static enum err
keep(struct reading *r, const struct codec_ini_entry *first, struct body *b,
    struct fault *why)
{
	struct cli_services *to = r->to;
	struct label *labels =
	    arena_alloc_array(&b->arena, GOSSIP_LABELS_MAX, sizeof(*labels));
	struct node_expose e;
	enum err err;

	if (to->count == NODE_EXPOSED_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a node may offer at most %d services", NODE_EXPOSED_MAX);
	if (labels == NULL || b->map == NULL)
		return fault_set(why, ERR_LIMIT, "it says too much");
	err = node_expose_read(b->map, labels, &e, why);
	if (err != OK)
		return err;
	if (e.port == 0)
		e.port = e.target.port;
	e.by = NODE_BY_SETTINGS;
	e.origin =
	    arena_printf(&b->arena, "%s:%u", r->path, (unsigned)first->line);
	err = check_twice(r, &e, why);
	if (err == OK)
		to->items[to->count++] = e;
	return err;
}

static enum err
take_section(struct reading *r, const struct codec_ini_entry **entries,
    size_t count, const struct codec_ini_entry *first, struct fault *why)
{
	struct body *b = r->to->body;
	enum err e = OK;

	if (order_of(entries[0]) != 0 ||
	    (count > 1 && order_of(entries[1]) == 0)) {
		e = fault_set(why, ERR_INVALID,
		    "[%.*s] has to have one target, such as: target = 80:8080",
		    SLICE_ARG(first->section));
		fault_at(why, r->path, first->line, 0);
		return e;
	}
	for (size_t n = 1; e == OK && n <= count; n++) {
		b->map = value_new(&b->arena, VALUE_MAP);
		e = try(entries, n, b, why);
		if (e != OK)
			fault_at(why, r->path, entries[n - 1]->line, 0);
	}
	if (e == OK) {
		e = keep(r, first, b, why);
		if (e != OK)
			fault_at(why, r->path, first->line, 0);
	}
	return e;
}

/* Its entries in the order that they are looked at. */
static enum err
read_section(struct reading *r, size_t from, size_t *out_end, struct fault *why)
{
	const struct codec_ini_entry *sorted[KEYS_MAX];
	const struct codec_ini_entry *all = r->ini.entries;
	size_t end = from, count = 0;
	enum err e = OK;

	while (end < r->ini.count &&
	       slice_eq(all[end].section, all[from].section) && e == OK) {
		e = check_key(&all[end], why);
		if (e == OK && end - from == KEYS_MAX)
			e = fault_set(why, ERR_LIMIT,
			    "a service has at most %d settings", KEYS_MAX);
		if (e != OK)
			fault_at(why, r->path, all[end].line, 0);
		end++;
	}
	for (int o = 0; e == OK && o <= 2; o++)
		for (size_t i = from; i < end; i++)
			if (order_of(&all[i]) == o)
				sorted[count++] = &all[i];
	*out_end = end;
	return e != OK ? e : take_section(r, sorted, count, &all[from], why);
}

static enum err
read_file(const char *path, struct cli_services *to, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(FILE_BYTES_MAX);
	AUTO(faults_fini) struct faults faults = {0};
	struct reading r = {.path = path, .to = to};
	enum err e = file_read(path, &text, why);

	if (e != OK)
		return e;
	e = codec_ini_parse(
	    buf_slice(&text), path, &to->body->arena, &r.ini, &faults);
	if (e != OK && faults.count > 0)
		*why = faults.items[0];
	for (size_t i = 0; e == OK && i < r.ini.count;) {
		if (r.ini.entries[i].section.len > 0) {
			e = read_section(&r, i, &i, why);
			continue;
		}
		e = fault_set(why, ERR_INVALID,
		    "\"%.*s\" stands before any section, such as [web]",
		    SLICE_ARG(r.ini.entries[i].key));
		fault_at(why, path, r.ini.entries[i].line, 0);
	}
	return e;
}

static int
wanted(const struct dirent *d)
{
	return d->d_name[0] != '.' &&
	       slice_ends(slice_str(d->d_name), S(".conf"));
}

void
cli_services_fini(struct cli_services *s)
{
	if (s->body != NULL)
		body_fini(s->body);
	mem_free(&s->body);
}

enum err
cli_services_read(struct cli_services *s, const char *folder, struct fault *why)
{
	const char *path = folder != NULL ? folder : default_folder;
	struct dirent **names = NULL;
	int n = scandir(path, &names, wanted, alphasort);
	enum err e = OK;

	if (n < 0 && errno == ENOENT && folder == NULL)
		return OK;
	if (n < 0)
		return fault_set(why, err_from_errno(errno),
		    "cannot read the folder %s: %s", path, strerror(errno));
	if (n > 0) {
		s->body = mem_new(sizeof(*s->body));
		arena_init(&s->body->arena, SERVICES_BYTES_MAX);
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_BYTES];

		(void)snprintf(
		    file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (e == OK)
			e = read_file(file, s, why);
		mem_free(&names[i]);
	}
	mem_free(&names);
	return e;
}
