/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export_to — which namespaces a resource is shown to.
 */
#include "export_to.h"
#include "validate.h"

/* "." is the resource's own namespace. */
static struct slice
named(struct slice item, struct slice ns)
{
	return slice_eq(item, S(".")) ? ns : item;
}

static bool
is_known(struct slice item, unsigned rules)
{
	return slice_eq(item, S("*")) ||
	       (slice_eq(item, S("~")) && (rules & EXPORT_NOBODY_TOO)) ||
	       is_dns_label(item);
}

static void
check_item(struct check *c, struct slice item, unsigned rules)
{
	if (is_known(item, rules) || (item.len == 0 && item.ptr == NULL))
		return; /* what is no text was reported */
	if (slice_eq(item, S("~")))
		check_error(c, ERR_INVALID,
		    "\"~\", nobody, is for ServiceEntries only");
	else
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is neither \"*\", \".\" nor a namespace",
		    SLICE_ARG(slice_sub(item, 0, NAME_LABEL_MAX)));
}

static bool
came_before(const struct export_to *list, size_t at, struct slice ns)
{
	for (size_t i = 0; list->items[at].len > 0 && i < at; i++)
		if (slice_eq(
			named(list->items[i], ns), named(list->items[at], ns)))
			return true;
	return false;
}

/* "*" says everything and "~" nothing; a name beside them says less. */
static void
check_alone(struct check *c, const struct export_to *list)
{
	for (size_t i = 0; list->count > 1 && i < list->count; i++) {
		struct check at = check_member(c, "exportTo[%zu]", i);

		if (!slice_eq(list->items[i], S("*")) &&
		    !slice_eq(list->items[i], S("~")))
			continue;
		check_error(&at, ERR_INVALID,
		    "\"%.*s\" has to be alone: beside it another says nothing",
		    SLICE_ARG(list->items[i]));
		return;
	}
}

static void
check_own(struct check *c, const struct export_to *list, struct slice ns)
{
	struct check at = check_member(c, "exportTo");

	for (size_t i = 0; i < list->count; i++)
		if (!slice_eq(named(list->items[i], ns), ns)) {
			check_error(&at, ERR_INVALID,
			    "with a workloadSelector it may be exported to "
			    "its own namespace only: [\".\"]");
			return;
		}
}

enum { EXPORT_MAX = 1024 }; /* each is compared with each */

void
check_export_to(struct check *c, const struct export_to *list, struct slice ns,
    unsigned rules)
{
	struct check all = check_member(c, "exportTo");

	if (list->count > EXPORT_MAX) {
		check_error(
		    &all, ERR_LIMIT, "more than %d entries", (int)EXPORT_MAX);
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		struct check at = check_member(c, "exportTo[%zu]", i);

		check_item(&at, named(list->items[i], ns), rules);
		if (came_before(list, i, ns))
			check_error(&at, ERR_INVALID,
			    "\"%.*s\" is there twice; \".\" is the "
			    "resource's own namespace",
			    SLICE_ARG(
				slice_sub(list->items[i], 0, NAME_LABEL_MAX)));
	}
	check_alone(c, list);
	if (rules & EXPORT_OWN_ONLY)
		check_own(c, list, ns);
}
