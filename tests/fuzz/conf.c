/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf — any bytes as meshd.conf, read through a command's table of options.
 *
 * The file is one in memory. What is accepted are settings of the table, each
 * with its line; what is refused is said with the place.
 */
#include "cli/options.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct option_row rows[] = {
    {"name", 'n', OPTION_TEXT, "NAME", NULL, true, "its name"},
    {"upstream", 0, OPTION_LIST, "NAME=ADDR", NULL, true, "listeners"},
    {"workers", 0, OPTION_NUMBER, "N", "2", true, "threads"},
    {"drain", 0, OPTION_DURATION, "TIME", "5s", true, "how long"},
    {"access-log", 0, OPTION_FLAG, NULL, NULL, true, "each request"},
    {"join", 0, OPTION_TEXT, "TOKEN", NULL, false, "only as a flag"},
};

static void
check_values(const struct options *o)
{
	struct fault why = {0};
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct option_values *v = &o->values[i];

		CHECK(v->count <= OPTION_VALUES_MAX);
		CHECK(v->count == 0 || (rows[i].setting && v->from != NULL));
		for (size_t k = 0; k < v->count; k++)
			CHECK(v->text[k] != NULL);
	}
	/* Their text may be anything; then that is said. */
	if (options_number(o, "workers", &n, &why) != OK)
		CHECK(strstr(why.text, "workers") != NULL);
	if (options_duration_us(o, "drain", &n, &why) != OK)
		CHECK(strstr(why.text, "drain") != NULL);
	(void)options_flag(o, "access-log");
}

static void
read_file(const char *path)
{
	static const char *const sections[] = {"agent", "cli", NULL};
	const char *names[ARRAY_LEN(rows)];
	struct option_section section = {
	    .name = "agent", .settings = names, .sections = sections};
	struct options o;
	struct fault why = {0};
	char *argv[] = {NULL};
	bool help;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].setting)
			names[section.count++] = rows[i].name;
	CHECK(options_parse(&o, rows, ARRAY_LEN(rows), 0, argv, &help, NULL) ==
	      OK);
	if (options_read_file(&o, path, &section, true, &why) == OK)
		check_values(&o);
	else
		CHECK(why.text[0] != '\0');
	options_fini(&o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	int fd = memfd_create("meshd.conf", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_file(path);
	close(fd);
	return 0;
}
