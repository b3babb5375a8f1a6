/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata — annotations and labels that a kind's own fields do not show.
 */
#include "expect.h"
#include "unit.h"

#define RESOURCE(api, kind, meta, spec)                                        \
	"apiVersion: " api "\nkind: " kind "\nmetadata: {name: x, " meta       \
	"}\nspec: {" spec "}\n"
#define NOTE(name, value) "annotations: {" name ": '" value "'}"
#define RULE(note)                                                             \
	RESOURCE("networking.istio.io/v1", "DestinationRule", note, "host: a")
#define ENTRY(location, waypoint)                                              \
	RESOURCE("networking.istio.io/v1", "ServiceEntry",                     \
	    "labels: {istio.io/use-waypoint: " waypoint "}",                   \
	    "hosts: ['*.a.b'], location: " location                            \
	    ", resolution: DYNAMIC_DNS, ports: [{number: 443, name: tls, "     \
	    "protocol: TLS}]")
#define SERVICE(note) RESOURCE("v1", "Service", note, "ports: [{port: 1}]")
#define EXPORT_TO "networking.istio.io/exportTo"

TEST(annotations_of_controllers_are_refused)
{
	static const struct wrong rows[] = {
	    {RULE(NOTE("internal.istio.io/webhook-always-reject", "true")),
		"metadata.annotations[\"internal.istio.io/"
		"webhook-always-reject\"]",
		"asks to be refused", ERR_INVALID},
	    {RULE(NOTE("internal.istio.io/parents", "HTTPRoute/a.b")),
		"metadata.annotations[\"internal.istio.io/parents\"]",
		"may not be written", ERR_INVALID},
	    {RULE(NOTE("internal.istio.io/parent-namespace", "b")),
		"metadata.annotations[\"internal.istio.io/parent-namespace\"]",
		"another namespace's rights", ERR_INVALID},
	    {RULE(NOTE("istio.io/dry-run", "true")),
		"metadata.annotations[\"istio.io/dry-run\"]",
		"for AuthorizationPolicies only", ERR_INVALID},
	    {RESOURCE("meshd.dev/v1", "RateLimitPolicy",
		 NOTE("istio.io/dry-run", "true"),
		 "limits: [{requests: 1, per: 1s}]"),
		"metadata.annotations[\"istio.io/dry-run\"]",
		"for AuthorizationPolicies only", ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_wrong(&rows[i]);
	expect_quiet(RULE(NOTE("istio.io/rev", "a")));
	expect_quiet(RESOURCE("security.istio.io/v1", "AuthorizationPolicy",
	    NOTE("istio.io/dry-run", "true"), ""));
	/* Of core's kinds upstream's validation looks at none. */
	expect_quiet(SERVICE(NOTE("istio.io/dry-run", "true")));
}

TEST(what_hides_a_service_is_in_force)
{
	expect_in_force(SERVICE(NOTE(EXPORT_TO, "., b")));
	expect_in_force(SERVICE(NOTE(EXPORT_TO, "")));
}

TEST(a_name_that_is_resolved_for_each_caller_has_no_waypoint)
{
	const struct wrong w = {ENTRY("MESH_INTERNAL", "gate"),
	    "spec.resolution", "use-waypoint", ERR_INVALID};

	expect_wrong(&w);
	expect_valid(ENTRY("MESH_INTERNAL", "None"));
	expect_valid(ENTRY("MESH_EXTERNAL", "gate"));
}
