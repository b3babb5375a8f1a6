/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ini — any bytes as meshd.conf.
 */
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_fini) struct arena a;
	struct codec_ini ini;
	struct faults faults = {0};
	enum err e;

	arena_init(&a, LIMIT_API_BODY);
	e = codec_ini_parse(
	    slice_of(data, size), "fuzz.conf", &a, &ini, &faults);
	CHECK((e == OK) == (faults.count == 0));
	for (size_t i = 0; i < ini.count; i++)
		CHECK(ini.entries[i].line > 0);
	faults_fini(&faults);
	return 0;
}
