/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination — where a route leads.
 */
#include "http_fields.h"
#include "rows.h"

static void
check_destination_host(struct check *c, const void *value)
{
	const struct slice *host = value;

	if (slice_eq(*host, S("*")))
		check_error(c, ERR_INVALID,
		    "\"*\" is no destination: name one service");
	else
		check_wildcard_host(c, host);
}

static void
check_subset(struct check *c, const void *value)
{
	const struct slice *name = value;

	if (name->len > 0)
		check_subset_name(c, name);
}

static const struct field port_selector_fields[] = {
    ROW(port_selector, "number", number, FIELD_INT, .flags = FIELD_REQUIRED,
	.min = 1, .max = 65535, .doc = "The service's port."),
};

static const struct message port_selector_message = MESSAGE(port_selector,
    "PortSelector", port_selector_fields, .doc = "One port of a service.");

static const struct field destination_spec_fields[] = {
    ROW(destination_spec, "host", host, FIELD_STRING, .flags = FIELD_REQUIRED,
	.check = check_destination_host,
	.doc = "The service; a short name is one of the rule's namespace."),
    ROW(destination_spec, "subset", subset, FIELD_STRING, .check = check_subset,
	.doc = "A subset of it, as its DestinationRule names them."),
    ROW_OF(destination_spec, "port", port, port_selector,
	.doc = "Which port, if the service has several."),
};

const struct message destination_spec_message =
    MESSAGE(destination_spec, "Destination", destination_spec_fields,
	.doc = "Where requests or connections go.");

void
check_weights(struct check *c, uint64_t sum, size_t count)
{
	struct check at = check_member(c, "route");

	if (count > 1 && sum == 0)
		check_error(&at, ERR_INVALID,
		    "the weights of several destinations add up to 0");
	else if (sum > UINT32_MAX)
		check_error(&at, ERR_INVALID,
		    "the weights add up to more than %llu",
		    (unsigned long long)UINT32_MAX);
}
