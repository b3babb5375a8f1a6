/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_scope — parts of MeshConfig that choose namespaces and services.
 */
#include "mesh_config.h"
#include "rows.h"
#include "validate.h"

/* --- by labels ------------------------------------------------------------ */

static void
check_operator(struct check *c, const void *value)
{
	static const char *const words[] = {
	    "In", "NotIn", "Exists", "DoesNotExist"};

	check_word(c, *(const struct slice *)value, words, ARRAY_LEN(words),
	    "operator: it is In, NotIn, Exists or DoesNotExist");
}

static void
check_requirement(struct check *c, const void *message)
{
	const struct label_requirement *r = message;
	struct check at = check_member(c, "values");
	bool lists = slice_eq(r->op, S("In")) || slice_eq(r->op, S("NotIn"));

	if (lists && r->values.count == 0)
		check_error(&at, ERR_INVALID,
		    "In and NotIn need values to compare with");
	if (!lists && r->values.count > 0)
		check_error(
		    &at, ERR_INVALID, "Exists and DoesNotExist have no values");
}

static const struct field requirement_fields[] = {
    ROW(label_requirement, "key", key, FIELD_STRING, .flags = FIELD_REQUIRED,
	.doc = "Name of the label."),
    ROW(label_requirement, "operator", op, FIELD_STRING,
	.flags = FIELD_REQUIRED, .check = check_operator,
	.doc = "In, NotIn, Exists or DoesNotExist."),
    ROW(label_requirement, "values", values, FIELD_STRING,
	.flags = FIELD_REPEATED, .doc = "Values, for In and NotIn."),
};

static const struct message label_requirement_message =
    MESSAGE(label_requirement, "LabelSelectorRequirement", requirement_fields,
	.check = check_requirement, .doc = "A test of one label.");

static const struct field label_selector_fields[] = {
    ROW(label_selector, "matchLabels", match_labels, FIELD_STRING_MAP,
	.flags = FIELD_ONE_NAME, .doc = "Labels that must all be there."),
    ROWS_OF(label_selector, "matchExpressions", match_expressions,
	label_requirement, FIELD_ONE_NAME, .doc = "Tests that must all hold."),
};

const struct message label_selector_message = MESSAGE(label_selector,
    "LabelSelector", label_selector_fields, .doc = "Things, by their labels.");

/* --- services ------------------------------------------------------------- */

static const struct field_word scope_words[] = {
    {"LOCAL", SERVICE_SCOPE_LOCAL, FIELD_GUARD},
    {"GLOBAL", SERVICE_SCOPE_GLOBAL, 0},
    {NULL, 0, 0},
};

static const struct field scope_fields[] = {
    ROW_OF(service_scope_config, "namespaceSelector", namespaces,
	label_selector, .doc = "Namespaces of the services."),
    ROW_OF(service_scope_config, "servicesSelector", services, label_selector,
	.doc = "The services."),
    ROW(service_scope_config, "scope", scope, FIELD_ENUM, .words = scope_words,
	.otherwise = "LOCAL",
	.doc = "LOCAL for the own cluster, GLOBAL for all of the mesh."),
};

const struct message service_scope_config_message =
    MESSAGE(service_scope_config, "ServiceScopeConfigs", scope_fields,
	.doc = "How far services are seen.");

static const struct field settings_values_fields[] = {
    ROW(service_settings_values, "clusterLocal", cluster_local, FIELD_BOOL,
	.otherwise = "false", .flags = FIELD_GUARD,
	.doc = "Callers use endpoints of their own cluster only."),
};

static const struct message settings_values_message =
    MESSAGE(service_settings_values, "Settings", settings_values_fields,
	.doc = "What is so of the services.");

static const struct field service_settings_fields[] = {
    ROW_OF(service_settings, "settings", settings, settings_values,
	.doc = "What is so of the services."),
    ROW(service_settings, "hosts", hosts, FIELD_STRING, .flags = FIELD_REPEATED,
	.check = check_wildcard_host,
	.doc = "The services: *.ns.svc.cluster.local, or a whole name."),
};

const struct message service_settings_message =
    MESSAGE(service_settings, "ServiceSettings", service_settings_fields,
	.doc = "Settings of services, by their hosts.");

/* --- who sees ServiceEntries ---------------------------------------------- */

static const struct field_word visibility_words[] = {
    {"VISIBILITY_UNSPECIFIED", VISIBILITY_UNSPECIFIED, 0},
    {"NONE", VISIBILITY_NONE, FIELD_GUARD},
    {"NAMESPACE", VISIBILITY_NAMESPACE, FIELD_GUARD},
    {"PUBLIC", VISIBILITY_PUBLIC, 0},
    {NULL, 0, 0},
};

static const struct field visibility_match_fields[] = {
    ROW_OF(visibility_match, "namespaceSelector", namespaces, label_selector,
	.doc = "Namespaces of the entries."),
};

static const struct message visibility_match_message = MESSAGE(visibility_match,
    "MatchRule", visibility_match_fields, .doc = "Which entries.");

static const struct field visibility_policy_fields[] = {
    ROW(visibility_policy, "visibility", visibility, FIELD_ENUM,
	.words = visibility_words, .otherwise = "VISIBILITY_UNSPECIFIED",
	.doc = "Who sees them."),
    ROWS_OF(visibility_policy, "matchingRules", matching_rules,
	visibility_match, 0, .doc = "Entries that it is for, by any of these."),
};

static const struct message visibility_policy_message =
    MESSAGE(visibility_policy, "Policy", visibility_policy_fields,
	.doc = "Who sees some entries.");

static const struct field entry_visibility_fields[] = {
    ROW(service_entry_visibility, "defaultVisibility", default_visibility,
	FIELD_ENUM, .words = visibility_words,
	.otherwise = "VISIBILITY_UNSPECIFIED",
	.doc = "Who sees entries that no policy is for."),
    ROW(service_entry_visibility, "applyToSidecars", apply_to_sidecars,
	FIELD_BOOL, .otherwise = "false",
	.doc = "Whether this holds for workloads, too."),
    ROWS_OF(service_entry_visibility, "policies", policies, visibility_policy,
	0, .doc = "Who sees which entries; the first that fits counts."),
};

const struct message service_entry_visibility_message =
    MESSAGE(service_entry_visibility, "ServiceEntryVisibility",
	entry_visibility_fields, .doc = "Who sees ServiceEntries.");
