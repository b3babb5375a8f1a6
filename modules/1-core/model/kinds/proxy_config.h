/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_config — ProxyConfig (networking.istio.io/v1beta1).
 */
#ifndef MESHD_PROXY_CONFIG_H
#define MESHD_PROXY_CONFIG_H

#include "../field.h"
#include "selector.h"

struct proxy_image {
	struct message_head head;
	struct slice image_type;
};

struct proxy_config {
	struct message_head head;
	const struct policy_selector *selector;
	int64_t concurrency; /* workers; 0: as many as cores */
	struct labels environment_variables;
	const struct proxy_image *image;
};

extern const struct message proxy_config_message;

#endif
