/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml — any bytes as a file; what is read is written and read again.
 */
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_again(const struct value *v)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf out = BUF(LIMIT_DOC_BYTES);
	struct codec_documents docs;
	struct faults faults = {0};

	arena_init(&a, LIMIT_API_BODY * 4);
	if (codec_yaml_emit(v, &out) == OK) {
		CHECK(codec_yaml_parse(
			  buf_slice(&out), NULL, &a, &docs, &faults) == OK);
		CHECK(docs.count == 1);
	}
	faults_fini(&faults);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_fini) struct arena a;
	struct codec_documents docs;
	struct faults faults = {0};
	enum err e;

	arena_init(&a, LIMIT_API_BODY);
	e = codec_yaml_parse(
	    slice_of(data, size), "fuzz.yaml", &a, &docs, &faults);
	CHECK((e == OK) == (faults.count == 0));
	for (size_t i = 0; i < docs.count; i++)
		if (docs.items[i].root != NULL && size < 4096)
			read_again(docs.items[i].root);
	faults_fini(&faults);
	return 0;
}
