/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wish — which hosts of which namespaces one listener of a Sidecar names.
 */
#ifndef MESHD_VIEW_WISH_H
#define MESHD_VIEW_WISH_H

#include "inside.h"

struct wish {
	struct map by_ns; /* → struct wanted */
	bool all_exact;   /* no wildcard, and no namespace left open */
};

/* As it is written, in the arena; NULL when it is full. */
struct wish *wish_new(struct builder *b, const struct sidecar_egress *e);
void wish_drop(struct wish *wish); /* at its end; may be NULL */

bool wish_has_service(
    const struct wish *wish, struct slice ns, struct slice host);

/* One of a rule: a part of what is named is enough. */
bool wish_has_rule(const struct wish *wish, struct slice ns, struct slice host);

#endif
