/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extension — the fields of WasmPlugin and TrafficExtension.
 */
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

enum {
	SHA256_LEN = 64,
	PLUGIN_NAME_MAX = 256,
	SECRET_NAME_MAX = 253,
	ENV_MAX = 256,
	ENV_NAME_MAX = 256,
	ENV_VALUE_MAX = 2048,
	LUA_MAX = 64 << 10,
	SCHEME_MAX = 32
};

/* --- words ---------------------------------------------------------------- */

static const struct field_word phase_words[] = {
    {"UNSPECIFIED_PHASE", EXTENSION_LAST, 0},
    {"AUTHN", EXTENSION_AUTHN, 0},
    {"AUTHZ", EXTENSION_AUTHZ, 0},
    {"STATS", EXTENSION_STATS, 0},
    {NULL, 0, 0},
};

/* TrafficExtension's name of the first is another. */
static const struct field_word execution_phase_words[] = {
    {"UNSPECIFIED", EXTENSION_LAST, 0},
    {"AUTHN", EXTENSION_AUTHN, 0},
    {"AUTHZ", EXTENSION_AUTHZ, 0},
    {"STATS", EXTENSION_STATS, 0},
    {NULL, 0, 0},
};

static const struct field_word pull_words[] = {
    {"UNSPECIFIED_POLICY", WASM_PULL_UNSPECIFIED, 0},
    {"IfNotPresent", WASM_PULL_IF_NOT_PRESENT, 0},
    {"Always", WASM_PULL_ALWAYS, 0},
    {NULL, 0, 0},
};

static const struct field_word failure_words[] = {
    {"FAIL_CLOSE", WASM_FAIL_CLOSE, 0},
    {"FAIL_OPEN", WASM_FAIL_OPEN, 0},
    {"FAIL_RELOAD", WASM_FAIL_RELOAD, 0},
    {NULL, 0, 0},
};

static const struct field_word type_words[] = {
    {"UNSPECIFIED_PLUGIN_TYPE", WASM_UNSPECIFIED, 0},
    {"HTTP", WASM_HTTP, 0},
    {"NETWORK", WASM_NETWORK, 0},
    {NULL, 0, 0},
};

static const struct field_word source_words[] = {
    {"INLINE", WASM_ENV_INLINE, 0},
    {"HOST", WASM_ENV_HOST, 0},
    {NULL, 0, 0},
};

static const struct field_word mode_words[] = {
    {"UNDEFINED", TRAFFIC_UNDEFINED, 0},
    {"CLIENT", TRAFFIC_CLIENT, 0},
    {"SERVER", TRAFFIC_SERVER, 0},
    {"CLIENT_AND_SERVER", TRAFFIC_CLIENT_AND_SERVER, 0},
    {NULL, 0, 0},
};

/* --- which traffic -------------------------------------------------------- */

static const struct field traffic_port_fields[] = {
    ROW(traffic_port, "number", number, FIELD_INT, .flags = FIELD_REQUIRED,
	.min = 1, .max = 65535, .doc = "Port of the listener."),
};

static const struct message traffic_port_message = MESSAGE(
    traffic_port, "PortSelector", traffic_port_fields, .doc = "One port.");

static const struct field traffic_selector_fields[] = {
    ROW(traffic_selector, "mode", mode, FIELD_ENUM, .words = mode_words,
	.otherwise = "UNDEFINED",
	.doc = "CLIENT is what the workload sends, SERVER what it is sent; "
	       "both unless it is said."),
    ROWS_OF(traffic_selector, "ports", ports, traffic_port, 0,
	.doc = "Ports, any of these; none: every one."),
};

static const struct message traffic_selector_message =
    MESSAGE(traffic_selector, "TrafficSelector", traffic_selector_fields,
	.doc = "Which traffic of the workload.");

/* --- the module ----------------------------------------------------------- */

static const struct field env_fields[] = {
    ROW(wasm_env, "name", name, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY, .longest = ENV_NAME_MAX,
	.doc = "Name of the variable."),
    ROW(wasm_env, "valueFrom", value_from, FIELD_ENUM, .words = source_words,
	.otherwise = "INLINE",
	.doc = "INLINE takes `value`, HOST the proxy's own environment."),
    ROW(wasm_env, "value", value, FIELD_STRING, .longest = ENV_VALUE_MAX,
	.doc = "The value; with INLINE only."),
};

static void
check_env(struct check *c, const void *message)
{
	const struct wasm_env *e = message;
	struct check at = check_member(c, "value");

	if (e->value_from != WASM_ENV_INLINE && e->value.len > 0)
		check_error(&at, ERR_INVALID,
		    "may only be set when valueFrom is INLINE");
}

static const struct message env_message = MESSAGE(wasm_env, "EnvVar",
    env_fields, .check = check_env, .doc = "A variable of the environment.");

static void
check_vm(struct check *c, const void *message)
{
	const struct wasm_vm *vm = message;

	for (size_t j = 0; j < vm->env.count; j++)
		for (size_t i = 0; i < j; i++) {
			struct check at = check_member(c, "env[%zu].name", j);

			if (vm->env.items[i].name.len == 0 ||
			    !slice_eq(
				vm->env.items[i].name, vm->env.items[j].name))
				continue;
			check_error(
			    &at, ERR_INVALID, "the variable is there twice");
			break;
		}
}

static const struct field vm_fields[] = {
    ROWS_OF(wasm_vm, "env", env, env, 0, .most = ENV_MAX,
	.doc = "The environment that the module sees."),
};

static const struct message vm_message = MESSAGE(wasm_vm, "VmConfig", vm_fields,
    .check = check_vm, .doc = "The machine that runs the module.");

static bool
is_scheme(struct slice s)
{
	static const char *const known[] = {"oci", "http", "https", "file"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_eq_nocase(s, slice_str(known[i])))
			return true;
	return false;
}

/* RFC 3986 §3.1: what is in front of the colon; empty if there is none. */
static struct slice
scheme_of(struct slice url)
{
	bool begins = url.len > 0 && is_alnum(url.ptr[0]) && url.ptr[0] > '9';
	size_t n = 0;

	while (begins && n < url.len &&
	       (is_alnum(url.ptr[n]) || slice_find(S("+-."), url.ptr[n]) < 3))
		n++;
	return slice_sub(url, 0, n < url.len && url.ptr[n] == ':' ? n : 0);
}

/* RFC 3986 §3.2.2, and what names of images have besides. */
static bool
is_registry(struct slice url)
{
	struct slice host = slice_sub(url, 0, slice_find(url, '/'));

	for (size_t i = 0; i < host.len; i++)
		if (!is_alnum(host.ptr[i]) && (uint8_t)host.ptr[i] < 0x80 &&
		    strchr("-._~!$&'()*+,;=:@", host.ptr[i]) == NULL)
			return false;
	return !slice_starts(url, S(":")) || slice_starts(url, S("://"));
}

/* Without a scheme it is an image of a registry. */
static void
check_module_url(struct check *c, const void *value)
{
	struct slice url = *(const struct slice *)value;
	struct slice scheme = scheme_of(url);

	if (url.len == 0)
		check_error(c, ERR_INVALID,
		    "may not be empty: it says where the module is");
	else if (scheme.len > 0) {
		if (!is_scheme(scheme))
			check_error(c, ERR_INVALID,
			    "has the scheme \"%.*s\"; it may be oci, http, "
			    "https or file, and a registry with a port is "
			    "written with oci://",
			    SLICE_ARG(slice_sub(scheme, 0, SCHEME_MAX)));
	} else if (!is_registry(url))
		check_error(c, ERR_INVALID,
		    "is no place of a module, such as "
		    "oci://registry.example.com/filter:v1");
}

static void
check_sha256(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (s->len == 0)
		return;
	if (s->len != SHA256_LEN) {
		check_error(c, ERR_INVALID, "is 64 hexadecimal digits long");
		return;
	}
	for (size_t i = 0; i < s->len; i++)
		if (strchr("0123456789abcdef", s->ptr[i]) == NULL) {
			check_error(c, ERR_INVALID,
			    "is made of the digits 0-9 and a-f only");
			return;
		}
}

#define WASM_ROWS(of_struct)                                                   \
	ROW(of_struct, "url", module.url, FIELD_STRING,                        \
	    .flags = FIELD_REQUIRED, .check = check_module_url,                \
	    .doc = "Where the module is: oci (by default), http, https or "    \
		   "file."),                                                   \
	    ROW(of_struct, "sha256", module.sha256, FIELD_STRING,              \
		.check = check_sha256,                                         \
		.doc = "Checksum that the module has to have."),               \
	    ROW(of_struct, "imagePullPolicy", module.image_pull_policy,        \
		FIELD_ENUM, .words = pull_words,                               \
		.otherwise = "UNSPECIFIED_POLICY",                             \
		.doc = "When it is fetched again: IfNotPresent, or Always, "   \
		       "which is so for the tag latest."),                     \
	    ROW(of_struct, "imagePullSecret", module.image_pull_secret,        \
		FIELD_STRING, .longest = SECRET_NAME_MAX,                      \
		.doc = "Secret with the registry's credentials."),             \
	    ROW(of_struct, "verificationKey", module.verification_key,         \
		FIELD_STRING, .doc = "Key that the image is signed with."),    \
	    ROW(of_struct, "pluginConfig", module.plugin_config, FIELD_TREE,   \
		.doc = "What the module is told, as JSON."),                   \
	    ROW(of_struct, "pluginName", module.plugin_name, FIELD_STRING,     \
		.longest = PLUGIN_NAME_MAX,                                    \
		.doc = "Which plugin, if the module has several."),            \
	    ROW(of_struct, "failStrategy", module.fail_strategy, FIELD_ENUM,   \
		.words = failure_words, .otherwise = "FAIL_CLOSE",             \
		.doc =                                                         \
		    "What becomes of requests once the module has failed."),   \
	    ROW_OF(of_struct, "vmConfig", module.vm_config, vm,                \
		.doc = "The machine that runs the module."),                   \
	    ROW(of_struct, "type", module.type, FIELD_ENUM,                    \
		.words = type_words, .otherwise = "UNSPECIFIED_PLUGIN_TYPE",   \
		.doc = "Whether it sees requests or connections; requests "    \
		       "unless it is said.")

#define PLACE_ROWS(of_struct, phases, unspecified)                             \
	ROW(of_struct, "phase", phase, FIELD_ENUM, .words = phases,            \
	    .otherwise = unspecified,                                          \
	    .doc = "Before which filters it runs; before the router unless "   \
		   "it is said."),                                             \
	    ROW(of_struct, "priority", priority, FIELD_INT, .min = INT32_MIN,  \
		.max = INT32_MAX, .otherwise = "0",                            \
		.doc = "Order within a phase: the higher first."),             \
	    ROWS_OF(of_struct, "match", match, traffic_selector, 0,            \
		.doc = "Traffic that it sees, any of these; none: all.")

/* --- the kinds ------------------------------------------------------------ */

static void
check_wasm_plugin(struct check *c, const void *message)
{
	check_policy_scope(c, &((const struct wasm_plugin *)message)->scope);
}

static const struct field wasm_plugin_fields[] = {
    POLICY_SCOPE_ROWS(wasm_plugin),
    WASM_ROWS(wasm_plugin),
    PLACE_ROWS(wasm_plugin, phase_words, "UNSPECIFIED_PHASE"),
};

const struct message wasm_plugin_message = MESSAGE(wasm_plugin, "WasmPlugin",
    wasm_plugin_fields, .check = check_wasm_plugin,
    .doc = "A WebAssembly module among the filters.");

static const struct field wasm_config_fields[] = {
    WASM_ROWS(wasm_config),
};

static const struct message wasm_config_message = MESSAGE(wasm_config,
    "WasmConfig", wasm_config_fields, .doc = "A WebAssembly module.");

static const struct field lua_config_fields[] = {
    ROW(lua_config, "inlineCode", inline_code, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY, .longest = LUA_MAX,
	.doc = "The program; it defines envoy_on_request, envoy_on_response "
	       "or both."),
};

static const struct message lua_config_message = MESSAGE(
    lua_config, "LuaConfig", lua_config_fields, .doc = "A Lua program.");

static void
check_traffic_extension(struct check *c, const void *message)
{
	const struct traffic_extension *e = message;

	check_policy_scope(c, &e->scope);
	if (e->wasm == NULL && e->lua == NULL)
		check_error(
		    c, ERR_INVALID, "exactly one of wasm and lua must be set");
}

enum { ONEOF_PROGRAM = 1 };

static const struct field traffic_extension_fields[] = {
    SELECTOR_ROW(traffic_extension),
    TARGETS_ROW(traffic_extension),
    PLACE_ROWS(traffic_extension, execution_phase_words, "UNSPECIFIED"),
    ROW_OF(traffic_extension, "wasm", wasm, wasm_config, .oneof = ONEOF_PROGRAM,
	.doc = "A WebAssembly module."),
    ROW_OF(traffic_extension, "lua", lua, lua_config, .oneof = ONEOF_PROGRAM,
	.doc = "A Lua program."),
};

const struct message traffic_extension_message =
    MESSAGE(traffic_extension, "TrafficExtension", traffic_extension_fields,
	.check = check_traffic_extension,
	.doc = "A program among the filters, in WebAssembly or Lua.");

const struct resource_kind kind_wasm_plugin = {
    .group = "extensions.istio.io",
    .kind = "WasmPlugin",
    .plural = "wasmplugins",
    .alias = "wp",
    .versions = (const char *const[]){"v1alpha1", NULL},
    .spec = &wasm_plugin_message,
    .flags = FIELD_INERT,
};

const struct resource_kind kind_traffic_extension = {
    .group = "extensions.istio.io",
    .kind = "TrafficExtension",
    .plural = "trafficextensions",
    .alias = "te",
    .versions = (const char *const[]){"v1alpha1", NULL},
    .spec = &traffic_extension_message,
    .flags = FIELD_INERT,
};
