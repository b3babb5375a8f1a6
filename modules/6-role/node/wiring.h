/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wiring — programs of the machine come to ask our name server.
 *
 * systemd-resolved is told, for a link that nobody else configures, that the
 * mesh's domains are ours; or resolv.conf(5) names us alone. What is changed is
 * written down before it is, so that it is taken back at the end, at the next
 * start, or by hand.
 */
#ifndef MESHD_NODE_WIRING_H
#define MESHD_NODE_WIRING_H

#include "base/base.h"
#include "loop/loop.h"

#define WIRING_LINK "meshd0"

enum wiring_kind { WIRING_OFF, WIRING_RESOLVED, WIRING_RESOLV_CONF };

enum { WIRING_NAME_MAX = 64, WIRING_PATH_MAX = 1024 };

typedef void (*wiring_cb)(void *arg, enum err e, const struct fault *why);

struct wiring_spec {
	struct loop *loop;
	const char *state_dir;
	enum wiring_kind kind;
	const char *link;   /* NULL: WIRING_LINK */
	const char *conf;   /* NULL: /etc/resolv.conf */
	const char *bus;    /* NULL: the system's */
	struct addr server; /* where we answer */
	struct slice domain;
	struct slice ns; /* whose services short names are */
};

/*
 * done() once, perhaps before this returns; OK, or in words. All that is lent
 * is copied. Of resolv.conf it is a change again if somebody else wrote it.
 */
void wiring_set(const struct wiring_spec *spec, wiring_cb done, void *arg);

/* Takes back what is written down in that state directory; ERR_NOT_FOUND:
 * nothing is. What somebody else has changed since stays. */
void wiring_restore(
    struct loop *l, const char *state_dir, wiring_cb done, void *arg);

/*
 * Where the resolv.conf that was before is kept, for whom to ask; keeps it, if
 * the one in place is not ours. Lies in `out`.
 */
MUST_USE enum err wiring_keep_conf(const char *state_dir, const char *conf,
    char out[WIRING_PATH_MAX], struct fault *why);

#endif
