/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin — the API: what the command line and other programs ask over HTTP.
 *
 * JSON both ways. What a caller may do is said by its role: over the unix
 * socket by its uid, from elsewhere by an operator's token over TLS. Runs on
 * the loop that it was opened with. README.md lists the paths.
 */
#ifndef MESHD_ADMIN_H
#define MESHD_ADMIN_H

#include "base/base.h"
#include "loop/loop.h"
#include "net/net.h"
#include "node/node.h"
#include "server/server.h"

enum {
	ADMIN_HISTORY_DEFAULT = 20,
	ADMIN_HISTORY_MAX = 1000,
	ADMIN_INERT_MAX = 1000, /* findings that status lists */
	ADMIN_PAGE_ITEMS = 2000 /* resources of one answer */
};

struct admin;

struct admin_spec {
	struct loop *loop;
	struct net_factory *factory;
	const char *socket_path; /* copied; made with mode 0666 */
	struct server *server;   /* borrowed; or */
	struct node *node;       /* borrowed: the API of an agent */
	/* Over TCP, for reading only; family 0 is none. Not open is logged. */
	struct addr metrics;  /* /metrics, /stats/prometheus */
	struct addr health;   /* /healthz/ready */
	struct addr loopback; /* all of the API that reads */
	/* Of a server, for operators; family 0 is none. Not open is fatal. */
	struct addr remote;
	/* There, for who is to join: programs of other machines' kinds are in
	 * the folder dist below this one. Copied; NULL: nothing is served. */
	const char *installer;
	uint32_t admin_uid; /* this user is admin, besides root */
	/* Once: it serves, or why it does not, in words. */
	void (*on_open)(void *arg, enum err e, const struct fault *why);
	/* The agent has left its mesh: all that is left is to close it. */
	void (*on_left)(void *arg);
	void *arg;
};

struct admin *admin_open(const struct admin_spec *spec);

/* The outcome of a join, as node's on_ready tells it. */
void admin_joined(struct admin *a, enum err e, const struct fault *why);

/* Ends what is being answered; removes the socket. NULLs *ap. */
void admin_close(struct admin **ap);

#endif
