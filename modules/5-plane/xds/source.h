/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source — the resources of each type, and the streams that want them.
 */
#ifndef MESHD_XDS_SOURCE_H
#define MESHD_XDS_SOURCE_H

#include "xds.h"

struct source_type {
	char *url;
	struct map items; /* name → struct source_item */
};

struct xds_source {
	struct source_type types[XDS_TYPES_MAX];
	size_t type_count;
	struct list streams; /* of struct xds_server_stream, by its link */
};

/* The index of the type, or type_count. */
size_t source_type_find(const struct xds_source *s, struct slice type_url);

/* As xds_source_get(), by the index of the type. */
bool source_item(const struct xds_source *s, size_t type, struct slice name,
    struct xds_resource *out);

/* for (size_t i = 0; source_next_name(s, type, &i, &name);) … */
bool source_next_name(const struct xds_source *s, size_t type, size_t *cursor,
    struct slice *out_name);

/* server.c: a resource of the type was put or removed. */
void server_stream_changed(struct list *link, size_t type, struct slice name);
void server_stream_flush(struct list *link);

#endif
