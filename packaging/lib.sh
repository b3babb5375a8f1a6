# SPDX-License-Identifier: Apache-2.0
#
# lib.sh — what tarball.sh, deb.sh and rpm.sh share.
#
#	ARCH=ARCH packaging/KIND.sh VERSION STAGE OUT
#
# ARCH is amd64 or arm64; STAGE is what `make install DESTDIR=STAGE` laid out, and is used up; the
# package goes to OUT. SOURCE_DATE_EPOCH is the time of all in it: the same
# tree makes the same bytes.

set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
version=$1
stage=$2
# shellcheck disable=SC2034 # they read it
out=$3
maintainer='The meshd project <packages@meshd.dev>'
: "${SOURCE_DATE_EPOCH:?is the time of what is packed}"

# machine NAME-OF-X86 NAME-OF-ARM: as this kind of package calls it
machine() {
	case $ARCH in
	amd64) echo "$1" ;;
	arm64) echo "$2" ;;
	*)
		echo "no packages for $ARCH" >&2
		return 1
		;;
	esac
}

# The sample of settings is the configuration of a machine that has none.
settings_to_etc() {
	install -D -m 644 "$stage/usr/share/doc/meshd/examples/meshd.conf" \
	    "$stage/etc/meshd/meshd.conf"
	rm "$stage/usr/share/doc/meshd/examples/meshd.conf"
}

set_times() {
	find "$1" -exec touch --no-dereference \
	    --date="@$SOURCE_DATE_EPOCH" {} +
}
