/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token — is the one that was given whole, and whose is it?
 *
 * Its servers are asked for after it (servers.c). Whether it may still be used,
 * nobody is told but by using it, or on a server's own machine.
 */
#include "checks.h"

bool
check_token(struct doctor *d)
{
	struct fault why = {0};

	if (d->spec.token.len == 0)
		return true;
	if (ca_token_parse(d->spec.token, CA_TOKEN_JOIN, &d->token, &why) !=
	    OK) {
		doctor_mend(d, "meshd token create");
		doctor_say(d, DOCTOR_PROBLEM,
		    "the token is none: %s; make one at the server", why.text);
		return true;
	}
	d->has_token = true;
	doctor_say(d, DOCTOR_OK,
	    "the token is whole: it is for trust domain %s and %zu server%s, "
	    "of which the first is %s; how long it may be used only the "
	    "server knows (meshd token list)",
	    d->token.trust_domain, d->token.server_count,
	    d->token.server_count == 1 ? "" : "s", d->token.servers[0]);
	return true;
}
