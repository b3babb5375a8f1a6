/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wiring — programs of the machine come to ask our name server; see wiring.h.
 *
 *	wiring.json	what is changed, as long as it is
 *	resolv.conf	of the state directory: the one that was before
 */
#define LOG_MODULE "node"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/codec.h"
#include "dbus/dbus.h"
#include "resolver/resolver.h"

#include "wiring.h"

#define NOTE "wiring.json"
#define KEPT "resolv.conf"
#define OURS "# Written by meshd; the one before is back when it stops.\n"

enum {
	NOTE_BYTES = 8192,
	CONF_BYTES = 64 << 10,
	IP_BYTES = 16,
	ANSWER_US = 10 * 1000000 /* an agent that ends waits no longer, too */
};

/* What is written down. */
struct note {
	char kind[WIRING_NAME_MAX];
	char link[WIRING_NAME_MAX];  /* resolved */
	char bus[WIRING_PATH_MAX];   /* the same */
	char conf[WIRING_PATH_MAX];  /* resolv-conf */
	char leads[WIRING_PATH_MAX]; /* where that led, if it was a link */
};

/* --- the note ------------------------------------------------------------- */

static enum err
path_in(const char *dir, const char *file, char out[WIRING_PATH_MAX],
    struct fault *why)
{
	if (snprintf(out, WIRING_PATH_MAX, "%s/%s", dir, file) >=
	    WIRING_PATH_MAX)
		return fault_set(
		    why, ERR_LIMIT, "the path %s is too long", dir);
	return OK;
}

static enum err
write_note(const char *dir, const struct note *n, struct fault *why)
{
	AUTO(arena_fini) struct arena a = {0};
	AUTO(buf_fini) struct buf text = BUF(NOTE_BYTES);
	char path[WIRING_PATH_MAX];
	struct value *m;
	enum err e = path_in(dir, NOTE, path, why);

	if (e != OK)
		return e;
	arena_init(&a, NOTE_BYTES);
	m = value_new(&a, VALUE_MAP);
	value_put_text(&a, &m, S("kind"), slice_str(n->kind));
	value_put_text(&a, &m, S("link"), slice_str(n->link));
	value_put_text(&a, &m, S("bus"), slice_str(n->bus));
	value_put_text(&a, &m, S("conf"), slice_str(n->conf));
	value_put_text(&a, &m, S("leads"), slice_str(n->leads));
	if (m == NULL || codec_json_emit(m, &text) != OK)
		return fault_set(why, ERR_LIMIT, "%s is too long", NOTE);
	return file_replace(path, buf_slice(&text), 0600, why);
}

static enum err
take_text(const struct value *m, const char *key, char *out, size_t len)
{
	return slice_to_cstr(
	    value_get_string(m, slice_str(key), S("")), out, len);
}

static enum err
read_note(const char *dir, struct note *n, struct fault *why)
{
	AUTO(arena_fini) struct arena a = {0};
	AUTO(buf_fini) struct buf text = BUF(NOTE_BYTES);
	char path[WIRING_PATH_MAX];
	const struct value *m;
	enum err e = path_in(dir, NOTE, path, why);

	if (e == OK)
		e = file_read(path, &text, why);
	if (e != OK)
		return e;
	arena_init(&a, 16 * NOTE_BYTES);
	e = codec_json_parse(buf_slice(&text), &a, &m, why);
	if (e == OK)
		e = take_text(m, "kind", n->kind, sizeof(n->kind));
	if (e == OK)
		e = take_text(m, "link", n->link, sizeof(n->link));
	if (e == OK)
		e = take_text(m, "bus", n->bus, sizeof(n->bus));
	if (e == OK)
		e = take_text(m, "conf", n->conf, sizeof(n->conf));
	if (e == OK)
		e = take_text(m, "leads", n->leads, sizeof(n->leads));
	return e == OK ? OK
		       : fault_set(why, ERR_CORRUPT, "%s is damaged", path);
}

static void
remove_note(const char *dir)
{
	char path[WIRING_PATH_MAX];

	if (path_in(dir, NOTE, path, NULL) == OK && unlink(path) != 0 &&
	    errno != ENOENT)
		log_warn(
		    "what is wired is still written down", "file=%s", path);
}

/* --- resolv.conf ---------------------------------------------------------- */

/* True if it is the one that we wrote. */
static bool
is_ours(const char *conf)
{
	AUTO(buf_fini) struct buf text = BUF(CONF_BYTES);

	return file_read(conf, &text, NULL) == OK &&
	       slice_starts(buf_slice(&text), S(OURS));
}

enum err
wiring_keep_conf(const char *state_dir, const char *conf,
    char out[WIRING_PATH_MAX], struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(CONF_BYTES);
	const char *from = conf != NULL ? conf : RESOLVER_CONF;
	enum err e = path_in(state_dir, KEPT, out, why);

	if (e != OK || is_ours(from))
		return e;
	e = file_read(from, &text, why);
	return e == OK ? file_replace(out, buf_slice(&text), 0600, why) : e;
}

/* A file that something is mounted on cannot be replaced. */
static enum err
write_over(const char *path, struct slice bytes, struct fault *why)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool written =
	    fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len;
	int errnum = errno;

	if (fd >= 0 && close(fd) != 0)
		written = false;
	return written
		   ? OK
		   : fault_set(why, err_from_errno(errnum),
			 "%s cannot be written: %s", path, strerror(errnum));
}

static enum err
write_conf(const char *path, struct slice bytes, struct fault *why)
{
	struct fault first = {0};
	enum err e = file_replace(path, bytes, 0644, &first);

	if (e == OK)
		return OK;
	return write_over(path, bytes, why);
}

/* The lines of before but for its name servers; ours are in front. */
static enum err
make_conf(struct slice before, const struct addr *server, struct buf *out)
{
	char ip[ADDR_TEXT_MAX];
	enum err e = buf_printf(
	    out, "%snameserver %s\n", OURS, addr_format_ip(server, ip));

	while (e == OK && before.len > 0) {
		struct slice line = slice_split(&before, '\n');

		if (!slice_starts(slice_trim(line), S("nameserver")))
			e = buf_printf(out, "%.*s\n", SLICE_ARG(line));
	}
	return e;
}

static enum err
set_conf(const struct wiring_spec *spec, struct fault *why)
{
	AUTO(buf_fini) struct buf before = BUF(CONF_BYTES);
	AUTO(buf_fini) struct buf text = BUF(2 * CONF_BYTES);
	const char *conf = spec->conf != NULL ? spec->conf : RESOLVER_CONF;
	struct note n = {.kind = "resolv-conf"};
	char kept[WIRING_PATH_MAX];
	ssize_t len = readlink(conf, n.leads, sizeof(n.leads) - 1);
	enum err e = OK;

	n.leads[MAX(len, 0)] = '\0';
	if (spec->server.port != 53)
		return fault_set(why, ERR_INVALID,
		    "resolv.conf has no room for a port: let names be answered "
		    "at port 53, with --dns 127.0.0.54:53 say");
	if (is_ours(conf))
		return OK; /* a restart: what is kept is right */
	if (snprintf(n.conf, sizeof(n.conf), "%s", conf) >= (int)sizeof(n.conf))
		e = ERR_LIMIT;
	if (e == OK)
		e = wiring_keep_conf(spec->state_dir, conf, kept, why);
	if (e == OK)
		e = file_read(kept, &before, why);
	if (e == OK)
		e = make_conf(buf_slice(&before), &spec->server, &text);
	if (e == OK)
		e = write_note(spec->state_dir, &n, why);
	return e == OK ? write_conf(conf, buf_slice(&text), why) : e;
}

static enum err
lead_again(const struct note *n, struct fault *why)
{
	char beside[WIRING_PATH_MAX + 8];

	(void)snprintf(beside, sizeof(beside), "%s.meshd", n->conf);
	if (symlink(n->leads, beside) == 0 && rename(beside, n->conf) == 0)
		return OK;
	return fault_set(why, err_from_errno(errno),
	    "%s cannot lead to %s again: %s", n->conf, n->leads,
	    strerror(errno));
}

static enum err
restore_conf(const char *dir, const struct note *n, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(CONF_BYTES);
	char kept[WIRING_PATH_MAX];
	enum err e = path_in(dir, KEPT, kept, why);

	if (e != OK || !is_ours(n->conf))
		return e; /* somebody else's by now */
	if (n->leads[0] != '\0')
		return lead_again(n, why);
	e = file_read(kept, &text, why);
	return e == OK ? write_conf(n->conf, buf_slice(&text), why) : e;
}

/* --- systemd-resolved ----------------------------------------------------- */

#define RESOLVE1(member_, signature_, body_)                                   \
	{                                                                      \
		.destination = "org.freedesktop.resolve1",                     \
		.path = "/org/freedesktop/resolve1",                           \
		.interface = "org.freedesktop.resolve1.Manager",               \
		.member = (member_), .signature = (signature_),                \
		.body = (body_)                                                \
	}

/* A conversation that goes on after this returned. */
struct talk {
	struct dbus *bus;
	bool restores;
	char dir[WIRING_PATH_MAX];
	wiring_cb done;
	void *arg;
};

static void
on_said(void *arg, enum err e, const struct fault *why)
{
	struct talk *t = arg;
	struct fault words = *why;

	if (e == OK && t->restores)
		remove_note(t->dir);
	if (e != OK)
		(void)fault_prefix(&words, e, "systemd-resolved: ");
	t->done(t->arg, e, &words);
	mem_free(&t);
}

static enum err
talk(struct loop *l, const char *bus, const struct dbus_call *calls,
    size_t count, struct talk like)
{
	struct talk *t = mem_new(sizeof(*t));
	enum err e;

	*t = like;
	e = dbus_run(l, bus, calls, count, ANSWER_US, on_said, t, &t->bus);
	if (e != OK)
		mem_free(&t);
	return e;
}

static enum err
put_domain(struct buf *b, struct slice name, bool route_only)
{
	enum err e = dbus_put_struct(b);

	if (e == OK)
		e = dbus_put_text(b, name);
	return e == OK ? dbus_put_bool(b, route_only) : e;
}

/* ia(iayqs): one server, with its port and no name. */
static enum err
put_server(struct buf *b, uint32_t link, const struct addr *a)
{
	enum { INET = 2, INET6 = 10 };
	bool v4 = a->family == ADDR_V4;
	struct dbus_array all;
	enum err e = dbus_put_u32(b, link);

	if (e == OK)
		e = dbus_begin_array(b, 8, &all);
	if (e == OK)
		e = dbus_put_struct(b);
	if (e == OK)
		e = dbus_put_u32(b, v4 ? INET : INET6);
	if (e == OK)
		e = dbus_put_bytes(
		    b, slice_of(a->bytes, v4 ? IP_BYTES / 4 : IP_BYTES));
	if (e == OK)
		e = dbus_put_u16(b, a->port);
	if (e == OK)
		e = dbus_put_text(b, S(""));
	if (e == OK)
		dbus_end_array(b, &all);
	return e;
}

/* ia(sb): short names are looked for in two of them, all lead to us. */
static enum err
put_domains(struct buf *b, uint32_t link, const struct wiring_spec *spec)
{
	char text[2][NAME_HOST_MAX + 1];
	struct slice svc = slice_join(
	    SLICES(S("svc."), spec->domain), text[0], sizeof(text[0]));
	struct slice own =
	    slice_join(SLICES(spec->ns, S("."), svc), text[1], sizeof(text[1]));
	struct dbus_array all;
	enum err e = dbus_put_u32(b, link);

	if (e == OK)
		e = dbus_begin_array(b, 8, &all);
	if (e == OK && own.len > 0)
		e = put_domain(b, own, /* route_only */ false);
	if (e == OK && svc.len > 0)
		e = put_domain(b, svc, /* route_only */ false);
	if (e == OK)
		e = put_domain(b, spec->domain, /* route_only */ true);
	if (e == OK)
		e = put_domain(
		    b, S("svc.cluster.local"), /* route_only */ true);
	if (e == OK)
		dbus_end_array(b, &all);
	return e;
}

static enum err
find_link(const char *name, uint32_t *out, struct fault *why)
{
	*out = if_nametoindex(name);
	if (*out != 0)
		return OK;
	return fault_set(why, ERR_NOT_FOUND,
	    "there is no link %s; make one with: ip link add %s type dummy && "
	    "ip addr add 169.254.150.53/32 dev %s && ip link set %s up",
	    name, name, name, name);
}

static enum err
say_all(const struct wiring_spec *spec, const struct note *n, uint32_t link,
    struct talk like)
{
	AUTO(buf_fini) struct buf server = BUF(NOTE_BYTES);
	AUTO(buf_fini) struct buf domains = BUF(NOTE_BYTES);
	AUTO(buf_fini) struct buf route = BUF(NOTE_BYTES);
	enum err e = put_server(&server, link, &spec->server);

	if (e == OK)
		e = put_domains(&domains, link, spec);
	if (e == OK)
		e = dbus_put_u32(&route, link);
	if (e == OK)
		e = dbus_put_bool(&route, false);
	if (e == OK) {
		const struct dbus_call calls[] = {
		    RESOLVE1("SetLinkDNSEx", "ia(iayqs)", buf_slice(&server)),
		    RESOLVE1("SetLinkDomains", "ia(sb)", buf_slice(&domains)),
		    RESOLVE1("SetLinkDefaultRoute", "ib", buf_slice(&route))};

		e = talk(spec->loop, n->bus, calls, ARRAY_LEN(calls), like);
	}
	return e;
}

static enum err
set_resolved(const struct wiring_spec *spec, wiring_cb done, void *arg,
    struct fault *why)
{
	struct note n = {.kind = "resolved"};
	struct talk like = {.done = done, .arg = arg};
	uint32_t link;
	enum err e;

	if (snprintf(n.link, sizeof(n.link), "%s",
		spec->link != NULL ? spec->link : WIRING_LINK) >=
		(int)sizeof(n.link) ||
	    snprintf(n.bus, sizeof(n.bus), "%s",
		spec->bus != NULL ? spec->bus : dbus_system_bus()) >=
		(int)sizeof(n.bus))
		return fault_set(why, ERR_LIMIT, "the link's name is too long");
	e = find_link(n.link, &link, why);
	if (e == OK)
		e = write_note(spec->state_dir, &n, why);
	return e == OK ? say_all(spec, &n, link, like) : e;
}

/* A link that is gone took with it what was said of it. */
static enum err
restore_resolved(struct loop *l, const char *dir, const struct note *n,
    wiring_cb done, void *arg, bool *out_goes_on)
{
	AUTO(buf_fini) struct buf body = BUF(NOTE_BYTES);
	struct talk like = {.restores = true, .done = done, .arg = arg};
	struct dbus_call call = RESOLVE1("RevertLink", "i", SLICE_NONE);
	uint32_t link = if_nametoindex(n->link);
	enum err e;

	if (link == 0)
		return OK;
	e = slice_to_cstr(slice_str(dir), like.dir, sizeof(like.dir));
	if (e == OK)
		e = dbus_put_u32(&body, link);
	call.body = buf_slice(&body);
	if (e == OK)
		e = talk(l, n->bus, &call, 1, like);
	*out_goes_on = e == OK;
	return e;
}

/* --- both ----------------------------------------------------------------- */

void
wiring_set(const struct wiring_spec *spec, wiring_cb done, void *arg)
{
	struct fault why = {0};
	enum err e = OK;

	if (spec->kind == WIRING_RESOLVED) {
		e = set_resolved(spec, done, arg, &why);
		if (e == OK)
			return; /* on_said() */
	} else if (spec->kind == WIRING_RESOLV_CONF) {
		e = set_conf(spec, &why);
	}
	done(arg, e, &why);
}

void
wiring_restore(struct loop *l, const char *state_dir, wiring_cb done, void *arg)
{
	struct note n = {.kind = ""};
	struct fault why = {0};
	bool goes_on = false;
	enum err e = read_note(state_dir, &n, &why);

	if (e == OK && slice_eq(slice_str(n.kind), S("resolved")))
		e = restore_resolved(l, state_dir, &n, done, arg, &goes_on);
	else if (e == OK)
		e = restore_conf(state_dir, &n, &why);
	if (goes_on)
		return; /* on_said() */
	if (e == OK)
		remove_note(state_dir);
	done(arg, e, &why);
}
