/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client — the set of resources that is in force, by type.
 */
#ifndef MESHD_XDS_CLIENT_H
#define MESHD_XDS_CLIENT_H

#include "xds.h"

/* A resource that is in force, or words about one that is not. */
struct client_item {
	struct slice name;
	struct slice version;
	struct slice body; /* or the reason */
	char text[];
};

struct client_type {
	char *url;
	bool wildcard;
	bool answered;      /* on this stream */
	bool announced;     /* what is wanted and held was said on it */
	size_t open;        /* updates that are not settled */
	struct map names;   /* subscribed by name; values are the type */
	struct map held;    /* name → struct client_item */
	struct map refused; /* name → struct client_item */
};

struct xds_client {
	const struct xds_client_ops *ops;
	void *arg;
	char *node_id;
	char *node_cluster;
	bool connected;
	bool introduced;     /* the node was named on this stream */
	uint64_t generation; /* of the stream */
	struct client_type types[XDS_TYPES_MAX];
	size_t type_count;
	struct list updates; /* of struct update, not settled yet */
};

bool client_wants(const struct client_type *t, struct slice name);
struct client_item *client_item_new(
    struct slice name, struct slice version, struct slice body);

/* Sets or, with NULL, removes. */
void client_item_set(
    struct map *m, struct slice name, struct client_item *item);

/* Fills in the node on the first message of a stream, and sends. */
void client_send(struct xds_client *c, struct codec_delta_request *m);

/* Says what is wanted and held, once a stream. */
void client_announce(struct xds_client *c, struct client_type *t);

/* update.c: those that are open lose their client. */
void client_orphan_updates(struct xds_client *c);

/* update.c: what is not wanted now does not count in those that are open. */
void client_prune_updates(struct xds_client *c, const struct client_type *t);

#endif
