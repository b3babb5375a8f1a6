/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — reading and asking the hosts file.
 */
#include "hosts.h"

/* ERR_LIMIT for what is longer than any name. */
static MUST_USE enum err
lower(struct slice name, char out[NAME_HOST_MAX], struct slice *out_name)
{
	if (name.len == 0 || name.len > NAME_HOST_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	*out_name = slice_of(out, name.len);
	return OK;
}

static void
add(struct hosts *h, struct slice name, const struct addr *a)
{
	char text[NAME_HOST_MAX];
	struct slice key;
	struct hosts_entry *e;

	if (lower(name, text, &key) != OK)
		return;
	e = map_get(&h->names, key);
	if (e == NULL) {
		e = mem_new(sizeof(*e));
		(void)map_put(&h->names, key, e); /* there was none */
	}
	if (e->count < HOSTS_ADDRS_MAX)
		e->addrs[e->count++] = *a;
}

/* Cuts the next word off; empty at the end. */
static struct slice
next_word(struct slice *rest)
{
	static const char blanks[] = " \t\r";
	size_t from = 0;
	size_t to;
	struct slice word;

	while (from < rest->len && strchr(blanks, rest->ptr[from]) != NULL)
		from++;
	for (to = from; to < rest->len; to++)
		if (strchr(blanks, rest->ptr[to]) != NULL)
			break;
	word = slice_sub(*rest, from, to - from);
	*rest = slice_sub(*rest, to, rest->len - to);
	return word;
}

static void
parse_line(struct hosts *h, struct slice line)
{
	struct slice text = slice_split(&line, '#');
	struct slice ip = next_word(&text);
	struct slice name;
	struct addr a;

	/* A scope ("fe80::1%lo") has no meaning here. */
	if (addr_parse_ip(slice_split(&ip, '%'), &a) != OK)
		return;
	while ((name = next_word(&text)).len > 0)
		add(h, name, &a);
}

static bool
is_localhost(struct slice name)
{
	return slice_eq(name, S("localhost")) ||
	       slice_ends(name, S(".localhost"));
}

static void
loopback(struct hosts_entry *out)
{
	memset(out, 0, sizeof(*out));
	out->count = 2;
	out->addrs[0].family = ADDR_V4;
	out->addrs[0].bytes[0] = 127;
	out->addrs[0].bytes[3] = 1;
	out->addrs[1].family = ADDR_V6;
	out->addrs[1].bytes[15] = 1;
}

void
hosts_init(struct hosts *h)
{
	map_init(&h->names);
}

static void
drop_entry(void *value)
{
	mem_free(&value);
}

void
hosts_fini(struct hosts *h)
{
	map_fini(&h->names, drop_entry);
}

void
hosts_parse(struct hosts *h, struct slice text)
{
	while (text.len > 0)
		parse_line(h, slice_split(&text, '\n'));
}

void
hosts_load(struct hosts *h, const char *path)
{
	AUTO(buf_fini) struct buf text = BUF(HOSTS_BYTES_MAX);

	hosts_fini(h);
	hosts_init(h);
	if (file_read(path, &text, NULL) == OK)
		hosts_parse(h, buf_slice(&text));
}

size_t
hosts_find(const struct hosts *h, struct slice name, enum addr_family family,
    struct addr *out, size_t max)
{
	char text[NAME_HOST_MAX];
	struct hosts_entry local;
	const struct hosts_entry *e;
	struct slice key;
	size_t n = 0;

	if (lower(name, text, &key) != OK)
		return 0;
	e = map_get(&h->names, key);
	if (e == NULL && is_localhost(key)) {
		loopback(&local);
		e = &local;
	}
	for (size_t i = 0; e != NULL && i < e->count && n < max; i++)
		if (family == ADDR_NONE || e->addrs[i].family == family)
			out[n++] = e->addrs[i];
	return n;
}
