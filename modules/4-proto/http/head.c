/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head — fields in an array, found by id where there is one.
 *
 * The array lies in the arena and doubles; what it leaves behind there is
 * bounded by LIMIT_HEAD_FIELDS. A set of the ids that are present answers
 * most questions without looking at the fields.
 */
#include "fields.h"

enum { FIELDS_FIRST = 8, NAME_ID_MAX = 23, SAME_LENGTH_MAX = 5 };

static const struct slice names[HTTP_FIELD_IDS] = {[HTTP_OTHER] = {"", 0},
#define X(id, name) [id] = {name, sizeof(name) - 1},
    HTTP_FIELD_TABLE(X)
#undef X
};

/* The ids whose names have that many letters. */
static const uint8_t by_length[NAME_ID_MAX + 1][SAME_LENGTH_MAX + 1] = {
    [2] = {HTTP_TE},
    [3] = {HTTP_VIA},
    [4] = {HTTP_HOST, HTTP_DATE},
    [6] = {HTTP_SERVER, HTTP_EXPECT},
    [7] = {HTTP_UPGRADE, HTTP_TRAILER, HTTP_BAGGAGE},
    [8] = {HTTP_LOCATION},
    [9] = {HTTP_FORWARDED},
    [10] = {HTTP_CONNECTION, HTTP_USER_AGENT, HTTP_KEEP_ALIVE},
    [11] = {HTTP_TRACEPARENT, HTTP_GRPC_STATUS, HTTP_RETRY_AFTER},
    [12] = {HTTP_CONTENT_TYPE, HTTP_X_REQUEST_ID, HTTP_PROXY_STATUS,
	HTTP_GRPC_MESSAGE, HTTP_GRPC_TIMEOUT},
    [13] = {HTTP_AUTHORIZATION},
    [14] = {HTTP_CONTENT_LENGTH},
    [15] = {HTTP_X_FORWARDED_FOR},
    [16] = {HTTP_PROXY_CONNECTION},
    [17] = {HTTP_TRANSFER_ENCODING, HTTP_X_FORWARDED_PROTO},
    [21] = {HTTP_X_ENVOY_ATTEMPT_COUNT},
    [23] = {HTTP_X_FORWARDED_CLIENT_CERT},
};

void
http_head_init(struct http_head *h, struct arena *a)
{
	*h = (struct http_head){.arena = a, .version = HTTP_V1_1};
}

enum http_field_id
http_field_id(struct slice name)
{
	const uint8_t *id;

	if (name.len > NAME_ID_MAX)
		return HTTP_OTHER;
	for (id = by_length[name.len]; *id != HTTP_OTHER; id++)
		if (slice_eq_nocase(name, names[*id]))
			return (enum http_field_id) * id;
	return HTTP_OTHER;
}

struct slice
http_field_name(enum http_field_id id)
{
	CHECK(id < HTTP_FIELD_IDS);
	return names[id];
}

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') ||
	       ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* RFC 9110 §5.6.2, a bit a byte; capitals are left out. */
static bool
is_low_tchar(unsigned char c)
{
	static const uint32_t set[] = {
	    0, 0x03ff6cfa, 0xc0000000, 0x57ffffff, 0, 0, 0, 0};

	return (set[c >> 5] >> (c & 31)) & 1;
}

bool
http_is_low_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_low_tchar((unsigned char)s.ptr[i]))
			return false;
	return s.len > 0;
}

bool
http_is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_low_tchar((unsigned char)s.ptr[i]) &&
		    (s.ptr[i] < 'A' || s.ptr[i] > 'Z'))
			return false;
	return s.len > 0;
}

bool
http_is_target(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f || s.ptr[i] == '#')
			return false;
	return s.len > 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* None of eight bytes is a control byte. */
static bool
is_plain_word(const char *p)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t w, low;

	memcpy(&w, p, sizeof(w));
	low = w & 0x7f * each;
	/* Its top bit: from a space on; and: it is 0x7f. */
	return ((~(low + 0x60 * each) | (low + each)) & ~w & 0x80 * each) == 0;
}

bool
http_is_value(struct slice s)
{
	size_t i = 0;

	while (s.len - i >= sizeof(uint64_t) && is_plain_word(s.ptr + i))
		i += sizeof(uint64_t);
	for (; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return s.len == 0 ||
	       (!is_blank(s.ptr[0]) && !is_blank(s.ptr[s.len - 1]));
}

static bool
is_port(struct slice s)
{
	uint64_t n;

	return s.len == 0 || (slice_to_u64(s, &n) == OK && n <= 65535);
}

static bool
is_host_byte(unsigned char c)
{
	return is_alnum(c) ||
	       (c != '\0' && strchr("-._~!$&'()*+,;=%", c) != NULL);
}

static bool
is_v6_literal(struct slice s)
{
	struct addr a;

	return s.len > 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']' &&
	       addr_parse_ip(s, &a) == OK;
}

bool
http_is_authority(struct slice s)
{
	size_t colon = slice_rfind(s, ':');
	struct slice host = s;

	if (s.len > 0 && s.ptr[s.len - 1] == ']')
		return is_v6_literal(s);
	if (colon < s.len) {
		if (!is_port(slice_sub(s, colon + 1, s.len)))
			return false;
		host = slice_sub(s, 0, colon);
	}
	if (host.len > 0 && host.ptr[0] == '[')
		return is_v6_literal(host);
	for (size_t i = 0; i < host.len; i++)
		if (!is_host_byte((unsigned char)host.ptr[i]))
			return false;
	return host.len > 0;
}

static enum err
make_room(struct http_head *h)
{
	size_t cap = h->cap == 0 ? FIELDS_FIRST : 2 * (size_t)h->cap;
	struct http_field *grown;

	if (h->count < h->cap)
		return OK;
	cap = MIN(cap, (size_t)LIMIT_HEAD_FIELDS);
	if (h->count >= cap)
		return ERR_LIMIT;
	grown = arena_alloc_array(h->arena, cap, sizeof(*grown));
	if (grown == NULL)
		return ERR_LIMIT;
	if (h->count > 0)
		memcpy(grown, h->fields, h->count * sizeof(*grown));
	h->fields = grown;
	h->cap = (uint16_t)cap;
	return OK;
}

enum err
http_head_add_raw(struct http_head *h, enum http_field_id id, struct slice name,
    struct slice value, bool lent)
{
	if (h->bytes + name.len + value.len > LIMIT_HEAD_BYTES)
		return ERR_LIMIT;
	if (make_room(h) != OK)
		return ERR_LIMIT;
	h->fields[h->count++] = (struct http_field){
	    .name = name, .value = value, .id = (uint16_t)id, .lent = lent};
	h->bytes += (uint32_t)(name.len + value.len);
	h->present |= UINT64_C(1) << id;
	return OK;
}

bool
http_read_length(struct http_head *h)
{
	struct slice value = SLICE_NONE;
	size_t count = 0;

	for (size_t i = 0; i < h->count; i++)
		count += h->fields[i].id == HTTP_CONTENT_LENGTH;
	(void)http_head_get_id(h, HTTP_CONTENT_LENGTH, &value);
	return count == 1 && value.len <= 19 &&
	       slice_to_u64(value, &h->content_length) == OK;
}

/* "host" is not a field of ours but the authority. */
static enum err
set_authority(struct http_head *h, struct slice value)
{
	if (!http_is_authority(value))
		return ERR_INVALID;
	h->authority = value;
	h->lent &= (uint8_t)~HEAD_AUTHORITY;
	return OK;
}

enum err
http_head_add(struct http_head *h, struct slice name, struct slice value)
{
	enum http_field_id id;

	if (!http_is_token(name) || !http_is_value(value))
		return ERR_INVALID;
	id = http_field_id(name);
	if (id == HTTP_HOST)
		return set_authority(h, value);
	return http_head_add_raw(h, id, name, value, /* lent */ false);
}

/* The order of the others stays. */
static void
http_head_drop(struct http_head *h, size_t i)
{
	enum http_field_id id = h->fields[i].id;

	CHECK(i < h->count);
	h->bytes -= (uint32_t)(h->fields[i].name.len + h->fields[i].value.len);
	h->count--;
	memmove(&h->fields[i], &h->fields[i + 1],
	    (h->count - i) * sizeof(h->fields[0]));
	for (i = 0; i < h->count; i++)
		if (h->fields[i].id == id)
			return;
	h->present &= ~(UINT64_C(1) << id);
}

static bool
matches(const struct http_field *f, enum http_field_id id, struct slice name)
{
	return f->id == id &&
	       (id != HTTP_OTHER || slice_eq_nocase(f->name, name));
}

/* The index of the first such field from `from`, or count. */
static size_t
find(const struct http_head *h, enum http_field_id id, struct slice name,
    size_t from)
{
	if (!http_head_has(h, id))
		return h->count;
	while (from < h->count && !matches(&h->fields[from], id, name))
		from++;
	return from;
}

static size_t
remove_from(
    struct http_head *h, enum http_field_id id, struct slice name, size_t from)
{
	size_t removed = 0;

	while ((from = find(h, id, name, from)) < h->count) {
		http_head_drop(h, from);
		removed++;
	}
	return removed;
}

static enum err
set(struct http_head *h, enum http_field_id id, struct slice name,
    struct slice value)
{
	size_t at = find(h, id, name, 0);
	struct http_field *f;

	if (at == h->count)
		return http_head_add_raw(h, id, name, value, /* lent */ false);
	f = &h->fields[at];
	if (h->bytes - f->value.len + value.len > LIMIT_HEAD_BYTES)
		return ERR_LIMIT;
	h->bytes = (uint32_t)(h->bytes - f->value.len - f->name.len +
			      value.len + name.len);
	f->name = name;
	f->value = value;
	f->lent = false;
	(void)remove_from(h, id, name, at + 1); /* how many: nobody asks */
	return OK;
}

enum err
http_head_set(struct http_head *h, struct slice name, struct slice value)
{
	enum http_field_id id = http_field_id(name);

	if (!http_is_token(name) || !http_is_value(value))
		return ERR_INVALID;
	if (id == HTTP_HOST)
		return set_authority(h, value);
	return set(h, id, name, value);
}

enum err
http_head_set_id(struct http_head *h, enum http_field_id id, struct slice value)
{
	CHECK(id != HTTP_OTHER);
	if (!http_is_value(value))
		return ERR_INVALID;
	if (id == HTTP_HOST)
		return set_authority(h, value);
	return set(h, id, names[id], value);
}

size_t
http_head_remove(struct http_head *h, struct slice name)
{
	return remove_from(h, http_field_id(name), name, 0);
}

size_t
http_head_remove_id(struct http_head *h, enum http_field_id id)
{
	CHECK(id != HTTP_OTHER);
	return remove_from(h, id, names[id], 0);
}

/* The head's own parts by the names that HTTP/2 has for them. */
static bool
get_part(const struct http_head *h, struct slice name, struct slice *out)
{
	struct slice part = SLICE_NONE;

	if (slice_eq(name, S(":authority")))
		part = h->authority;
	else if (slice_eq(name, S(":path")))
		part = h->path;
	else if (slice_eq(name, S(":method")))
		part = h->method;
	else if (slice_eq(name, S(":scheme")))
		part = h->scheme;
	if (part.len == 0)
		return false;
	*out = part;
	return true;
}

static bool
get(const struct http_head *h, enum http_field_id id, struct slice name,
    struct slice *out)
{
	size_t at;

	if (id == HTTP_HOST)
		return get_part(h, S(":authority"), out);
	at = find(h, id, name, 0);
	if (at == h->count)
		return false;
	*out = h->fields[at].value;
	return true;
}

bool
http_head_get(const struct http_head *h, struct slice name, struct slice *out)
{
	if (name.len > 0 && name.ptr[0] == ':')
		return get_part(h, name, out);
	return get(h, http_field_id(name), name, out);
}

bool
http_head_get_id(
    const struct http_head *h, enum http_field_id id, struct slice *out)
{
	CHECK(id != HTTP_OTHER);
	return get(h, id, names[id], out);
}

const struct http_field *
http_head_next(const struct http_head *h, struct slice name, size_t *cursor)
{
	size_t at = find(h, http_field_id(name), name, *cursor);

	*cursor = at + 1;
	return at < h->count ? &h->fields[at] : NULL;
}

static struct slice
join_all(const struct http_head *h, struct slice name, size_t bytes)
{
	const struct http_field *f;
	size_t cursor = 0;
	size_t len = 0;
	char *mem = arena_alloc(h->arena, bytes);

	if (mem == NULL)
		return SLICE_NONE;
	while ((f = http_head_next(h, name, &cursor)) != NULL) {
		if (len > 0) {
			memcpy(mem + len, ", ", 2);
			len += 2;
		}
		memcpy(mem + len, f->value.ptr, f->value.len);
		len += f->value.len;
	}
	return slice_of(mem, len);
}

static struct slice
join(const struct http_head *h, enum http_field_id id, struct slice name)
{
	struct slice first = SLICE_NONE;
	size_t bytes = 0;
	size_t count = 0;

	if (id == HTTP_HOST)
		return h->authority;
	for (size_t at = 0; (at = find(h, id, name, at)) < h->count; at++) {
		if (count++ == 0)
			first = h->fields[at].value;
		bytes += h->fields[at].value.len + 2;
	}
	return count > 1 ? join_all(h, name, bytes) : first;
}

struct slice
http_head_join(const struct http_head *h, struct slice name)
{
	return join(h, http_field_id(name), name);
}

struct slice
http_head_join_id(const struct http_head *h, enum http_field_id id)
{
	CHECK(id != HTTP_OTHER);
	return join(h, id, names[id]);
}

bool
http_is_framing(const struct http_head *h, const struct http_field *f)
{
	switch (f->id) {
	case HTTP_HOST:
		return h->status == 0;
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_PROXY_CONNECTION:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_UPGRADE:
		return true;
	case HTTP_CONTENT_LENGTH: /* of the body that HEAD or 304 leaves out */
		return h->framing != HTTP_BODY_NONE;
	default:
		return false;
	}
}

bool
http_list_next(struct slice *rest, struct slice *out_item)
{
	while (rest->len > 0) {
		*out_item = slice_trim(slice_split(rest, ','));
		if (out_item->len > 0)
			return true;
	}
	return false;
}

bool
http_list_has(struct slice list, struct slice token)
{
	struct slice item;

	while (http_list_next(&list, &item))
		if (slice_eq_nocase(slice_trim(slice_split(&item, ';')), token))
			return true;
	return false;
}

static const struct {
	uint16_t status;
	const char *text;
} statuses[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

struct slice
http_status_text(unsigned status)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].status == status)
			return slice_str(statuses[i].text);
	return S("Unknown");
}
