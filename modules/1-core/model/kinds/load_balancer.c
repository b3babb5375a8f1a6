/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_balancer — how the next endpoint is chosen.
 */
#include "rows.h"
#include "traffic_policy.h"
#include "validate.h"

/* --- consistent hashing --------------------------------------------------- */

static const struct field cookie_attribute_fields[] = {
    ROW(cookie_attribute, "name", name, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY,
	.doc = "Name of the attribute, such as SameSite."),
    ROW(cookie_attribute, "value", value, FIELD_STRING,
	.doc = "Its value; none if absent."),
};

static const struct message cookie_attribute_message =
    MESSAGE(cookie_attribute, "HTTPCookieAttribute", cookie_attribute_fields,
	.doc = "An attribute of a cookie that is made.");

enum { COOKIE_ATTRIBUTES_MAX = 64 }; /* each is compared with each */

static void
check_cookie(struct check *c, const void *message)
{
	const struct hash_cookie *k = message;

	for (size_t j = 0; j < k->attributes.count; j++)
		for (size_t i = 0; i < j; i++) {
			struct slice name = k->attributes.items[j].name;
			struct check at =
			    check_member(c, "attributes[%zu].name", j);

			if (name.len == 0 ||
			    !slice_eq(k->attributes.items[i].name, name))
				continue;
			check_error(&at, ERR_INVALID,
			    "the attribute \"%.*s\" is there twice",
			    SLICE_ARG(slice_sub(name, 0, NAME_LABEL_MAX)));
			break;
		}
}

static const struct field hash_cookie_fields[] = {
    ROW(hash_cookie, "name", name, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY,
	.doc = "Name of the cookie."),
    ROW(hash_cookie, "path", path, FIELD_STRING,
	.doc = "Path that a made cookie is for."),
    ROW(hash_cookie, "ttl", ttl, FIELD_DURATION,
	.doc = "Life of a made cookie; 0s lasts as long as the client runs, "
	       "and without a ttl none is made."),
    ROWS_OF(hash_cookie, "attributes", attributes, cookie_attribute, 0,
	.most = COOKIE_ATTRIBUTES_MAX,
	.doc = "Further attributes of a made cookie."),
};

const struct message hash_cookie_message =
    MESSAGE(hash_cookie, "HTTPCookie", hash_cookie_fields,
	.check = check_cookie, .doc = "A cookie whose value is hashed.");

static const struct field ring_hash_fields[] = {
    ROW(ring_hash, "minimumRingSize", minimum_ring_size, FIELD_INT, .min = 0,
	.max = INT64_MAX, .otherwise = "1024",
	.doc = "Fewest points on the ring; more spread more evenly."),
};

static const struct message ring_hash_message = MESSAGE(ring_hash, "RingHash",
    ring_hash_fields, .doc = "Endpoints on a ring of hashes.");

enum { TABLE_SIZE_END = 5000011 }; /* Envoy's bound, not included */

static bool
is_prime(int64_t n)
{
	for (int64_t i = 2; i * i <= n; i++)
		if (n % i == 0)
			return false;
	return n > 1;
}

static void
check_table_size(struct check *c, const void *value)
{
	const int64_t *n = value;

	if (*n >= TABLE_SIZE_END)
		check_error(c, ERR_INVALID, "has to be less than %d",
		    (int)TABLE_SIZE_END);
	else if (*n > 1 && !is_prime(*n))
		check_error(c, ERR_INVALID, "has to be a prime number");
	else if (*n == 0)
		check_error(c, ERR_INVALID, "may not be 0");
}

/* The message's default stands only if the field is not there. */
static void
check_maglev(struct check *c, const void *message)
{
	(void)message;
	if (!check_given(c, "tableSize"))
		check_error(c, ERR_INVALID, "has to have a tableSize");
}

static const struct field maglev_fields[] = {
    ROW(maglev, "tableSize", table_size, FIELD_INT, .min = 0, .max = INT64_MAX,
	.otherwise = "65537", .check = check_table_size,
	.doc = "Size of the table, a prime below 5000011."),
};

static const struct message maglev_message =
    MESSAGE(maglev, "MagLev", maglev_fields, .check = check_maglev,
	.doc = "Endpoints in a table by Maglev's algorithm.");

enum { ONEOF_HASH_KEY = 1, ONEOF_HASH_ALGORITHM };

static void
check_consistent_hash(struct check *c, const void *message)
{
	const struct consistent_hash *h = message;
	struct check at = check_member(c, "minimumRingSize");

	if (h->minimum_ring_size != 0 &&
	    (h->ring_hash != NULL || h->maglev != NULL))
		check_error(&at, ERR_INVALID,
		    "only one of minimumRingSize, ringHash and maglev may be "
		    "given");
}

static const struct field consistent_hash_fields[] = {
    ROW(consistent_hash, "httpHeaderName", http_header_name, FIELD_STRING,
	.oneof = ONEOF_HASH_KEY, .doc = "Header whose value is hashed."),
    ROW_OF(consistent_hash, "httpCookie", http_cookie, hash_cookie,
	.oneof = ONEOF_HASH_KEY, .doc = "Cookie whose value is hashed."),
    ROW(consistent_hash, "useSourceIp", use_source_ip, FIELD_BOOL,
	.oneof = ONEOF_HASH_KEY, .doc = "Hashes the address of the caller."),
    ROW(consistent_hash, "httpQueryParameterName", http_query_parameter_name,
	FIELD_STRING, .oneof = ONEOF_HASH_KEY,
	.doc = "Parameter of the query whose value is hashed."),
    ROW_OF(consistent_hash, "ringHash", ring_hash, ring_hash,
	.oneof = ONEOF_HASH_ALGORITHM,
	.doc = "Puts endpoints on a ring; what is used unless said otherwise."),
    ROW_OF(consistent_hash, "maglev", maglev, maglev,
	.oneof = ONEOF_HASH_ALGORITHM, .doc = "Puts endpoints in a table."),
    ROW(consistent_hash, "minimumRingSize", minimum_ring_size, FIELD_INT,
	.min = 0, .max = INT64_MAX,
	.doc = "The older form of ringHash.minimumRingSize."),
};

static const struct message consistent_hash_message = MESSAGE(consistent_hash,
    "ConsistentHashLB", consistent_hash_fields, .check = check_consistent_hash,
    .doc = "The same key goes to the same endpoint.");

/* --- places --------------------------------------------------------------- */

static const struct slice topology[] = {
    {"topology.kubernetes.io/region", 29},
    {"topology.kubernetes.io/zone", 27},
    {"topology.istio.io/subzone", 25},
};

static bool
is_topology(struct slice label)
{
	for (size_t i = 0; i < ARRAY_LEN(topology); i++)
		if (slice_eq(label, topology[i]))
			return true;
	return false;
}

/* "region/zone/subzone", fewer of them, or a star at the very end. */
static void
check_locality(struct check *c, struct slice text)
{
	struct slice rest = text;
	size_t parts = 0;
	size_t star = slice_find(text, '*');

	if (star < text.len && star + 1 < text.len) {
		check_error(c, ERR_INVALID,
		    "a wildcard '*' may be there once, at the end");
		return;
	}
	do {
		size_t slash = parts < 2 ? slice_find(rest, '/') : rest.len;

		if (slash == 0 || rest.len == 0) {
			check_error(c, ERR_INVALID,
			    "\"%.*s\" has an empty region, zone or subzone",
			    SLICE_ARG(slice_sub(text, 0, NAME_LABEL_MAX)));
			return;
		}
		if (slash == rest.len)
			return;
		rest = slice_sub(rest, slash + 1, rest.len);
		parts++;
	} while (true);
}

/*
 * Whether an earlier locality takes in a later one, as upstream judges it: in
 * the order of the document, so that the narrower may come first.
 */
static bool
takes_in(struct slice earlier, struct slice later)
{
	struct slice a, b;

	for (int depth = 0; depth < 3; depth++) {
		a = depth < 2 ? slice_split(&earlier, '/') : earlier;
		b = depth < 2 ? slice_split(&later, '/') : later;
		if (slice_eq(a, S("*")) || (a.len == 0 && depth > 0))
			return true; /* all that is below */
		if (b.len == 0 && depth > 0)
			return true;
		if (!slice_eq(a, b))
			return false;
	}
	return true;
}

enum { LOCALITIES_MAX = 256 }; /* each is compared with each */

static void
check_shares(struct check *c, const void *message)
{
	const struct locality_share *s = message;
	struct check to = check_member(c, "to");
	int64_t sum = 0;

	for (size_t j = 0; j < s->to.count && j < LOCALITIES_MAX; j++) {
		struct check at = check_entry(&to, s->to.items[j].key);

		sum += s->to.items[j].number;
		check_locality(&at, s->to.items[j].key);
		for (size_t i = 0; i < j; i++)
			if (takes_in(s->to.items[i].key, s->to.items[j].key)) {
				check_error(&at, ERR_INVALID,
				    "overlaps with one before it");
				break;
			}
	}
	if (sum != 100)
		check_error(&to, ERR_INVALID,
		    "the weights add up to %lld, not to 100", (long long)sum);
}

static const struct field locality_share_fields[] = {
    ROW(locality_share, "from", from, FIELD_STRING,
	.doc = "Where callers are: region/zone/subzone, with `*` at the end "
	       "for all below."),
    ROW(locality_share, "to", to, FIELD_INT_MAP, .min = 1, .max = 100,
	.most = LOCALITIES_MAX,
	.doc = "Percent of the traffic that goes to each locality; 100 "
	       "together."),
};

static const struct message locality_share_message = MESSAGE(locality_share,
    "Distribute", locality_share_fields, .check = check_shares,
    .doc = "How traffic from one place is shared out.");

static void
check_failover_pair(struct check *c, const void *message)
{
	const struct locality_failover *f = message;

	if (slice_eq(f->from, f->to))
		check_error(
		    c, ERR_INVALID, "from and to have to be different regions");
	if (slice_find(f->from, '/') < f->from.len ||
	    slice_find(f->to, '/') < f->to.len)
		check_error(c, ERR_INVALID,
		    "names regions only, no zone: where to go within one "
		    "follows from closeness");
	if (slice_find(f->from, '*') < f->from.len ||
	    slice_find(f->to, '*') < f->to.len)
		check_error(
		    c, ERR_INVALID, "a region may not hold a wildcard '*'");
}

static const struct field locality_failover_fields[] = {
    ROW(locality_failover, "from", from, FIELD_STRING,
	.doc = "Region whose endpoints have failed."),
    ROW(locality_failover, "to", to, FIELD_STRING,
	.doc = "Region that takes over."),
};

static const struct message locality_failover_message =
    MESSAGE(locality_failover, "Failover", locality_failover_fields,
	.check = check_failover_pair, .doc = "Which region takes over.");

static void
check_sources(struct check *c, const struct locality_balancer *l)
{
	for (size_t j = 0; j < l->distribute.count; j++) {
		struct check at = check_member(c, "distribute[%zu].from", j);
		struct slice from = l->distribute.items[j].from;

		check_locality(&at, from);
		for (size_t i = 0; i < j; i++)
			if (takes_in(l->distribute.items[i].from, from)) {
				check_error(&at, ERR_INVALID,
				    "overlaps with one before it");
				break;
			}
	}
}

static void
check_locality_balancer(struct check *c, const void *message)
{
	const struct locality_balancer *l = message;

	if (l->distribute.count > 0 && l->failover.count > 0)
		check_error(c, ERR_INVALID,
		    "can not simultaneously specify 'distribute' and "
		    "'failover'");
	for (size_t i = 0; i < l->failover_priority.count; i++) {
		struct check at = check_member(c, "failoverPriority[%zu]", i);

		if (l->failover.count > 0 &&
		    is_topology(l->failover_priority.items[i]))
			check_error(&at, ERR_INVALID,
			    "a label of region, zone or subzone says the same "
			    "as failover; leave one out");
	}
	if (l->distribute.count <= LOCALITIES_MAX)
		check_sources(c, l);
}

static const struct field locality_balancer_fields[] = {
    ROW(locality_balancer, "enabled", enabled, FIELD_BOOL, .otherwise = "true",
	.doc = "Whether places are preferred at all."),
    ROWS_OF(locality_balancer, "distribute", distribute, locality_share, 0,
	.most = LOCALITIES_MAX,
	.doc = "Shares traffic out among places; not beside failover."),
    ROWS_OF(locality_balancer, "failover", failover, locality_failover, 0,
	.doc = "Which region takes over for which."),
    ROW(locality_balancer, "failoverPriority", failover_priority, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Labels in their order: endpoints that share more of them "
	       "with the caller come first."),
};

const struct message locality_balancer_message = MESSAGE(locality_balancer,
    "LocalityLoadBalancerSetting", locality_balancer_fields,
    .check = check_locality_balancer, .doc = "Which places are preferred.");

static void
check_zone_balancer(struct check *c, const void *message)
{
	const struct zone_balancer *z = message;

	for (size_t i = 0; i < z->failover_priority.count; i++) {
		struct check at = check_member(c, "failoverPriority[%zu]", i);

		if (is_topology(z->failover_priority.items[i]))
			check_error(&at, ERR_INVALID,
			    "region and zone are heeded anyway; name another "
			    "label");
	}
}

static const struct field zone_balancer_fields[] = {
    ROW(zone_balancer, "enabled", enabled, FIELD_BOOL, .otherwise = "true",
	.doc = "Whether the own zone is preferred."),
    ROWS_OF(zone_balancer, "failover", failover, locality_failover, 0,
	.doc = "Which region takes over for which."),
    ROW(zone_balancer, "failoverPriority", failover_priority, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Labels in their order, none of region or zone."),
    ROW(zone_balancer, "minClusterSize", min_cluster_size, FIELD_INT, .min = 0,
	.max = UINT32_MAX, .otherwise = "6",
	.doc = "With fewer endpoints zones do not matter."),
};

const struct message zone_balancer_message =
    MESSAGE(zone_balancer, "ZoneAwareLoadBalancerSetting", zone_balancer_fields,
	.check = check_zone_balancer,
	.doc = "Prefers the own zone by its share of callers and endpoints.");

/* --- the whole ------------------------------------------------------------ */

static void
check_aggression(struct check *c, const void *value)
{
	if (!(*(const double *)value > 0))
		check_error(c, ERR_INVALID, "has to be greater than 0");
}

static void
check_minimum_percent(struct check *c, const void *value)
{
	const double *n = value;

	if (!(*n <= 100))
		check_error(c, ERR_INVALID, "%g is more than 100", *n);
}

static const struct field warmup_fields[] = {
    ROW(warmup, "duration", duration, FIELD_DURATION, .flags = FIELD_REQUIRED,
	.check = check_duration,
	.doc = "How long a new endpoint gets less than its share."),
    ROW(warmup, "minimumPercent", minimum_percent, FIELD_NUMBER,
	.check = check_minimum_percent, .otherwise = "10",
	.doc = "Percent of its share that it begins with."),
    ROW(warmup, "aggression", aggression, FIELD_NUMBER, .otherwise = "1",
	.check = check_aggression,
	.doc = "How the share grows: 1 evenly, more is faster at first."),
};

static const struct message warmup_message = MESSAGE(warmup,
    "WarmupConfiguration", warmup_fields, .doc = "How endpoints begin.");

static const struct field_word balancer_words[] = {
    {"UNSPECIFIED", BALANCER_UNSPECIFIED, 0},
    {"LEAST_REQUEST", BALANCER_LEAST_REQUEST, 0},
    {"ROUND_ROBIN", BALANCER_ROUND_ROBIN, 0},
    {"RANDOM", BALANCER_RANDOM, 0},
    {"LEAST_CONN", BALANCER_LEAST_CONN, 0},
    {"PASSTHROUGH", BALANCER_PASSTHROUGH, FIELD_INERT},
    {NULL, 0, 0},
};

static void
check_load_balancer(struct check *c, const void *message)
{
	const struct load_balancer *lb = message;

	if (lb->locality != NULL && lb->zone != NULL)
		check_error(c, ERR_INVALID,
		    "only one of localityLbSetting and zoneAwareLbSetting may "
		    "be given");
}

enum { ONEOF_BALANCER = 1 };

static const struct field load_balancer_fields[] = {
    ROW(load_balancer, "simple", simple, FIELD_ENUM, .oneof = ONEOF_BALANCER,
	.words = balancer_words, .otherwise = "UNSPECIFIED",
	.doc = "How the next endpoint is chosen; least request unless said "
	       "otherwise."),
    ROW_OF(load_balancer, "consistentHash", consistent_hash, consistent_hash,
	.oneof = ONEOF_BALANCER, .flags = FIELD_INERT,
	.doc = "Sends the same key to the same endpoint."),
    ROW_OF(load_balancer, "localityLbSetting", locality, locality_balancer,
	.flags = FIELD_INERT, .doc = "Which places are preferred."),
    ROW_OF(load_balancer, "zoneAwareLbSetting", zone, zone_balancer,
	.flags = FIELD_INERT, .doc = "Prefers the own zone by its share."),
    ROW_OF(load_balancer, "warmup", warmup, warmup, .flags = FIELD_INERT,
	.doc = "New endpoints begin with less."),
    ROW(load_balancer, "warmupDurationSecs", warmup_duration, FIELD_DURATION,
	.flags = FIELD_INERT, .doc = "The older form of warmup: its duration."),
};

const struct message load_balancer_message =
    MESSAGE(load_balancer, "LoadBalancerSettings", load_balancer_fields,
	.check = check_load_balancer, .doc = "How an endpoint is chosen.");

static bool
fails_over(const struct load_balancer *lb)
{
	const struct locality_balancer *l = lb->locality;
	const struct zone_balancer *z = lb->zone;

	return (l != NULL &&
		   l->failover.count + l->failover_priority.count > 0) ||
	       (z != NULL &&
		   z->failover.count + z->failover_priority.count > 0);
}

void
check_failover(
    struct check *c, const struct load_balancer *lb, bool notices_failures)
{
	struct check at = check_member(c, "loadBalancer");

	if (lb != NULL && fails_over(lb) && !notices_failures)
		check_warning(&at,
		    "outlier detection policy must be provided for failover; "
		    "without outlierDetection no failure is noticed");
}
