/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validation — each field right and wrong, and what is said about it.
 */
#include "codec/codec.h"
#include "expect.h"
#include "unit.h"

#define VS_HEAD                                                                \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: x}\nspec:\n  hosts: [reviews]\n"
#define VS_ROUTE VS_HEAD "  http:\n  - route:\n    - destination: {host: a}\n"
#define DR_HEAD                                                                \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: x}\nspec:\n  host: reviews\n"
#define SVC_HEAD "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n"

static const struct wrong wrong_routes[] = {
    {VS_ROUTE "      weight: -1\n", "spec.http[0].route[0].weight", "outside",
	ERR_INVALID},
    {VS_ROUTE "      weight: '007'\n", "spec.http[0].route[0].weight",
	"a whole number is expected", ERR_PARSE},
    {VS_ROUTE "      weight: '+1'\n", "spec.http[0].route[0].weight",
	"a whole number is expected", ERR_PARSE},
    {VS_ROUTE "    fault: {delay: {fixedDelay: 1s, "
	      "percentage: {value: '1.'}}}\n",
	"spec.http[0].fault.delay.percentage.value", "a number is expected",
	ERR_PARSE},
    {VS_ROUTE "      weight: x\n", "spec.http[0].route[0].weight",
	"a whole number is expected", ERR_PARSE},
    {VS_ROUTE "    - destination: {host: b}\n", "spec.http[0].route",
	"add up to 0", ERR_INVALID},
    {VS_ROUTE "    timeout: 5\n", "spec.http[0].timeout", "duration",
	ERR_PARSE},
    {VS_ROUTE "    timeout: 10us\n", "spec.http[0].timeout", "at least 1ms",
	ERR_INVALID},
    {VS_ROUTE "    timeout: 1.5ms\n", "spec.http[0].timeout", "whole number",
	ERR_INVALID},
    {VS_ROUTE "    retries: {attempts: 0, retryOn: 5xx}\n",
	"spec.http[0].retries", "attempts is 0", ERR_INVALID},
    {VS_ROUTE "    retries: {attempts: 1, retryOn: 'reset,5x'}\n",
	"spec.http[0].retries.retryOn", "did you mean \"5xx\"", ERR_INVALID},
    {VS_ROUTE "    rewrite: {}\n", "spec.http[0].rewrite", "has to hold a uri",
	ERR_INVALID},
    {VS_ROUTE "    headers: {request: {set: {':path': x}}}\n",
	"spec.http[0].headers.request.set[\":path\"]", "may not be changed",
	ERR_INVALID},
    {VS_ROUTE "    headers: {response: {set: {host: x}}}\n",
	"spec.http[0].headers.response.set[\"host\"]", "may not be changed",
	ERR_INVALID},
    {VS_ROUTE "    headers: {request: {add: {a: '50%'}}}\n",
	"spec.http[0].headers.request.add[\"a\"]", "does not end", ERR_INVALID},
    {VS_ROUTE "    rewrite: {authority: x}\n"
	      "    headers: {request: {set: {host: y}}}\n",
	"spec.http[0].rewrite.authority", "in one place only", ERR_INVALID},
    {VS_ROUTE "    timout: 5s\n", "spec.http[0].timout",
	"did you mean \"timeout\"", ERR_INVALID},
    {VS_ROUTE "    match: [{headers: {a: {prefix: ''}}}]\n",
	"spec.http[0].match[0].headers[\"a\"].prefix", "may not be empty",
	ERR_INVALID},
    {VS_ROUTE "    match: [{headers: {'a b': {}}}]\n",
	"spec.http[0].match[0].headers[\"a b\"]", "no name of a header",
	ERR_INVALID},
    {VS_ROUTE "    match: [{port: 70000}]\n", "spec.http[0].match[0].port",
	"outside", ERR_INVALID},
    {VS_HEAD "  http: [{}]\n", "spec.http[0]", "has no route", ERR_INVALID},
    {VS_HEAD "  http: [{route: [{weight: 1}]}]\n",
	"spec.http[0].route[0].destination", "is required", ERR_INVALID},
    {VS_HEAD "  http: [{route: [{destination: {host: '*'}}]}]\n",
	"spec.http[0].route[0].destination.host", "name one service",
	ERR_INVALID},
    {VS_HEAD "  http: [{route: [{destination: {host: a_b}}]}]\n",
	"spec.http[0].route[0].destination.host", "no host name", ERR_INVALID},
    {VS_HEAD "  http: [{route: [{destination: {host: a, subset: V_1}}]}]\n",
	"spec.http[0].route[0].destination.subset", "", ERR_INVALID},
};

static const struct wrong wrong_tops[] = {
    {VS_HEAD, "spec", "http, tcp or tls", ERR_INVALID},
    {VS_HEAD "  tcp: [{match: [{port: 1}]}]\n", "spec.tcp[0].route",
	"is required", ERR_INVALID},
    {"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
     "metadata: {name: x}\nspec:\n  hosts: ['*']\n"
     "  http: [{route: [{destination: {host: a}}]}]\n",
	"spec.hosts[0]", "only gateways may", ERR_INVALID},
    {"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
     "metadata: {name: x}\nspec:\n  hosts: ['*.a.b', x.a.b]\n"
     "  http: [{route: [{destination: {host: a}}]}]\n",
	"spec.hosts[1]", "duplicate hosts in virtual service", ERR_INVALID},
    {DR_HEAD "  subsets: [{name: a}, {name: a}]\n", "spec.subsets[1].name",
	"twice", ERR_INVALID},
    {DR_HEAD "  subsets: [{labels: {a: b}}]\n", "spec.subsets[0].name",
	"is required", ERR_INVALID},
    {DR_HEAD "  subsets: [{name: a, labels: {version: 1}}]\n",
	"spec.subsets[0].labels[\"version\"]", "quotes", ERR_PARSE},
    {DR_HEAD "  trafficPolicy: {}\n", "spec.trafficPolicy", "at least one",
	ERR_INVALID},
    {DR_HEAD "  trafficPolicy: {loadBalancer: {simple: ROUND_ROBBIN}}\n",
	"spec.trafficPolicy.loadBalancer.simple",
	"did you mean \"ROUND_ROBIN\"", ERR_INVALID},
    {SVC_HEAD "  selector: {app: x}\n", "spec.ports", "is required",
	ERR_INVALID},
    {SVC_HEAD "  ports: [{port: 80, name: a}, {port: 80, name: b}]\n",
	"spec.ports[1].port", "twice", ERR_INVALID},
    {SVC_HEAD "  ports: [{port: 80, name: a}, {port: 81}]\n",
	"spec.ports[1].name", "is required where", ERR_INVALID},
    {SVC_HEAD "  ports: [{port: 80, targetPort: Web_1}]\n",
	"spec.ports[0].targetPort", "no name of a port", ERR_INVALID},
    {SVC_HEAD "  ports: [{port: yes}]\n", "spec.ports[0].port", "whole number",
	ERR_PARSE},
    {SVC_HEAD "  type: ExternalName\n", "spec.externalName", "is required",
	ERR_INVALID},
    {SVC_HEAD "  ports: [{port: 80}]\n  selector: {'-x': y}\n",
	"spec.selector[\"-x\"]", "no label name", ERR_INVALID},
};

TEST(each_wrong_field_of_a_route_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong_routes); i++)
		expect_wrong(&wrong_routes[i]);
}

TEST(each_wrong_field_elsewhere_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong_tops); i++)
		expect_wrong(&wrong_tops[i]);
}

TEST(every_field_may_be_right)
{
	expect_valid(
	    VS_HEAD "  gateways: [mesh]\n  exportTo: ['*']\n  http:\n"
		    "  - name: r\n    timeout: 1.5s\n"
		    "    match:\n    - name: m\n      uri: {prefix: /a}\n"
		    "      method: {exact: GET}\n      scheme: {exact: http}\n"
		    "      authority: {prefix: rev}\n      port: 80\n"
		    "      headers: {end-user: {exact: jason}, x: {}}\n"
		    "    rewrite: {uri: /b, authority: c}\n"
		    "    retries: {attempts: 3, perTryTimeout: 2s,"
		    " retryOn: 'connect-failure,503'}\n"
		    "    headers: {request: {set: {a: b%%}, add: {c: d},"
		    " remove: [e]}, response: {remove: [f]}}\n"
		    "    route:\n    - destination: {host: a, subset: v1,"
		    " port: {number: 80}}\n      weight: 90\n"
		    "      headers: {response: {set: {g: h}}}\n"
		    "    - destination: {host: b.ns.svc.cluster.local}\n"
		    "      weight: 10\n"
		    "  tcp: [{match: [{port: 9}],"
		    " route: [{destination: {host: a}, weight: 1}]}]\n");
	expect_valid(DR_HEAD
	    "  trafficPolicy: {loadBalancer: {simple: RANDOM}}\n"
	    "  subsets:\n  - name: v1\n    labels: {version: v1}\n"
	    "    trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}\n");
	expect_valid(SVC_HEAD "  selector: {app: x, a.b/c: d_e}\n  ports:\n"
			      "  - {name: http, port: 80, targetPort: web}\n"
			      "  - {name: db, port: 81, targetPort: 8081,"
			      " appProtocol: redis}\n");
}

/* As upstream reads JSON. */
TEST(a_value_may_be_written_in_more_than_one_way)
{
	expect_valid(VS_ROUTE "      weight: ' 1 '\n");
	expect_valid(VS_ROUTE "    timeout: +1s\n");
	expect_valid(VS_ROUTE "    mirror: {host: a}\n"
			      "    mirror_percent: 5\n");
	expect_valid(VS_ROUTE "    fault: {delay: {fixedDelay: 1s, "
			      "percentage: {value: ' 1.5e0'}}}\n");
}

/* Of two spellings the field's own counts; the other is not looked at. */
TEST(a_field_that_is_there_in_both_spellings_is_told)
{
	expect_inert(VS_ROUTE "    retries: {attempts: 1, perTryTimeout: 1s, "
			      "per_try_timeout: 5}\n",
	    "spec.http[0].retries.per_try_timeout", "MSH0001");
}

TEST(three_mistakes_are_told_at_once_with_their_lines)
{
	AUTO(loaded_fini) struct loaded l;

	load(VS_HEAD "  http:\n"
		     "  - route:\n"
		     "    - destination: {host: a}\n"
		     "      weight: -5\n"
		     "    timeout: never\n"
		     "    retrys: {}\n",
	    "three.yaml", &l);
	EXPECT_EQ(l.found.errors.count, 3);
	EXPECT_EQ(l.found.errors.items[0].line, 9);
	EXPECT_EQ(l.found.errors.items[1].line, 10);
	EXPECT_EQ(l.found.errors.items[2].line, 11);
	EXPECT_STR(l.found.errors.items[2].file, "three.yaml");
	EXPECT_EQ(l.found.errors.items[2].column, 5);
}

TEST(the_envelope_is_checked)
{
	static const struct wrong rows[] = {
	    {"a: 1\n", "apiVersion", "is required", ERR_INVALID},
	    {"apiVersion: v1\nkind: Service\nspec: {ports: [{port: 1}]}\n",
		"metadata", "is required", ERR_INVALID},
	    {"apiVersion: v1\nkind: Service\nmetadata: {name: x}\n",
		"spec.ports", "is required", ERR_INVALID},
	    {"apiVersion: v1\nkind: Service\nmetadata: {name: X}\n"
	     "spec: {ports: [{port: 1}]}\n",
		"metadata.name", "", ERR_INVALID},
	    {"apiVersion: networking.istio.io/v2\nkind: DestinationRule\n"
	     "metadata: {name: x}\nspec: {host: a}\n",
		"apiVersion", "no version", ERR_INVALID},
	    {"apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\n"
	     "metadata: {name: x}\nspec: {}\n",
		"kind", "RateLimitPolicy (meshd.dev)", ERR_UNSUPPORTED},
	    {"apiVersion: networking.istio.io/v1\nkind: VirtualServise\n"
	     "metadata: {name: x}\nspec: {}\n",
		"kind", "did you mean \"VirtualService\"", ERR_INVALID},
	    {"apiVersion: v1\nkind: Service\nmetadata: {generateName: x}\n"
	     "spec: {ports: [{port: 1}]}\n",
		"metadata.generateName", "give a metadata.name", ERR_INVALID},
	    {SVC_HEAD "  ports: [{port: 80}]\nspek: {}\n", "spek",
		"did you mean \"spec\"", ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_wrong(&rows[i]);
}

TEST(the_group_that_was_meant_is_named)
{
	static const struct {
		const char *api_and_kind;
		const char *words; /* the message's end */
	} rows[] = {
	    {"{apiVersion: meshd.io/v1, kind: MeshConfig}",
		"to the mesh; did you mean meshd.dev/v1?"},
	    {"{apiVersion: networking.istio.oi/v1, kind: VirtualService}",
		"to the mesh; did you mean networking.istio.io/v1?"},
	    {"{apiVersion: v1, kind: Gateway}",
		"of v1 means nothing to the mesh; did you mean "
		"networking.istio.io/v1?"},
	    {"{apiVersion: serving.knative.dev/v1, kind: Service}",
		"to the mesh"},
	    {"{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway}",
		"to the mesh"},
	    {"{apiVersion: config.openshift.io/v1, kind: Network}",
		"to the mesh"},
	    {"{apiVersion: network.istio.io/v1, kind: VirtualService}",
		"there is no kind \"VirtualService\" of network.istio.io; did "
		"you mean networking.istio.io/v1?"},
	    {"{apiVersion: networking.istio.io/v1, kind: VirtualServce}",
		"there is no kind \"VirtualServce\"; did you mean "
		"\"VirtualService\"?"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(loaded_fini) struct loaded l;
		const struct faults *said;

		load(rows[i].api_and_kind, NULL, &l);
		said = l.found.errors.count > 0 ? &l.found.errors
						: &l.found.warnings;
		EXPECT_EQ(said->count, 1);
		EXPECT_TRUE(slice_ends(
		    slice_str(said->items[0].text), slice_str(rows[i].words)));
	}
}

TEST(other_kinds_of_kubernetes_are_skipped_with_a_warning)
{
	AUTO(loaded_fini) struct loaded l;

	load("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n",
	    "d.yaml", &l);
	EXPECT_OK(l.e);
	EXPECT_EQ(l.skipped, 1);
	EXPECT_TRUE(find_warning(&l, "means nothing to the mesh") != NULL);
}

TEST(fields_that_only_kubernetes_knows_are_warned_about)
{
	AUTO(loaded_fini) struct loaded l;

	load(SVC_HEAD "  loadBalancerIP: 10.0.0.1\n  ports: [{port: 80}]\n",
	    NULL, &l);
	EXPECT_EQ(l.count, 1);
	EXPECT_TRUE(find_warning(&l, "outside Kubernetes") != NULL);
	EXPECT_STR(l.found.warnings.items[0].field, "spec.loadBalancerIP");
}

TEST(null_and_an_empty_list_are_the_same_as_absent)
{
	expect_valid(VS_ROUTE "    timeout: null\n    match: []\n"
			      "  exportTo: []\n");
}

TEST(a_resource_is_encoded_as_it_was_written)
{
	AUTO(loaded_fini) struct loaded l;
	AUTO(loaded_fini) struct loaded again;
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf out = BUF(1 << 20);
	AUTO(buf_fini) struct buf second = BUF(1 << 20);
	struct value *doc;

	load(VS_ROUTE "    timeout: 90s\n    retries: {attempts: 0}\n", NULL,
	    &l);
	arena_init(&a, 1 << 20);
	doc = resource_encode(l.items[0], RESOURCE_AS_WRITTEN, &a);
	EXPECT_OK(codec_yaml_emit(doc, &out));
	EXPECT_OK(buf_add_byte(&out, '\0'));
	EXPECT_STR(buf_slice(&out).ptr,
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata:\n  name: x\n  namespace: default\nspec:\n"
	    "  hosts:\n  - reviews\n  http:\n  - route:\n"
	    "    - destination:\n        host: a\n    timeout: 1m30s\n"
	    "    retries:\n      attempts: 0\n");
	load(buf_slice(&out).ptr, NULL, &again);
	doc = resource_encode(again.items[0], RESOURCE_AS_WRITTEN, &a);
	EXPECT_OK(codec_yaml_emit(doc, &second));
	EXPECT_OK(buf_add_byte(&second, '\0'));
	EXPECT_STR(buf_slice(&second).ptr, buf_slice(&out).ptr);
}

/* Each letter a resource; the text is their order by age. */
static void
expect_order(const char *yaml, const char *order)
{
	AUTO(loaded_fini) struct loaded l;

	load(yaml, NULL, &l);
	EXPECT_EQ(l.count, 2);
	EXPECT_EQ(resource_age_cmp(l.items[0], l.items[1]) < 0,
	    l.items[0]->key.name.ptr[0] == order[0]);
	EXPECT_EQ(resource_age_cmp(l.items[0], l.items[1]),
	    -resource_age_cmp(l.items[1], l.items[0]));
	EXPECT_EQ(resource_age_cmp(l.items[0], l.items[0]), 0);
}

#define AGED(name, ns, time)                                                   \
	"apiVersion: v1\nkind: Service\nmetadata: {name: " name                \
	", namespace: " ns ", creationTimestamp: '" time "'}\n"                \
	"spec: {ports: [{port: 80}]}\n---\n"

TEST(of_two_the_older_by_a_millisecond_is_older)
{
	expect_order(AGED("z", "s", "2026-01-02T03:04:05.001Z")
			 AGED("a", "s", "2026-01-02T03:04:05.002Z"),
	    "za");
	/* A fraction that is not there is none. */
	expect_order(AGED("a", "s", "2026-01-02T03:04:05.001Z")
			 AGED("z", "s", "2026-01-02T03:04:05Z"),
	    "za");
}

TEST(of_two_of_one_moment_the_first_name_and_namespace_is_older)
{
	AUTO(loaded_fini) struct loaded l;

	expect_order(AGED("b", "a", "2026-01-02T03:04:05.001Z")
			 AGED("a", "b", "2026-01-02T03:04:05.001Z"),
	    "ab");
	/* Istio compares one text, in which '-' comes before '.'. */
	load(AGED("web", "a", "2026-01-02T03:04:05Z")
		 AGED("web-2", "z", "2026-01-02T03:04:05Z"),
	    NULL, &l);
	EXPECT_TRUE(resource_age_cmp(l.items[1], l.items[0]) < 0);
}

TEST(state_is_read_and_written_on_request)
{
	AUTO(loaded_fini) struct loaded l;
	AUTO(arena_fini) struct arena a;
	struct value *doc;

	load("apiVersion: v1\nkind: Service\nmetadata:\n  name: x\n"
	     "  creationTimestamp: '2026-01-02T03:04:05Z'\n"
	     "  resourceVersion: '17'\nspec: {ports: [{port: 80}]}\n",
	    NULL, &l);
	EXPECT_EQ(l.items[0]->revision, 17);
	EXPECT_EQ(l.items[0]->created_ms, INT64_C(1767323045000));
	arena_init(&a, 1 << 20);
	doc = resource_encode(l.items[0], RESOURCE_WITH_STATE, &a);
	EXPECT_SLICE(value_get_string(value_get(doc, S("metadata")),
			 S("resourceVersion"), S("")),
	    S("17"));
	doc = resource_encode(l.items[0], RESOURCE_AS_WRITTEN, &a);
	EXPECT_TRUE(value_get_path(doc, S("metadata.resourceVersion")) == NULL);
}
