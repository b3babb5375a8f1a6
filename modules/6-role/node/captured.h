/* SPDX-License-Identifier: Apache-2.0 */
/*
 * captured — what the parts of capture know of each other.
 */
#ifndef MESHD_NODE_CAPTURED_H
#define MESHD_NODE_CAPTURED_H

#include "inside.h"

enum {
	CAPTURED_MAGIC = 0x63617064,
	CAPTURED_SESSIONS_MAX = 256 /* of SSH, that are watched */
};

/* A wish that is on its way to be in force. */
struct change {
	bool is_under_way;
	bool is_told; /* to the helper, which answers at once */
	struct capture_wish wish;
	uint64_t began_us;
	uint64_t confirm_us;
	bool is_restored; /* it is on the disk already */
	node_capture_cb done;
	void *arg;
};

/* One that falls back unless it is confirmed. */
struct trial {
	bool is_under_way;
	uint64_t until_us;
	struct timer end;
	bool was_on; /* and with what: */
	struct capture_wish before;
	struct addr server; /* that was reached; ADDR_NONE: none was */
	struct addr sessions[CAPTURED_SESSIONS_MAX];
	size_t session_count;
	struct stream *probe;
	node_capture_cb done; /* of who confirms */
	void *arg;
};

struct wards; /* ward.c */

struct captured {
	uint32_t magic;
	struct node *node;
	struct capture *helper; /* NULL: there is none */
	bool on;
	struct capture_wish wish; /* that is in force */
	struct change change;
	node_capture_cb off; /* of who says so meanwhile, or NULL */
	void *off_arg;
	struct timer poll; /* until it may be loaded */
	struct trial trial;
	struct wards *wards;
	unsigned loads; /* that the helper was told of and has not answered */
	bool looked;    /* for what was kept */
	bool is_restoring; /* that, for the first time */
	bool stopped;      /* whoever asked is not there any more */
	struct timer restore;
	struct fault trouble; /* why what was kept is not in force */
};

static inline struct captured *
captured_of(void *arg)
{
	struct captured *c;

	OBJ(c, arg, CAPTURED_MAGIC);
	return c;
}

/* --- capture_facts.c ------------------------------------------------------ */

/* What the agent itself knows that must never be captured. */
void captured_fill(const struct node *n, struct capture_wish *w);

/* Of the session to a server, or ADDR_NONE. */
struct addr captured_server(const struct node *n);

/* Who is connected to sshd now; returns how many. */
size_t captured_sessions(
    const struct capture_wish *w, struct addr out[CAPTURED_SESSIONS_MAX]);

/* --- capture_trial.c ------------------------------------------------------ */

void trial_open(struct captured *c);
/* Before the wish is loaded: what is to stand then, too. */
void trial_note(struct captured *c, const struct capture_wish *w);
/* It is loaded, and falls back to what is in force now in that time. */
void trial_begin(struct captured *c, uint64_t confirm_us);
/* Nothing is on trial any more. */
void trial_end(struct captured *c);
void trial_close(struct captured *c);

/* --- ward.c --------------------------------------------------------------- */

void wards_open(struct captured *c);
void wards_stop(struct captured *c);
void wards_close(struct captured *c);
bool wards_any(const struct captured *c);
/* What they add to what is loaded, and to what is listened at. */
void wards_add_wish(const struct captured *c, struct capture_wish *w);
void wards_add_doors(const struct captured *c, struct proxy_captured *out);
/* The helper may have time for them. */
void wards_go_on(struct captured *c);
/* There is no helper any more. */
void wards_lost(struct captured *c);

/* --- capture_doors.c ------------------------------------------------------ */

/* Those for the wish, or NULL; and those of what is in force stay open: rules
 * lead there until others do. */
void captured_open_doors(struct captured *c, const struct capture_wish *w);
/* Doors, marks and interests as what is in force needs them. */
void captured_settle(struct captured *c);
/* That port of loopback, as far as this machine has the addresses. */
void captured_loopback(uint16_t port, struct addr out[PROXY_DOORS_MAX]);
enum door_state captured_doors(const struct captured *c,
    const struct addr doors[PROXY_DOORS_MAX], struct slice name);
/* The worst of those that questions to name servers come to; and of all. */
enum door_state captured_dns_doors(
    const struct captured *c, const struct capture_wish *w);
enum door_state captured_all_doors(
    const struct captured *c, const struct capture_wish *w);
/* Waiting for it any longer is in vain. */
bool captured_gives_up(enum door_state s, uint64_t waited_us);

/* --- capture_change.c ----------------------------------------------------- */

void change_open(struct captured *c);
/* how.done(how.arg) comes once; `how` has what is known before. */
void change_to(
    struct captured *c, const struct capture_wish *w, struct change how);
/* Why nothing can be captured here, in words. */
MUST_USE enum err captured_may(const struct captured *c, struct fault *why);
/* The same, or why nothing can be done just now. */
MUST_USE enum err captured_check(const struct captured *c, struct fault *why);

/* --- capture_kept.c ------------------------------------------------------- */

void kept_open(struct captured *c);
/* What is in force is, after a restart, too; or nothing is. */
void captured_keep(struct captured *c);
void captured_forget(struct captured *c);

/* --- capture.c ------------------------------------------------------------ */

/* The helper is told: the wish, or nothing, and what programs with accounts of
 * their own need. `done` calls captured_told() first, and is given c. */
void captured_load(
    struct captured *c, const struct capture_wish *w, capture_cb done);
void captured_told(struct captured *c);
/* What is in force stays when this agent ends, so that nobody passes. */
bool captured_outlives(const struct captured *c);

#endif
