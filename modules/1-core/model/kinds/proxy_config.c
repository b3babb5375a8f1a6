/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_config — the fields of ProxyConfig.
 */
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

static const struct field proxy_image_fields[] = {
    ROW(proxy_image, "imageType", image_type, FIELD_STRING,
	.doc = "Which image of the proxy; there is one binary here."),
};

static const struct message proxy_image_message = MESSAGE(
    proxy_image, "ProxyImage", proxy_image_fields, .doc = "The proxy's image.");

static void
check_concurrency(struct check *c, const void *value)
{
	if (*(const int64_t *)value < 0)
		check_error(c, ERR_INVALID,
		    "concurrency must be greater than or equal to 0");
}

static const struct field proxy_config_fields[] = {
    ROW_OF(proxy_config, "selector", selector, policy_selector,
	.doc = "Workloads that it is for; absent: all of the namespace."),
    ROW(proxy_config, "concurrency", concurrency, FIELD_INT, .min = INT32_MIN,
	.max = INT32_MAX, .check = check_concurrency,
	.doc = "Worker threads; 0: as many as there are cores."),
    ROW(proxy_config, "environmentVariables", environment_variables,
	FIELD_STRING_MAP, .doc = "Variables of the proxy's environment."),
    ROW_OF(
	proxy_config, "image", image, proxy_image, .doc = "The proxy's image."),
};

const struct message proxy_config_message = MESSAGE(proxy_config, "ProxyConfig",
    proxy_config_fields, .doc = "How proxies are started.");

const struct resource_kind kind_proxy_config = {
    .group = "networking.istio.io",
    .kind = "ProxyConfig",
    .plural = "proxyconfigs",
    .alias = "pc",
    .versions = (const char *const[]){"v1beta1", NULL},
    .spec = &proxy_config_message,
    .flags = FIELD_INERT,
};
