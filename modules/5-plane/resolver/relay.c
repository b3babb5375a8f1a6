/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay — what the mesh does not know, others are asked, byte by byte the same.
 *
 *	begin ─► try one ─► answer ──────────────► kept, told
 *	           ▲  │ silent, or "I cannot": the next one
 *	           `--'  until TRIES are over: SERVFAIL
 *
 * Only the id is another, drawn anew for each try, as the port is (by the
 * kernel): who is not asked cannot know what is awaited (RFC 5452). Datagrams
 * go as datagrams, and what came over TCP goes over TCP.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "inside.h"

enum {
	TRIES = 4,
	TRY_US = 1000000,
	TCP_TRIES = 2,
	TCP_TRY_US = 3 * 1000000,
	LOOK_US = 1000000 /* between looks at resolv.conf */
};

static void try_next(struct ask *a);

/* --- whom to ask ---------------------------------------------------------- */

static bool
is_own(const struct resolver *r, const struct addr *a)
{
	for (size_t i = 0; i < r->spec.listen_count; i++)
		if (addr_eq(&r->listen[i], a))
			return true;
	return false;
}

/* One that is asked who we are, perhaps through others. */
static void
probe(struct resolver *r, size_t index)
{
	struct asker nobody = {.kind = ASKER_PROBE};
	AUTO(buf_fini) struct buf message = BUF(DNS_UDP_MIN);
	struct dns_question q = {
	    .flags = DNS_RD, .type = DNS_TXT, .class = DNS_IN};
	char text[64];
	struct ask *a;

	(void)snprintf(
	    text, sizeof(text), "%s-%zu.meshd-loop.test", r->probe, index);
	CHECK(dns_name_parse(slice_str(text), &q.name) == OK);
	CHECK(dns_question_write(&q, &message) == OK);
	CHECK(dns_question_read(buf_slice(&message), &q) == OK);
	a = ask_new(r, &nobody, &q, buf_slice(&message));
	a->relayed = true;
	a->tried = ~(UINT32_C(1) << index); /* that one alone */
	a->tries = TRIES - 1;
	r->relayed_count++;
	try_next(a);
}

static void
use_upstreams(struct resolver *r, const struct addr *addrs, size_t count)
{
	struct addr usable[RESOLVER_ADDRS_MAX];
	char text[ADDR_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < count && n < RESOLVER_ADDRS_MAX; i++) {
		if (is_own(r, &addrs[i]))
			log_warn("a name server is this very process; it is "
				 "not asked",
			    "upstream=%s", addr_format(&addrs[i], text));
		else
			usable[n++] = addrs[i];
	}
	upstreams_set(&r->upstreams, usable, n);
	dns_cache_flush(r->cache);
	for (size_t i = 0; i < r->upstreams.count; i++)
		probe(r, i);
}

static uint64_t
mark_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return 1;
	return slice_hash_stable(slice_of(&st.st_mtim, sizeof(st.st_mtim))) ^
	       (uint64_t)st.st_ino << 20 ^ (uint64_t)st.st_size;
}

/* Asked for at each question; looked at once a second. */
static void
look_at_conf(struct resolver *r)
{
	AUTO(buf_fini) struct buf text = BUF(RESOLV_CONF_BYTES);
	struct addr found[UPSTREAMS_MAX];
	uint64_t now = loop_now_us(r->loop), mark;

	if (r->spec.upstream_count > 0 ||
	    (r->conf_mark != 0 && now - r->conf_looked_us < LOOK_US))
		return;
	r->conf_looked_us = now;
	mark = mark_of(r->conf) | 1;
	if (mark == r->conf_mark)
		return;
	r->conf_mark = mark;
	if (file_read(r->conf, &text, NULL) != OK)
		buf_reset(&text);
	use_upstreams(
	    r, found, resolv_conf_read(buf_slice(&text), found, UPSTREAMS_MAX));
	log_info("name servers of the machine", "file=%s count=%zu", r->conf,
	    r->upstreams.count);
}

void
relay_set_upstreams(struct resolver *r)
{
	uint8_t bytes[8];

	crypto_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(r->probe + 2 * i, 3, "%02x", bytes[i]);
	if (r->spec.upstream_count > 0)
		use_upstreams(r, r->spec.upstreams, r->spec.upstream_count);
	else
		look_at_conf(r);
}

bool
relay_is_probe(struct resolver *r, struct slice host)
{
	struct slice rest = host;
	struct slice label = slice_split(&rest, '.');
	struct slice tag = slice_split(&label, '-');
	char text[ADDR_TEXT_MAX];
	uint64_t index;

	if (!slice_eq(rest, S("meshd-loop.test")) ||
	    !slice_eq(tag, slice_str(r->probe)) ||
	    slice_to_u64(label, &index) != OK || index >= r->upstreams.count)
		return false;
	if (upstreams_loops(&r->upstreams, &r->upstreams.all[index].addr))
		log_error("a name server asks this process what it is asked; "
			  "it is not asked any more",
		    "upstream=%s hint=\"name another with --dns-upstream\"",
		    addr_format(&r->upstreams.all[index].addr, text));
	return true;
}

/* --- bounds --------------------------------------------------------------- */

static bool
is_same_question(const struct ask *a, const struct ask *b)
{
	return a->q.type == b->q.type && dns_name_eq(&a->q.name, &b->q.name);
}

/* NULL: it may go out. */
static const char *
why_not(const struct ask *a)
{
	const struct resolver *r = a->resolver;
	size_t of_one = 0, same = 0;

	if (r->upstreams.count == 0)
		return "this machine has no name server";
	if (r->relayed_count >= RESOLVER_RELAYS_MAX)
		return "too many questions wait for others";
	LIST_EACH (&r->asks, it) {
		const struct ask *other = CONTAINER(it, struct ask, link);

		if (!other->relayed)
			continue;
		of_one += addr_ip_eq(&other->asker.from, &a->asker.from);
		same += is_same_question(other, a);
	}
	if (same >= RESOLVER_SAME_MAX)
		return "the same is asked again and again: perhaps a loop";
	if (of_one >= RESOLVER_RELAYS_OF_ONE)
		return "too many questions of one machine wait for others";
	return NULL;
}

/* --- what comes back ------------------------------------------------------ */

static void
stop_try(struct ask *a)
{
	struct net_udp *udp = a->udp;
	struct stream *tcp = a->tcp;

	a->udp = NULL;
	a->tcp = NULL;
	timer_clear(&a->timer);
	if (udp != NULL)
		net_udp_close(udp);
	if (tcp != NULL) {
		stream_set_events(
		    tcp, &stream_deaf, NULL); /* outlives us by a turn */
		stream_close(tcp, ERR_CANCELLED);
	}
}

static void tell_answer(struct ask *a, struct slice message);

static void
set_id(char *message, uint16_t id)
{
	message[0] = (char)(id >> 8);
	message[1] = (char)id;
}

static void
tell_followers(struct ask *a, struct slice message)
{
	LIST_EACH (&a->followers, it) {
		struct ask *f = CONTAINER(it, struct ask, follow_link);

		f->upstream = a->upstream;
		tell_answer(f, message);
	}
}

static void
tell_answer(struct ask *a, struct slice message)
{
	struct resolver *r = a->resolver;
	struct outcome o = {.result = RESULT_RELAYED,
	    .decided = &r->decided,
	    .upstream = &a->upstream,
	    .took_us = loop_now_us(r->loop) - a->began_us};

	CHECK(message.len >= DNS_HEAD_LEN && message.len <= sizeof(r->out));
	tell_followers(a, message);
	memcpy(r->out, message.ptr, message.len);
	set_id(r->out, a->q.id);
	message = slice_of(r->out, message.len);
	if (a->asker.kind != ASKER_PROBE) {
		if (!list_is_linked(&a->follow_link))
			dns_cache_keep(
			    r->cache, &a->q, message, loop_now_us(r->loop));
		/* Why it went out; the view may be another by now. */
		decide(r->view, &a->q, /* chance */ 0, &r->decided);
		stats_count(r, &a->asker, &a->q, &o);
	}
	asker_tell(r, &a->asker, message, &o);
	ask_free(a);
}

/* What is awaited: by its id, and by its question if it has one. */
static bool
is_answer(const struct ask *a, struct slice message, unsigned *out_rcode)
{
	struct dns_reader reader;
	struct dns_question q;

	if (message.len > DNS_MESSAGE_MAX ||
	    dns_answer_read(message, &reader, &q) != OK || q.id != a->id)
		return false;
	*out_rcode = q.flags & DNS_RCODE;
	if (q.name.len == 0)
		return *out_rcode != DNS_NOERROR;
	return dns_name_eq(&q.name, &a->q.name) && q.type == a->q.type &&
	       q.class == a->q.class;
}

/* True if the message was what this waited for; then `a` may be gone. */
static bool
take_answer(struct ask *a, struct slice message)
{
	struct resolver *r = a->resolver;
	unsigned rcode;

	if (!is_answer(a, message, &rcode))
		return false;
	upstreams_answered(&r->upstreams, &a->upstream);
	stop_try(a);
	if ((rcode == DNS_SERVFAIL || rcode == DNS_REFUSED) &&
	    a->asker.kind != ASKER_PROBE) {
		buf_reset(&a->last);
		if (buf_add_slice(&a->last, message) == OK) {
			try_next(a); /* another may know it */
			return true;
		}
	}
	tell_answer(a, message);
	return true;
}

static void
on_silence(void *arg)
{
	struct ask *a = arg;
	struct resolver *r = a->resolver;

	upstreams_failed(&r->upstreams, &a->upstream, loop_now_us(r->loop));
	stats_upstream_failed(r, &a->upstream);
	stop_try(a);
	try_next(a);
}

/* --- datagrams ------------------------------------------------------------ */

static void
on_udp_open(struct net_udp *u, void *arg)
{
	struct ask *a = arg;

	set_id(a->message, a->id);
	if (net_udp_send(u, &a->upstream, slice_of(a->message, a->len)) != OK)
		log_debug("a question is lost", "bytes=%zu", a->len);
}

static void
on_udp_packet(
    struct net_udp *u, void *arg, const struct addr *from, struct slice packet)
{
	struct ask *a = arg;

	(void)u; /* a->udp */
	if (addr_eq(from, &a->upstream))
		(void)take_answer(a, packet); /* what is forged is passed by */
}

/* Its socket outlives the ask by a turn; nobody is told of it. */
static void
on_udp_close(
    struct net_udp *u, void *arg, enum err why, const struct fault *words)
{
	(void)u;
	(void)arg; /* it may be gone */
	(void)why;
	(void)words;
}

static const struct net_udp_events udp_events = {
    .on_open = on_udp_open,
    .on_packet = on_udp_packet,
    .on_close = on_udp_close,
};

static void
try_udp(struct ask *a)
{
	struct resolver *r = a->resolver;
	struct net_socket_spec spec = NET_SOCKET_SPEC;

	spec.name = S("dns relay");
	spec.kind = NET_DATAGRAM;
	spec.addr.family = a->upstream.family; /* any address, any port */
	a->udp = net_udp_open(r->spec.factory, r->loop, &spec, &udp_events, a);
	timer_set(&a->timer, TRY_US);
}

/* --- TCP ------------------------------------------------------------------ */

static void
on_tcp_data(struct stream *s, void *arg, struct slice data)
{
	struct ask *a = arg;
	struct slice got;
	size_t len;

	(void)s; /* a->tcp */
	if (buf_add_slice(&a->in, data) != OK) {
		on_silence(a); /* more than one message can be */
		return;
	}
	got = buf_slice(&a->in);
	if (got.len < 2)
		return;
	len = (size_t)(uint8_t)got.ptr[0] << 8 | (uint8_t)got.ptr[1];
	if (got.len < len + 2)
		return;
	if (!take_answer(a, slice_sub(got, 2, len)))
		on_silence(a);
}

static void
on_tcp_close(struct stream *s, void *arg, enum err why)
{
	struct ask *a = arg;

	(void)s;   /* gone with this call */
	(void)why; /* whatever it is, another one is tried */
	a->tcp = NULL;
	on_silence(a);
}

static const struct stream_events tcp_events = {
    .on_data = on_tcp_data,
    .on_close = on_tcp_close,
};

static void
try_tcp(struct ask *a)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;
	char frame[2] = {(char)(a->len >> 8), (char)a->len};

	spec.addr = a->upstream;
	spec.timeout_us = TCP_TRY_US;
	set_id(a->message, a->id);
	buf_reset(&a->in);
	a->tcp = net_connect(a->resolver->loop, &spec, &tcp_events, a);
	timer_set(&a->timer, TCP_TRY_US);
	if (stream_writev(a->tcp, SLICES(slice_of(frame, sizeof(frame)),
				      slice_of(a->message, a->len))) != OK)
		log_debug("a question is lost", "bytes=%zu", a->len);
}

/* --- tries ---------------------------------------------------------------- */

static void
give_up(struct ask *a)
{
	if (a->asker.kind == ASKER_PROBE)
		ask_free(a);
	else if (buf_len(&a->last) > 0)
		tell_answer(a, buf_slice(&a->last));
	else
		answer_failed(a, DNS_SERVFAIL, "no name server answers");
}

static int
choose(struct ask *a)
{
	struct resolver *r = a->resolver;
	uint64_t now = loop_now_us(r->loop);
	int i = upstreams_next(&r->upstreams, a->tried, now);

	if (i >= 0 || a->asker.kind == ASKER_PROBE || buf_len(&a->last) > 0)
		return i;
	a->tried = 0; /* once more from the first */
	return upstreams_next(&r->upstreams, a->tried, now);
}

static void
try_next(struct ask *a)
{
	bool tcp = a->asker.kind == ASKER_TCP;
	int i = a->tries < (tcp ? TCP_TRIES : TRIES) ? choose(a) : -1;

	if (i < 0) {
		give_up(a);
		return;
	}
	a->tries++;
	a->tried |= UINT32_C(1) << i;
	a->upstream = a->resolver->upstreams.all[i].addr;
	crypto_random(&a->id, sizeof(a->id));
	timer_init(&a->timer, a->resolver->loop, on_silence, a);
	if (tcp)
		try_tcp(a);
	else
		try_udp(a);
}

/* One that is on its way with the same bytes; NULL: none. */
static struct ask *
find_same(const struct ask *a)
{
	LIST_EACH (&a->resolver->asks, it) {
		struct ask *o = CONTAINER(it, struct ask, link);

		if (o->relayed && o->len == a->len &&
		    (o->asker.kind == ASKER_TCP) ==
			(a->asker.kind == ASKER_TCP) &&
		    memcmp(o->message + 2, a->message + 2, a->len - 2) == 0)
			return o;
	}
	return NULL;
}

/*
 * What is asked already is awaited with those who asked. So what comes back to
 * us by a loop waits for itself, and goes round once.
 */
void
relay_begin(struct ask *a)
{
	struct resolver *r = a->resolver;
	struct ask *same = find_same(a);
	const char *why;

	if (same != NULL) {
		list_push_back(&same->followers, &a->follow_link);
		return;
	}
	look_at_conf(r);
	why = why_not(a);
	if (why != NULL) {
		answer_failed(a, DNS_SERVFAIL, why);
		return;
	}
	a->relayed = true;
	r->relayed_count++;
	try_next(a);
}

void
relay_end(struct ask *a)
{
	if (!a->relayed)
		return;
	stop_try(a);
	a->relayed = false;
	a->resolver->relayed_count--;
}
