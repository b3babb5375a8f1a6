/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve — names to addresses: literals, the hosts file, name servers.
 *
 * evdns asks the servers; the hosts file is read by us, and getaddrinfo() is
 * never called: it would load NSS modules, which a static binary cannot. Both
 * files are looked at again when they change, at most once a second.
 *
 *	LOOK-UP --literal, hosts--> answer (a later of this turn)
 *	   `-- A and AAAA queries --> answer when the last of them is in
 *
 * The library calls back even for a query that was cancelled, so a query is an
 * object of its own that outlives its look-up.
 */
#include <event2/dns.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "hosts.h"
#include "inside.h"

enum {
	RECHECK_US = 1000000, /* how often the files are looked at */
	DEADLINE_US = 10000000,
	/* For the other family, once one has addresses: some servers never
	 * answer for IPv6 (RFC 8305 §3). */
	LAST_FAMILY_US = 1000000
};

/* What tells one version of a file from another. */
struct file_version {
	uint64_t inode;
	int64_t mtime_ns;
	int64_t size;
};

struct resolver {
	struct loop *loop;
	struct evdns_base *dns;
	char *resolv_conf;
	char *hosts_path;
	struct hosts hosts;
	struct file_version resolv_version;
	struct file_version hosts_version;
	uint64_t checked_us;
	struct list lookups;
	struct list queries; /* those that the library will call back */
	size_t pending;
};

/* One question of one family to the name servers. */
struct query {
	struct list link;
	struct loop_resolve *lookup; /* NULL: cancelled */
	struct evdns_request *request;
	enum addr_family family;
};

struct loop_resolve {
	struct list link;
	struct resolver *resolver;
	loop_resolve_cb cb;
	void *arg;
	struct loop_later answer; /* when all is known */
	struct timer deadline;
	struct query *queries[2]; /* IPv4, IPv6; NULL: not asked or done */
	enum err why;             /* of the queries that failed */
	uint32_t ttl_s;
	size_t counts[2];
	struct addr addrs[2][LOOP_RESOLVE_ADDRS_MAX / 2];
};

/* --- the files --- */

static struct file_version
version_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return (struct file_version){0};
	return (struct file_version){st.st_ino,
	    st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec,
	    st.st_size};
}

/* True if the file is not the one that was read last; notes the new one. */
static bool
has_changed(const char *path, struct file_version *v)
{
	struct file_version now = version_of(path);
	bool same = now.inode == v->inode && now.mtime_ns == v->mtime_ns &&
		    now.size == v->size;

	*v = now;
	return !same;
}

static _Atomic uint32_t mark_of_all;

void
loop_resolve_mark(uint32_t mark)
{
	mark_of_all = mark;
}

/* The library has one for each name server, and shows them nowhere else. */
static int
mark_datagrams(const struct event_base *base, const struct event *e, void *arg)
{
	const uint32_t *mark = arg;
	int fd = event_get_fd(e), type = 0;
	socklen_t len = sizeof(type);

	(void)base; /* the loop's */
	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_DGRAM)
		/* Who asks for marks has tried that it may. */
		(void)setsockopt(fd, SOL_SOCKET, SO_MARK, mark, sizeof(*mark));
	return 0;
}

static void
read_name_servers(struct resolver *r)
{
	uint32_t mark = mark_of_all;

	/* Running queries go on with the new servers. */
	(void)evdns_base_clear_nameservers_and_suspend(r->dns);
	evdns_base_search_clear(r->dns);
	/* What it cannot read it reports by leaving no server: see ask(). */
	(void)evdns_base_resolv_conf_parse(r->dns,
	    DNS_OPTION_NAMESERVERS | DNS_OPTION_NAMESERVERS_NO_DEFAULT |
		DNS_OPTION_SEARCH | DNS_OPTION_MISC,
	    r->resolv_conf);
	if (mark != 0)
		(void)event_base_foreach_event(
		    r->loop->base, mark_datagrams, &mark);
	(void)evdns_base_resume(r->dns);
}

static void
check_files(struct resolver *r)
{
	uint64_t now = loop_now_us(r->loop);

	if (r->checked_us != 0 && now - r->checked_us < RECHECK_US)
		return;
	r->checked_us = now;
	if (has_changed(r->hosts_path, &r->hosts_version))
		hosts_load(&r->hosts, r->hosts_path);
	if (has_changed(r->resolv_conf, &r->resolv_version))
		read_name_servers(r);
}

/* --- the resolver of a loop --- */

static void
set_option(struct evdns_base *dns, const char *name, const char *value)
{
	CHECK(evdns_base_set_option(dns, name, value) == 0);
}

static struct resolver *
resolver_of(struct loop *l)
{
	struct resolver *r = l->resolver;

	if (r != NULL)
		return r;
	r = mem_new(sizeof(*r));
	r->loop = l;
	r->dns = evdns_base_new(l->base, 0);
	CHECK(r->dns != NULL);
	set_option(r->dns, "timeout:", "2");
	set_option(r->dns, "attempts:", "3");
	r->resolv_conf =
	    mem_strndup(S("/etc/resolv.conf").ptr, S("/etc/resolv.conf").len);
	r->hosts_path = mem_strndup(S("/etc/hosts").ptr, S("/etc/hosts").len);
	hosts_init(&r->hosts);
	list_init(&r->lookups);
	list_init(&r->queries);
	l->resolver = r;
	return r;
}

static void
query_free(struct query *q)
{
	list_remove(&q->link);
	mem_free(&q);
}

static void
lookup_free(struct loop_resolve *look)
{
	for (size_t i = 0; i < ARRAY_LEN(look->queries); i++) {
		struct query *q = look->queries[i];

		if (q == NULL)
			continue;
		q->lookup = NULL; /* on_query() frees it */
		evdns_cancel_request(look->resolver->dns, q->request);
	}
	timer_clear(&look->deadline);
	loop_later_cancel(&look->answer);
	list_remove(&look->link);
	look->resolver->pending--;
	mem_free(&look);
}

void
resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;

	if (r == NULL)
		return;
	LIST_EACH (&r->lookups, it)
		lookup_free(CONTAINER(it, struct loop_resolve, link));
	/* The library tells cancelled queries in a turn of its own. */
	if (!list_empty(&r->queries))
		loop_turn(r->loop, 0);
	evdns_base_free(r->dns, /* fail requests */ 0);
	LIST_EACH (&r->queries, it)
		query_free(CONTAINER(it, struct query, link));
	hosts_fini(&r->hosts);
	mem_free(&r->resolv_conf);
	mem_free(&r->hosts_path);
	mem_free(rp);
}

/* --- one look-up --- */

static void
on_answer(void *arg)
{
	struct loop_resolve *look = arg;
	struct addr all[LOOP_RESOLVE_ADDRS_MAX];
	loop_resolve_cb cb = look->cb;
	void *cb_arg = look->arg;
	uint32_t ttl_s = look->ttl_s;
	enum err why = look->why;
	size_t n = 0;

	for (size_t f = 0; f < ARRAY_LEN(look->counts); f++)
		for (size_t i = 0; i < look->counts[f]; i++)
			all[n++] = look->addrs[f][i];
	lookup_free(look);
	if (n > 0)
		cb(cb_arg, OK, all, n, ttl_s);
	else
		cb(cb_arg, why, NULL, 0, 0);
}

static void
on_deadline(void *arg)
{
	struct loop_resolve *look = arg;

	look->why = ERR_TIMEOUT;
	on_answer(look);
}

static void
keep(struct loop_resolve *look, const struct addr *a)
{
	size_t f = a->family == ADDR_V6;

	if (look->counts[f] < ARRAY_LEN(look->addrs[f]))
		look->addrs[f][look->counts[f]++] = *a;
}

static enum err
err_from_dns(int result)
{
	switch (result) {
	case DNS_ERR_NONE:
	case DNS_ERR_NOTEXIST:
	case DNS_ERR_NODATA:
		return ERR_NOT_FOUND;
	case DNS_ERR_TIMEOUT:
		return ERR_TIMEOUT;
	case DNS_ERR_SERVERFAILED:
	case DNS_ERR_REFUSED:
	case DNS_ERR_NOTIMPL:
		return ERR_UNREACHABLE;
	default:
		return ERR_PROTOCOL;
	}
}

static void
keep_all(struct loop_resolve *look, enum addr_family family, int count,
    int ttl_s, const void *addresses)
{
	size_t size = family == ADDR_V4 ? 4 : 16;
	const char *at = addresses;

	for (int i = 0; i < count; i++, at += size) {
		struct addr a = {.family = (uint8_t)family};

		memcpy(a.bytes, at, size);
		keep(look, &a);
	}
	if (count > 0)
		look->ttl_s = MIN(look->ttl_s, (uint32_t)MAX(ttl_s, 0));
}

/*
 * "No such name" is the least that a family may say: it yields to a failure
 * of the other one, after which the name may exist.
 */
static void
note_failure(struct loop_resolve *look, enum err why)
{
	if (look->why == ERR_NOT_FOUND)
		look->why = why;
}

static void
on_query(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	struct query *q = arg;
	struct loop_resolve *look = q->lookup;
	enum addr_family family = q->family;

	(void)type; /* it is what the query asked for */
	query_free(q);
	if (look == NULL)
		return;
	loop_begin(look->resolver->loop);
	look->queries[family == ADDR_V6] = NULL;
	if (result == DNS_ERR_NONE)
		keep_all(look, family, count, ttl, addresses);
	else
		note_failure(look, err_from_dns(result));
	if (look->queries[0] == NULL && look->queries[1] == NULL)
		loop_later(look->resolver->loop, &look->answer);
	else if (result == DNS_ERR_NONE && count > 0)
		timer_set(&look->deadline, LAST_FAMILY_US);
}

static MUST_USE enum err
ask_family(struct loop_resolve *look, const char *name, int flags,
    enum addr_family family)
{
	struct resolver *r = look->resolver;
	struct query *q = mem_new(sizeof(*q));

	q->lookup = look;
	q->family = family;
	list_push_back(&r->queries, &q->link);
	if (family == ADDR_V4)
		q->request =
		    evdns_base_resolve_ipv4(r->dns, name, flags, on_query, q);
	else
		q->request =
		    evdns_base_resolve_ipv6(r->dns, name, flags, on_query, q);
	if (q->request == NULL) {
		query_free(q);
		return ERR_INVALID;
	}
	look->queries[family == ADDR_V6] = q;
	return OK;
}

/* Queries the servers; what it returns is the answer, if not OK. */
static MUST_USE enum err
ask(struct loop_resolve *look, struct slice name, enum addr_family family)
{
	char text[NAME_HOST_MAX + 2];
	int flags = 0;
	enum err e = OK;

	if (evdns_base_count_nameservers(look->resolver->dns) <= 0)
		return ERR_UNREACHABLE;
	if (slice_ends(name, S("."))) {
		flags = DNS_QUERY_NO_SEARCH;
		name.len--;
	}
	if (slice_to_cstr(name, text, sizeof(text)) != OK)
		return ERR_INVALID;
	if (family != ADDR_V6)
		e = ask_family(look, text, flags, ADDR_V4);
	if (e == OK && family != ADDR_V4)
		e = ask_family(look, text, flags, ADDR_V6);
	return e;
}

/* RFC 1035 §2.3.4's lengths, RFC 2181 §11's freedom less what is no host. */
static bool
is_name(struct slice name)
{
	if (slice_ends(name, S(".")))
		name.len--;
	if (name.len == 0 || name.len > NAME_HOST_MAX)
		return false;
	while (name.len > 0) {
		struct slice label = slice_split(&name, '.');

		if (label.len == 0 || label.len > NAME_LABEL_MAX)
			return false;
		for (size_t i = 0; i < label.len; i++) {
			char c = label.ptr[i];

			if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
			    (c < '0' || c > '9') && c != '-' && c != '_')
				return false;
		}
	}
	return true;
}

/* What needs no server. ERR_AGAIN: ask one. */
static MUST_USE enum err
find_here(struct loop_resolve *look, struct slice name, enum addr_family family)
{
	struct addr found[HOSTS_ADDRS_MAX];
	struct slice host = name;
	size_t n = 1;

	if (slice_ends(host, S(".")))
		host.len--;
	if (addr_parse_ip(name, &found[0]) == OK) {
		if (family != ADDR_NONE && found[0].family != family)
			return ERR_NOT_FOUND;
	} else if (!is_name(name)) {
		return ERR_INVALID;
	} else {
		n = hosts_find(&look->resolver->hosts, host, family, found,
		    ARRAY_LEN(found));
	}
	for (size_t i = 0; i < n; i++)
		keep(look, &found[i]);
	return n > 0 ? OK : ERR_AGAIN;
}

static struct loop_resolve *
lookup_new(struct resolver *r, loop_resolve_cb cb, void *arg)
{
	struct loop_resolve *look = mem_new(sizeof(*look));

	look->resolver = r;
	look->cb = cb;
	look->arg = arg;
	look->why = ERR_NOT_FOUND;
	look->ttl_s = UINT32_MAX;
	loop_later_init(&look->answer, on_answer, look);
	timer_init(&look->deadline, r->loop, on_deadline, look);
	list_push_back(&r->lookups, &look->link);
	r->pending++;
	return look;
}

struct loop_resolve *
loop_resolve(struct loop *l, struct slice name, enum addr_family family,
    loop_resolve_cb cb, void *arg)
{
	struct resolver *r = resolver_of(l);
	struct loop_resolve *look;
	enum err e;

	if (r->pending >= LOOP_RESOLVE_PENDING_MAX)
		return NULL;
	check_files(r);
	look = lookup_new(r, cb, arg);
	e = find_here(look, name, family);
	if (e == OK)
		look->ttl_s = LOOP_RESOLVE_TTL_STATIC;
	if (e == ERR_AGAIN) {
		e = ask(look, name, family);
		if (e == OK) {
			timer_set(&look->deadline, DEADLINE_US);
			return look;
		}
	}
	if (e != OK)
		look->why = e;
	loop_later(l, &look->answer);
	return look;
}

void
loop_resolve_cancel(struct loop_resolve **rp)
{
	if (*rp == NULL)
		return;
	lookup_free(*rp);
	*rp = NULL;
}

static void
replace_path(char **path, const char *with)
{
	if (with == NULL)
		return;
	mem_free(path);
	*path = mem_strndup(with, strlen(with));
}

void
loop_resolve_setup(struct loop *l, const char *resolv_conf, const char *hosts)
{
	struct resolver *r = resolver_of(l);

	replace_path(&r->resolv_conf, resolv_conf);
	replace_path(&r->hosts_path, hosts);
	hosts_load(&r->hosts, r->hosts_path);
	r->hosts_version = version_of(r->hosts_path);
	read_name_servers(r);
	r->resolv_version = version_of(r->resolv_conf);
}
