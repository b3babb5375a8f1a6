/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello — two fields, written and read; see hello.h.
 */
#define LOG_MODULE "proxy"

#include "tunnel/hello.h"

/* ztunnel's keys; the namespace is heard from the peer's certificate only. */
enum item { CLUSTER, NAME, REVISION, NAMESPACE, ITEMS, HEARD = NAMESPACE };

static const char *const keys[ITEMS] = {
    [CLUSTER] = "k8s.cluster.name",
    [NAME] = "service.name",
    [REVISION] = "service.version",
    [NAMESPACE] = "k8s.namespace.name",
};

static struct slice *
text_of(struct flow_party *p, enum item i)
{
	struct slice *const texts[ITEMS] = {
	    [CLUSTER] = &p->cluster,
	    [NAME] = &p->canonical_name,
	    [REVISION] = &p->canonical_revision,
	    [NAMESPACE] = &p->ns,
	};

	return texts[i];
}

/* What may stand in both fields as it is. */
static bool
is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
			return false;
	}
	return s.len > 0;
}

/* Words for reports only: without room the tunnel does without. */
static void
set(struct http_head *h, enum http_field_id id, struct slice value)
{
	if (value.len > 0 && http_head_set_id(h, id, value) != OK)
		log_debug("a tunnel says less", "field=%.*s",
		    SLICE_ARG(http_field_name(id)));
}

void
hello_say(struct http_head *h, const struct flow_party *p)
{
	struct flow_party party = *p;
	struct slice said = SLICE_NONE;

	for (int i = 0; i < ITEMS; i++) {
		struct slice value = *text_of(&party, (enum item)i);

		if (is_plain(value))
			said = arena_printf(h->arena, "%.*s%s%s=%.*s",
			    SLICE_ARG(said), said.len > 0 ? "," : "", keys[i],
			    SLICE_ARG(value));
	}
	set(h, HTTP_BAGGAGE, said);
}

void
hello_forward(struct http_head *h, const struct addr *client, struct slice host)
{
	char text[ADDR_TEXT_MAX];
	struct slice said = SLICE_NONE;

	if (client != NULL && client->family != ADDR_NONE)
		said = arena_printf(
		    h->arena, "for=\"%s\"", addr_format(client, text));
	if (is_plain(host))
		said = arena_printf(h->arena, "%.*s%shost=%.*s",
		    SLICE_ARG(said), said.len > 0 ? ";" : "", SLICE_ARG(host));
	set(h, HTTP_FORWARDED, said);
}

static void
hear(struct flow_party *p, struct slice key, struct slice value)
{
	for (int i = 0; i < HEARD; i++)
		if (slice_eq(key, slice_str(keys[i])))
			*text_of(p, (enum item)i) = value;
}

void
hello_hear(const struct http_head *h, struct flow_party *p)
{
	struct slice rest;

	if (!http_head_get_id(h, HTTP_BAGGAGE, &rest))
		return;
	while (rest.len > 0) {
		struct slice item = slice_trim(slice_split(&rest, ','));
		struct slice key = slice_split(&item, '=');

		/* Properties (";…") and percent-encoding: not in our names. */
		if (is_plain(item))
			hear(p, key, item);
	}
}

struct slice
hello_client(const struct http_head *h)
{
	struct slice rest;

	if (!http_head_get_id(h, HTTP_FORWARDED, &rest))
		return SLICE_NONE;
	while (rest.len > 0) {
		struct slice value = slice_trim(slice_split(&rest, ';'));
		struct slice key = slice_split(&value, '=');

		if (!slice_eq_nocase(key, S("for")))
			continue;
		if (value.len >= 2 && value.ptr[0] == '"')
			value = slice_sub(value, 1, value.len - 2);
		return value;
	}
	return SLICE_NONE;
}
