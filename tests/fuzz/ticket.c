/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticket — the inside of a session ticket, as if somebody had our keys.
 *
 * What is read is written again as the same bytes.
 */
#include "tls/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(ticket_fini) struct ticket k = {0};
	AUTO(buf_fini) struct buf again = BUF(1 << 16);
	struct slice all = slice_of(data, size);

	if (size > 1 << 14 || ticket_read(all, &k) != OK)
		return 0;
	CHECK(k.peer->identity.account.len > 0);
	CHECK(ticket_write(&k, &again) == OK);
	CHECK(slice_eq(buf_slice(&again), all));
	return 0;
}
