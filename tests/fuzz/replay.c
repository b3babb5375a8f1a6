/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay — feeds a kept corpus to a fuzzer's entry, without libFuzzer.
 *
 * The corpus of build/…/tests/fuzz/NAME is tests/fuzz/corpus/NAME below the
 * working directory, or the folders given as arguments. An empty one fails.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { INPUT_BYTES_MAX = 4 << 20 };

/* True if the file was read and the entry came back. */
static int
replay_file(const char *path)
{
	uint8_t *data = malloc(INPUT_BYTES_MAX);
	FILE *f = fopen(path, "rb");
	uint8_t *exact;
	size_t len;

	if (data == NULL || f == NULL) {
		perror(path);
		return 0;
	}
	len = fread(data, 1, INPUT_BYTES_MAX, f);
	fclose(f);
	/* A block of just this size, so that ASan sees the first byte past. */
	exact = malloc(len + (len == 0));
	if (exact == NULL)
		abort();
	memcpy(exact, data, len);
	free(data);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 1;
}

static int
is_input(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* The number of inputs replayed, or -1. */
static int
replay_folder(const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_input, alphasort);
	int good = 0;

	if (n < 0) {
		perror(folder);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		char path[1024];

		snprintf(
		    path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		good += replay_file(path);
		free(entries[i]);
	}
	free(entries);
	return good == n ? n : -1;
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	char folder[512];
	int total = 0;

	snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s",
	    name != NULL ? name + 1 : argv[0]);
	for (int i = argc > 1 ? 1 : 0; i < argc; i++) {
		int n = replay_folder(i == 0 ? folder : argv[i]);

		if (n <= 0) {
			printf("0 passed, 1 failed\n");
			return 1;
		}
		total += n;
	}
	printf("%d passed, 0 failed\n", total);
	return 0;
}
