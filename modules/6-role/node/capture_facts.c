/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_facts — what must never be captured, as far as the agent knows it:
 * its own connections, the servers', sshd's; and who is logged in.
 */
#include "captured.h"

#include <unistd.h>

enum { TABLE_BYTES = 8 << 20 /* of /proc/net/tcp */ };

struct addr
captured_server(const struct node *n)
{
	struct http2 *h = uplink_session(n);
	struct stream *s = h != NULL ? http2_transport(h) : NULL;

	return s != NULL ? stream_peer(s) : (struct addr){0};
}

static void
add_server(struct capture_wish *w, const struct addr *a)
{
	for (uint32_t i = 0; i < w->server_count; i++)
		if (addr_ip_eq(&w->servers[i], a))
			return;
	if (a->family != ADDR_NONE && w->server_count < CAPTURE_LIST_MAX)
		w->servers[w->server_count++] = *a;
}

static void
find_servers(const struct node *n, struct capture_wish *w)
{
	struct addr a = captured_server(n);

	w->server_count = 0;
	add_server(w, &a);
	for (size_t i = 0; i < n->member.server_count; i++)
		if (addr_parse(slice_str(n->member.servers[i]), &a) == OK)
			add_server(w, &a);
}

static void
add_own_port(struct capture_wish *w, const struct addr *a, uint16_t usual)
{
	if (a->port != usual && a->port != 0)
		w->agent[w->agent_count++] =
		    (struct capture_ports){a->port, a->port};
}

void
captured_fill(const struct node *n, struct capture_wish *w)
{
	w->uid = (uint32_t)geteuid();
	w->mark = net_mark();
	w->agent_count = 0;
	add_own_port(w, &n->hbone, VIEW_TUNNEL_PORT);
	add_own_port(w, &n->gossip, GOSSIP_PORT);
	find_servers(n, w);
	w->sshd_count = capture_sshd_find("", w->sshd, w->sshd_count);
}

size_t
captured_sessions(
    const struct capture_wish *w, struct addr out[CAPTURED_SESSIONS_MAX])
{
	static const char *const tables[] = {
	    "/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		AUTO(buf_fini) struct buf text = BUF(TABLE_BYTES);

		if (file_read(tables[i], &text, NULL) == OK)
			count = capture_sessions(buf_slice(&text), w->sshd,
			    w->sshd_count, out, count, CAPTURED_SESSIONS_MAX);
	}
	return count;
}
