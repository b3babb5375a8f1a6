/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command — one row a subcommand: name, options, what runs it.
 */
#ifndef MESHD_COMMAND_H
#define MESHD_COMMAND_H

#include "cli.h"
#include "options.h"

struct command {
	const char *name; /* "server run": one or two words */
	const char *args; /* "[KIND [NAME]]", for help */
	size_t words;     /* how many of these it takes */
	const char *summary;
	const char *section; /* of meshd.conf; NULL: none */
	const struct option_row *rows;
	size_t row_count;
	int (*run)(struct options *o); /* enum cli_exit */
	/* Roles: what cli_read_again() does; NULL for what ends by itself. */
	enum err (*again)(
	    const struct options *o, cli_use use, void *arg, struct fault *why);
};

/* Each file has a few. */
extern const struct command command_agent;
extern const struct command command_analyze;
extern const struct command command_apply;
extern const struct command command_ca_show;
extern const struct command command_capture_confirm;
extern const struct command command_capture_off;
extern const struct command command_capture_on;
extern const struct command command_capture_status;
extern const struct command command_completion;
extern const struct command command_delete;
extern const struct command command_diff;
extern const struct command command_dns_query;
extern const struct command command_doctor;
extern const struct command command_dns_unwire;
extern const struct command command_endpoints;
extern const struct command command_explain;
extern const struct command command_explain_access;
extern const struct command command_explain_field;
extern const struct command command_explain_workload;
extern const struct command command_expose;
extern const struct command command_exposed;
extern const struct command command_discover;
extern const struct command command_gateway;
extern const struct command command_get;
extern const struct command command_history;
extern const struct command command_log;
extern const struct command command_join;
extern const struct command command_leave;
extern const struct command command_log_levels;
extern const struct command command_members;
extern const struct command command_node_list;
extern const struct command command_node_revoke;
extern const struct command command_proxy_config;
extern const struct command command_rollback;
extern const struct command command_run;
extern const struct command command_server_backup;
extern const struct command command_server_init;
extern const struct command command_server_restore;
extern const struct command command_server_run;
extern const struct command command_services;
extern const struct command command_status;
extern const struct command command_tap;
extern const struct command command_token_create;
extern const struct command command_token_list;
extern const struct command command_token_revoke;
extern const struct command command_top;
extern const struct command command_unexpose;
extern const struct command command_unit_started;
extern const struct command command_unit_stopped;
extern const struct command command_validate;
extern const struct command command_version;
extern const struct command command_why;

/* All of them, in the order of help. */
const struct command *const *command_all(size_t *out_count);

/* One line to stderr: "meshd: <words>". Returns `code`. */
int command_fail(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* What main.c lets us run. */
const struct cli_roles *command_roles(void);

/* The setting log-level, put in force. */
MUST_USE enum err command_log_level(const struct options *o, struct fault *why);

/* log-format, the same; only before threads start. */
MUST_USE enum err command_log_format(
    const struct options *o, struct fault *why);

/* "ADDR:PORT", or a port on every address; ADDR_NONE if it is not given. */
MUST_USE enum err command_addr(const struct options *o, const char *name,
    struct addr *out, struct fault *why);

/* The same, or "off": then it is ADDR_NONE, and nothing listens. */
MUST_USE enum err command_addr_or_off(const struct options *o, const char *name,
    struct addr *out, struct fault *why);

/*
 * A token as it is, @FILE, or - for standard input; zero-ended. NULL makes an
 * empty one; what was given and holds none is ERR_PARSE.
 */
MUST_USE enum err command_token(
    const char *text, struct secret *out, struct fault *why);

/*
 * Reads what -f and, if `words` is set, the words name, into `f`; returns an
 * exit status.
 */
struct files;
int command_files(struct files *f, const struct options *o, bool words);

/* The key that KIND, NAME and --namespace say; ERR_INVALID: no such kind. */
struct resource_key;
MUST_USE enum err command_key(const struct options *o, const char *kind,
    const char *name, struct resource_key *out, struct fault *why);

/* What is asked of /v1/expose: `where` is [PORT:]TARGET, the rest is options.
 */
struct body;
MUST_USE enum err command_expose_body(const struct options *o, const char *name,
    const char *where, struct body *b, struct fault *why);

/* expose and unexpose --unit. */
int command_expose_unit(const struct options *o);
int command_unexpose_unit(const struct options *o);

/* The key as a request has it; NULL when the arena is full. */
struct arena;
struct value *command_key_value(const struct resource_key *k, struct arena *a);

/* "key=value"; borrows. ERR_INVALID. */
struct label;
MUST_USE enum err command_label(
    const char *text, struct label *out, struct fault *why);

/*
 * Labels ("key=value") and headers ("name: value") as a map, of a name twice
 * the first; NULL if there is none. ERR_INVALID, ERR_LIMIT.
 */
MUST_USE enum err command_labels(const struct option_values *list,
    struct arena *a, struct value **out, struct fault *why);
MUST_USE enum err command_headers(const struct option_values *list,
    struct arena *a, struct value **out, struct fault *why);

/*
 * "shop.com:8080", "[::1]:8080"; the host without its brackets, the port 0
 * where there is none; borrows. ERR_INVALID.
 */
MUST_USE enum err command_authority(
    struct slice text, struct slice *host, uint16_t *port, struct fault *why);

/* "s" unless there is one. */
const char *command_plural(uint64_t n);

/* Rows that many commands have. */
#define OPTION_LOG_LEVEL                                                       \
	{                                                                      \
		"log-level", 0, OPTION_TEXT, "LEVEL", "info", true,            \
		    "trace, debug, info, warn or error"                        \
	}
#define OPTION_LOG_FORMAT                                                      \
	{                                                                      \
		"log-format", 0, OPTION_TEXT, "text|json", "text", true,       \
		    "how these lines look"                                     \
	}
#define OPTION_OUTPUT                                                          \
	{                                                                      \
		"output", 'o', OPTION_TEXT, "FORMAT", "table", false,          \
		    "table, json or yaml"                                      \
	}
/* No default: api_socket() knows which one is meant. */
#define OPTION_SOCKET                                                          \
	{                                                                      \
		"socket", 0, OPTION_TEXT, "PATH", NULL, true,                  \
		    "of the server or agent; else the one in /run/meshd"       \
	}
/* Of a server's own. */
#define OPTION_STATE                                                           \
	{                                                                      \
		"state", 0, OPTION_TEXT, "DIR", "/var/lib/meshd/server", true, \
		    "where the mesh is kept"                                   \
	}
/* Of commands that a server answers. */
#define OPTION_TOKEN                                                           \
	{                                                                      \
		"token", 0, OPTION_TEXT, "TOKEN|@FILE|-", NULL, true,          \
		    "ask the server that this operator's token is for"         \
	}
#define OPTION_NAMESPACE                                                       \
	{                                                                      \
		"namespace", 'n', OPTION_TEXT, "NAME", "default", false,       \
		    "where a document or name has none"                        \
	}
/* What is said of a service beside its name and place. */
#define OPTIONS_OF_SERVICE                                                     \
	{"label", 'l', OPTION_LIST, "KEY=VALUE", NULL, false,                  \
	    "what subsets and Services select it by"},                         \
	    {"protocol", 0, OPTION_TEXT, "http|tcp", "tcp", false,             \
		"what it speaks"},                                             \
	    {"check", 0, OPTION_TEXT, "HOW", NULL, false,                      \
		"http[s][:PORT][/PATH], tcp[:PORT], grpc[:PORT][/NAME] or "    \
		"exec:COMMAND"},                                               \
	    {"check-interval", 0, OPTION_TEXT, "TIME", NULL, false,            \
		"from one check to the next, else 10s"},                       \
	    {"check-timeout", 0, OPTION_TEXT, "TIME", NULL, false,             \
		"after which no answer is a bad one, else 1s"},                \
	    {"check-delay", 0, OPTION_TEXT, "TIME", NULL, false,               \
		"before the first check, else none"},                          \
	    {"check-healthy", 0, OPTION_NUMBER, "N", NULL, false,              \
		"good answers in a row that make it healthy, else 1"},         \
	{                                                                      \
		"check-unhealthy", 0, OPTION_NUMBER, "N", NULL, false,         \
		    "bad answers in a row that make it unhealthy, else 3"      \
	}
#define OPTION_DRY_RUN                                                         \
	{                                                                      \
		"dry-run", 0, OPTION_FLAG, NULL, NULL, false,                  \
		    "only say what would change, by field"                     \
	}
#define OPTION_BLAST                                                           \
	{                                                                      \
		"blast", 0, OPTION_FLAG, NULL, NULL, false,                    \
		    "and what that would do to whose calls"                    \
	}
#define OPTION_ALLOW_INERT                                                     \
	{                                                                      \
		"allow-inert", 0, OPTION_FLAG, NULL, NULL, false,              \
		    "also what limits access and is not in force yet"          \
	}
#define OPTION_FORCE                                                           \
	{                                                                      \
		"force", 0, OPTION_FLAG, NULL, NULL, false,                    \
		    "although it brings errors beside the rest"                \
	}
#define OPTION_FILES                                                           \
	{                                                                      \
		"file", 'f', OPTION_LIST, "FILE|DIR|-", NULL, false,           \
		    "YAML or JSON; a folder is read by name; - is stdin"       \
	}

#endif
