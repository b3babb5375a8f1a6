/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture — programs' connections come to the proxy, without their knowing.
 *
 * One nftables table of ours, in one transaction. What is asked for is a wish;
 * it becomes rules, each with its meaning in words, and those become messages
 * to the kernel. A small process of its own, which alone has the right to load
 * them, does that: it ends with the agent, and the table ends with it.
 */
#ifndef MESHD_CAPTURE_H
#define MESHD_CAPTURE_H

#include "base/base.h"
#include "loop/loop.h"

enum {
	CAPTURE_OUT_PORT = 15001, /* what programs here call */
	CAPTURE_IN_PORT = 15006,  /* who calls programs here */
	CAPTURE_DNS_PORT = 15053,
	CAPTURE_OWN_PORT = 15101,  /* and on: of cgroups that have one each */
	CAPTURE_MARK = 0x6d736864, /* of the agent's own sockets: "mshd" */
	/* Of those that bear a caller's address: "mshs"; and of what is sent
	 * back to that address, and comes here instead: "mshb". */
	CAPTURE_SOURCE_MARK = 0x6d736873,
	CAPTURE_BACK_MARK = 0x6d736862,
	CAPTURE_LIST_MAX = 32, /* of each list below */
	CAPTURE_AGENT_MAX = 4, /* ports of the agent */
	/* What programs here called is remembered so long after its end, where
	 * the kernel can; else as the machine's others, two minutes. */
	CAPTURE_BRIEF_S = 3,
	CAPTURE_CGROUP_MAX = 200, /* bytes of a path */
	CAPTURE_RULES_MAX = 512,
	CAPTURE_TEXT_MAX = 126 /* of a rule's words, zero included; what nft
				  takes for a comment */
};

/* --- what is wished for --------------------------------------------------- */

struct capture_ports {
	uint16_t first;
	uint16_t last;
};

/* "80", "8000-8099". ERR_PARSE, in words. */
MUST_USE enum err capture_ports_parse(
    struct slice text, struct capture_ports *out, struct fault *why);

/* A cgroup of version 2, by its path below the root: "system.slice/web.service"
 */
struct capture_cgroup {
	char path[CAPTURE_CGROUP_MAX];
	uint64_t id; /* of now: it is another one when it is made again */
};

/* Finds the id. ERR_NOT_FOUND, ERR_INVALID, in words. */
MUST_USE enum err capture_cgroup_find(
    struct slice path, struct capture_cgroup *out, struct fault *why);

/* One all of whose calls come to a port of its own, by which the proxy knows
 * whose they are. */
struct capture_own {
	struct capture_cgroup cgroup;
	uint16_t port;
};

/* Of /proc/PID/cgroup: its cgroup of version 2, without the first slash; empty
 * is the root. ERR_NOT_FOUND. */
MUST_USE enum err capture_cgroup_of(struct slice text, struct slice *out);

/*
 * Makes one below this process's own, "meshd-run-<pid>"; such ones of processes
 * that are gone go. ERR_UNSUPPORTED, ERR_PERMISSION and others, in words that
 * say what would be right.
 */
MUST_USE enum err capture_cgroup_make(
    struct capture_cgroup *out, struct fault *why);
/* This process is in it from now on, and what it starts. */
MUST_USE enum err capture_cgroup_enter(
    const struct capture_cgroup *g, struct fault *why);
/* Sends the signal to all in it; returns to how many, 0 when it is empty. */
size_t capture_cgroup_signal(const struct capture_cgroup *g, int sig);
/* Ends what is left in it, and it. Waits for that, two seconds at most. */
void capture_cgroup_end(const struct capture_cgroup *g);

enum capture_how {
	CAPTURE_LOOPBACK = 1 << 0, /* also what the machine calls of itself */
	CAPTURE_DNS = 1 << 1,      /* questions to name servers, as well */
	CAPTURE_CLOSED = 1 << 2,   /* the table outlives us: nothing passes */
	CAPTURE_SOURCE = 1 << 3,   /* programs see the address of who calls */
	CAPTURE_OWN_DNS = 1 << 4   /* such questions of `own` */
};

/* Plain data: it goes to the helper as it is. */
struct capture_wish {
	/* Connections to there are taken; none: nothing that goes out. */
	struct cidr out[CAPTURE_LIST_MAX];
	uint32_t out_count;
	/* Connections to these ports of the machine are taken. */
	struct capture_ports in[CAPTURE_LIST_MAX];
	uint32_t in_count;
	/* What goes out only of these, if there are any. */
	uint32_t uids[CAPTURE_LIST_MAX];
	uint32_t uid_count;
	uint32_t gids[CAPTURE_LIST_MAX];
	uint32_t gid_count;
	struct capture_cgroup cgroups[CAPTURE_LIST_MAX];
	uint32_t cgroup_count;
	/* Nothing that goes there, nor to these ports. */
	struct cidr except[CAPTURE_LIST_MAX];
	uint32_t except_count;
	struct capture_ports except_ports[CAPTURE_LIST_MAX];
	uint32_t except_port_count;
	uint32_t how; /* enum capture_how, a set */
	/* These, whatever the lists above say of who and where to; but not
	 * what is excepted. */
	struct capture_own own[CAPTURE_LIST_MAX];
	uint32_t own_count;

	/* What it never takes, whoever wishes what. */
	uint32_t mark; /* of the agent's own sockets; 0: it cannot mark */
	uint32_t uid;  /* the agent's own; 0: it is root, like others */
	struct addr servers[CAPTURE_LIST_MAX];
	uint32_t server_count;
	struct capture_ports sshd[CAPTURE_LIST_MAX];
	uint32_t sshd_count;
	/* Where the agent listens, if not at the usual ports. */
	struct capture_ports agent[CAPTURE_AGENT_MAX];
	uint32_t agent_count;
};

/*
 * ERR_INVALID, in words: nothing is taken; what the agent itself sends could
 * not be told apart, and would come back to it; a list is longer than it may
 * be. Also of a wish whose bytes are somebody else's.
 */
MUST_USE enum err capture_wish_check(
    const struct capture_wish *w, struct fault *why);

/*
 * ERR_INVALID, in words: of some ports that are named nothing would ever be
 * taken, since all of them are sshd's, the mesh's own or the agent's. Who kept
 * a wish does not ask: sshd may have another port by now.
 */
MUST_USE enum err capture_in_check(
    const struct capture_wish *w, struct fault *why);

/* --- what becomes of it --------------------------------------------------- */

enum capture_chain {
	CAPTURE_CHAIN_OUT,  /* hook output */
	CAPTURE_CHAIN_TAKE, /* where the former sends what it may be */
	CAPTURE_CHAIN_IN,   /* hook prerouting */
	/* Of connections that bear a caller's address; only where these are. */
	CAPTURE_CHAIN_APART,  /* hook output, before conntrack */
	CAPTURE_CHAIN_SOURCE, /* hook output, where it is routed again */
	CAPTURE_CHAIN_BACK,   /* hook prerouting, before it is routed */
	CAPTURE_CHAINS
};

/* "output", "take", "input", "apart", "source", "back". */
const char *capture_chain_name(enum capture_chain c);

enum capture_test {
	CAPTURE_IS_MARKED = 1 << 0,  /* `number` is its mark */
	CAPTURE_IS_UID = 1 << 1,     /* … the user of its socket */
	CAPTURE_IS_GID = 1 << 2,     /* … the group */
	CAPTURE_IS_CGROUP = 1 << 3,  /* … the id of its cgroup at `level` */
	CAPTURE_IS_HERE = 1 << 4,    /* it goes to the machine itself */
	CAPTURE_IS_TO = 1 << 5,      /* it goes to `to` */
	CAPTURE_IS_TO_PORT = 1 << 6, /* … to one of `ports` */
	CAPTURE_IS_TCP = 1 << 7,
	CAPTURE_IS_UDP = 1 << 8,
	CAPTURE_IS_NEW = 1 << 9,     /* the first packet of a connection */
	CAPTURE_IS_ANSWER = 1 << 10, /* … of a connection marked `number` */
	CAPTURE_IS_LATER = 1 << 11 /* TCP, but no first packet: no SYN alone */
};

enum capture_verdict {
	CAPTURE_PASSES,   /* it goes where it wants to */
	CAPTURE_IS_ASKED, /* the rules of CAPTURE_CHAIN_TAKE decide */
	CAPTURE_IS_TAKEN, /* it comes to `port` of ours */
	/* Its connection is one beside that of the caller, whose ends may be
	 * the same; it is marked; what is marked so comes to us. */
	CAPTURE_IS_APART,
	CAPTURE_IS_NOTED,
	CAPTURE_COMES_BACK
};

/* All of its tests hold, then the verdict. */
struct capture_rule {
	enum capture_chain chain;
	uint32_t tests; /* enum capture_test; 0 is everything */
	uint64_t number;
	uint32_t level;
	struct cidr to;
	struct capture_ports ports;
	enum capture_verdict verdict;
	uint16_t port;
	bool is_brief; /* taken, and remembered for CAPTURE_BRIEF_S at most */
	char text[CAPTURE_TEXT_MAX];
};

/* Returns how many; a wish that was checked never has more than fit. */
size_t capture_rules(
    const struct capture_wish *w, struct capture_rule out[CAPTURE_RULES_MAX]);

/* --- the helper ----------------------------------------------------------- */

/* Our ends of what ties it to us; each -1 if there is none. */
struct capture_ends {
	int pair;
	/* Sockets that may bear any address (IP_TRANSPARENT), marked with
	 * CAPTURE_SOURCE_MARK, of IPv4 and IPv6: one a message, while a wish
	 * has CAPTURE_SOURCE. See net_transparent_from(). */
	int sockets[2];
};

#define CAPTURE_NO_ENDS                                                        \
	{                                                                      \
		-1,                                                            \
		{                                                              \
			-1, -1                                                 \
		}                                                              \
	}

/*
 * Forks it, before any thread starts, and gives up the right that it has. *out
 * is CAPTURE_NO_ENDS if this process has not got the right (CAP_NET_ADMIN).
 * What lies in `secret` is wiped from the child. The child does not return.
 */
MUST_USE enum err capture_helper_start(
    struct slice secret, struct capture_ends *out, struct fault *why);

/* One rule as the kernel has it now. */
struct capture_count {
	enum capture_chain chain;
	uint64_t packets; /* of connections: the first of each */
	bool is_brief;    /* CAPTURE_BRIEF_S after its end each is forgotten */
	char text[CAPTURE_TEXT_MAX];
};

struct capture_report {
	enum err e;
	struct fault why;
	bool loaded; /* the table is there */
	const struct capture_count *counts;
	size_t count;
};

struct capture; /* our end; opaque */

/* Takes fd. on_lost(arg) once, when the helper is gone, and the table too. */
struct capture *capture_new(
    struct loop *loop, int fd, void (*on_lost)(void *arg), void *arg);
void capture_free(struct capture **cp);

/*
 * One of the four; done(arg) comes once, in the order of asking, and not at
 * all after capture_free(). The report is lent. A wish replaces the one before
 * it at one stroke; where it is refused that one stays.
 */
typedef void (*capture_cb)(void *arg, const struct capture_report *r);
void capture_on(struct capture *c, const struct capture_wish *w,
    capture_cb done, void *arg);
void capture_off(struct capture *c, capture_cb done, void *arg);
/* Off for now: who calls addresses of services meanwhile is refused at once,
 * and connections that bear a caller's address go on. */
void capture_rest(struct capture *c, capture_cb done, void *arg);
void capture_read(struct capture *c, capture_cb done, void *arg);

/*
 * Takes away what an agent that is gone has left: the table of one that was to
 * stay, and routes. ERR_BUSY: one that runs captures. ERR_PERMISSION.
 */
MUST_USE enum err capture_clear(bool *out_found, struct fault *why);

/* --- what must not be lost ------------------------------------------------ */

/*
 * The ports of `text`, an sshd_config(5) or a systemd.socket(5), into `out`;
 * returns how many there are then. 22 is among them if it names none.
 */
uint32_t capture_sshd_ports(struct slice text,
    struct capture_ports out[CAPTURE_LIST_MAX], uint32_t count);

/* The same of all files that say where it listens, below `root`, as far as this
 * process may read them. */
uint32_t capture_sshd_find(const char *root,
    struct capture_ports out[CAPTURE_LIST_MAX], uint32_t count);

/*
 * Connections that stand, with one of these local ports, of a text like
 * /proc/net/tcp; returns how many there are then. Each is the peer's address.
 */
size_t capture_sessions(struct slice text, const struct capture_ports *ports,
    uint32_t port_count, struct addr *out, size_t count, size_t max);

#endif
