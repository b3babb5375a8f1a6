/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process — the paths of any role: how much it logs.
 */
#define LOG_MODULE "admin"

#include "inside.h"

struct rows {
	struct arena *arena;
	struct value *list;
};

static void
put_level(const char *module, enum log_level level, void *arg)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("module"), slice_str(module));
	json_text(r->arena, &m, S("level"), slice_str(log_level_name(level)));
	json_push(&r->list, m);
}

static void
levels(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct rows r = {arena, json_list(arena)};

	(void)a; /* of the whole process */
	log_levels(put_level, &r);
	admin_answer_items(x, r.list);
}

static enum err
set(struct slice module, struct slice text, struct fault *why)
{
	enum log_level level;

	if (log_level_parse(text, &level) != OK)
		return fault_set(why, ERR_INVALID,
		    "\"%.*s\" is no level; there are trace, debug, info, warn "
		    "and error",
		    SLICE_ARG(text));
	if (log_set_level(module, level) != OK)
		return fault_set(why, ERR_NOT_FOUND,
		    "there is no module \"%.*s\"; see them with: meshd log "
		    "level",
		    SLICE_ARG(module));
	return OK;
}

static void
set_level(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct slice module, level;
	struct fault why = {0};
	enum err e;

	if (body == NULL)
		return;
	module = value_get_string(body, S("module"), SLICE_NONE);
	level = value_get_string(body, S("level"), SLICE_NONE);
	e = set(module, level, &why);
	if (e != OK) {
		admin_refuse(x, e, &why);
		return;
	}
	log_info("log level changed", "module=%.*s level=%.*s by=\"%s\"",
	    SLICE_ARG(module.len > 0 ? module : S("all")), SLICE_ARG(level),
	    admin_actor(x)->name);
	levels(a, x);
}

const struct admin_route admin_process_routes[] = {
    {"GET", "/v1/log-levels", CA_ROLE_VIEWER, levels},
    {"POST", "/v1/log-levels", CA_ROLE_ADMIN, set_level},
};
const size_t admin_process_route_count = ARRAY_LEN(admin_process_routes);
