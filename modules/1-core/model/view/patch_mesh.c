/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_mesh — another MeshConfig.
 *
 * Some of it is looked at only when somebody asks: how the access log looks,
 * which providers there are, how a path is read; or by guards, which are made
 * anew with all that is said of this machine (patch_own.c). The rest is in rows
 * of the whole mesh: in each route (defaultHttpRetryPolicy), in each cluster
 * (connectTimeout, defaultTrafficPolicy, localityLbSetting, enableAutoMtls …),
 * in each listener (outboundTrafficPolicy, ports), or decides who sees what
 * (default…ExportTo). Where any of that is another there is no patch; so rows
 * may be made with that of the base, which says the same of them, and stays as
 * long as they do.
 */
#include "kinds/mesh_config.h"
#include "patch.h"

enum { COMPARED_BYTES = 4 << 20 };

/* No row of the mesh is made of them. */
static const char *const asked[] = {
    /* when a line of the log is written, a path is judged, a name resolved */
    "accessLogFormat",
    "accessLogEncoding",
    "pathNormalization",
    "dnsRefreshRate",
    /* what holds for a workload, see ../settings and ../access */
    "extensionProviders",
    "defaultProviders",
    "defaultConfig", /* but for what is_alike_proxy() compares */
    "trustDomainAliases",
    /* nothing is made of them yet */
    "accessLogFile",
    "enableEnvoyAccessLogService",
    "disableEnvoyListenerLog",
    "enableTracing",
    "enablePrometheusMerge",
    "hboneIdleTimeout",
    "protocolDetectionTimeout",
    "ingressClass",
    "ingressService",
    "ingressControllerMode",
    "ingressSelector",
    "configSources",
    "caCertificates",
    "ca",
    "certificates",
    "inboundClusterStatName",
    "outboundClusterStatName",
    "serviceSettings",
    "serviceScopeConfigs",
    "serviceEntryVisibility",
    "discoverySelectors",
    "meshMTLS",
    "tlsDefaults",
    "verifyCertificateAtClient",
};

static bool
is_asked(struct slice field)
{
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		if (slice_eq(field, slice_str(asked[i])))
			return true;
	return false;
}

/* All else that is there is so in both. */
static bool
has_rows_of(const struct value *a, const struct value *b)
{
	for (const struct value *x = a->child; x != NULL; x = x->next) {
		const struct value *y = value_get(b, x->key);

		if (!is_asked(x->key) && (y == NULL || !value_eq(x, y)))
			return false;
	}
	return true;
}

/* Gateways behind others, and automatic addresses. */
static bool
is_alike_proxy(const struct mesh_config *a, const struct mesh_config *b)
{
	return captures_dns(a) == captures_dns(b) &&
	       is_behind_proxy(a->default_config) ==
		   is_behind_proxy(b->default_config);
}

static bool
is_alike_mesh(const struct mesh_config *a, const struct mesh_config *b)
{
	AUTO(arena_fini) struct arena arena = {0};
	const struct value *x, *y;

	arena_init(&arena, COMPARED_BYTES);
	x = message_encode(&mesh_config_message, a, &arena);
	y = message_encode(&mesh_config_message, b, &arena);
	return x != NULL && y != NULL && has_rows_of(x, y) &&
	       has_rows_of(y, x) && is_alike_proxy(a, b);
}

bool
has_other_mesh(const struct renewal *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (kind_of(&all[i]) == &kind_mesh_config)
			return true;
	return false;
}

bool
is_mesh_alike(struct patching *p)
{
	struct rows now = {0};
	const struct mesh_config *m;

	if (!has_other_mesh(p->items, p->count))
		return true;
	list_resources(p, &now);
	m = find_mesh(&now, &p->arena);
	rows_fini(&now);
	return m != NULL && is_alike_mesh(p->base->mesh, m);
}
