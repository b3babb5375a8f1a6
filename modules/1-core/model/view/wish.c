/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wish — which hosts of which namespaces one listener of a Sidecar names.
 */
#include "wish.h"
#include "kinds/scoped_host.h"

static const struct slice any_namespace = {"*", 1};

/* Those of one namespace. */
struct wanted {
	struct map exact;
	struct rows hosts; /* struct slice, in the arena */
	struct rows excluded;
};

static void
drop_wanted(void *value)
{
	struct wanted *w = value; /* in the arena */

	map_fini(&w->exact, NULL);
	rows_fini(&w->hosts);
	rows_fini(&w->excluded);
}

static struct wanted *
wanted_of(struct builder *b, struct wish *wish, struct slice ns)
{
	struct wanted *w = map_get(&wish->by_ns, ns);

	if (w != NULL)
		return w;
	w = take(b, 1, sizeof(*w));
	if (w == NULL)
		return NULL;
	map_init(&w->exact);
	(void)map_put(&wish->by_ns, ns, w); /* was not there */
	return w;
}

/* "~ns/host" leaves out, "~/host" of any namespace. */
static void
read_wish(struct builder *b, struct wish *wish, struct slice text)
{
	struct slice ns, host, *keep = take(b, 1, sizeof(*keep));
	bool excluded;
	struct wanted *w;

	scoped_host_split(text, &ns, &host);
	excluded = slice_starts(ns, S("~"));
	if (excluded)
		ns = slice_sub(ns, 1, ns.len);
	if (ns.len == 0)
		ns = any_namespace;
	if (slice_eq(ns, S(".")))
		ns = b->scope->row.ns;
	w = wanted_of(b, wish, ns);
	if (w == NULL || keep == NULL)
		return;
	*keep = written_host(b, host, b->scope->row.ns);
	if (excluded) {
		rows_add(&w->excluded, keep);
		return;
	}
	if (!slice_starts(*keep, S("*")))
		(void)map_put(&w->exact, *keep, keep); /* or there already */
	wish->all_exact = wish->all_exact && !slice_starts(*keep, S("*")) &&
			  !slice_eq(ns, any_namespace);
	rows_add(&w->hosts, keep);
}

/* Is every name of the one a name of the other? */
static bool
is_within(struct slice host, struct slice pattern)
{
	if (!slice_starts(pattern, S("*")))
		return slice_eq(host, pattern);
	return slice_ends(host, slice_sub(pattern, 1, pattern.len)) &&
	       (!slice_starts(host, S("*")) || host.len >= pattern.len);
}

static bool
is_any_within(const struct rows *patterns, struct slice host)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (is_within(host, *(const struct slice *)patterns->items[i]))
			return true;
	return false;
}

static bool
has_service(const struct wanted *w, struct slice host)
{
	return w != NULL && (map_get(&w->exact, host) != NULL ||
				(w->hosts.count > w->exact.count &&
				    is_any_within(&w->hosts, host)));
}

/* A rule for a part of what is wanted is wanted, too. */
static bool
has_rule(const struct wanted *w, struct slice host)
{
	if (w == NULL || map_get(&w->exact, host) != NULL)
		return w != NULL;
	for (size_t i = 0; i < w->hosts.count; i++) {
		struct slice wanted = *(const struct slice *)w->hosts.items[i];

		if (is_within(host, wanted) || is_within(wanted, host))
			return true;
	}
	return false;
}

static bool
is_excluded(const struct wish *wish, struct slice ns, struct slice host)
{
	const struct wanted *of_ns = map_get(&wish->by_ns, ns);
	const struct wanted *of_any = map_get(&wish->by_ns, any_namespace);

	return (of_ns != NULL && is_any_within(&of_ns->excluded, host)) ||
	       (of_any != NULL && is_any_within(&of_any->excluded, host));
}

struct wish *
wish_new(struct builder *b, const struct sidecar_egress *e)
{
	struct wish *wish = take(b, 1, sizeof(*wish));

	if (wish == NULL)
		return NULL;
	wish->all_exact = true;
	map_init(&wish->by_ns);
	for (size_t i = 0; i < e->hosts.count; i++)
		read_wish(b, wish, e->hosts.items[i]);
	return wish;
}

void
wish_drop(struct wish *wish)
{
	if (wish != NULL)
		map_fini(&wish->by_ns, drop_wanted);
}

bool
wish_has_service(const struct wish *wish, struct slice ns, struct slice host)
{
	return (has_service(map_get(&wish->by_ns, ns), host) ||
		   has_service(map_get(&wish->by_ns, any_namespace), host)) &&
	       !is_excluded(wish, ns, host);
}

bool
wish_has_rule(const struct wish *wish, struct slice ns, struct slice host)
{
	return (has_rule(map_get(&wish->by_ns, ns), host) ||
		   has_rule(map_get(&wish->by_ns, any_namespace), host)) &&
	       !is_excluded(wish, ns, host);
}
