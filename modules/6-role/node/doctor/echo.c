/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo — do packets of gossip get to the servers and back, long ones too?
 *
 * Each server's gossip is sent a short and a long packet, three times: UDP may
 * lose one. It is asked as a stranger, from the role's own port if that is
 * free, since a firewall may know it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checks.h"

enum {
	ROUNDS = 3,
	ROUND_US = 400000,
	PEERS_MAX = WIRE_SERVERS_MAX,
	MTU_LEAST = 1280 /* RFC 8200 §5; gossip's packets are 1200 */
};

static const size_t sizes[] = {GOSSIP_ECHO_MIN, LIMIT_GOSSIP_PACKET};

enum { SIZES = ARRAY_LEN(sizes) };

struct echo {
	struct doctor *d; /* NULL: only the socket's end is to come */
	struct gossip_echo *pure;
	struct net_udp *udp;
	struct timer timer;
	struct loop_later later;
	unsigned rounds;
	bool is_own_port;
	size_t peers;
	bool heard[PEERS_MAX][SIZES];
};

/* --- the judgement -------------------------------------------------------- */

/* What the kernel knows of the way; 0: nothing. */
static int
path_mtu(const struct addr *to)
{
	struct sockaddr_storage s;
	socklen_t len = addr_to_sockaddr(to, (struct sockaddr *)&s);
	bool is_v4 = to->family == ADDR_V4;
	int fd = socket(s.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), mtu = 0;
	socklen_t mtu_len = sizeof(mtu);

	if (fd < 0)
		return 0;
	if (connect(fd, (struct sockaddr *)&s, len) != 0 ||
	    getsockopt(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
		is_v4 ? IP_MTU : IPV6_MTU, &mtu, &mtu_len) != 0)
		mtu = 0;
	(void)close(fd); /* nothing was sent */
	return mtu;
}

static void
say_narrow(struct doctor *d, const char *peer, int mtu)
{
	doctor_mend(d, "ip link set dev DEVICE mtu %d # or raise the tunnel's",
	    MTU_LEAST);
	doctor_say(d, DOCTOR_WARNING,
	    "packets to %s are cut to pieces on their way, whose MTU is %d: "
	    "gossip's have 1200 bytes",
	    peer, mtu);
}

static void
say_long_lost(struct doctor *d, const char *peer, int mtu)
{
	doctor_mend(d, "tracepath -n %s", peer);
	doctor_say(d, DOCTOR_PROBLEM,
	    "short packets get to %s by UDP and back, but those of 1200 "
	    "bytes do not; this machine believes in an MTU of %d: somewhere "
	    "between it is less",
	    peer, mtu);
}

static void
say_lost(const struct echo *e, const char *peer, uint16_t port)
{
	doctor_mend(e->d,
	    "nft insert rule inet filter input udp dport %u accept", port);
	doctor_say(e->d, e->peers > 1 ? DOCTOR_WARNING : DOCTOR_PROBLEM,
	    "%s does not answer by UDP: is it up, and do firewalls here, "
	    "there and between let port %u pass both ways?",
	    peer, port);
}

static void
judge_peer(struct echo *e, size_t i)
{
	const struct addr *to = &e->d->member.seeds[i];
	char text[ADDR_TEXT_MAX], ip[ADDR_TEXT_MAX];
	int mtu = path_mtu(to);

	(void)addr_format(to, text);
	(void)addr_format_ip(to, ip);
	if (!e->heard[i][0] && !e->heard[i][1])
		say_lost(e, text, to->port);
	else if (!e->heard[i][1])
		say_long_lost(e->d, ip, mtu);
	else if (mtu > 0 && mtu < MTU_LEAST)
		say_narrow(e->d, ip, mtu);
	else
		doctor_say(e->d, DOCTOR_OK,
		    "packets of 1200 bytes get to %s by UDP, and answers come "
		    "back%s; the way's MTU is %d",
		    text, e->is_own_port ? " to gossip's own port" : "", mtu);
}

static void
judge(void *arg)
{
	struct echo *e = arg;
	struct doctor *d = e->d;

	for (size_t i = 0; i < e->peers; i++)
		judge_peer(e, i);
	echo_close(&d->echo);
	doctor_go_on(d);
}

/* --- packets -------------------------------------------------------------- */

static bool
is_all_heard(const struct echo *e)
{
	for (size_t i = 0; i < e->peers; i++)
		for (size_t k = 0; k < SIZES; k++)
			if (!e->heard[i][k])
				return false;
	return true;
}

static void
on_timer(void *arg)
{
	struct echo *e = arg;
	uint8_t packet[LIMIT_GOSSIP_PACKET];

	if (e->rounds++ == ROUNDS) {
		judge(e);
		return;
	}
	for (size_t i = 0; i < e->peers; i++)
		for (size_t k = 0; k < SIZES; k++) {
			if (e->heard[i][k])
				continue;
			gossip_echo_ask(e->pure, (uint32_t)(i * SIZES + k + 1),
			    sizes[k], packet);
			if (net_udp_send(e->udp, &e->d->member.seeds[i],
				slice_of(packet, sizes[k])) != OK)
				continue; /* nor is it heard */
		}
	timer_set(&e->timer, ROUND_US);
}

static void
on_packet(
    struct net_udp *u, void *arg, const struct addr *from, struct slice packet)
{
	struct echo *e = arg;
	uint32_t seq;

	(void)u;
	(void)from; /* it is sealed, and of a server with several addresses */
	if (!gossip_echo_answer(e->pure, packet, &seq) || seq == 0 ||
	    seq > e->peers * SIZES)
		return;
	e->heard[(seq - 1) / SIZES][(seq - 1) % SIZES] = true;
	if (is_all_heard(e)) {
		timer_clear(&e->timer);
		loop_later(e->d->loop, &e->later);
	}
}

static void
on_open(struct net_udp *u, void *arg)
{
	(void)u;
	on_timer(arg);
}

static void open_socket(struct echo *e, uint16_t port);

static void
on_close(struct net_udp *u, void *arg, enum err why, const struct fault *words)
{
	struct echo *e = arg;

	(void)u;
	if (e->d == NULL) {
		mem_free(&e);
		return;
	}
	e->udp = NULL;
	if (e->is_own_port) {
		e->is_own_port = false;
		open_socket(e, 0);
		return;
	}
	doctor_mend(e->d, "ip address");
	doctor_say(e->d, DOCTOR_PROBLEM, "UDP cannot be used here: %s",
	    words != NULL ? words->text : err_text(why));
	e->peers = 0;
	loop_later(e->d->loop, &e->later);
}

static void
open_socket(struct echo *e, uint16_t port)
{
	static const struct net_udp_events events = {
	    .on_open = on_open, .on_packet = on_packet, .on_close = on_close};
	struct net_socket_spec spec = NET_SOCKET_SPEC;

	spec.name = S("doctor");
	spec.kind = NET_DATAGRAM;
	spec.addr = net_any_addr(port);
	e->udp = net_udp_open(e->d->factory, e->d->loop, &spec, &events, e);
}

void
echo_close(struct echo **ep)
{
	struct echo *e = *ep;

	if (e == NULL)
		return;
	timer_clear(&e->timer);
	loop_later_cancel(&e->later);
	gossip_echo_free(&e->pure);
	*ep = NULL;
	e->d = NULL;
	if (e->udp != NULL)
		net_udp_close(e->udp); /* on_close() frees it */
	else
		mem_free(&e);
}

static uint16_t
own_port(const struct doctor *d)
{
	for (size_t i = 0; i < d->spec.port_count; i++)
		if (d->spec.ports[i].is_udp)
			return d->spec.ports[i].addr.port;
	return 0;
}

bool
check_gossip(struct doctor *d)
{
	struct echo *e;

	if (!d->is_member || d->member.seed_count == 0)
		return true; /* nobody to ask is known */
	d->echo = e = mem_new(sizeof(*e));
	e->d = d;
	e->peers = MIN(d->member.seed_count, (size_t)PEERS_MAX);
	e->pure = gossip_echo_new(d->member.mesh, &d->member.keyring);
	timer_init(&e->timer, d->loop, on_timer, e);
	loop_later_init(&e->later, judge, e);
	if (e->pure == NULL) {
		echo_close(&d->echo);
		return true; /* the file was checked when it was read */
	}
	e->is_own_port = own_port(d) != 0;
	open_socket(e, own_port(d));
	return false;
}
