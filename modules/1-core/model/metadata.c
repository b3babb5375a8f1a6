/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata — its fields, and annotations that nobody may set.
 */
#include <stdio.h>
#include <time.h>

#include "metadata.h"
#include "rows.h"

/* --- the table ------------------------------------------------------------ */

static void
check_name(struct check *c, const void *value)
{
	const struct slice *s = value;
	struct fault why = {0};

	if (name_check_subdomain(*s, &why) != OK)
		check_error(c, ERR_INVALID, "%s", why.text);
}

/* Capitals too, as upstream has them in its examples; services do not. */
static void
check_namespace(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (!is_dns_label(*s))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no namespace: at most 63 letters, digits "
		    "and dashes inside",
		    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)));
}

bool
metadata_time(struct slice text, int64_t *out_ms)
{
	char z[40], *end;
	struct tm tm = {0};
	unsigned ms = 0, scale = 100;

	if (slice_to_cstr(text, z, sizeof(z)) != OK)
		return false;
	end = strptime(z, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end == NULL)
		return false;
	if (*end == '.')
		for (end++; *end >= '0' && *end <= '9'; end++, scale /= 10)
			ms += (unsigned)(*end - '0') * scale;
	if (strcmp(end, "Z") != 0)
		return false;
	*out_ms = (int64_t)timegm(&tm) * 1000 + ms;
	return true;
}

static void
check_time(struct check *c, const void *value)
{
	int64_t ms;

	if (!metadata_time(*(const struct slice *)value, &ms))
		check_error(c, ERR_INVALID,
		    "is no time of RFC 3339 in UTC: "
		    "\"2026-01-02T03:04:05Z\"");
}

/* A name that nobody knows could not be applied a second time. */
static void
check_generate_name(struct check *c, const void *value)
{
	(void)value;
	check_error(
	    c, ERR_INVALID, "names are not made up here; give a metadata.name");
}

static const struct field metadata_fields[] = {
    {.name = "name",
	.type = FIELD_STRING,
	.flags = FIELD_REQUIRED,
	.offset = offsetof(struct metadata, name),
	.check = check_name,
	.doc = "Unique among its kind and namespace."},
    {.name = "namespace",
	.type = FIELD_STRING,
	.offset = offsetof(struct metadata, ns),
	.check = check_namespace,
	.doc = "Where it belongs; `default` if absent."},
    {.name = "labels",
	.type = FIELD_STRING_MAP,
	.offset = offsetof(struct metadata, labels),
	.check = check_label,
	.doc = "Short texts to choose resources by."},
    {.name = "annotations",
	.type = FIELD_STRING_MAP,
	.offset = offsetof(struct metadata, annotations),
	.doc = "Texts for people and tools."},
    {.name = "creationTimestamp",
	.type = FIELD_STRING,
	.offset = offsetof(struct metadata, created),
	.check = check_time,
	.doc = "When it was first stored; the older of two wins a conflict."},
    {.name = "resourceVersion",
	.type = FIELD_STRING,
	.offset = offsetof(struct metadata, version),
	.doc = "The revision that a change is based on."},
    FOREIGN("uid", "An identifier of a cluster's own."),
    FOREIGN("generation", "A cluster's count of changes."),
    FOREIGN("managedFields", "A cluster's note of who wrote what."),
    FOREIGN("ownerReferences", "Objects of a cluster that own it."),
    FOREIGN("finalizers", "What a cluster waits for before deleting."),
    FOREIGN("selfLink", "A cluster's path to it."),
    FOREIGN("deletionTimestamp", "When a cluster was asked to delete it."),
    {.name = "generateName",
	.type = FIELD_STRING,
	.offset = offsetof(struct metadata, generate_name),
	.check = check_generate_name,
	.doc = "A prefix for a name that a cluster makes; not taken here."},
};

const struct message metadata_message = {
    .name = "ObjectMeta",
    .size = sizeof(struct metadata),
    .fields = metadata_fields,
    .field_count = ARRAY_LEN(metadata_fields),
    .doc = "What every resource has besides its spec.",
};

/* --- reserved annotations ------------------------------------------------- */

static const struct {
	struct slice name;
	const char *words;
} reserved[] = {
    {{"internal.istio.io/webhook-always-reject", 39},
	"asks to be refused, whatever else the resource says"},
    {{"internal.istio.io/parents", 25},
	"says for whom a controller made a resource; it may not be written"},
    {{"internal.istio.io/parent-namespace", 34},
	"lends another namespace's rights; it may not be written"},
    {{"istio.io/dry-run", 16},
	"is for AuthorizationPolicies only: this resource acts at once"},
};

void
metadata_check_reserved(struct check *c, const struct resource *r)
{
	struct check all = check_member(c, "annotations");

	if (r->key.group.len == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		struct check at = check_entry(&all, reserved[i].name);

		if (labels_get(&r->annotations, reserved[i].name).ptr == NULL ||
		    (r->kind == &kind_authorization_policy &&
			slice_eq(reserved[i].name, S("istio.io/dry-run"))))
			continue;
		check_error(&at, ERR_INVALID, "%s", reserved[i].words);
	}
}
