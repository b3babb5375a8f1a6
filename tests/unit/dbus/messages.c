/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages — calls as the bus reads them, and what it says.
 */
#include "dbus/dbus.h"
#include "unit.h"

/* "l", an error, for serial 5, its name and one text; fields end at 16 + 39. */
#define NAME "org.x.Busy"
#define ANSWER                                                                 \
	"l\3\0\1\x07\0\0\0\x09\0\0\0\x27\0\0\0"                                \
	"\5\1u\0\5\0\0\0"                                                      \
	"\4\1s\0\x0a\0\0\0" NAME "\0\0\0\0\0\0"                                \
	"\x08\1g\0\1s\0\0"                                                     \
	"\2\0\0\0no\0"

TEST(a_call_is_written_as_the_specification_has_it)
{
	static const char wanted[] = "l\1\0\1\x08\0\0\0\x02\0\0\0\x48\0\0\0"
				     "\1\1o\0\4\0\0\0/o/x\0\0\0\0"
				     "\6\1s\0\3\0\0\0a.b\0\0\0\0\0"
				     "\2\1s\0\3\0\0\0a.b\0\0\0\0\0"
				     "\3\1s\0\1\0\0\0M\0\0\0\0\0\0\0"
				     "\x08\1g\0\2ib\0"
				     "\7\0\0\0\1\0\0\0";
	AUTO(buf_fini) struct buf body = BUF(256);
	AUTO(buf_fini) struct buf out = BUF(1024);
	struct dbus_call c = {.destination = "a.b",
	    .path = "/o/x",
	    .interface = "a.b",
	    .member = "M",
	    .signature = "ib"};

	EXPECT_OK(dbus_put_u32(&body, 7));
	EXPECT_OK(dbus_put_bool(&body, true));
	c.body = buf_slice(&body);
	EXPECT_OK(dbus_call_write(&c, 2, &out));
	EXPECT_SLICE(buf_slice(&out), slice_of(wanted, sizeof(wanted) - 1));
}

TEST(an_array_of_structs_counts_its_elements_alone)
{
	static const char wanted[] = "\3\0\0\0\x12\0\0\0"
				     "\1\0\0\0a\0\0\0\1\0\0\0\0\0\0\0"
				     "\x62";
	AUTO(buf_fini) struct buf b = BUF(256);
	struct dbus_array all;

	EXPECT_OK(dbus_put_u32(&b, 3));
	EXPECT_OK(dbus_begin_array(&b, 8, &all));
	EXPECT_OK(dbus_put_struct(&b));
	EXPECT_OK(dbus_put_text(&b, S("a")));
	EXPECT_OK(dbus_put_bool(&b, true));
	EXPECT_OK(dbus_put_struct(&b));
	EXPECT_OK(dbus_put_u16(&b, 0x62));
	dbus_end_array(&b, &all);
	EXPECT_SLICE(slice_sub(buf_slice(&b), 0, sizeof(wanted) - 1),
	    slice_of(wanted, sizeof(wanted) - 1));
	/* Where nothing is, what lies before the first does not count. */
	buf_reset(&b);
	EXPECT_OK(dbus_begin_array(&b, 8, &all));
	dbus_end_array(&b, &all);
	EXPECT_SLICE(buf_slice(&b), S("\0\0\0\0\0\0\0\0"));
}

TEST(an_error_says_its_name_and_its_words)
{
	struct dbus_message m;
	size_t len;

	EXPECT_OK(dbus_message_read(S(ANSWER "more"), &m, &len));
	EXPECT_EQ(len, sizeof(ANSWER) - 1);
	EXPECT_EQ(m.type, DBUS_ERROR);
	EXPECT_EQ(m.reply_serial, 5);
	EXPECT_SLICE(m.error_name, S(NAME));
	EXPECT_SLICE(m.text, S("no"));
	for (size_t i = 0; i < sizeof(ANSWER) - 1; i++)
		EXPECT_ERR(
		    dbus_message_read(slice_sub(S(ANSWER), 0, i), &m, &len),
		    ERR_AGAIN);
}

TEST(what_is_none_or_too_long_is_refused)
{
	char text[sizeof(ANSWER)];
	struct dbus_message m;
	size_t len;

	memcpy(text, ANSWER, sizeof(text));
	text[0] = 'x';
	EXPECT_ERR(
	    dbus_message_read(slice_of(text, sizeof(text) - 1), &m, &len),
	    ERR_PARSE);
	memcpy(text, ANSWER, sizeof(text));
	text[6] = 1; /* 64 KiB of a body */
	text[7] = 1;
	EXPECT_ERR(
	    dbus_message_read(slice_of(text, sizeof(text) - 1), &m, &len),
	    ERR_LIMIT);
	memcpy(text, ANSWER, sizeof(text));
	text[28] = 100; /* a name longer than all fields */
	EXPECT_ERR(
	    dbus_message_read(slice_of(text, sizeof(text) - 1), &m, &len),
	    ERR_PARSE);
}

TEST(both_orders_of_bytes_are_read)
{
	struct dbus_message m;
	size_t len;

	EXPECT_OK(dbus_message_read(
	    S("B\2\0\1\0\0\0\0\0\0\0\1\0\0\0\x08\5\1u\0\0\0\0\7"), &m, &len));
	EXPECT_EQ(len, 24);
	EXPECT_EQ(m.reply_serial, 7);
}
