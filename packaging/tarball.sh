#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# tarball.sh — the tree of /usr/local; beside it what is linked into the program
# (SPDX), and the digests of both.
#
#	tar -C /usr/local --strip-components=1 -xzf meshd-…tar.gz

# shellcheck source=packaging/lib.sh
. "$(dirname "$0")/lib.sh"

name=meshd-$version-linux-$(machine amd64 arm64)
rm -rf "${stage:?}/$name"
mv "$stage/usr/local" "$stage/$name"
cp "$stage/$name/share/doc/meshd/meshd.spdx.json" "$out/$name.spdx.json"
set_times "$stage"
tar -C "$stage" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
    --mtime="@$SOURCE_DATE_EPOCH" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" "$name.spdx.json" >SHA256SUMS)
echo "$out/$name.tar.gz"
