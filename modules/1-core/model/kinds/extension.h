/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extension — WasmPlugin and TrafficExtension (extensions.istio.io/v1alpha1).
 */
#ifndef MESHD_EXTENSION_H
#define MESHD_EXTENSION_H

#include "../field.h"
#include "selector.h"

enum extension_phase {  /* before that group of filters */
	EXTENSION_LAST, /* before the router */
	EXTENSION_AUTHN,
	EXTENSION_AUTHZ,
	EXTENSION_STATS
};

enum wasm_failure { WASM_FAIL_CLOSE, WASM_FAIL_OPEN, WASM_FAIL_RELOAD };
enum wasm_type { WASM_UNSPECIFIED, WASM_HTTP, WASM_NETWORK };
enum wasm_pull {
	WASM_PULL_UNSPECIFIED,
	WASM_PULL_IF_NOT_PRESENT,
	WASM_PULL_ALWAYS
};
enum wasm_env_source { WASM_ENV_INLINE, WASM_ENV_HOST };

enum traffic_mode { /* type.istio.io: not Telemetry's numbers */
	TRAFFIC_UNDEFINED,
	TRAFFIC_CLIENT,
	TRAFFIC_SERVER,
	TRAFFIC_CLIENT_AND_SERVER
};

struct traffic_port {
	struct message_head head;
	int64_t number;
};

/* All of it has to hold; of several selectors one. */
struct traffic_selector {
	struct message_head head;
	int mode; /* enum traffic_mode */
	LIST_OF(struct traffic_port) ports;
};

struct wasm_env {
	struct message_head head;
	struct slice name;
	int value_from; /* enum wasm_env_source */
	struct slice value;
};

struct wasm_vm {
	struct message_head head;
	LIST_OF(struct wasm_env) env;
};

/* The module and how it is run; the same in both kinds. */
struct wasm_module {
	struct slice url;
	struct slice sha256;
	int image_pull_policy; /* enum wasm_pull */
	struct slice image_pull_secret;
	struct slice verification_key;
	const struct value *plugin_config;
	struct slice plugin_name;
	int fail_strategy; /* enum wasm_failure */
	const struct wasm_vm *vm_config;
	int type; /* enum wasm_type */
};

struct wasm_plugin {
	struct message_head head;
	struct policy_scope scope;
	struct wasm_module module;
	int phase;        /* enum extension_phase */
	int64_t priority; /* higher first */
	LIST_OF(struct traffic_selector) match;
};

struct wasm_config {
	struct message_head head;
	struct wasm_module module;
};

struct lua_config {
	struct message_head head;
	struct slice inline_code;
};

struct traffic_extension {
	struct message_head head;
	struct policy_scope scope;
	int phase;
	int64_t priority;
	LIST_OF(struct traffic_selector) match;
	const struct wasm_config *wasm;
	const struct lua_config *lua;
};

extern const struct message wasm_plugin_message;
extern const struct message traffic_extension_message;

#endif
