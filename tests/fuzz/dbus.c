/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dbus — what the message bus says, whole or cut anywhere.
 *
 * Where a part is not enough more has to come; what is read lies in its bytes.
 */
#include "dbus/dbus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
lies_in(struct slice part, struct slice all)
{
	if (part.ptr != NULL)
		CHECK(part.ptr >= all.ptr &&
		      part.ptr + part.len <= all.ptr + all.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of(data, size);
	struct dbus_message m, cut;
	size_t len, cut_len;

	while (dbus_message_read(rest, &m, &len) == OK) {
		CHECK(len >= 16 && len <= rest.len && len <= DBUS_MESSAGE_MAX);
		lies_in(m.error_name, slice_sub(rest, 0, len));
		lies_in(m.text, slice_sub(rest, 0, len));
		CHECK(dbus_message_read(slice_sub(rest, 0, len - 1), &cut,
			  &cut_len) == ERR_AGAIN);
		rest = slice_sub(rest, len, rest.len);
	}
	return 0;
}
