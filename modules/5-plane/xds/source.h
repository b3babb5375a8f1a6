/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source — the resources of each type, and who follows which of them.
 *
 * A name that some stream asked for or was sent has a topic: so a change finds
 * those streams, and none of the others is looked at.
 */
#ifndef MESHD_XDS_SOURCE_H
#define MESHD_XDS_SOURCE_H

#include "xds.h"

/* A name that is followed. */
struct topic {
	struct list followers; /* of entries of streams, see served.h */
	struct list made;      /* linked: something was made, and lies here */
	struct made {
		char *bytes;
		size_t len;
	} body, base, patch; /* now; before; from that to this */
	char base_version[XDS_VERSION_MAX];
	size_t base_version_len;
	size_t name_len;
	char name[];
};

struct source_type {
	char *url;
	bool by_owner;
	struct map items;     /* name → struct source_item */
	struct map topics;    /* name → struct topic */
	struct list everyone; /* who hears of every name, see served.h */
};

struct xds_source {
	xds_body_cb body; /* NULL: all are put with theirs */
	void *arg;
	struct source_type types[XDS_TYPES_MAX];
	size_t type_count;
	size_t streams;
	struct list due;  /* of struct xds_server_stream, by its link */
	struct list made; /* of struct topic, the oldest first */
	size_t made_bytes;
	uint64_t stamp; /* of the change that is under way; 0: none */
};

/* The index of the type, or type_count. */
size_t source_type_find(const struct xds_source *s, struct slice type_url);

/* As xds_source_get(), by the index of the type. */
bool source_item(const struct xds_source *s, size_t type, struct slice name,
    struct xds_resource *out);

/*
 * The body of a resource, made if it was put without; once for all streams.
 * Borrowed until the next source_forget() or change.
 */
MUST_USE enum err source_body(struct xds_source *s, struct topic *t,
    const struct xds_resource *r, struct slice *out);

/*
 * The patch that makes it of the body of that version, if it is known and the
 * patch is much smaller. Borrowed as above.
 */
bool source_patch(struct xds_source *s, struct topic *t,
    const struct xds_resource *r, struct slice version, struct slice *out);

/* Drops the oldest bodies that were made until so many bytes are left. */
void source_forget(struct xds_source *s, size_t bytes);

/* for (size_t i = 0; source_next_name(s, type, &i, &name);) … */
bool source_next_name(const struct xds_source *s, size_t type, size_t *cursor,
    struct slice *out_name);

/* A new one if there is none. Its last follower ends it. */
struct topic *source_topic(
    struct xds_source *s, size_t type, struct slice name);
void source_topic_left(struct xds_source *s, size_t type, struct topic *t);

static inline struct slice
topic_name(const struct topic *t)
{
	return slice_of(t->name, t->name_len);
}

/* served.c: the resource was put or removed; of a follower, of everyone. */
void server_follower_changed(struct list *follower);
void server_everyone_changed(
    struct list *everyone, size_t type, struct slice name);
void server_stream_flush(struct list *link);

#endif
