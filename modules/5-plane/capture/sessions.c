/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions — where sshd listens, and whose connections to it stand: what must
 * not be lost. Pure.
 */
#include "capture.h"

enum {
	SSH_PORT = 22,
	ESTABLISHED = 1, /* as the kernel has it in /proc/net/tcp */
	HEX_V4 = 8,
	HEX_V6 = 32
};

/* --- sshd_config(5) ------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '=' || c == '"';
}

/* The next word, cut off *rest; empty at the line's end. */
static struct slice
next_word(struct slice *rest)
{
	size_t from = 0, to;
	struct slice word;

	while (from < rest->len && is_blank(rest->ptr[from]))
		from++;
	to = from;
	while (to < rest->len && !is_blank(rest->ptr[to]))
		to++;
	word = slice_sub(*rest, from, to - from);
	*rest = slice_sub(*rest, to, rest->len);
	return word;
}

static uint32_t
add_port(struct capture_ports *out, uint32_t count, uint16_t port)
{
	for (uint32_t i = 0; i < count; i++)
		if (out[i].first <= port && port <= out[i].last)
			return count;
	if (count < CAPTURE_LIST_MAX)
		out[count++] = (struct capture_ports){port, port};
	return count;
}

/* "Port 2222", "ListenAddress 10.0.0.1:2222", and of a socket of systemd's
 * "ListenStream=2222", with an address or without; 0: it names none. */
static uint16_t
port_of_line(struct slice line)
{
	struct slice key = next_word(&line);
	struct slice value = next_word(&line);
	uint16_t port = 0;
	struct addr a;

	bool streams = slice_eq_nocase(key, S("ListenStream"));

	if ((slice_eq_nocase(key, S("Port")) || streams) &&
	    addr_parse_port(value, &port) == OK)
		return port;
	if ((slice_eq_nocase(key, S("ListenAddress")) || streams) &&
	    addr_parse(value, &a) == OK)
		return a.port;
	return 0;
}

uint32_t
capture_sshd_ports(struct slice text,
    struct capture_ports out[CAPTURE_LIST_MAX], uint32_t count)
{
	bool named = false;

	while (text.len > 0) {
		uint16_t port = port_of_line(slice_split(&text, '\n'));

		if (port != 0)
			count = add_port(out, count, port);
		named |= port != 0;
	}
	return named ? count : add_port(out, count, SSH_PORT);
}

/* --- /proc/net/tcp -------------------------------------------------------- */

static bool
read_hex(struct slice text, uint32_t *out)
{
	*out = 0;
	for (size_t i = 0; i < text.len; i++) {
		int digit = slice_hex_digit(text.ptr[i]);

		if (digit < 0)
			return false;
		*out = *out << 4 | (uint32_t)digit;
	}
	return text.len > 0 && text.len <= 8;
}

/* "0100007F:0016": words of four bytes in the machine's order. */
static bool
read_end(struct slice text, struct addr *out)
{
	struct slice hex = slice_split(&text, ':');
	uint32_t port, word;

	*out = (struct addr){0};
	if ((hex.len != HEX_V4 && hex.len != HEX_V6) ||
	    !read_hex(text, &port) || port > UINT16_MAX)
		return false;
	for (size_t i = 0; i < hex.len / 8; i++) {
		if (!read_hex(slice_sub(hex, 8 * i, 8), &word))
			return false;
		memcpy(&out->bytes[4 * i], &word, sizeof(word));
	}
	out->family = hex.len == HEX_V4 ? ADDR_V4 : ADDR_V6;
	out->port = (uint16_t)port;
	return true;
}

static bool
is_among(uint16_t port, const struct capture_ports *ports, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (ports[i].first <= port && port <= ports[i].last)
			return true;
	return false;
}

/* "0: LOCAL REMOTE STATE …" */
static bool
read_line(struct slice line, struct addr *local, struct addr *peer)
{
	uint32_t state;

	(void)next_word(&line);
	return read_end(next_word(&line), local) &&
	       read_end(next_word(&line), peer) &&
	       read_hex(next_word(&line), &state) && state == ESTABLISHED;
}

size_t
capture_sessions(struct slice text, const struct capture_ports *ports,
    uint32_t port_count, struct addr *out, size_t count, size_t max)
{
	struct addr local, peer;

	while (text.len > 0 && count < max)
		if (read_line(slice_split(&text, '\n'), &local, &peer) &&
		    is_among(local.port, ports, port_count))
			out[count++] = peer;
	return count;
}
