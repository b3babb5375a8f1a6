/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_policies — policies of workloads: who may call them, and how.
 */
#include "random_text.h"

void
put_peers(struct text *t)
{
	static const char *const modes[] = {
	    "STRICT", "PERMISSIVE", "DISABLE", "UNSET"};

	put_head(t, "security.istio.io/v1", "PeerAuthentication");
	put_selector(t, "  selector: {matchLabels: {", "}}\n");
	put2(t, "  mtls: {mode: ", ANY(t, modes), "}\n");
}

void
put_access(struct text *t)
{
	static const char *const actions[] = {"ALLOW", "DENY"};
	static const char *const rules[] = {"[{}]",
	    "[{from: [{source: {namespaces: [shop]}}]}]",
	    "[{to: [{operation: {paths: [/a*]}}]}]"};

	put_head(t, "security.istio.io/v1", "AuthorizationPolicy");
	put_selector(t, "  selector: {matchLabels: {", "}}\n");
	if (maybe(t, 4))
		put2(t,
		    "  action: CUSTOM\n  provider: {name: ", ANY(t, few_names),
		    "}\n");
	else
		put2(t, "  action: ", ANY(t, actions), "\n");
	put2(t, "  rules: ", ANY(t, rules), "\n");
}

void
put_tokens(struct text *t)
{
	put_head(t, "security.istio.io/v1", "RequestAuthentication");
	put_selector(t, "  selector: {matchLabels: {", "}}\n");
	put2(t, "  jwtRules: [{issuer: ", ANY(t, few_names),
	    ", jwksUri: 'https://example.com/keys'}]\n");
}

void
put_telemetry(struct text *t)
{
	put_head(t, "telemetry.istio.io/v1", "Telemetry");
	put_selector(t, "  selector: {matchLabels: {", "}}\n");
	put(t, "  accessLogging: [{disabled: true}]\n");
}

/* Half of them turn it off, for all or for a port. */
static void
put_peers_again(struct text *t)
{
	static const char *const modes[] = {
	    "STRICT", "PERMISSIVE", "DISABLE", "DISABLE", "UNSET"};
	static const char *const labels[] = {
	    "app: web", "version: v1", "version: v2"};
	static const char *const target_ports[] = {"80", "8080", "3306"};

	put_head(t, "security.istio.io/v1", "PeerAuthentication");
	put2(t, "  mtls: {mode: ", ANY(t, modes), "}\n");
	if (maybe(t, 2))
		return;
	put2(t, "  selector: {matchLabels: {", ANY(t, labels), "}}\n");
	if (maybe(t, 2)) {
		put2(t, "  portLevelMtls: {", ANY(t, target_ports), ": ");
		put2(t, "{mode: ", ANY(t, modes), "}}\n");
	}
}

struct resource *
random_peers(struct rng *rng, uint64_t head)
{
	return random_valid(rng, head, put_peers_again);
}
