/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidecar_rules — what a Sidecar's listeners ask of their fields.
 */
#include "sidecar_rules.h"
#include "addresses.h"
#include "scoped_host.h"
#include "validate.h"

#define UNIX_PREFIX "unix://"

void
check_sidecar_port_name(struct check *c, const void *slice)
{
	const struct slice *s = slice;

	if (s->len > 0 && !is_dns_label(*s))
		check_error(c, ERR_INVALID, "invalid port name: \"%.*s\"",
		    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)));
}

static void
check_number(struct check *c, const struct sidecar_port *p)
{
	struct check at = check_member(c, "port.number");

	if (p->number < 1 || p->number > UINT16_MAX)
		check_error(&at, ERR_INVALID,
		    "port number %lld must be in the range 1..65535",
		    (long long)p->number);
}

/* --- ingress -------------------------------------------------------------- */

static bool
is_local(struct slice host)
{
	static const char *const known[] = {
	    "127.0.0.1", "0.0.0.0", "[::1]", "[::]"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_eq(host, slice_str(known[i])))
			return true;
	return false;
}

static void
check_default_endpoint(struct check *c, struct slice text)
{
	size_t colon = slice_rfind(text, ':');
	struct slice port = slice_sub(text, colon + 1, text.len);
	uint64_t n;

	if (text.len == 0)
		return;
	if (slice_starts(text, S(UNIX_PREFIX))) {
		if (!slice_starts(text, S(UNIX_PREFIX "/")) &&
		    !slice_starts(text, S(UNIX_PREFIX "@")))
			check_error(c, ERR_INVALID,
			    "has to be an absolute path behind unix://");
		return;
	}
	if (!is_local(slice_sub(text, 0, colon)))
		check_error(c, ERR_INVALID,
		    "defaultEndpoint must be of form 127.0.0.1:PORT, "
		    "0.0.0.0:PORT, [::1]:PORT, [::]:PORT or unix://PATH");
	if (slice_to_u64(port, &n) != OK || n < 1 || n > UINT16_MAX)
		check_error(
		    c, ERR_INVALID, "its port is no number from 1 to 65535");
}

static void
check_ingress_tls(struct check *c, const struct server_tls *t)
{
	const struct {
		const char *name;
		bool given;
	} rows[] = {
	    {"subjectAltNames", t->subject_alt_names.count > 0},
	    {"httpsRedirect", t->https_redirect},
	    {"credentialName", t->credential_name.len > 0},
	    {"credentialNames", t->credential_names.count > 0},
	    {"tlsCertificates", t->tls_certificates.count > 0},
	};
	struct check mode = check_member(c, "mode");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct check at = check_member(c, "%s", rows[i].name);

		if (rows[i].given)
			check_error(&at, ERR_INVALID,
			    "is not supported in ingress tls");
	}
	if (t->mode == SERVER_TLS_ISTIO_MUTUAL ||
	    t->mode == SERVER_TLS_AUTO_PASSTHROUGH)
		check_error(&mode, ERR_INVALID,
		    "is not supported in ingress tls; it is SIMPLE, MUTUAL or "
		    "OPTIONAL_MUTUAL");
}

void
check_sidecar_ingress(struct check *c, const void *message)
{
	const struct sidecar_ingress *i = message;
	struct check bind = check_member(c, "bind");
	struct check endpoint = check_member(c, "defaultEndpoint");
	struct check tls = check_member(c, "tls");
	struct check pool = check_member(c, "connectionPool.http");
	enum port_protocol protocol;

	if (i->bind.len > 0)
		check_ip(&bind, &i->bind);
	check_default_endpoint(&endpoint, i->default_endpoint);
	if (i->tls != NULL)
		check_ingress_tls(&tls, i->tls);
	if (i->port == NULL)
		return;
	check_number(c, i->port);
	protocol = port_protocol_parse(i->port->protocol);
	if (i->tls != NULL && !port_protocol_is_tls(protocol))
		check_error(&tls, ERR_INVALID,
		    "server cannot have TLS settings for non HTTPS/TLS ports");
	if (i->connection_pool != NULL && i->connection_pool->http != NULL &&
	    !port_protocol_is_http(protocol))
		check_warning(
		    &pool, "is for HTTP, and the port speaks something else");
}

/* --- egress --------------------------------------------------------------- */

void
check_sidecar_egress(struct check *c, const void *message)
{
	const struct sidecar_egress *e = message;
	struct check bind = check_member(c, "bind");
	struct check number = check_member(c, "port.number");
	struct check capture = check_member(c, "captureMode");
	bool is_unix = slice_starts(e->bind, S(UNIX_PREFIX));

	for (size_t i = 0; i < e->hosts.count; i++) {
		struct check at = check_member(c, "hosts[%zu]", i);

		check_scoped_host(&at, e->hosts.items[i], SCOPE_NONE);
	}
	if (e->port == NULL)
		return; /* upstream looks at the address with a port only */
	if (!is_unix) {
		if (e->bind.len > 0)
			check_ip(&bind, &e->bind);
		if (e->port->number == 0)
			check_error(&number, ERR_INVALID,
			    "ports with 0 value must have a unix domain "
			    "socket bind address");
		else
			check_number(c, e->port);
		return;
	}
	if (!slice_starts(e->bind, S(UNIX_PREFIX "/")) &&
	    !slice_starts(e->bind, S(UNIX_PREFIX "@")))
		check_error(&bind, ERR_INVALID,
		    "has to be an absolute path behind unix://");
	if (e->port->number != 0)
		check_error(&number, ERR_INVALID,
		    "port number must be 0 for unix domain socket");
	if (e->capture_mode == CAPTURE_IPTABLES)
		check_error(&capture, ERR_INVALID,
		    "is DEFAULT or NONE for a unix domain socket");
}

static bool
is_number_used(const struct sidecar *s, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (s->egress.items[i].port != NULL &&
		    s->egress.items[i].port->number ==
			s->egress.items[at].port->number)
			return true;
	return false;
}

static bool
is_bind_used(const struct sidecar *s, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (slice_eq(s->egress.items[i].bind, s->egress.items[at].bind))
			return true;
	return false;
}

static void
check_egress_of(struct check *c, const struct sidecar *s, size_t i)
{
	const struct sidecar_egress *e = &s->egress.items[i];
	struct check at = check_member(c, "egress[%zu]", i);

	if (e->port == NULL) {
		if (i + 1 < s->egress.count)
			check_error(&at, ERR_INVALID,
			    "the egress listener with empty port should be "
			    "the last listener in the list");
		return;
	}
	if (slice_starts(e->bind, S(UNIX_PREFIX))) {
		if (is_bind_used(s, i))
			check_error(&at, ERR_INVALID,
			    "unix domain sockets must be unique");
	} else if (e->port->number != 0 && is_number_used(s, i))
		check_error(&at, ERR_INVALID,
		    "ports on IP bound listeners must be unique");
}

void
check_sidecar_listeners(struct check *c, const struct sidecar *s)
{
	for (size_t j = 0; j < s->ingress.count; j++)
		for (size_t i = 0; i < j; i++) {
			const struct sidecar_port *a = s->ingress.items[i].port;
			const struct sidecar_port *b = s->ingress.items[j].port;
			struct check at =
			    check_member(c, "ingress[%zu].port.number", j);

			if (a == NULL || b == NULL || a->number != b->number)
				continue;
			check_error(&at, ERR_INVALID,
			    "ports on ingress listeners must be unique");
			break;
		}
	for (size_t i = 0; i < s->egress.count; i++)
		check_egress_of(c, s, i);
}

/* --- hosts ---------------------------------------------------------------- */

/* "ns/host" with "." said as a name; false for what takes hosts away. */
static bool
split_shown(struct slice text, struct slice ns, struct slice *out_scope,
    struct slice *out_host)
{
	scoped_host_split(text, out_scope, out_host);
	if (slice_eq(*out_scope, S(".")))
		*out_scope = ns;
	return out_scope->len > 0 && !slice_starts(*out_scope, S("~"));
}

/* The same again, or one of all that a namespace has. */
static bool
is_said(const struct sidecar_egress *e, size_t at, struct slice ns)
{
	struct slice host, scope;

	if (!split_shown(e->hosts.items[at], ns, &scope, &host))
		return false;
	for (size_t i = 0; i < at; i++) {
		struct slice other, around;

		if (split_shown(e->hosts.items[i], ns, &around, &other) &&
		    slice_eq(around, scope) &&
		    (slice_eq(host, other) || slice_eq(host, S("*")) ||
			slice_eq(other, S("*"))))
			return true;
	}
	return false;
}

static size_t
count_shown(const struct sidecar_egress *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->hosts.count; i++)
		n += !slice_starts(e->hosts.items[i], S("~"));
	return n;
}

void
check_sidecar_hosts(struct check *c, const struct sidecar *s, struct slice ns)
{
	for (size_t i = 0; i < s->egress.count; i++) {
		const struct sidecar_egress *e = &s->egress.items[i];
		size_t shown = count_shown(e);

		for (size_t j = 0; j < e->hosts.count; j++) {
			struct slice host = e->hosts.items[j];
			struct check at =
			    check_member(c, "egress[%zu].hosts[%zu]", i, j);

			if (slice_eq(host, S("*/*")) && shown > 1)
				check_warning(&at,
				    "`*/*` host select all resources, no other "
				    "hosts can be added");
			if (is_said(e, j, ns))
				check_warning(&at,
				    "duplicated egress host: %.*s",
				    SLICE_ARG(
					slice_sub(host, 0, NAME_LABEL_MAX)));
		}
	}
}

/* --- what the mesh does not know ------------------------------------------ */

void
check_outbound_policy(struct check *c, const void *message)
{
	const struct outbound_policy *p = message;
	struct check at = check_member(c, "egressProxy");
	struct check host = check_member(c, "egressProxy.host");

	if (p->egress_proxy == NULL)
		return;
	if (p->mode != OUTBOUND_ALLOW_ANY)
		check_error(&at, ERR_INVALID,
		    "egressProxy must be set only with the mode ALLOW_ANY");
	if (p->egress_proxy->port == NULL)
		check_error(
		    &at, ERR_INVALID, "egressProxy port has to be given");
	check_host(&host, &p->egress_proxy->host);
}
