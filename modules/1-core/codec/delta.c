/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta — the messages of the delta stream, between bytes and plain structs.
 *
 * A map of the protocol is a repeated entry of key and value on the wire
 * (protobuf encoding, "Maps"), so initial versions are declared as that.
 */
#include <stdlib.h>

#include "codec.h"
#include "delta.pb-c.h"

static const struct slice refusal_url = {
    "type.googleapis.com/meshd.v1.Refusal", 36};

/* --- memory: everything of one call lies in one arena --------------------- */

/* Where the library unpacks to; a full arena is not a malformed message. */
struct room {
	struct arena *arena;
	bool full;
};

static void *
arena_take(void *arg, size_t size)
{
	struct room *room = arg;
	void *p = arena_alloc(room->arena, size);

	room->full |= p == NULL;
	return p;
}

static void
arena_leave(void *arg, void *p)
{
	(void)arg;
	(void)p;
}

static ProtobufCBinaryData
bytes_of(struct slice s)
{
	return (ProtobufCBinaryData){
	    .len = s.len, .data = (uint8_t *)(uintptr_t)s.ptr};
}

static struct slice
slice_from(ProtobufCBinaryData b)
{
	return slice_of(b.data, b.len);
}

/* An array of pointers to `count` zeroed structs of `size`; NULL when full. */
static void *
pointers(struct arena *a, size_t count, size_t size)
{
	char **array = arena_alloc_array(a, count + 1, sizeof(*array));
	char *items = arena_alloc_array(a, count + 1, size);

	if (array == NULL || items == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		array[i] = items + i * size;
	return array;
}

/* --- arrays of plain bytes ------------------------------------------------ */

static ProtobufCBinaryData *
pack_slices(struct arena *a, const struct slice *items, size_t count)
{
	ProtobufCBinaryData *out =
	    arena_alloc_array(a, count + 1, sizeof(*out));

	for (size_t i = 0; out != NULL && i < count; i++)
		out[i] = bytes_of(items[i]);
	return out;
}

static enum err
unpack_slices(struct arena *a, const ProtobufCBinaryData *items, size_t count,
    const struct slice **out)
{
	struct slice *array;

	if (count > CODEC_DELTA_ITEMS_MAX)
		return ERR_LIMIT;
	array = arena_alloc_array(a, count + 1, sizeof(*array));
	if (array == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++)
		array[i] = slice_from(items[i]);
	*out = array;
	return OK;
}

/* Packs through an exact reservation; the message's size is known. */
static enum err
append(const ProtobufCMessage *m, struct buf *out)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	enum err e;
	char *p;

	if (size > LIMIT_GRPC_MESSAGE)
		return ERR_LIMIT;
	e = buf_reserve(out, size, &p);
	if (e != OK)
		return e;
	buf_commit(out, protobuf_c_message_pack(m, (uint8_t *)p));
	return OK;
}

/* *out is the struct that the library generated for `type`. */
static enum err
unpack(const ProtobufCMessageDescriptor *type, struct slice bytes,
    struct arena *a, const void **out)
{
	struct room room = {a, false};
	ProtobufCAllocator into = {arena_take, arena_leave, &room};

	*out = protobuf_c_message_unpack(
	    type, &into, bytes.len, (const uint8_t *)bytes.ptr);
	if (*out != NULL)
		return OK;
	return room.full ? ERR_LIMIT : ERR_PARSE;
}

/* --- request -------------------------------------------------------------- */

static Meshd__Delta__Version **
pack_versions(struct arena *a, const struct codec_delta_request *m)
{
	Meshd__Delta__Version **out =
	    pointers(a, m->initial_count, sizeof(Meshd__Delta__Version));

	for (size_t i = 0; out != NULL && i < m->initial_count; i++) {
		meshd__delta__version__init(out[i]);
		out[i]->name = bytes_of(m->initial[i].name);
		out[i]->version = bytes_of(m->initial[i].version);
	}
	return out;
}

static bool
pack_refusal(struct arena *a, const struct codec_delta_refusal *r,
    Meshd__Delta__Any *out)
{
	Meshd__Delta__Refusal m = MESHD__DELTA__REFUSAL__INIT;
	uint8_t *body;

	m.name = bytes_of(r->name);
	m.version = bytes_of(r->version);
	m.reason = bytes_of(r->reason);
	out->value.len = meshd__delta__refusal__get_packed_size(&m);
	body = arena_alloc(a, out->value.len + 1);
	if (body == NULL)
		return false;
	(void)meshd__delta__refusal__pack(&m, body); /* that very size */
	out->value.data = body;
	out->type_url = bytes_of(refusal_url);
	return true;
}

static bool
pack_status(struct arena *a, const struct codec_delta_request *m,
    Meshd__Delta__Status *out)
{
	out->code = m->error_code;
	out->message = bytes_of(m->error_message);
	out->n_details = m->refusal_count;
	out->details = pointers(a, m->refusal_count, sizeof(Meshd__Delta__Any));
	for (size_t i = 0; out->details != NULL && i < m->refusal_count; i++) {
		meshd__delta__any__init(out->details[i]);
		if (!pack_refusal(a, &m->refusals[i], out->details[i]))
			return false;
	}
	return out->details != NULL;
}

enum err
codec_delta_request_encode(const struct codec_delta_request *m, struct buf *out)
{
	AUTO(arena_fini) struct arena a;
	Meshd__Delta__Request r = MESHD__DELTA__REQUEST__INIT;
	Meshd__Delta__Node node = MESHD__DELTA__NODE__INIT;
	Meshd__Delta__Status status = MESHD__DELTA__STATUS__INIT;

	arena_init(&a, LIMIT_GRPC_MESSAGE * 4);
	node.id = bytes_of(m->node_id);
	node.cluster = bytes_of(m->node_cluster);
	if (m->node_id.len > 0 || m->node_cluster.len > 0)
		r.node = &node;
	r.type_url = bytes_of(m->type_url);
	r.n_subscribe = m->subscribe_count;
	r.subscribe = pack_slices(&a, m->subscribe, m->subscribe_count);
	r.n_unsubscribe = m->unsubscribe_count;
	r.unsubscribe = pack_slices(&a, m->unsubscribe, m->unsubscribe_count);
	r.n_initial = m->initial_count;
	r.initial = pack_versions(&a, m);
	r.response_nonce = bytes_of(m->response_nonce);
	if (m->refused) {
		if (!pack_status(&a, m, &status))
			return ERR_LIMIT;
		r.error_detail = &status;
	}
	if (r.subscribe == NULL || r.unsubscribe == NULL || r.initial == NULL)
		return ERR_LIMIT;
	return append(&r.base, out);
}

static enum err
unpack_versions(struct arena *a, const Meshd__Delta__Request *r,
    struct codec_delta_request *out)
{
	struct codec_delta_version *items;

	if (r->n_initial > CODEC_DELTA_ITEMS_MAX)
		return ERR_LIMIT;
	items = arena_alloc_array(a, r->n_initial + 1, sizeof(*items));
	if (items == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < r->n_initial; i++) {
		items[i].name = slice_from(r->initial[i]->name);
		items[i].version = slice_from(r->initial[i]->version);
	}
	out->initial = items;
	out->initial_count = r->n_initial;
	return OK;
}

static enum err
unpack_refusal(const Meshd__Delta__Any *any, struct arena *a,
    struct codec_delta_refusal *out)
{
	const Meshd__Delta__Refusal *r;
	const void *m;
	enum err e = unpack(
	    &meshd__delta__refusal__descriptor, slice_from(any->value), a, &m);

	if (e != OK)
		return e;
	r = m;
	out->name = slice_from(r->name);
	out->version = slice_from(r->version);
	out->reason = slice_from(r->reason);
	return OK;
}

/* Details of other types are somebody else's and are skipped. */
static enum err
unpack_status(struct arena *a, const Meshd__Delta__Status *s,
    struct codec_delta_request *out)
{
	struct codec_delta_refusal *items;
	size_t n = 0;

	if (s->n_details > CODEC_DELTA_ITEMS_MAX)
		return ERR_LIMIT;
	items = arena_alloc_array(a, s->n_details + 1, sizeof(*items));
	if (items == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < s->n_details; i++) {
		const Meshd__Delta__Any *any = s->details[i];
		enum err e;

		if (!slice_eq(slice_from(any->type_url), refusal_url))
			continue;
		e = unpack_refusal(any, a, &items[n++]);
		if (e != OK)
			return e;
	}
	out->refused = true;
	out->error_code = s->code;
	out->error_message = slice_from(s->message);
	out->refusals = items;
	out->refusal_count = n;
	return OK;
}

enum err
codec_delta_request_decode(
    struct slice bytes, struct arena *arena, struct codec_delta_request *out)
{
	struct codec_delta_request m = {0};
	const Meshd__Delta__Request *r;
	const void *message;
	enum err e;

	if (bytes.len > LIMIT_GRPC_MESSAGE)
		return ERR_LIMIT;
	e = unpack(&meshd__delta__request__descriptor, bytes, arena, &message);
	if (e != OK)
		return e;
	r = message;
	if (r->node != NULL) {
		m.node_id = slice_from(r->node->id);
		m.node_cluster = slice_from(r->node->cluster);
	}
	m.type_url = slice_from(r->type_url);
	m.response_nonce = slice_from(r->response_nonce);
	m.subscribe_count = r->n_subscribe;
	m.unsubscribe_count = r->n_unsubscribe;
	e = unpack_slices(arena, r->subscribe, r->n_subscribe, &m.subscribe);
	if (e == OK)
		e = unpack_slices(
		    arena, r->unsubscribe, r->n_unsubscribe, &m.unsubscribe);
	if (e == OK)
		e = unpack_versions(arena, r, &m);
	if (e == OK && r->error_detail != NULL)
		e = unpack_status(arena, r->error_detail, &m);
	if (e == OK)
		*out = m;
	return e;
}

/* --- response ------------------------------------------------------------- */

static bool
pack_resource(struct arena *a, const struct codec_delta_resource *from,
    Meshd__Delta__Resource *out)
{
	Meshd__Delta__Any *any;

	meshd__delta__resource__init(out);
	out->name = bytes_of(from->name);
	out->version = bytes_of(from->version);
	if (from->type_url.len == 0)
		return true;
	any = arena_alloc(a, sizeof(*any));
	if (any == NULL)
		return false;
	meshd__delta__any__init(any);
	any->type_url = bytes_of(from->type_url);
	any->value = bytes_of(from->body);
	out->resource = any;
	return true;
}

enum err
codec_delta_response_encode(
    const struct codec_delta_response *m, struct buf *out)
{
	AUTO(arena_fini) struct arena a;
	Meshd__Delta__Response r = MESHD__DELTA__RESPONSE__INIT;

	arena_init(&a, LIMIT_GRPC_MESSAGE * 4);
	r.system_version = bytes_of(m->system_version);
	r.type_url = bytes_of(m->type_url);
	r.nonce = bytes_of(m->nonce);
	r.n_removed = m->removed_count;
	r.removed = pack_slices(&a, m->removed, m->removed_count);
	r.n_resources = m->resource_count;
	r.resources =
	    pointers(&a, m->resource_count, sizeof(Meshd__Delta__Resource));
	if (r.removed == NULL || r.resources == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < m->resource_count; i++)
		if (!pack_resource(&a, &m->resources[i], r.resources[i]))
			return ERR_LIMIT;
	return append(&r.base, out);
}

static enum err
unpack_resources(struct arena *a, const Meshd__Delta__Response *r,
    struct codec_delta_response *out)
{
	struct codec_delta_resource *items;

	if (r->n_resources > CODEC_DELTA_ITEMS_MAX)
		return ERR_LIMIT;
	items = arena_alloc_array(a, r->n_resources + 1, sizeof(*items));
	if (items == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < r->n_resources; i++) {
		const Meshd__Delta__Resource *from = r->resources[i];

		items[i].name = slice_from(from->name);
		items[i].version = slice_from(from->version);
		if (from->resource == NULL)
			continue;
		items[i].type_url = slice_from(from->resource->type_url);
		items[i].body = slice_from(from->resource->value);
	}
	out->resources = items;
	out->resource_count = r->n_resources;
	return OK;
}

enum err
codec_delta_response_decode(
    struct slice bytes, struct arena *arena, struct codec_delta_response *out)
{
	struct codec_delta_response m = {0};
	const Meshd__Delta__Response *r;
	const void *message;
	enum err e;

	if (bytes.len > LIMIT_GRPC_MESSAGE)
		return ERR_LIMIT;
	e = unpack(&meshd__delta__response__descriptor, bytes, arena, &message);
	if (e != OK)
		return e;
	r = message;
	m.system_version = slice_from(r->system_version);
	m.type_url = slice_from(r->type_url);
	m.nonce = slice_from(r->nonce);
	m.removed_count = r->n_removed;
	e = unpack_slices(arena, r->removed, r->n_removed, &m.removed);
	if (e == OK)
		e = unpack_resources(arena, r, &m);
	if (e == OK)
		*out = m;
	return e;
}
