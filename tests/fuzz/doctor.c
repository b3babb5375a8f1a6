/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor — what programs of the machine and servers print, as it reads them.
 *
 * The first byte says who printed it.
 */
#include "http/http.h"

#include "checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_finding(void *arg, const struct doctor_finding *f)
{
	(void)arg;
	CHECK((f->level == DOCTOR_OK) == (f->mend.len == 0));
	CHECK(slice_is_utf8(f->text) && slice_is_utf8(f->mend));
}

/* What is read is written again as it was, but for the name of the day. */
static void
read_date(struct slice text)
{
	char again[HTTP_DATE_LEN];
	int64_t ms, same;

	if (http_date_parse(text, &ms) != OK)
		return;
	(void)http_date_format(ms, again);
	CHECK(http_date_parse(slice_str(again), &same) == OK && same == ms);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct doctor_port ports[] = {
	    {"hbone", {.family = ADDR_V4, .port = 15008}, false, true},
	    {"gossip", {.family = ADDR_V4, .port = 15946}, true, true}};
	struct doctor d = {.check = "firewall",
	    .spec = {.ports = ports,
		.port_count = ARRAY_LEN(ports),
		.each = on_finding}};
	struct slice text;

	if (size == 0)
		return 0;
	text = slice_of(data + 1, size - 1);
	if (data[0] == 'n')
		judge_nft(&d, text);
	else if (data[0] == 'i')
		judge_iptables(&d, text);
	else
		read_date(text);
	return 0;
}
