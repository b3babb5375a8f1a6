/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirrors — copies of requests that go elsewhere.
 */
#include "actions.h"

/* The newest form counts; none at all means every request. */
static uint32_t
share_of(const struct http_route *spec)
{
	if (spec->mirror_percentage == NULL &&
	    message_has(&http_route_message, spec, "mirrorPercent"))
		return (uint32_t)spec->mirror_percent * (VIEW_MILLION / 100);
	return millionths_of(spec->mirror_percentage, VIEW_MILLION);
}

void
compile_mirrors(struct builder *b, const struct http_route *spec,
    const struct resource *owner, uint16_t port, struct view_http_route *out)
{
	size_t most = spec->mirrors.count + (spec->mirror != NULL), n = 0;
	struct view_mirror *items =
	    most > 0 ? take(b, most, sizeof(*items)) : NULL;

	if (items == NULL)
		return;
	if (spec->mirror != NULL && share_of(spec) > 0) {
		items[n].millionths = share_of(spec);
		compile_destination(
		    b, spec->mirror, owner, port, &items[n++].to);
	}
	for (size_t i = 0; i < spec->mirrors.count; i++) {
		const struct mirror_policy *m = &spec->mirrors.items[i];
		uint32_t share = millionths_of(m->percentage, VIEW_MILLION);

		if (share == 0 || m->destination == NULL)
			continue;
		items[n].millionths = share;
		compile_destination(
		    b, m->destination, owner, port, &items[n++].to);
	}
	out->mirrors = items;
	out->mirror_count = n;
}
