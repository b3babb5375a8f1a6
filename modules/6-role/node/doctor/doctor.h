/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor — what may be wrong with a machine, and the command that mends it.
 *
 * A table of checks, one after the other. Those of its fast half ask nobody:
 * each agent looks at them as it starts. The others need programs of the
 * machine, the servers, or time.
 */
#ifndef MESHD_NODE_DOCTOR_H
#define MESHD_NODE_DOCTOR_H

#include "base/base.h"
#include "loop/loop.h"
#include "net/net.h"

/* A problem keeps something from working; a warning may do so yet. */
enum doctor_level { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_PROBLEM };

/* "ok", "warning", "problem" */
const char *doctor_level_name(enum doctor_level level);

/* Text is lent. */
struct doctor_finding {
	const char *check; /* "ports" */
	enum doctor_level level;
	struct slice text;
	struct slice mend; /* a command for a shell; empty if all is well */
};

/* A port that the role has. */
struct doctor_port {
	const char *name; /* of its setting: "gossip" */
	struct addr addr;
	bool is_udp;
	bool is_for_peers; /* other machines have to reach it */
};

/* Everything is kept until the end. */
struct doctor_spec {
	const char *root; /* in front of /proc and /etc; "" but in tests */
	const char *state_dir;
	bool is_server;   /* the folder and the ports are a server's */
	bool is_starting; /* no port is ours yet, and nothing has to be there */
	bool is_running;  /* it answers: what holds its ports unseen is it */
	const struct doctor_port *ports;
	size_t port_count;
	struct slice token; /* to join by, or empty */
	const struct clock *clock;
	void (*each)(void *arg, const struct doctor_finding *f);
	void *arg;
};

/* The fast half, at once. */
void doctor_glance(const struct doctor_spec *spec);

/* A socket that takes what comes to a port. */
struct doctor_socket {
	struct addr addr;
	uint64_t inode;
	uint64_t uid;
	uint64_t pid;   /* 0: not known, since it is another user's */
	char name[64];  /* of the program, as its kernel has it */
	char unit[256]; /* of systemd, or "" */
};

/* All of TCP, as this user may know them; `root` as in the spec. */
void doctor_each_listener(const char *root,
    void (*each)(void *arg, const struct doctor_socket *s), void *arg);

struct doctor; /* opaque */

/* All of it; done(arg) once, not from inside, unless it is closed before. */
struct doctor *doctor_open(const struct doctor_spec *spec, struct loop *loop,
    struct net_factory *factory, void (*done)(void *arg));
void doctor_close(struct doctor **dp);

#endif
