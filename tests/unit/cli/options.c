/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options — flags, then environment, then meshd.conf.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "options.h"
#include "unit.h"

static const struct option_row rows[] = {
    {"name", 0, OPTION_TEXT, "NAME", NULL, true, "of it"},
    {"listen", 'l', OPTION_LIST, "ADDR", NULL, true, "where"},
    {"workers", 0, OPTION_NUMBER, "N", "2", true, "how many"},
    {"drain", 0, OPTION_DURATION, "TIME", "5s", true, "how long"},
    {"dry-run", 0, OPTION_FLAG, NULL, NULL, false, "do nothing"},
    {"log-success", 0, OPTION_FLAG, NULL, NULL, true, "all of it"},
};

static const char *const settings[] = {
    "name", "listen", "workers", "drain", "log-success", "cousins"};
static const char *const sections[] = {"agent", "server", NULL};
static const struct option_section section = {
    .name = "agent", .settings = settings, .count = 6, .sections = sections};

enum { LINE_MAX = 64, WORDS_MAX = 4 };

/* What was read, and the words that it borrows. */
struct scene {
	struct options o;
	char line[LINE_MAX];
};

static void
scene_fini(struct scene *s)
{
	options_fini(&s->o);
}

/* Flags from a command line, the environment, and `file` if it is given. */
static enum err
read_all(struct scene *s, const char *line, const char *file, struct fault *why)
{
	char path[] = "/tmp/meshd-conf-XXXXXX";
	char *argv[WORDS_MAX];
	int argc = 0;
	bool help;
	enum err e;
	int fd;

	(void)snprintf(s->line, sizeof(s->line), "%s", line);
	for (char *at = s->line, *word; (word = strsep(&at, " ")) != NULL;)
		if (word[0] != '\0' && argc < WORDS_MAX)
			argv[argc++] = word;
	e = options_parse(&s->o, rows, ARRAY_LEN(rows), argc, argv, &help, why);
	if (e == OK)
		e = options_read_env(&s->o, why);
	if (e != OK || file == NULL)
		return e;
	fd = mkstemp(path);
	EXPECT_TRUE(fd >= 0);
	EXPECT_EQ(write(fd, file, strlen(file)), (ssize_t)strlen(file));
	EXPECT_EQ(close(fd), 0);
	e = options_read_file(&s->o, path, &section, true, why);
	EXPECT_EQ(unlink(path), 0);
	return e;
}

static enum err
read_file(const char *file, struct fault *why)
{
	AUTO(scene_fini) struct scene s = {0};

	return read_all(&s, "", file, why);
}

TEST(a_flag_wins_over_the_environment_and_that_over_the_file)
{
	static const char file[] =
	    "[agent]\nname = c\nworkers = 3\ndrain = 3s\n";
	AUTO(scene_fini) struct scene s = {0};
	uint64_t n;

	EXPECT_EQ(setenv("MESHD_NAME", "b", 1), 0);
	EXPECT_EQ(setenv("MESHD_WORKERS", "7", 1), 0);
	EXPECT_OK(read_all(&s, "--name=a", file, NULL));
	EXPECT_STR(options_text(&s.o, "name"), "a");
	EXPECT_OK(options_number(&s.o, "workers", &n, NULL));
	EXPECT_EQ(n, 7);
	EXPECT_OK(options_duration_us(&s.o, "drain", &n, NULL));
	EXPECT_EQ(n, 3000000);
	EXPECT_EQ(unsetenv("MESHD_NAME"), 0);
	EXPECT_EQ(unsetenv("MESHD_WORKERS"), 0);
}

TEST(without_any_source_the_default_holds)
{
	AUTO(scene_fini) struct scene s = {0};
	uint64_t n;

	EXPECT_OK(read_all(&s, "", "[agent]\n", NULL));
	EXPECT_TRUE(options_text(&s.o, "name") == NULL);
	EXPECT_OK(options_number(&s.o, "workers", &n, NULL));
	EXPECT_EQ(n, 2);
	EXPECT_FALSE(options_flag(&s.o, "dry-run"));
}

TEST(a_flag_from_a_file_is_yes_or_no_and_nothing_else)
{
	AUTO(scene_fini) struct scene on = {0}, off = {0};
	struct fault why = {0};

	EXPECT_OK(read_all(&on, "", "[agent]\nlog-success = on\n", NULL));
	EXPECT_TRUE(options_flag(&on.o, "log-success"));
	EXPECT_OK(read_all(&off, "", "[agent]\nlog-success = no\n", NULL));
	EXPECT_FALSE(options_flag(&off.o, "log-success"));
	EXPECT_EQ(
	    read_file("[agent]\nlog-success = maybe\n", &why), ERR_INVALID);
	EXPECT_TRUE(strstr(why.text, ":2) is \"maybe\", but wants yes or no"));
}

TEST(a_list_comes_as_flags_with_commas_or_on_several_lines)
{
	AUTO(scene_fini) struct scene flags = {0}, file = {0};

	EXPECT_OK(read_all(&flags, "-l 1 -l2", "[agent]\nlisten = 3\n", NULL));
	EXPECT_EQ(options_list(&flags.o, "listen")->count, 2);
	EXPECT_STR(options_list(&flags.o, "listen")->text[1], "2");
	EXPECT_OK(
	    read_all(&file, "", "[agent]\nlisten = 1, 2\nlisten = 3\n", NULL));
	EXPECT_EQ(options_list(&file.o, "listen")->count, 3);
	EXPECT_STR(options_list(&file.o, "listen")->text[2], "3");
}

TEST(commands_that_share_a_section_pass_over_each_others_settings)
{
	EXPECT_OK(read_file("[agent]\ncousins = 4\n[server]\nx = y\n", NULL));
}

TEST(a_misspelt_setting_is_refused_with_its_line_and_the_nearest)
{
	struct fault why = {0};

	EXPECT_ERR(
	    read_file("[agent]\nname = a\nworkesr = 3\n", &why), ERR_INVALID);
	EXPECT_EQ(why.line, 3);
	EXPECT_TRUE(strstr(why.text, "did you mean \"workers\"?") != NULL);
}

TEST(an_option_that_is_no_setting_is_none_in_the_file)
{
	EXPECT_ERR(read_file("[agent]\ndry-run = yes\n", NULL), ERR_INVALID);
}

TEST(an_unknown_section_is_refused_with_the_nearest)
{
	struct fault why = {0};

	EXPECT_ERR(read_file("[agents]\nname = a\n", &why), ERR_INVALID);
	EXPECT_EQ(why.line, 2);
	EXPECT_TRUE(strstr(why.text, "did you mean \"agent\"?") != NULL);
}

TEST(a_setting_before_any_section_is_refused)
{
	struct fault why = {0};

	EXPECT_ERR(read_file("name = a\n[agent]\n", &why), ERR_INVALID);
	EXPECT_TRUE(strstr(why.text, "before any section") != NULL);
}

TEST(a_value_of_the_wrong_type_is_refused_with_where_it_stands)
{
	AUTO(scene_fini) struct scene s = {0};
	struct fault why = {0};
	uint64_t n = 1;

	EXPECT_OK(read_all(&s, "--workers many", NULL, NULL));
	EXPECT_ERR(options_number(&s.o, "workers", &n, &why), ERR_INVALID);
	EXPECT_EQ(n, 1);
	EXPECT_STR(why.text, "--workers is \"many\", but wants a whole number");
}

TEST(an_unknown_option_is_refused_with_the_nearest)
{
	AUTO(scene_fini) struct scene s = {0};
	struct fault why = {0};

	EXPECT_ERR(read_all(&s, "--drains", NULL, &why), ERR_INVALID);
	EXPECT_TRUE(strstr(why.text, "did you mean \"drain\"?") != NULL);
}

TEST(words_behind_two_dashes_are_no_options)
{
	AUTO(scene_fini) struct scene s = {0};

	EXPECT_OK(read_all(&s, "a -- --name", NULL, NULL));
	EXPECT_EQ(s.o.arg_count, 2);
	EXPECT_STR(s.o.args[1], "--name");
}
