/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination_rule — its fields right and wrong, its warnings, what is inert.
 */
#include "expect.h"
#include "unit.h"

#define HEAD                                                                   \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: x, namespace: n}\nspec:\n  host: reviews\n"
#define POLICY(text) HEAD "  trafficPolicy: {" text "}\n"
#define SUBSET(text) HEAD "  subsets: [{name: v1, trafficPolicy: {" text "}}]\n"
#define LB(text) POLICY("loadBalancer: {" text "}")
#define HASH(text) LB("consistentHash: {" text "}")
#define LOCALITY(text) LB("localityLbSetting: {" text "}")
#define POOL(text) POLICY("connectionPool: {" text "}")
#define TLS(text) POLICY("tls: {" text "}")
#define P "spec.trafficPolicy."
#define L P "loadBalancer."

static const struct wrong wrong_balancers[] = {
    {HASH("httpCookie: {ttl: 1s}"), L "consistentHash.httpCookie.name",
	"is required", ERR_INVALID},
    {HASH("httpCookie: {name: a, attributes: [{name: b}, {name: b}]}"),
	L "consistentHash.httpCookie.attributes[1].name", "twice", ERR_INVALID},
    {HASH("maglev: {}"), L "consistentHash.maglev", "a tableSize", ERR_INVALID},
    {HASH("maglev: {tableSize: 4}"), L "consistentHash.maglev.tableSize",
	"prime", ERR_INVALID},
    {HASH("maglev: {tableSize: 5000011}"), L "consistentHash.maglev.tableSize",
	"less than 5000011", ERR_INVALID},
    {LB("simple: NO, consistentHash: {useSourceIp: true}"), L "simple",
	"none of UNSPECIFIED, ", ERR_INVALID},
    {HASH("minimumRingSize: 1, ringHash: {}"),
	L "consistentHash.minimumRingSize", "only one of", ERR_INVALID},
    {LB("localityLbSetting: {}, zoneAwareLbSetting: {}"), P "loadBalancer",
	"only one of localityLbSetting", ERR_INVALID},
    {LB("warmup: {minimumPercent: 5}"), L "warmup.duration", "is required",
	ERR_INVALID},
    {LB("warmup: {duration: 1s, minimumPercent: 101}"),
	L "warmup.minimumPercent", "more than 100", ERR_INVALID},
    {LB("warmup: {duration: 1s, aggression: 0}"), L "warmup.aggression",
	"greater than 0", ERR_INVALID},
    {LOCALITY("distribute: [{from: a, to: {b: 60, c: 30}}]"),
	L "localityLbSetting.distribute[0].to", "add up to 90", ERR_INVALID},
    {LOCALITY("distribute: [{from: a, to: {b: 101}}]"),
	L "localityLbSetting.distribute[0].to[\"b\"]", "outside 1 to 100",
	ERR_INVALID},
    {LOCALITY("distribute: [{from: 'a/*/c', to: {b: 100}}]"),
	L "localityLbSetting.distribute[0].from", "at the end", ERR_INVALID},
    {LOCALITY("distribute: [{from: 'a//c', to: {b: 100}}]"),
	L "localityLbSetting.distribute[0].from", "empty region", ERR_INVALID},
    {LOCALITY("distribute: [{from: 'a/*', to: {b: 100}},"
	      " {from: a/b, to: {b: 100}}]"),
	L "localityLbSetting.distribute[1].from", "overlaps", ERR_INVALID},
    {LOCALITY("distribute: [{from: a, to: {b/c: 50, b: 50}}]"),
	L "localityLbSetting.distribute[0].to[\"b\"]", "overlaps", ERR_INVALID},
    {LOCALITY("distribute: [{from: a, to: {b: 100}}],"
	      " failover: [{from: a, to: b}]"),
	L "localityLbSetting", "can not simultaneously specify", ERR_INVALID},
    {LOCALITY("failover: [{from: a, to: a}]"),
	L "localityLbSetting.failover[0]", "different regions", ERR_INVALID},
    {LOCALITY("failover: [{from: a/b, to: c}]"),
	L "localityLbSetting.failover[0]", "regions only", ERR_INVALID},
    {LOCALITY("failover: [{from: a, to: '*'}]"),
	L "localityLbSetting.failover[0]", "wildcard", ERR_INVALID},
    {LOCALITY("failover: [{from: a, to: b}],"
	      " failoverPriority: [topology.kubernetes.io/zone]"),
	L "localityLbSetting.failoverPriority[0]", "says the same",
	ERR_INVALID},
    {LB("zoneAwareLbSetting:"
	" {failoverPriority: [topology.istio.io/subzone]}"),
	L "zoneAwareLbSetting.failoverPriority[0]", "another label",
	ERR_INVALID},
};

static const struct wrong wrong_policies[] = {
    {POOL(""), P "connectionPool", "tcp or http", ERR_INVALID},
    {POOL("tcp: {maxConnections: -1}"), P "connectionPool.tcp.maxConnections",
	"outside", ERR_INVALID},
    {POOL("tcp: {connectTimeout: 100us}"),
	P "connectionPool.tcp.connectTimeout", "at least 1ms", ERR_INVALID},
    {POOL("http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}"),
	P "connectionPool.http.useClientProtocol", "may not be true",
	ERR_INVALID},
    {POOL("http: {http2KeepAlive: {interval: 1s}}"),
	P "connectionPool.http.http2KeepAlive.timeout", "is required",
	ERR_INVALID},
    {POLICY("outlierDetection: {maxEjectionPercent: 101}"),
	P "outlierDetection.maxEjectionPercent", "outside", ERR_INVALID},
    {POLICY("outlierDetection: {consecutiveLocalOriginFailures: 1}"),
	P "outlierDetection.consecutiveLocalOriginFailures",
	"splitExternalLocalOriginErrors", ERR_INVALID},
    {POLICY("outlierDetection: {consecutive5xx_errors: 1}"),
	P "outlierDetection.consecutive5xx_errors", "did you mean",
	ERR_INVALID},
    {TLS("mode: MUTUAL, clientCertificate: a"), P "tls",
	"clientCertificate and a privateKey", ERR_INVALID},
    {TLS("mode: SIMPLE, credentialName: a, caCrl: b"), P "tls.credentialName",
	"may not be given", ERR_INVALID},
    {TLS("mode: SIMPLE, insecureSkipVerify: true, credentialName: a"),
	P "tls.insecureSkipVerify", "nothing is verified", ERR_INVALID},
    {TLS("mode: SIMPLE, credentialName: 'configmap://m/a'"),
	P "tls.credentialName", "configmap://n/name", ERR_INVALID},
    {POLICY("tunnel: {targetHost: a, targetPort: 1}, proxyProtocol: {}"),
	"spec.trafficPolicy", "only one of tunnel", ERR_INVALID},
    {POLICY("proxyProtocol: {version: 2}"), P "proxyProtocol.version",
	"neither V1 nor V2", ERR_INVALID},
    {POLICY("tunnel: {targetHost: a_b, targetPort: 1}"), P "tunnel.targetHost",
	"no host name", ERR_INVALID},
    {POLICY("tunnel: {protocol: GET, targetHost: a, targetPort: 1}"),
	P "tunnel.protocol", "CONNECT or POST", ERR_INVALID},
    {POLICY("portLevelSettings: [{port: {number: 1}}]"),
	P "portLevelSettings[0]", "at least one setting", ERR_INVALID},
    {POLICY("portLevelSettings: [{tls: {mode: DISABLE}}]"),
	P "portLevelSettings[0].port", "is required", ERR_INVALID},
    {POLICY("portLevelSettings: []"), "spec.trafficPolicy",
	"at least one setting", ERR_INVALID},
    {HEAD "  workloadSelector: {matchLabels: {a: '*'}}\n",
	"spec.workloadSelector.matchLabels[\"a\"]", "a wildcard", ERR_INVALID},
    {HEAD "  workloadSelector: {matchLabels: {a: b}}\n  exportTo: ['*']\n",
	"spec.exportTo", "its own namespace only", ERR_INVALID},
    {HEAD "  exportTo: ['a.b']\n", "spec.exportTo[0]", "nor a namespace",
	ERR_INVALID},
};

TEST(each_wrong_balancer_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong_balancers); i++)
		expect_wrong(&wrong_balancers[i]);
}

TEST(each_wrong_policy_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong_policies); i++)
		expect_wrong(&wrong_policies[i]);
}

TEST(what_upstream_takes_is_taken_without_a_word)
{
	static const char *const right[] = {
	    LB("simple: LEAST_CONN"),
	    LB("simple: 77"),
	    LB("simple: RANDOM, consistentHash: {useSourceIp: true}"),
	    HASH("maglev: {tableSize: 65537}"),
	    HASH(""),
	    POOL("tcp: {idleTimeout: 0s}"),
	    POOL("tcp: {}"),
	    POLICY("connection_pool: {tcp: {max_connections: 5}}"),
	    POLICY("retryBudget: {percent: -1}"),
	    POLICY("portLevelSettings: [{port: {}, tls: {}}]"),
	    POLICY("outlierDetection: {consecutiveLocalOriginFailures: 0}"),
	    TLS("mode: SIMPLE, credentialName: 'configmap://n/a'"),
	    TLS("mode: ISTIO_MUTUAL, insecureSkipVerify: true, caCrl: a"),
	    LOCALITY("distribute: [{from: a/b, to: {b: 100}},"
		     " {from: 'a/*', to: {b: 100}}]"),
	    LOCALITY("enabled: false"),
	    SUBSET("outlierDetection: {consecutiveErrors: 1}"),
	    SUBSET("loadBalancer: {localityLbSetting:"
		   " {failover: [{from: a, to: b}]}}"),
	    HEAD "  exportTo: [., b]\n",
	    HEAD "  workloadSelector: {matchLabels: {a: b}}\n"
		 "  exportTo: [n]\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(right); i++)
		expect_quiet(right[i]);
}

TEST(what_is_unwise_is_warned_about)
{
	expect_warning(HASH("minimumRingSize: 5"),
	    L "consistentHash.minimumRingSize", "deprecated");
	expect_warning(POLICY("outlierDetection: {consecutiveErrors: 5}"),
	    P "outlierDetection.consecutiveErrors", "deprecated");
	expect_warning(LOCALITY("failoverPriority: [a]"), P "loadBalancer",
	    "outlier detection policy must be provided for failover");
	expect_warning(HEAD "  workloadSelector: {}\n", "spec.workloadSelector",
	    "no labels");
	expect_quiet(POLICY("outlierDetection: {}, loadBalancer:"
			    " {localityLbSetting: {failoverPriority: [a]}}"));
}

TEST(what_nothing_acts_on_is_told)
{
	static const struct {
		const char *yaml;
		const char *field;
		const char *id;
	} rows[] = {
	    {TLS("mode: DISABLE"), P "tls", "MSH0002"},
	    {SUBSET("tls: {}"), "spec.subsets[0].trafficPolicy.tls", "MSH0002"},
	    {LB("simple: PASSTHROUGH"), L "simple", "MSH0001"},
	    {LB("simple: 77"), L "simple", "MSH0002"},
	    {HASH("useSourceIp: true"), L "consistentHash", "MSH0001"},
	    {LOCALITY("enabled: true"), L "localityLbSetting", "MSH0001"},
	    {LB("warmup: {duration: 1s}"), L "warmup", "MSH0001"},
	    {POOL("tcp: {maxConnections: 1}"),
		P "connectionPool.tcp.maxConnections", "MSH0001"},
	    {POOL("tcp: {connectTimeout: 1s}"),
		P "connectionPool.tcp.connectTimeout", "MSH0001"},
	    {POOL("tcp: {tcpKeepalive: {}}"),
		P "connectionPool.tcp.tcpKeepalive", "MSH0001"},
	    {POOL("tcp: {idleTimeout: 1s}"), P "connectionPool.tcp.idleTimeout",
		"MSH0001"},
	    {POOL("http: {maxRetries: 1}"), P "connectionPool.http.maxRetries",
		"MSH0001"},
	    {POLICY("outlierDetection: {}"), P "outlierDetection", "MSH0001"},
	    {POLICY("retryBudget: {}"), P "retryBudget", "MSH0001"},
	    {POLICY("portLevelSettings: [{port: {number: 1}, "
		    "outlierDetection: {}}]"),
		P "portLevelSettings[0].outlierDetection", "MSH0001"},
	    {POLICY("portLevelSettings: [{port: {number: 1}, tls: {}}]"),
		P "portLevelSettings[0].tls", "MSH0002"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_inert(rows[i].yaml, rows[i].field, rows[i].id);
	expect_in_force(LB("simple: ROUND_ROBIN"));
	expect_in_force(POOL("tcp: {maxConnectionDuration: 1s}"));
	expect_in_force(POOL("http: {useClientProtocol: true}"));
	expect_in_force(POOL("http: {h2UpgradePolicy: UPGRADE}"));
}

TEST(a_number_stands_for_its_word)
{
	AUTO(loaded_fini) struct loaded l;
	const struct load_balancer *lb;

	load(LB("simple: 4"), NULL, &l);
	EXPECT_EQ(l.count, 1);
	lb = resource_destination_rule(l.items[0])
		 ->traffic_policy->load_balancer;
	EXPECT_EQ(lb->simple, BALANCER_ROUND_ROBIN);
	EXPECT_EQ(l.found.inert.count, 0);
}

TEST(defaults_stand_where_nothing_is_written)
{
	AUTO(loaded_fini) struct loaded l;
	const struct traffic_policy *p;

	load(POLICY("outlierDetection: {}, connectionPool: {tcp: {}},"
		    " retryBudget: {}"),
	    NULL, &l);
	EXPECT_EQ(l.count, 1);
	p = resource_destination_rule(l.items[0])->traffic_policy;
	EXPECT_EQ(p->outlier_detection->consecutive_5xx, 5);
	EXPECT_EQ(p->outlier_detection->interval, 10000000);
	EXPECT_EQ(p->connection_pool->tcp->connect_timeout, 10000000);
	EXPECT_TRUE(
	    p->retry_budget->percent > 19.9 && p->retry_budget->percent < 20.1);
	EXPECT_TRUE(p->tls == NULL);
	EXPECT_FALSE(message_has(&outlier_detection_message,
	    p->outlier_detection, "consecutive5xxErrors"));
}

/* Upstream looks at the newer form only. */
TEST(the_older_duration_of_a_warmup_may_be_any)
{
	expect_valid(LB("warmupDurationSecs: 1us"));
}

TEST(a_word_of_a_second_spelling_may_begin_with_a_digit)
{
	expect_valid(POLICY("outlierDetection: {consecutive_5xx_errors: 1}"));
	expect_valid(POOL("http: {http1_max_pending_requests: 1, "
			  "h2_upgrade_policy: UPGRADE}"));
}

TEST(everything_comes_back_as_it_was)
{
	expect_round_trip(POLICY(
	    "loadBalancer: {consistentHash: {httpCookie: {name: a, ttl: 0s,"
	    " attributes: [{name: b, value: c}]}, maglev: {tableSize: 3}},"
	    " localityLbSetting: {distribute: [{from: a, to: {c: 40, b: 60}}]},"
	    " warmup: {duration: 1s, aggression: 1.5}},"
	    " connectionPool: {tcp: {tcpKeepalive: {probes: 3, time: 2h}},"
	    " http: {h2UpgradePolicy: UPGRADE,"
	    " http2KeepAlive: {interval: 1s, timeout: 2s}}},"
	    " outlierDetection: {consecutive5xxErrors: 0,"
	    " outlierDetectionHttpErrorCodes: [500, 503]},"
	    " tls: {mode: MUTUAL, credentialName: c, subjectAltNames: [s]},"
	    " portLevelSettings: [{port: {number: 80},"
	    " loadBalancer: {simple: RANDOM}}],"
	    " tunnel: {protocol: POST, targetHost: a, targetPort: 1},"
	    " retryBudget: {percent: 25, minRetryConcurrency: 0}"));
	expect_round_trip(LB("simple: 77"));
	expect_round_trip(HEAD "  workloadSelector: {matchLabels: {a: b}}\n"
			       "  exportTo: [.]\n");
}
