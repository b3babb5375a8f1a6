/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service — ports that are carried and others, names for other services.
 */
#include "expect.h"
#include "unit.h"

#define HEAD "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n"

TEST(other_transports_are_valid_but_not_carried)
{
	expect_quiet(HEAD "  ports: [{port: 53, protocol: UDP}]\n");
	expect_inert(HEAD "  ports: [{port: 53, protocol: UDP}]\n",
	    "spec.ports[0].protocol", "MSH0001");
	expect_inert(HEAD "  ports: [{port: 53, protocol: SCTP}]\n",
	    "spec.ports[0].protocol", "MSH0001");
	expect_in_force(HEAD "  ports: [{port: 53, protocol: TCP}]\n");
}

TEST(one_number_may_serve_two_transports)
{
	expect_quiet(HEAD "  ports: [{name: a, port: 53, protocol: UDP},"
			  " {name: b, port: 53, protocol: TCP}]\n");
}

TEST(a_name_for_another_service_needs_no_ports)
{
	expect_quiet(HEAD "  type: ExternalName\n  externalName: a.b\n");
	expect_inert(HEAD "  type: ExternalName\n  externalName: a.b\n",
	    "spec.type", "MSH0001");
	expect_valid(HEAD "  clusterIP: None\n");
	expect_inert(HEAD "  ports: [{port: 1}]\n"
			  "  publishNotReadyAddresses: true\n",
	    "spec.publishNotReadyAddresses", "MSH0001");
}

TEST(everything_comes_back_as_it_was)
{
	expect_round_trip(
	    HEAD "  type: ExternalName\n  externalName: a.b\n"
		 "  ports: [{name: a, port: 53, protocol: UDP,"
		 " targetPort: dns}, {name: b, port: 80, targetPort: 8080}]\n");
}
