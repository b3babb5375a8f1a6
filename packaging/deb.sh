#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deb.sh — a package for Debian and what descends from it.

# shellcheck source=packaging/lib.sh
. "$(dirname "$0")/lib.sh"

arch=$(machine amd64 arm64)
doc=$stage/usr/share/doc/meshd
control=$stage/DEBIAN

# changelog: the one that dpkg's tools read; what changed is in ours
changelog() {
	cat <<END
meshd ($version) stable; urgency=medium

  * What has changed is in CHANGELOG.md.gz, beside this file.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
}

fill() {
	size=$(du -k -s --apparent-size --exclude=DEBIAN "$stage" | cut -f 1)
	sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" \
	    -e "s/@MAINTAINER@/$maintainer/" -e "s/@SIZE@/$size/" \
	    "$here/deb/control" >"$control/control"
	cp "$here/deb/conffiles" "$control/"
	sed -e "/^@ACCOUNT@$/{
		r $here/account.sh
		d
	}" "$here/deb/postinst" >"$control/postinst"
	cp "$here/deb/prerm" "$here/deb/postrm" "$control/"
	chmod 755 "$control/postinst" "$control/prerm" "$control/postrm"
	(cd "$stage" && find usr -type f | LC_ALL=C sort |
	    xargs -d '\n' md5sum) >"$control/md5sums"
}

settings_to_etc
rm "$doc/LICENSE" # it is in common-licenses
mkdir "$stage/usr/share/zsh/vendor-completions" # where Debian's zsh looks
mv "$stage/usr/share/zsh/site-functions/_meshd" \
    "$stage/usr/share/zsh/vendor-completions/"
rmdir "$stage/usr/share/zsh/site-functions"
install -m 644 "$here/deb/copyright" "$doc/copyright"
changelog >"$doc/changelog"
install -D -m 644 "$here/deb/lintian-overrides" \
    "$stage/usr/share/lintian/overrides/meshd"
gzip -9n "$doc/changelog" "$doc/CHANGELOG.md" \
    "$stage"/usr/share/man/man*/*.[1-9]
mkdir "$control"
fill
set_times "$stage"
package=$out/meshd_${version}_$arch.deb
dpkg-deb --root-owner-group -Zxz -b "$stage" "$package" >/dev/null
echo "$package"
