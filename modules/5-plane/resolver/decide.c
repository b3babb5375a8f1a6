/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide — what the mesh says to a question, and why.
 *
 * A service with an address of its own is at that; one of the outside that has
 * none at the automatic one, where calls to that are taken; any other is where
 * its members are. What the mesh has no address for others know.
 */
#include "decide.h"

/* --- rows ----------------------------------------------------------------- */

static struct decided_row *
add_row(struct decided *d, uint16_t type)
{
	struct decided_row *row;

	if (d->count == DECIDED_ROWS_MAX)
		return NULL; /* the order turns: others are told next time */
	row = &d->rows[d->count++];
	*row = (struct decided_row){.type = type};
	return row;
}

static bool
has_addr(const struct decided *d, const struct addr *a)
{
	for (size_t i = 0; i < d->count; i++)
		if (addr_ip_eq(&d->rows[i].addr, a))
			return true;
	return false;
}

static uint16_t
type_of(const struct addr *a)
{
	return a->family == ADDR_V4   ? DNS_A
	       : a->family == ADDR_V6 ? DNS_AAAA
				      : 0;
}

static void
add_addr(struct decided *d, const struct addr *a, uint16_t type)
{
	struct decided_row *row;

	if (type_of(a) != type || has_addr(d, a))
		return;
	row = add_row(d, type);
	if (row != NULL)
		row->addr = *a;
}

static void
say(struct decided *d, enum decision what, const char *why)
{
	d->what = what;
	d->why = why;
}

/* --- members -------------------------------------------------------------- */

/* Who is told of each member of a service. */
struct visit {
	const struct view *v;
	const struct view_host *host;
	uint64_t chance;
	bool usable; /* only those that are */
	void (*each)(void *arg, const struct view_host *port,
	    const struct view_endpoint *e);
	void *arg;
};

static void
visit_port(const struct visit *t, const struct view_host *port)
{
	const struct view_cluster *c = view_port_cluster(t->v, port);
	size_t count =
	    c != NULL ? MIN(c->endpoint_count, (size_t)DECIDED_MEMBERS_MAX) : 0;

	for (size_t i = 0; i < count; i++) {
		const struct view_endpoint *e =
		    c->endpoints[(t->chance + i) % count];

		if (!e->gateway && e->addr.family != ADDR_NONE &&
		    (!t->usable || e->usable))
			t->each(t->arg, port, e);
	}
}

static void
visit_members(const struct visit *t)
{
	const struct view_host *port;

	for (size_t i = 0; i < DECIDED_PORTS_MAX; i++) {
		port = view_host_port(t->v, NULL, t->host, i);
		if (port == NULL)
			return;
		visit_port(t, port);
	}
}

/* As in balancing, all of them where none can be used. */
static void
visit_best(struct visit *t, const struct decided *d)
{
	size_t before = d->count;

	t->usable = true;
	visit_members(t);
	t->usable = false;
	if (d->count == before)
		visit_members(t);
}

struct taking {
	struct decided *d;
	const struct view *v;
	uint16_t type;
	struct slice label; /* of one member alone; empty: of any */
};

/* The machine's name, or that of the workload. */
static bool
is_called(const struct view_endpoint *e, struct slice label)
{
	return label.len == 0 || slice_eq(e->node, label) ||
	       slice_eq(e->workload, label);
}

/*
 * A service of this very machine is called where it listens; whoever asks is
 * told what the machine announces, as others are. What somebody wrote down is
 * as it is written.
 */
static bool
is_here(const struct view_endpoint *e)
{
	return e->node.len > 0 && addr_is_loopback(&e->addr);
}

static void
take_addr(
    void *arg, const struct view_host *port, const struct view_endpoint *e)
{
	const struct taking *t = arg;
	const struct addr *own;
	size_t count;

	(void)port; /* on whichever it is */
	if (!is_called(e, t->label))
		return;
	if (!is_here(e)) {
		add_addr(t->d, &e->addr, t->type);
		return;
	}
	own = view_announced(t->v, &count);
	for (size_t i = 0; i < count; i++)
		add_addr(t->d, &own[i], t->type);
}

/* --- services ------------------------------------------------------------- */

/* A question about one service. */
struct asked {
	const struct view *v;
	const struct view_host *host;
	const struct view_service *service;
	uint16_t type;
	uint64_t chance;
	struct slice label; /* of one member; empty: of the service */
	struct slice port;  /* of SRV: "_http" of "_http._tcp"; empty: any */
	struct decided *d;
};

static void
add_written(const struct asked *a)
{
	const struct view_service *s = a->service;

	for (size_t i = 0; i < s->address_count; i++)
		if (s->addresses[i].bits ==
		    (s->addresses[i].base.family == ADDR_V4 ? 32 : 128))
			add_addr(a->d, &s->addresses[i].base, a->type);
}

static bool
has_written(const struct view_service *s)
{
	for (size_t i = 0; i < s->address_count; i++)
		if (s->addresses[i].bits ==
		    (s->addresses[i].base.family == ADDR_V4 ? 32 : 128))
			return true;
	return false;
}

static bool
is_told(const struct asked *a, const struct addr *automatic)
{
	return automatic->family != ADDR_NONE &&
	       view_tells_automatic(a->v, (enum addr_family)automatic->family);
}

static bool
has_automatic(const struct asked *a)
{
	for (size_t i = 0; i < ARRAY_LEN(a->service->automatic); i++)
		if (is_told(a, &a->service->automatic[i]))
			return true;
	return false;
}

static bool
has_address(const struct asked *a)
{
	return has_written(a->service) || has_automatic(a);
}

/* Its members are somewhere where this machine can be told of. */
static bool
has_members(const struct asked *a)
{
	const struct view_service *s = a->service;

	return s->resolution == VIEW_LISTED ||
	       (s->resolution == VIEW_ORIGINAL && !s->external &&
		   slice_ends(s->host, view_domain(a->v)));
}

static void
add_members(const struct asked *a)
{
	struct taking taking = {a->d, a->v, a->type, a->label};
	struct visit t = {.v = a->v,
	    .host = a->host,
	    .chance = a->chance,
	    .each = take_addr,
	    .arg = &taking};

	visit_best(&t, a->d);
}

static void
decide_addrs(const struct asked *a)
{
	struct decided *d = a->d;

	if (has_written(a->service)) {
		add_written(a);
		say(d, DECIDED_RECORDS,
		    "the addresses that are written for it");
	} else if (has_automatic(a)) {
		for (size_t i = 0; i < ARRAY_LEN(a->service->automatic); i++)
			if (is_told(a, &a->service->automatic[i]))
				add_addr(d, &a->service->automatic[i], a->type);
		say(d, DECIDED_RECORDS, "its automatic addresses");
	} else if (has_members(a)) {
		add_members(a);
		say(d, DECIDED_RECORDS, "the addresses of its members");
	} else {
		say(d, DECIDED_OUTSIDE,
		    "the mesh has no address for it: it is what others say");
	}
}

/* --- SRV ------------------------------------------------------------------ */

/* "_web" by the port's name, "_http" by its protocol, "_8080" by its number;
 * empty takes any. */
static bool
is_port(const struct view_host *port, struct slice name)
{
	uint64_t n;

	if (name.len == 0)
		return true;
	name = slice_sub(name, 1, name.len);
	if (slice_to_u64(name, &n) == OK)
		return n == port->port;
	return slice_eq_nocase(view_port_name(port), name) ||
	       slice_eq(slice_str(view_protocol_name(port->protocol)), name);
}

static void
take_srv(void *arg, const struct view_host *port, const struct view_endpoint *e)
{
	const struct asked *a = arg;
	struct decided_row *row;

	if (!is_port(port, a->port) || !is_called(e, a->label) ||
	    name_check_label(e->node, NULL) != OK)
		return;
	row = add_row(a->d, DNS_SRV);
	if (row == NULL)
		return;
	row->port = is_here(e) ? port->port : e->addr.port;
	row->label = e->node;
	row->host = a->service->host;
	if (!is_here(e))
		row->addr = e->addr; /* for the additional section */
}

/* Each port at the service's own name. */
static void
add_srv_ports(const struct asked *a)
{
	for (size_t i = 0; i < DECIDED_PORTS_MAX; i++) {
		const struct view_host *port =
		    view_host_port(a->v, NULL, a->host, i);
		struct decided_row *row;

		if (port == NULL)
			return;
		if (!is_port(port, a->port))
			continue;
		row = add_row(a->d, DNS_SRV);
		if (row == NULL)
			return;
		row->port = port->port;
		row->host = a->service->host;
	}
}

static void
add_srv_members(const struct asked *a)
{
	struct visit t = {.v = a->v,
	    .host = a->host,
	    .chance = a->chance,
	    .each = take_srv,
	    .arg = (void *)(uintptr_t)a};

	visit_best(&t, a->d);
}

static void
add_target_addrs(const struct asked *a)
{
	struct decided *d = a->d;
	size_t targets = d->count;

	for (size_t i = 0; i < targets; i++) {
		struct decided_row *row;

		if (type_of(&d->rows[i].addr) == 0 ||
		    d->count == DECIDED_ROWS_MAX)
			continue;
		row = add_row(d, type_of(&d->rows[i].addr));
		*row = d->rows[i];
		row->type = type_of(&row->addr);
		row->additional = true;
	}
}

static void
decide_srv(const struct asked *a)
{
	if (has_address(a) && a->label.len == 0) {
		add_srv_ports(a);
		say(a->d, DECIDED_RECORDS, "its ports");
	} else if (has_members(a)) {
		add_srv_members(a);
		add_target_addrs(a);
		say(a->d, DECIDED_RECORDS, "the ports of its members");
	} else {
		say(a->d, DECIDED_OUTSIDE,
		    "the mesh has no address for it: it is what others say");
	}
}

/* --- by type -------------------------------------------------------------- */

static bool
is_answered(const struct asked *a)
{
	return has_address(a) || has_members(a);
}

static const struct view_host *
find_service(const struct view *v, struct slice host)
{
	const struct view_host *h =
	    host.len > 0 ? view_find_host(v, NULL, host, 0) : NULL;

	return h != NULL && h->service != NULL ? h : NULL;
}

/* Where it leads in the mesh is told with it; elsewhere who asks has to follow.
 */
static void
follow_alias(const struct asked *a)
{
	struct asked to = *a;
	size_t first = a->d->count;

	to.host = find_service(a->v, a->service->alias);
	if (to.host == NULL || (a->type != DNS_A && a->type != DNS_AAAA))
		return;
	to.service = to.host->service;
	if (to.service->resolution == VIEW_ALIAS || !is_answered(&to))
		return;
	decide_addrs(&to);
	for (size_t i = first; i < a->d->count; i++)
		a->d->rows[i].host = a->service->alias;
}

static void
decide_alias(const struct asked *a)
{
	struct decided_row *row = add_row(a->d, DNS_CNAME);

	CHECK(row != NULL); /* the first */
	row->host = a->service->alias;
	follow_alias(a);
	say(a->d, DECIDED_RECORDS, "it stands for another name");
}

/*
 * A name of the outside keeps its mail and its keys; what would lead around
 * the addresses that it has here is ours.
 */
static bool
is_left_to_others(const struct asked *a)
{
	if (slice_ends(a->service->host, view_domain(a->v)))
		return false;
	return a->type != DNS_A && a->type != DNS_AAAA &&
	       a->type != DNS_HTTPS && a->type != DNS_SVCB &&
	       a->type != DNS_ANY;
}

static void
decide_service(const struct asked *a)
{
	struct decided *d = a->d;

	d->service = a->service;
	if (is_left_to_others(a)) {
		say(d, DECIDED_OUTSIDE,
		    "the mesh has only addresses of a host outside");
		return;
	}
	if (a->service->resolution == VIEW_ALIAS) {
		decide_alias(a);
		return;
	}
	if (a->type == DNS_A || a->type == DNS_AAAA) {
		decide_addrs(a);
	} else if (a->type == DNS_SRV) {
		decide_srv(a);
	} else if (!is_answered(a)) {
		say(d, DECIDED_OUTSIDE,
		    "the mesh has no address for it: it is what others say");
	} else if (a->type == DNS_ANY) {
		(void)add_row(d, DNS_HINFO);
		say(d, DECIDED_RECORDS, "who asks for all is told one thing");
	} else {
		say(d, DECIDED_RECORDS,
		    "a name of the mesh has addresses only");
	}
}

/* --- which name it is ----------------------------------------------------- */

static const struct slice cluster_local = {".svc.cluster.local", 18};

/* "svc.mesh.internal" of "a.b.svc.mesh.internal", cut off; false: it is not
 * below the domain. */
static bool
cut_domain(struct slice host, struct slice domain, struct slice *out_rest)
{
	if (!slice_ends(host, domain))
		return false;
	*out_rest = slice_sub(host, 0, host.len - domain.len);
	if (out_rest->len == 0)
		return true;
	if (out_rest->ptr[out_rest->len - 1] != '.')
		return false;
	out_rest->len--;
	return true;
}

static const char *
form_of(struct slice host, const struct view_host *h, struct slice domain)
{
	struct slice rest;

	if (slice_starts(h->host, S("*")))
		return "a wildcard host";
	if (!slice_ends(h->service->host, domain))
		return "a host of a ServiceEntry";
	if (cut_domain(host, domain, &rest))
		return "name.namespace.svc.DOMAIN";
	if (slice_ends(host, cluster_local))
		return "name.namespace.svc.cluster.local";
	if (slice_ends(host, S(".svc")))
		return "name.namespace.svc";
	return slice_find(host, '.') < host.len ? "name.namespace" : "name";
}

/* "_http._tcp.reviews": the two labels are cut off. */
static bool
cut_srv(struct slice *host, struct slice *out_port)
{
	struct slice rest = *host;
	struct slice port = slice_split(&rest, '.');
	struct slice transport = slice_split(&rest, '.');

	if (!slice_starts(port, S("_")) || port.len < 2 ||
	    !slice_eq(transport, S("_tcp")) || rest.len == 0)
		return false;
	*out_port = port;
	*host = rest;
	return true;
}

/* Below a service: "db-1.web.shop.svc.mesh.internal", a member's. */
static bool
find_member(struct asked *a, struct slice host)
{
	struct slice rest = host;
	struct slice label = slice_split(&rest, '.');

	a->host = find_service(a->v, rest);
	if (a->host == NULL ||
	    !slice_ends(a->host->service->host, view_domain(a->v)) ||
	    slice_starts(a->host->host, S("*")))
		return false;
	a->label = label;
	a->service = a->host->service;
	return true;
}

static void
decide_member(struct asked *a)
{
	struct decided *d = a->d;
	uint16_t type = a->type;

	d->form = "a member of a service";
	d->service = a->service;
	if (slice_starts(
		a->label, S("_"))) { /* what names of ports are below */
		say(d, DECIDED_RECORDS, "there are names below it only");
		return;
	}
	a->type = DNS_A;
	add_members(a);
	a->type = DNS_AAAA;
	add_members(a);
	if (d->count == 0) {
		say(d, DECIDED_NO_NAME, "the service has no such member");
		return;
	}
	d->count = 0;
	a->type = type;
	if (type == DNS_ANY)
		(void)add_row(d, DNS_HINFO);
	else if (type == DNS_A || type == DNS_AAAA)
		add_members(a);
	else if (type == DNS_SRV)
		decide_srv(a);
	say(d, DECIDED_RECORDS, "the addresses of that member");
}

/* --- the domain itself ---------------------------------------------------- */

/* Some service's namespace. */
static bool
is_namespace(const struct view *v, struct slice ns)
{
	const struct view_host *h;

	for (size_t i = 0; (h = view_next_host(v, &i)) != NULL;)
		if (h->service != NULL && slice_eq(h->service->ns, ns))
			return true;
	return false;
}

static size_t
count_labels(struct slice s)
{
	size_t n = s.len > 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == '.';
	return n;
}

/* "_http._tcp.db-1.web.shop.svc" is as long as it gets. */
enum { LABELS_BELOW = 6 };

/* Below the mesh's domain, and no service's. `rest` is what stands before. */
static void
decide_ours(
    const struct view *v, struct slice rest, uint16_t type, struct decided *d)
{
	struct slice svc = SLICE_NONE;
	size_t labels = count_labels(rest);

	d->form = "a name of the mesh's domain";
	d->is_ours = true;
	if (rest.len == 0 && type == DNS_SOA)
		(void)add_row(d, DNS_SOA);
	if (rest.len == 0 && type == DNS_ANY)
		(void)add_row(d, DNS_HINFO);
	if (rest.len == 0 || slice_eq(rest, S("svc"))) {
		say(d, DECIDED_RECORDS, "there are names below it only");
		return;
	}
	if (slice_ends(rest, S(".svc")))
		svc = slice_sub(rest, 0, rest.len - 4);
	if (svc.len > 0 && labels == 2 && is_namespace(v, svc)) {
		say(d, DECIDED_RECORDS, "there are names below it only");
		return;
	}
	d->may_come = svc.len > 0 && labels >= 3 && labels <= LABELS_BELOW;
	while (count_labels(d->ask) > 3 + count_labels(view_domain(v)))
		(void)slice_split(&d->ask, '.'); /* a member's, or a port's */
	say(d, DECIDED_NO_NAME, "the mesh has no such service");
}

/* --- backwards ------------------------------------------------------------ */

struct naming {
	struct decided *d;
	const struct view *v;
	struct addr addr;
	const struct view_service *service;
};

static void
add_ptr(struct decided *d, struct slice label, struct slice host)
{
	struct decided_row *row;

	for (size_t i = 0; i < d->count; i++)
		if (slice_eq(d->rows[i].label, label) &&
		    slice_eq(d->rows[i].host, host))
			return;
	row = add_row(d, DNS_PTR);
	if (row == NULL)
		return;
	row->label = label;
	row->host = host;
}

static void
take_ptr(void *arg, const struct view_host *port, const struct view_endpoint *e)
{
	const struct naming *n = arg;

	(void)port; /* all of them */
	if ((is_here(e) ? view_is_announced(n->v, &n->addr)
			: addr_ip_eq(&e->addr, &n->addr)) &&
	    name_check_label(e->node, NULL) == OK)
		add_ptr(n->d, e->node, n->service->host);
}

static bool
is_at(const struct asked *a, const struct addr *addr)
{
	const struct view_service *s = a->service;

	for (size_t i = 0; i < s->address_count; i++)
		if (s->addresses[i].bits ==
			(s->addresses[i].base.family == ADDR_V4 ? 32 : 128) &&
		    addr_ip_eq(&s->addresses[i].base, addr))
			return true;
	for (size_t i = 0; has_automatic(a) && i < 2; i++)
		if (addr_ip_eq(&s->automatic[i], addr))
			return true;
	return false;
}

/* Members of what lies outside have names of their own. */
static void
name_service(const struct asked *a, const struct addr *addr)
{
	struct naming n = {a->d, a->v, *addr, a->service};
	struct visit t = {
	    .v = a->v, .host = a->host, .each = take_ptr, .arg = &n};

	if (is_at(a, addr))
		add_ptr(a->d, SLICE_NONE, a->service->host);
	if (!a->service->external && has_members(a) && !has_address(a))
		visit_members(&t);
}

static void
decide_reverse(const struct view *v, const struct addr *addr, uint16_t type,
    struct decided *d)
{
	struct asked a = {.v = v, .d = d};
	const struct view_service *last = NULL;
	const struct view_host *h;

	for (size_t i = 0; (h = view_next_host(v, &i)) != NULL;) {
		bool is_again = h->service == last; /* another port of it */

		last = h->service;
		if (h->service == NULL || slice_starts(h->host, S("*")) ||
		    is_again)
			continue;
		a.host = h;
		a.service = h->service;
		name_service(&a, addr);
		if (a.d->count > 0 && d->service == NULL)
			d->service = h->service;
	}
	d->form = "an address of the mesh";
	if (d->count > 0)
		say(d, DECIDED_RECORDS, "who is at that address");
	else if (view_is_automatic(addr))
		say(d, DECIDED_NO_NAME, "the address is nobody's");
	else
		say(d, DECIDED_OUTSIDE, "it is no address of the mesh");
	if (d->count > 0 && type != DNS_PTR)
		d->count = 0; /* there is the name, and nothing of the type */
	if (d->what == DECIDED_OUTSIDE)
		d->form = NULL;
}

/* --- all of it ------------------------------------------------------------ */

static bool
may_be_host(struct slice host)
{
	struct addr a;

	return host.len > 0 && host.len <= NAME_HOST_MAX &&
	       host.ptr[0] != '*' && host.ptr[0] != '_' &&
	       !slice_ends(host, S(".arpa")) && addr_parse_ip(host, &a) != OK;
}

static void
decide_name(
    const struct view *v, struct slice host, struct asked *a, struct decided *d)
{
	struct slice name = host, rest = S("");
	bool ours = cut_domain(host, view_domain(v), &rest);

	if (ours)
		d->zone = view_domain(v);
	if (a->type == DNS_SRV)
		(void)cut_srv(&name, &a->port);
	d->ask = name;
	a->host = find_service(v, name);
	if (a->host != NULL) {
		a->service = a->host->service;
		d->form = form_of(name, a->host, view_domain(v));
		decide_service(a);
	} else if (find_member(a, name)) {
		d->ask = slice_sub(name, a->label.len + 1, name.len);
		decide_member(a);
	} else if (ours) {
		decide_ours(v, rest, a->type, d);
	} else {
		d->may_come = may_be_host(name);
		say(d, DECIDED_OUTSIDE, "it is no name of the mesh");
	}
	d->is_ours |= ours;
	if (ours && d->what == DECIDED_OUTSIDE)
		say(d, DECIDED_RECORDS, "the mesh has no address for it");
}

void
decide(const struct view *v, const struct dns_question *q, uint64_t chance,
    struct decided *out)
{
	struct asked a = {.v = v, .type = q->type, .chance = chance, .d = out};
	struct slice host = dns_name_host(&q->name, out->host);
	struct addr addr;

	out->may_come = out->is_ours = false;
	out->form = NULL;
	out->service = NULL;
	out->ask = out->zone = SLICE_NONE;
	out->count = 0;
	out->host_len = host.len;
	say(out, DECIDED_OUTSIDE, "it is no name of the mesh");
	if (q->type == DNS_AXFR || q->type == DNS_IXFR)
		say(out, DECIDED_REFUSED, "zones are not handed out");
	else if (v == NULL)
		say(out, DECIDED_OUTSIDE, "nothing is known of the mesh yet");
	else if (q->class != DNS_IN || host.len == 0)
		return;
	else if (dns_host_is_reverse(host, &addr))
		decide_reverse(v, &addr, q->type, out);
	else
		decide_name(v, host, &a, out);
}
