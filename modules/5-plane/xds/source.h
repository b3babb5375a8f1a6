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

/* NULL if there is none. */
const struct xds_resource *source_item(
    const struct xds_source *s, size_t type, struct slice name);

/* for (size_t i = 0; (r = source_next(s, type, &i)) != NULL;) … */
const struct xds_resource *source_next(
    const struct xds_source *s, size_t type, size_t *cursor);

/* server.c: a resource of the type was put or removed. */
void server_stream_changed(struct list *link, size_t type, struct slice name);
void server_stream_flush(struct list *link);

#endif
