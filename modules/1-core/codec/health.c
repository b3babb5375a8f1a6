/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health — the two messages of grpc.health.v1.
 */
#include <stdlib.h>

#include "codec.h"
#include "health.pb-c.h"

MUST_USE enum err
codec_health_request_encode(struct slice service, struct buf *out)
{
	Meshd__Health__Request m = MESHD__HEALTH__REQUEST__INIT;
	enum err e;
	char *p;

	m.service.len = service.len;
	m.service.data = (uint8_t *)(uintptr_t)service.ptr;
	e = buf_reserve(out, meshd__health__request__get_packed_size(&m), &p);
	if (e == OK)
		buf_commit(out, meshd__health__request__pack(&m, (uint8_t *)p));
	return e;
}

MUST_USE enum err
codec_health_response_decode(struct slice bytes, int32_t *out_status)
{
	Meshd__Health__Response *m = meshd__health__response__unpack(
	    NULL, bytes.len, (const uint8_t *)bytes.ptr);

	if (m == NULL)
		return ERR_PARSE;
	*out_status = m->status;
	meshd__health__response__free_unpacked(m, NULL);
	return OK;
}
