/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners — where a view says that clients come in, on one worker: by the
 * name of an upstream, at the port of an HTTP proxy, or at a gateway's ports.
 *
 * Every worker has a socket of its own for each (SO_REUSEPORT). A listener
 * stays open as long as views name it with the same address.
 */
#ifndef MESHD_LISTENERS_H
#define MESHD_LISTENERS_H

#include "worker.h"

struct listener; /* one of them; counted, as connections refer to it */

struct listeners *listeners_new(struct worker *w);

/* Closes all; connections live on. */
void listeners_free(struct listeners **lp);

/* Opens what the view names and is not open, closes what it no longer names. */
void listeners_update(struct listeners *ls, const struct view *v);

/* Takes no more connections, for good. */
void listeners_stop(struct listeners *ls);

/* True when every socket is closed. */
bool listeners_are_empty(const struct listeners *ls);

struct listener *listener_ref(struct listener *l);
void listener_unref(struct listener **lp);

/* The same for a connection of it: only so many are let in. */
struct listener *listener_join(struct listener *l);
void listener_leave(struct listener **lp);
const char *listener_name(const struct listener *l);

/* A connection to it was: says so in the log once for each reason. */
void listener_refused(struct listener *l, struct slice reason);

/*
 * May a call wait until its host is known? Not for a while after one that
 * waited in vain, which is told by the second.
 */
bool listener_may_await(const struct listener *l);
void listener_missed(struct listener *l);

/* Its clients are not of this machine. */
bool listener_is_gateway(const struct listener *l);

/* Its clients name it as their HTTP proxy. */
bool listener_is_proxy(const struct listener *l);

/* Rules of the machine lead its clients here, who mean to get elsewhere; or,
 * inbound, to programs of this machine. */
bool listener_is_captured(const struct listener *l);
bool listener_is_inbound(const struct listener *l);

/* Of the latter: who is called, and by whom, as far as that is known. */
void listener_name_inbound(const struct listener *l, struct flow_record *f);

/* This destination is wherever its client means to get, which is known. */
bool listener_leads_on(
    const struct listener *l, const struct view_destination *d);

/* Whom its reports are of. */
const struct view_caller *listener_caller(
    const struct listener *l, const struct view *v);

/*
 * One that is nowhere: where a client of a proxy that says CONNECT gets. A
 * name, or an address. The first reference is the caller's.
 */
struct listener *listener_new_target(
    struct worker *w, struct slice host, uint16_t port);

/* One that is nowhere, too: whoever came in by mutual TLS of the mesh, with
 * that identity, and what was agreed on to be spoken. */
struct listener *listener_new_mutual(
    struct worker *w, const char *identity, struct slice alpn);

/* Of all such connections on the worker of `l`; borrowed. */
struct tls_config *listeners_mutual_tls(const struct listener *l);

/* What a client that came in at `local` has called, as rules see it. Of who
 * named a host to a proxy nothing is known. */
struct addr listener_called(const struct listener *l, const struct addr *local);

/*
 * A connection goes to who speaks what is spoken on it: `seen` is what is known
 * of it, `first` came already. The former has its client say before who it is,
 * and what it wants, where that decides.
 */
void listener_accept(struct listener *l, struct stream *s,
    const struct view_connection *seen, struct slice first);
void listener_hand_over(struct listener *l, struct stream *s,
    const struct view_connection *seen, struct slice first);

/* What a connection to it meets in a view. */
struct listener_way {
	const struct view_caller *caller; /* NULL: the view has no such */
	/* One of the two, or none. */
	const struct view_host *host;   /* of a name that is called */
	const struct view_chain *chain; /* of an address, or a port */
	bool sniffs;          /* what is spoken is yet to be found out */
	bool peeks;           /* rules go by the server's name in a hello */
	bool may_come;        /* none, but its service may become known */
	struct slice why_not; /* words, if there is none of the two */
};

void listener_way(const struct listener *l, const struct view *v,
    const struct view_connection *seen, struct listener_way *out);

/* Nobody looks at what is sent. */
bool listener_way_is_bytes(const struct listener_way *way);

/* Bytes that are no HTTP would get past rules for requests. */
bool listener_way_refuses_bytes(const struct listener_way *way);

/* How a request's connection was seen, whoever read it: one of HTTP. */
void listener_way_of_request(const struct listener *l, const struct view *v,
    const struct addr *local, const struct addr *peer,
    struct listener_way *out);

/* Who its clients call as (URI); "" for the fallback. */
const char *listener_identity(const struct listener *l);

#endif
