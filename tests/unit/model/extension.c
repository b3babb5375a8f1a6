/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extension — WasmPlugin, TrafficExtension and ProxyConfig: right, wrong, and
 * what is said about each.
 */
#include "expect.h"
#include "unit.h"

#define HEAD(group, kind)                                                      \
	"apiVersion: " group "\nkind: " kind "\nmetadata: {name: x}\nspec:\n"
#define WP HEAD("extensions.istio.io/v1alpha1", "WasmPlugin")
#define TE HEAD("extensions.istio.io/v1alpha1", "TrafficExtension")
#define PC HEAD("networking.istio.io/v1beta1", "ProxyConfig")

static const struct mistake wrongs[] = {
    {WP "  phase: AUTHN\n", "spec.url", "is required"},
    {WP "  url: ftp://x\n", "spec.url", "oci, http, https or file"},
    {WP "  url: 'a b'\n", "spec.url", "no place of a module"},
    {WP "  url: 'localhost:5000/a'\n", "spec.url", "written with oci://"},
    {WP "  url: 'unix:@a'\n", "spec.url", "the scheme \"unix\""},
    {WP "  url: x\n  sha256: 01ba\n", "spec.sha256", "64"},
    {WP "  url: x\n  sha256: 01Ba4719c80b6fe911b091a7c05124b64eeece964e09c058"
	"ef8f9805daca546b\n",
	"spec.sha256", "a-f only"},
    {WP "  url: x\n  phase: AUTH\n", "spec.phase", "did you mean \"AUTHN\""},
    {WP "  url: x\n  match: [{ports: [{number: 0}]}]\n",
	"spec.match[0].ports[0].number", "outside"},
    {WP "  url: x\n  match: [{ports: [null]}]\n",
	"spec.match[0].ports[0].number", "is required"},
    {WP "  url: x\n  vmConfig: {env: [{name: A}, {name: A}]}\n",
	"spec.vmConfig.env[1].name", "twice"},
    {WP "  url: x\n  vmConfig: {env: [{name: A, valueFrom: HOST, value: b}]}\n",
	"spec.vmConfig.env[0].value", "INLINE"},
    {WP "  url: x\n  pluginConfig: 5\n", "spec.pluginConfig", "a map"},
    {TE "  phase: AUTHN\n", "spec", "exactly one of wasm and lua"},
    {TE "  lua: {inlineCode: a}\n  targetRef: {kind: Service, name: a}\n",
	"spec.targetRef", "did you mean \"targetRefs\""},
    {TE "  lua: {inlineCode: ''}\n", "spec.lua.inlineCode", "empty"},
    {PC "  concurrency: -1\n", "spec.concurrency", "greater than or equal"},
};

TEST(each_mistake_in_an_extension_is_named)
{
	expect_mistakes(wrongs, ARRAY_LEN(wrongs));
}

#define CONFIGURED                                                             \
	WP "  url: oci://r.example.com/f:v1\n"                                 \
	   "  pluginConfig: {b: [1, 2.5, null, {c: yes}], a: ''}\n"            \
	   "  priority: '7'\n"

TEST(the_configuration_of_a_module_is_kept_as_it_is)
{
	expect_inert(CONFIGURED, "kind", "MSH0001");
	expect_written(CONFIGURED,
	    S("{\"pluginConfig\":{\"a\":\"\",\"b\":[1,2.5,null,{\"c\":"
	      "\"yes\"}]},\"priority\":7,\"url\":"
	      "\"oci://r.example.com/f:v1\"}"));
}
