/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log — levels by module, and what a line looks like.
 */
#define LOG_MODULE "logtest"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "unit.h"

static char captured[1 << 16];
static int fd = -1;

/* From here on lines go to a file in memory. */
static void
capture(enum log_format format)
{
	if (fd >= 0)
		(void)close(fd); /* a file in memory has nothing to lose */
	fd = memfd_create("log", MFD_CLOEXEC);
	CHECK(fd >= 0);
	log_setup(fd, format);
}

/* What came since; without the time, which is checked for its shape. */
static const char *
lines(void)
{
	ssize_t n = pread(fd, captured, sizeof(captured) - 1, 0);

	CHECK(n >= 0);
	captured[n] = '\0';
	return captured;
}

static const char *
line_after_time(void)
{
	const char *text = lines();

	EXPECT_TRUE(strlen(text) > 25);
	EXPECT_EQ(text[10], 'T');
	EXPECT_EQ(text[23], 'Z');
	return text + 25;
}

static const char *
json_after_time(void)
{
	static const char head[] = "{\"time\":\"2026-01-02T03:04:05.678Z\",";
	const char *text = lines();

	EXPECT_TRUE(strlen(text) > sizeof(head));
	EXPECT_MEM(text, head, 9);
	return text + sizeof(head) - 1;
}

static void
count_if_mine(const char *module, enum log_level level, void *arg)
{
	if (strcmp(module, "logtest") == 0 && level == LOG_DEBUG)
		++*(int *)arg;
}

TEST(a_line_has_time_level_module_event_and_fields)
{
	capture(LOG_TEXT);
	log_warn("upstream refused", "cluster=%s port=%d", "a|b", 80);
	EXPECT_STR(line_after_time(),
	    "warn  logtest: upstream refused cluster=a|b port=80\n");
	capture(LOG_TEXT);
	log_error("stopped", "%s", "");
	EXPECT_STR(line_after_time(), "error logtest: stopped\n");
}

TEST(bytes_that_would_break_the_line_are_escaped)
{
	capture(LOG_TEXT);
	log_warn("odd name", "name=%s", "a\nb\x1b[31m\x7f\xff");
	EXPECT_STR(line_after_time(),
	    "warn  logtest: odd name name=a\\x0ab\\x1b[31m\\x7f\\xff\n");
	capture(LOG_TEXT);
	log_warn("fine name", "name=%s", "gr\xc3\xbc\xc3\x9f");
	EXPECT_STR(line_after_time(),
	    "warn  logtest: fine name name=gr\xc3\xbc\xc3\x9f\n");
}

TEST(json_lines_carry_the_fields_as_members)
{
	capture(LOG_JSON);
	log_warn("odd", "a=1 b=\"two words\" c= d=x=y e=\\\n");
	EXPECT_STR(json_after_time(),
	    "\"level\":\"warn\",\"module\":\"logtest\",\"event\":\"odd\","
	    "\"fields\":{\"a\":\"1\",\"b\":\"two words\",\"c\":\"\","
	    "\"d\":\"x=y\",\"e\":\"\\\\\\u000a\"}}\n");
	capture(LOG_JSON);
	log_warn("odd", "no fields, a \"sentence\"");
	EXPECT_STR(json_after_time(),
	    "\"level\":\"warn\",\"module\":\"logtest\",\"event\":\"odd\","
	    "\"text\":\"no fields, a \\\"sentence\\\"\"}\n");
}

TEST(the_longest_line_is_cut_and_whole)
{
	static char wide[2 * LOG_TEXT_MAX];
	size_t len;

	memset(wide, '\x01', sizeof(wide) - 1);
	capture(LOG_JSON);
	log_warn("wide", "a=%s", wide);
	len = strlen(lines());
	EXPECT_TRUE(len > 6 * LOG_TEXT_MAX - 100);
	EXPECT_STR(captured + len - 7, "...\"}}\n");
}

TEST(levels_are_per_module_and_change_live)
{
	int found = 0;

	capture(LOG_TEXT);
	EXPECT_FALSE(log_enabled("logtest", LOG_DEBUG));
	EXPECT_OK(log_set_level(S("logtest"), LOG_DEBUG));
	EXPECT_TRUE(log_enabled("logtest", LOG_DEBUG));
	EXPECT_FALSE(log_enabled("logtest", LOG_TRACE));
	EXPECT_FALSE(log_enabled("sm", LOG_DEBUG));
	log_levels(count_if_mine, &found);
	EXPECT_EQ(found, 1);
	EXPECT_OK(log_set_level(S(""), LOG_ERROR));
	EXPECT_FALSE(log_enabled("logtest", LOG_WARN));
	EXPECT_FALSE(log_enabled("never heard of", LOG_WARN));
	log_warn("silent", "%s", "");
	EXPECT_STR(lines(), "");
	EXPECT_OK(log_set_level(S(""), LOG_INFO));
	EXPECT_ERR(log_set_level(S("never heard of"), LOG_INFO), ERR_NOT_FOUND);
}

TEST(level_names_read_back)
{
	enum log_level level = LOG_WARN;

	for (int i = LOG_TRACE; i <= LOG_ERROR; i++) {
		EXPECT_OK(log_level_parse(
		    slice_str(log_level_name((enum log_level)i)), &level));
		EXPECT_EQ((int)level, i);
	}
	EXPECT_ERR(log_level_parse(S("loud"), &level), ERR_INVALID);
}

TEST(a_state_change_is_traced_when_asked)
{
	static const struct sm_row rows[] = {{"off", TO(1)}, {"on", 0}};
	struct sm m;

	capture(LOG_TEXT);
	sm_init(&m, "lamp", 3, rows, 2, 0, NULL, NULL);
	EXPECT_OK(log_set_level(S("sm"), LOG_TRACE));
	sm_go(&m, 1);
	EXPECT_OK(log_set_level(S("sm"), LOG_INFO));
	EXPECT_STR(line_after_time(),
	    "trace sm: state changed machine=lamp id=3 from=off to=on\n");
}
