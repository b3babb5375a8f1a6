/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — parts and integers in bytes; see wire.h.
 */
#include "wire.h"

void
pack_bytes(struct packer *p, const void *bytes, size_t n)
{
	if (p->failed || p->cap - p->len < n) {
		p->failed = true;
		return;
	}
	if (n > 0)
		memcpy(p->mem + p->len, bytes, n);
	p->len += n;
}

static void
pack_be(struct packer *p, uint64_t v, size_t n)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	pack_bytes(p, bytes, n);
}

void
pack_u8(struct packer *p, uint8_t v)
{
	pack_be(p, v, 1);
}

void
pack_u16(struct packer *p, uint16_t v)
{
	pack_be(p, v, 2);
}

void
pack_u32(struct packer *p, uint32_t v)
{
	pack_be(p, v, 4);
}

void
pack_u64(struct packer *p, uint64_t v)
{
	pack_be(p, v, 8);
}

void
pack_id(struct packer *p, const struct gossip_id *id)
{
	pack_bytes(p, id->bytes, GOSSIP_ID_LEN);
}

void
pack_addr(struct packer *p, const struct addr *a)
{
	pack_u8(p, a->family);
	pack_u16(p, a->port);
	if (a->family != ADDR_NONE)
		pack_bytes(p, a->bytes, a->family == ADDR_V4 ? 4 : 16);
}

void
pack_text(struct packer *p, struct slice s)
{
	if (s.len > UINT8_MAX)
		p->failed = true;
	pack_u8(p, (uint8_t)s.len);
	pack_bytes(p, s.ptr, s.len);
}

void
pack_text16(struct packer *p, struct slice s)
{
	if (s.len > UINT16_MAX)
		p->failed = true;
	pack_u16(p, (uint16_t)s.len);
	pack_bytes(p, s.ptr, s.len);
}

size_t
pack_open(struct packer *p, enum part_type type)
{
	size_t mark = p->len;

	pack_u8(p, (uint8_t)type);
	pack_u16(p, 0);
	return mark;
}

bool
pack_close(struct packer *p, size_t mark)
{
	size_t body;

	if (p->failed || p->len - mark - PART_HEAD > UINT16_MAX) {
		p->len = mark;
		p->failed = false;
		return false;
	}
	body = p->len - mark - PART_HEAD;
	p->mem[mark + 1] = (uint8_t)(body >> 8);
	p->mem[mark + 2] = (uint8_t)body;
	return true;
}

bool
pack_part(struct packer *p, enum part_type type, struct slice body)
{
	size_t mark = pack_open(p, type);

	pack_bytes(p, body.ptr, body.len);
	return pack_close(p, mark);
}

bool
pack_seq(struct packer *p, enum part_type type, uint32_t seq)
{
	size_t mark = pack_open(p, type);

	pack_u32(p, seq);
	return pack_close(p, mark);
}

bool
pack_ping(struct packer *p, uint32_t seq, const struct gossip_id *target)
{
	size_t mark = pack_open(p, PART_PING);

	pack_u32(p, seq);
	pack_id(p, target);
	return pack_close(p, mark);
}

bool
pack_verdict(struct packer *p, enum part_type type,
    const struct gossip_id *subject, uint64_t incarnation,
    const struct gossip_id *accuser)
{
	size_t mark = pack_open(p, type);

	pack_id(p, subject);
	pack_u64(p, incarnation);
	pack_id(p, accuser);
	return pack_close(p, mark);
}

bool
pack_pull(struct packer *p, const struct gossip_id *subject, uint8_t want)
{
	size_t mark = pack_open(p, PART_PULL);

	pack_id(p, subject);
	pack_u8(p, want);
	return pack_close(p, mark);
}

struct gossip_id
wire_id(struct reader *r)
{
	struct slice s = reader_bytes(r, GOSSIP_ID_LEN);
	struct gossip_id id = {{0}};

	if (!r->failed)
		memcpy(id.bytes, s.ptr, GOSSIP_ID_LEN);
	return id;
}

struct addr
wire_addr(struct reader *r)
{
	struct addr a = {0};
	struct slice s;

	a.family = reader_u8(r);
	a.port = reader_u16(r);
	if (a.family == ADDR_NONE)
		return a;
	if (a.family != ADDR_V4 && a.family != ADDR_V6)
		r->failed = true;
	s = reader_bytes(r, a.family == ADDR_V4 ? 4 : 16);
	if (r->failed)
		return (struct addr){0};
	memcpy(a.bytes, s.ptr, s.len);
	return a;
}

struct slice
wire_text(struct reader *r)
{
	return reader_bytes(r, reader_u8(r));
}

struct slice
wire_text16(struct reader *r)
{
	return reader_bytes(r, reader_u16(r));
}

bool
wire_part_next(struct reader *r, struct part *out)
{
	if (r->failed || r->rest.len == 0)
		return false;
	out->type = reader_u8(r);
	out->body = wire_text16(r);
	return !r->failed;
}
