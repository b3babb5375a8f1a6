/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checks — what the checks share: who is looked at, and how it is told.
 */
#ifndef MESHD_NODE_DOCTOR_CHECKS_H
#define MESHD_NODE_DOCTOR_CHECKS_H

#include "state.h"
#include "wire.h"

#include "doctor.h"

enum { DOCTOR_MAGIC = 0x646f6374, DOCTOR_FILE_MAX = 256 << 10 };

struct errand; /* a question to the servers */
struct echo;   /* packets that should come back */

struct doctor {
	uint32_t magic;
	struct doctor_spec spec;
	struct state state; /* its folder alone: it belongs to who runs */
	struct membership member;
	bool is_member;
	struct ca_token token;
	bool has_token;
	const char *check; /* that runs */
	char mend[FAULT_TEXT_MAX];
	size_t next;
	/* Of the whole: */
	struct loop *loop;
	struct net_factory *factory;
	void (*done)(void *arg);
	struct loop_later later;
	struct errand *errand;
	struct echo *echo;
	bool told_time; /* a server did */
};

/* --- telling -------------------------------------------------------------- */

/* How the next thing that is said is mended. */
void doctor_mend(struct doctor *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
void doctor_say(struct doctor *d, enum doctor_level level, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* "3 d", "2 h", "5 min"; returns out. */
enum { DOCTOR_SPAN_MAX = 32 };
char *doctor_span(int64_t ms, char out[DOCTOR_SPAN_MAX]);

/* --- reading -------------------------------------------------------------- */

/* A file behind the root, e.g. "/proc/net/tcp", up to what `out` takes. */
MUST_USE enum err doctor_read(
    const struct doctor *d, const char *path, struct buf *out);

/* The number that a file begins with. */
MUST_USE enum err doctor_read_number(
    const struct doctor *d, const char *path, uint64_t *out);

/* The next word of a line, and the rest; empty at its end. */
struct slice doctor_word(struct slice *line);

/* A line of /proc/net/tcp or udp: who takes what comes, but for its owner. */
bool doctor_socket_read(
    struct slice line, bool is_udp, struct doctor_socket *out);
void doctor_socket_owner(const struct doctor *d, struct doctor_socket *s);

int64_t doctor_now_ms(const struct doctor *d);

/* --- checks; false: doctor_go_on() comes later ---------------------------- */

bool check_clock(struct doctor *d);
bool check_state(struct doctor *d);
bool check_certificate(struct doctor *d);
bool check_token(struct doctor *d);
bool check_ports(struct doctor *d);
bool check_limits(struct doctor *d);
bool check_resolver(struct doctor *d);
bool check_firewall(struct doctor *d);
bool check_servers(struct doctor *d);
bool check_gossip(struct doctor *d);

void doctor_go_on(struct doctor *d);

/* Both accept NULL inside. */
void errand_cancel(struct errand **ap);
void echo_close(struct echo **ep);

/* --- judgements, apart from where the text comes from --------------------- */

/* What `nft list ruleset` or `iptables-save` printed. */
void judge_nft(struct doctor *d, struct slice ruleset);
void judge_iptables(struct doctor *d, struct slice saved);

/* By how much the server's clock is another. */
void judge_time(struct doctor *d, const char *server, int64_t server_ms);

/* No server told the time: does anybody else set the clock? */
void judge_sync(struct doctor *d);

#endif
