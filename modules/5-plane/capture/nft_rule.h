/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft_rule — what one rule consists of, in the kernel's terms. Pure.
 */
#ifndef MESHD_CAPTURE_NFT_RULE_H
#define MESHD_CAPTURE_NFT_RULE_H

#include "capture.h"
#include "netlink.h"

/* Writes its tests, a counter and its verdict. The table has NFT_BRIEF for it
 * if `has_brief`. */
void nft_rule_put(
    struct netlink_writer *w, const struct capture_rule *r, bool has_brief);

#endif
