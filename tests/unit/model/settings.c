/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings — Telemetry, ProxyConfig and extensions, merged for a workload.
 */
#include "compiled.h"
#include "unit.h"

#define DOC(group, kind, name, ns, day, spec)                                  \
	"apiVersion: " group "\nkind: " kind "\nmetadata: {name: " name        \
	", namespace: " ns ", creationTimestamp: '2026-01-" day                \
	"T00:00:00Z'}\nspec: {" spec "}\n---\n"
#define TELEMETRY(name, ns, day, spec)                                         \
	DOC("telemetry.istio.io/v1", "Telemetry", name, ns, day, spec)
#define PROXY(name, ns, day, spec)                                             \
	DOC("networking.istio.io/v1beta1", "ProxyConfig", name, ns, day, spec)
#define WASM(name, ns, day, spec)                                              \
	DOC("extensions.istio.io/v1alpha1", "WasmPlugin", name, ns, day,       \
	    "url: 'oci://x/y', " spec)
#define APP "selector: {matchLabels: {app: web}}, "

/* Of web in default. */
static const struct view_settings *
settings(struct compiled *c, const char *yaml)
{
	static const struct label web = {{"app", 3}, {"web", 3}};
	const struct labels labels = {&web, 1};
	const struct view_settings *s;

	compiled_init(c, yaml);
	s = view_settings_of(c->v, S("default"), &labels, &c->arena);
	EXPECT_TRUE(s != NULL);
	EXPECT_TRUE(view_settings_value(s, &c->arena) != NULL);
	return s;
}

#define MESH                                                                   \
	"extensionProviders:\n- {name: zip, zipkin: {service: z, port: 9}}\n"  \
	"- {name: logs, envoyFileAccessLog: {path: /x}}\n"                     \
	"- {name: more, envoyFileAccessLog: {path: /y}}\n"                     \
	"defaultProviders: {accessLogging: [logs]}\n---\n"

TEST(without_telemetry_the_defaults_of_the_mesh_hold)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_settings *s = settings(&c, MESH);

	EXPECT_FALSE(s->has_tracing);
	EXPECT_EQ(s->log_count[SETTINGS_SERVER], 1);
	EXPECT_SLICE(s->logs[SETTINGS_SERVER][0].provider.name, S("logs"));
	EXPECT_EQ(s->metric_count, 1);
	EXPECT_SLICE(s->metrics[0].provider.name, S("prometheus"));
	EXPECT_TRUE(s->metrics[0].provider.known);
}

/* --- tracing -------------------------------------------------------------- */

TEST(what_is_narrower_counts_field_by_field)
{
	AUTO(compiled_fini) struct compiled c;
	const struct settings_tracing *t;
	const struct view_settings *s = settings(&c,
	    MESH TELEMETRY("root", "istio-system", "01",
		"tracing: [{providers: [{name: ZIP}], "
		"randomSamplingPercentage: 10, enableIstioTags: false, "
		"customTags: {a: {literal: {value: x}}}}]") TELEMETRY("ns",
		"default", "01", "tracing: [{randomSamplingPercentage: 0}]")
		TELEMETRY("own", "default", "02",
		    APP "tracing: [{match: {mode: CLIENT}, "
			"disableSpanReporting: true}]")
		    TELEMETRY("other", "default", "02",
			"selector: {matchLabels: {app: db}}, tracing: "
			"[{enableIstioTags: true}]"));

	EXPECT_TRUE(s->has_tracing);
	EXPECT_EQ(s->telemetry_count, 3);
	t = &s->tracing[SETTINGS_SERVER];
	EXPECT_TRUE(t->provider.known);
	EXPECT_FALSE(t->disabled);
	EXPECT_TRUE(t->has_sampling && t->sampling == 0);
	EXPECT_FALSE(t->istio_tags);
	EXPECT_EQ(t->tag_count, 1);
	EXPECT_TRUE(s->tracing[SETTINGS_CLIENT].disabled);
}

TEST(tracing_without_a_provider_is_off)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_settings *s =
	    settings(&c, TELEMETRY("ns", "default", "01",
			     "tracing: [{providers: [{name: nobody}]}]"));

	EXPECT_TRUE(s->tracing[SETTINGS_CLIENT].disabled);
	EXPECT_FALSE(s->tracing[SETTINGS_CLIENT].provider.known);
}

TEST(of_two_for_a_namespace_the_older_holds)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_settings *s = settings(&c,
	    TELEMETRY("a", "default", "02",
		"tracing: [{randomSamplingPercentage: 1}]") TELEMETRY("b",
		"default", "01", "tracing: [{randomSamplingPercentage: 2}]"));

	EXPECT_TRUE(s->tracing[SETTINGS_SERVER].sampling == 2);
	EXPECT_EQ(s->telemetry_count, 1);
}

/* --- the access log ------------------------------------------------------- */

TEST(a_log_that_is_named_closer_takes_the_place_of_the_others)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_settings *s = settings(&c,
	    MESH TELEMETRY("root", "istio-system", "01",
		"accessLogging: [{providers: [{name: logs}]}]")
		TELEMETRY("own", "default", "01",
		    APP "accessLogging: [{providers: [{name: more}], filter: "
			"{expression: 'response.code >= 400'}}]"));

	EXPECT_EQ(s->log_count[SETTINGS_CLIENT], 1);
	EXPECT_SLICE(s->logs[SETTINGS_CLIENT][0].provider.name, S("more"));
	EXPECT_SLICE(
	    s->logs[SETTINGS_CLIENT][0].filter, S("response.code >= 400"));
}

TEST(a_log_may_be_off_for_one_side)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_settings *s = settings(&c,
	    MESH TELEMETRY("ns", "default", "01",
		"accessLogging: [{providers: [{name: logs}]}, {match: {mode: "
		"SERVER}, disabled: true}]"));

	EXPECT_FALSE(s->logs[SETTINGS_CLIENT][0].disabled);
	EXPECT_TRUE(s->logs[SETTINGS_SERVER][0].disabled);
}

/* --- metrics -------------------------------------------------------------- */

TEST(changes_of_metrics_come_one_upon_the_other)
{
	AUTO(compiled_fini) struct compiled c;
	const struct settings_metric *m;
	const struct view_settings *s = settings(&c,
	    TELEMETRY("root", "istio-system", "01",
		"metrics: [{reportingInterval: 10s, overrides: [{match: "
		"{metric: REQUEST_COUNT}, tagOverrides: {b: {value: '1'}, a: "
		"{operation: REMOVE}}}]}]") TELEMETRY("ns", "default", "01",
		"metrics: [{overrides: [{match: {metric: REQUEST_COUNT, "
		"mode: CLIENT}, disabled: true, tagOverrides: {b: "
		"{value: '2'}}}]}]"));

	EXPECT_EQ(s->metric_count, 1);
	EXPECT_SLICE(s->metrics[0].interval, S("10s"));
	m = &s->metrics[0].side[SETTINGS_CLIENT].items[0];
	EXPECT_SLICE(m->name, S("REQUEST_COUNT"));
	EXPECT_TRUE(m->disabled);
	EXPECT_EQ(m->tag_count, 2);
	EXPECT_TRUE(m->tags[0].remove);
	EXPECT_SLICE(m->tags[1].value, S("2"));
	m = &s->metrics[0].side[SETTINGS_SERVER].items[0];
	EXPECT_FALSE(m->disabled);
	EXPECT_SLICE(m->tags[1].value, S("1"));
}

TEST(all_metrics_may_be_off_until_one_is_named_again)
{
	AUTO(compiled_fini) struct compiled off, on;
	const char *all = TELEMETRY("root", "istio-system", "01",
	    "metrics: [{overrides: [{disabled: true}]}]");
	const struct view_settings *s = settings(&off, all);

	EXPECT_TRUE(s->metrics[0].side[SETTINGS_CLIENT].disabled);
	EXPECT_TRUE(s->metrics[0].side[SETTINGS_SERVER].disabled);
	s = settings(&on,
	    TELEMETRY("root", "istio-system", "01",
		"metrics: [{overrides: [{disabled: true}]}]")
		TELEMETRY("ns", "default", "01",
		    "metrics: [{overrides: [{match: {mode: SERVER}, disabled: "
		    "false}]}]"));
	EXPECT_TRUE(s->metrics[0].side[SETTINGS_CLIENT].disabled);
	EXPECT_FALSE(s->metrics[0].side[SETTINGS_SERVER].disabled);
	EXPECT_EQ(s->metrics[0].side[SETTINGS_SERVER].count, 10);
}

/* --- ProxyConfig and extensions ------------------------------------------- */

TEST(a_proxy_is_run_as_the_narrowest_says)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_settings *s = settings(&c,
	    "defaultConfig: {concurrency: 1, proxyMetadata: {A: m, B: m}}\n"
	    "---\n" PROXY("root", "istio-system", "01",
		"concurrency: 2, environmentVariables: {B: r, C: r}")
		PROXY("ns", "default", "02", "image: {imageType: debug}")
		    PROXY("own", "default", "01",
			APP "concurrency: 0, environmentVariables: {C: w}"));

	EXPECT_TRUE(s->proxy.has_concurrency);
	EXPECT_EQ(s->proxy.concurrency, 0);
	EXPECT_SLICE(s->proxy.image_type, S("debug"));
	EXPECT_EQ(s->proxy.environment.count, 3);
	EXPECT_SLICE(labels_get(&s->proxy.environment, S("A")), S("m"));
	EXPECT_SLICE(labels_get(&s->proxy.environment, S("B")), S("r"));
	EXPECT_SLICE(labels_get(&s->proxy.environment, S("C")), S("w"));
}

TEST(extensions_come_by_phase_then_by_priority)
{
	static const char *const order[] = {
	    "authn", "high", "low", "none", "older", "newer", "root"};
	AUTO(compiled_fini) struct compiled c;
	const struct view_settings *s = settings(&c,
	    WASM("root", "istio-system", "01", "") WASM("newer", "default",
		"03",
		APP "phase: UNSPECIFIED_PHASE") WASM("older", "default", "02",
		"") WASM("low", "default", "02", "phase: AUTHZ, priority: -1")
		WASM("none", "default", "01", "phase: AUTHZ")
		    WASM("high", "default", "03", "phase: AUTHZ, priority: 9")
			WASM("authn", "default", "03", "phase: AUTHN")
			    WASM("other", "default", "01",
				"selector: {matchLabels: {app: "
				"db}}"));

	EXPECT_EQ(s->extension_count, ARRAY_LEN(order));
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		EXPECT_SLICE(
		    s->extensions[i].resource->key.name, slice_str(order[i]));
}
