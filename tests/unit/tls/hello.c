/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello — a ClientHello that is read without being answered.
 */
#include "tls/tls.h"
#include "unit.h"

enum { BYTES_MAX = 64 << 10, PADDING = TLS_HELLO_BYTES_MAX };

/* What is put together: extensions, then the message, then records. */
struct made {
	struct buf extensions;
	struct buf message;
	struct buf records;
};

static void
made_init(struct made *m)
{
	buf_init(&m->extensions, BYTES_MAX);
	buf_init(&m->message, BYTES_MAX);
	buf_init(&m->records, BYTES_MAX);
}

static void
made_fini(struct made *m)
{
	buf_fini(&m->extensions);
	buf_fini(&m->message);
	buf_fini(&m->records);
}

static void
extend(struct made *m, uint16_t type, struct slice body)
{
	EXPECT_OK(buf_add_u16(&m->extensions, type));
	EXPECT_OK(buf_add_u16(&m->extensions, (uint16_t)body.len));
	EXPECT_OK(buf_add_slice(&m->extensions, body));
}

static void
name(struct made *m, const char *host)
{
	AUTO(buf_fini) struct buf b = BUF(BYTES_MAX);
	size_t len = strlen(host);

	EXPECT_OK(buf_add_u16(&b, (uint16_t)(len + 3)));
	EXPECT_OK(buf_add_byte(&b, 0));
	EXPECT_OK(buf_add_u16(&b, (uint16_t)len));
	EXPECT_OK(buf_add(&b, host, len));
	extend(m, 0, buf_slice(&b));
}

static void
protocols(struct made *m, const char *const *names, size_t count)
{
	AUTO(buf_fini) struct buf list = BUF(BYTES_MAX);
	AUTO(buf_fini) struct buf b = BUF(BYTES_MAX);

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(names[i]);

		EXPECT_OK(buf_add_byte(&list, (uint8_t)len));
		EXPECT_OK(buf_add(&list, names[i], len));
	}
	EXPECT_OK(buf_add_u16(&b, (uint16_t)buf_len(&list)));
	EXPECT_OK(buf_add_slice(&b, buf_slice(&list)));
	extend(m, 16, buf_slice(&b));
}

static void
add_record(struct made *m, struct slice part)
{
	static const uint8_t head[] = {22, 3, 1};

	EXPECT_OK(buf_add(&m->records, head, sizeof(head)));
	EXPECT_OK(buf_add_u16(&m->records, (uint16_t)part.len));
	EXPECT_OK(buf_add_slice(&m->records, part));
}

/* In records of so many bytes. */
static void
finish(struct made *m, size_t each)
{
	static const uint8_t zeros[32];
	size_t extensions = buf_len(&m->extensions);
	size_t len = 2 + 32 + 1 + 4 + 2 + 2 + extensions;
	struct slice all;

	EXPECT_OK(buf_add_u32(&m->message, 1u << 24 | (uint32_t)len));
	EXPECT_OK(buf_add_u16(&m->message, 0x0303));
	EXPECT_OK(buf_add(&m->message, zeros, sizeof(zeros)));
	EXPECT_OK(buf_add_byte(&m->message, 0));
	EXPECT_OK(buf_add_u16(&m->message, 2));
	EXPECT_OK(buf_add_u16(&m->message, 0x1301));
	EXPECT_OK(buf_add_u16(&m->message, 0x0100));
	EXPECT_OK(buf_add_u16(&m->message, (uint16_t)extensions));
	EXPECT_OK(buf_add_slice(&m->message, buf_slice(&m->extensions)));
	all = buf_slice(&m->message);
	for (size_t i = 0; i < all.len; i += each)
		add_record(m, slice_sub(all, i, each));
}

/* In pieces of so many bytes; what the last one came to. */
static enum err
feed(struct slice bytes, size_t each, struct tls_hello *out)
{
	struct tls_hello_reader r;
	enum err e = ERR_AGAIN;

	tls_hello_reader_init(&r);
	for (size_t i = 0; e == ERR_AGAIN && i < bytes.len; i += each)
		e = tls_hello_feed(&r, slice_sub(bytes, i, each), out);
	tls_hello_reader_fini(&r);
	return e;
}

TEST(a_hello_tells_its_name_and_protocols_however_it_is_cut)
{
	static const char *const alpns[] = {"h2", "http/1.1"};
	static const size_t sizes[] = {1, 2, 3, 5, 7, 64, 4096};
	AUTO(made_fini) struct made m;
	struct tls_hello h;

	made_init(&m);
	extend(&m, 0x1a1a, S("")); /* some that nobody knows */
	name(&m, "Shop.Example.COM");
	extend(&m, 43, S("\2\3\4"));
	protocols(&m, alpns, ARRAY_LEN(alpns));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		buf_reset(&m.message);
		buf_reset(&m.records);
		finish(&m, sizes[i]);
		for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
			EXPECT_OK(feed(buf_slice(&m.records), sizes[k], &h));
			EXPECT_STR(h.sni, "shop.example.com");
			EXPECT_EQ(h.alpn_count, 2);
			EXPECT_SLICE(h.alpns[0], S("h2"));
			EXPECT_SLICE(h.alpns[1], S("http/1.1"));
		}
	}
}

TEST(a_hello_need_not_say_whom_it_wants)
{
	AUTO(made_fini) struct made m;
	struct tls_hello h;

	made_init(&m);
	finish(&m, 100);
	EXPECT_OK(feed(buf_slice(&m.records), 100, &h));
	EXPECT_STR(h.sni, "");
	EXPECT_EQ(h.alpn_count, 0);
}

TEST(less_than_all_of_it_is_never_enough)
{
	AUTO(made_fini) struct made m;
	struct tls_hello h;
	struct slice all;

	made_init(&m);
	name(&m, "a.b");
	finish(&m, 11);
	all = buf_slice(&m.records);
	for (size_t n = 1; n < all.len; n++)
		EXPECT_EQ(feed(slice_sub(all, 0, n), n, &h), ERR_AGAIN);
}

TEST(what_is_no_hello_is_told_by_its_first_bytes)
{
	struct tls_hello h;

	EXPECT_EQ(feed(S("GET / HTTP/1.1\r\n"), 1, &h), ERR_PROTOCOL);
	EXPECT_EQ(feed(S("\26\2"), 1, &h), ERR_PROTOCOL);
	EXPECT_EQ(feed(S("\26\3\1\1\1"), 5, &h), ERR_AGAIN);
	EXPECT_EQ(feed(slice_of("\26\3\1\0\0", 5), 5, &h), ERR_PROTOCOL);
	EXPECT_EQ(feed(S("\26\3\1\100\1"), 5, &h), ERR_PROTOCOL);
	EXPECT_EQ(feed(slice_of("\26\3\1\0\1\2", 6), 6, &h), ERR_PROTOCOL);
}

TEST(a_name_has_to_be_one)
{
	static const char *const names[] = {"", "a b", "a\nb", "\303\244.de"};
	struct tls_hello h;
	char longest[NAME_HOST_MAX + 2];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		AUTO(made_fini) struct made m;

		made_init(&m);
		name(&m, names[i]);
		finish(&m, 500);
		EXPECT_EQ(feed(buf_slice(&m.records), 500, &h), ERR_PROTOCOL);
	}
	memset(longest, 'a', sizeof(longest));
	for (size_t extra = 0; extra < 2; extra++) {
		AUTO(made_fini) struct made m;

		longest[NAME_HOST_MAX + extra] = 0;
		made_init(&m);
		name(&m, longest);
		finish(&m, 500);
		EXPECT_EQ(feed(buf_slice(&m.records), 500, &h),
		    extra == 0 ? OK : ERR_PROTOCOL);
		longest[NAME_HOST_MAX] = 'a';
	}
}

TEST(nothing_is_said_twice)
{
	static const char *const alpns[] = {"h2"};
	struct tls_hello h;

	for (size_t i = 0; i < 2; i++) {
		AUTO(made_fini) struct made m;

		made_init(&m);
		for (size_t k = 0; k < 2; k++)
			if (i == 0)
				name(&m, "a.b");
			else
				protocols(&m, alpns, 1);
		finish(&m, 500);
		EXPECT_EQ(feed(buf_slice(&m.records), 500, &h), ERR_PROTOCOL);
	}
}

TEST(further_protocols_are_passed_over)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g",
	    "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r"};
	AUTO(made_fini) struct made m;
	struct tls_hello h;

	made_init(&m);
	protocols(&m, names, ARRAY_LEN(names));
	finish(&m, 500);
	EXPECT_OK(feed(buf_slice(&m.records), 500, &h));
	EXPECT_EQ(h.alpn_count, TLS_HELLO_ALPNS_MAX);
	EXPECT_SLICE(h.alpns[TLS_HELLO_ALPNS_MAX - 1], S("p"));
}

TEST(a_hello_has_an_end)
{
	AUTO(made_fini) struct made m;
	struct tls_hello h;
	static const char padding[PADDING];

	made_init(&m);
	extend(&m, 21, slice_of(padding, sizeof(padding)));
	finish(&m, 1000);
	EXPECT_EQ(feed(buf_slice(&m.records), 900, &h), ERR_LIMIT);
}
