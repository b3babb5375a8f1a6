/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli — the subcommands of meshd, as an operator types them.
 */
#ifndef MESHD_CLI_H
#define MESHD_CLI_H

#include "base/base.h"
#include "model/model.h"
#include "node/node.h"

/* What the process ends with; documented in meshd(8). */
enum cli_exit {
	CLI_EXIT_OK = 0,
	CLI_EXIT_FAILED = 1, /* tried, and it did not work */
	CLI_EXIT_USAGE = 2,  /* the command line is wrong */
	CLI_EXIT_INVALID =
	    3, /* refused configuration, or nothing has the name */
	CLI_EXIT_UNREACHABLE = 4, /* no server or agent answers */
	CLI_EXIT_DENIED = 5       /* not allowed to this caller */
};

enum { CLI_LIST_MAX = 64 };

/* A list of texts from the command line or a file. */
struct cli_list {
	const char *items[CLI_LIST_MAX];
	size_t count;
};

/* Settings of `server run`; text lives as long as the command runs. */
struct cli_server {
	const char *state_dir;
	const char *socket_path;
	const char *name; /* NULL: the host's */
	struct addr control;
	struct addr gossip;
	struct addr api;     /* ADDR_NONE: none */
	struct addr metrics; /* the same */
	bool installer;      /* at the API's port */
	struct cli_list advertised;
	const char *config_dir; /* NULL: none */
	bool config_allow_inert;
	bool config_force;
};

/* A named listener of an agent: `name=listen[,host[:port]]`. */
struct cli_upstream {
	struct slice name;
	struct slice host;
	uint16_t port; /* 0: the service's first */
	struct addr listen;
};

struct body;

/* What a machine offers, by files; text is in the body's arena. */
struct cli_services {
	struct body *body; /* NULL: no file was read */
	struct node_expose items[NODE_EXPOSED_MAX];
	size_t count;
};

/* Settings of `agent` and `gateway`; ADDR_NONE and NULL mean the default. */
struct cli_agent {
	const char *state_dir;
	const char *socket_path;
	const char *token; /* "" if none */
	const char *name;
	const char *network;
	char locality[GOSSIP_LOCALITY_MAX + 1]; /* as said, or as the file has
						 * it */
	const char *locality_command;           /* NULL: none */
	const char *ns;
	const char *account;
	struct addr addrs[CLI_LIST_MAX];
	size_t addr_count;
	struct addr hbone;
	struct addr gossip;
	struct addr metrics;
	struct addr health;
	struct addr admin;
	unsigned workers;
	const char *access_log;        /* a path; "-": standard output; "off" */
	const char *access_log_format; /* NULL: as MeshConfig says */
	bool log_success;
	bool exec_checks;       /* health checks may run commands */
	const char *log_format; /* of the program's own lines; in force */
	uint64_t drain_us;
	struct cli_upstream upstreams[CLI_LIST_MAX];
	size_t upstream_count;
	struct cli_services services;
	struct addr dns[CLI_LIST_MAX]; /* where names are answered */
	size_t dns_count;
	struct addr dns_upstreams[CLI_LIST_MAX];
	size_t dns_upstream_count; /* 0: the machine's */
	uint64_t dns_ttl_us;
	const char *dns_wire; /* "off", "resolv-conf", "resolved[:LINK]" */
	const char *dns_log;  /* "off", "failed", "all", or every so many */
	bool is_gateway;
	struct label labels[CLI_LIST_MAX]; /* that select it */
	size_t label_count;
};

enum { CLI_PORTS_MAX = 16 };

/* Its ports, for who looks at who has them; returns how many. */
size_t cli_agent_ports(
    const struct cli_agent *s, struct doctor_port out[CLI_PORTS_MAX]);

/* What stays: each runs a role until it is stopped, and returns its exit. */
struct cli_roles {
	int (*server)(const struct cli_server *settings);
	int (*agent)(const struct cli_agent *settings);
};

/* Runs the command that argv names; returns one of the above. */
int cli_run(int argc, char **argv, const struct cli_roles *roles);

/*
 * The settings of the role that runs, once more: flags as they were given, the
 * environment, meshd.conf as it is now. The log level is in force then; the
 * others are lent to use(), to which a server's are NULL: it has none that
 * could change. ERR_…, in words: nothing was used.
 */
typedef void (*cli_use)(void *arg, const struct cli_agent *settings);
MUST_USE enum err cli_read_again(cli_use use, void *arg, struct fault *why);

/* The fault as one line on stderr; returns the exit status that fits. */
int cli_fault(const struct fault *why);

#endif
