#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# worker.sh — a Python in namespaces of its own, for one of pytest's workers.
#
#	tests/worker.sh PYTHON [ARGUMENT...]
#
# Every worker may listen on meshd's ports, name machines (ip netns) and mount
# as if it were alone; what it leaves behind goes with it.

# shellcheck disable=SC2016 # the inner shell's
exec unshare --net --mount sh -ec '
	mkdir -p /run/netns
	mount -t tmpfs netns /run/netns
	ip link set lo up
	exec "$@"' worker "$@"
