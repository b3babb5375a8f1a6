#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# fetch-debian.sh — fetches from a source or binary package of a newer Debian,
# or from one of this Debian for another architecture.
#
#	fetch-debian.sh source NAME UPSTREAM-VERSION FOLDER
#	fetch-debian.sh binary NAME UPSTREAM-VERSION FOLDER
#	fetch-debian.sh foreign NAME ARCHITECTURE FOLDER
#
# Of a source it is the upstream tarball, and nothing of Debian's, which the
# manifest could not name; what a binary package holds is laid out in
# FOLDER/whole, and what a foreign one holds in FOLDER.
#
# The mirror is the one this machine's apt uses. apt runs on a state of its
# own below build/, is told never to install, and reads the system's keyring
# only, so the system's state is neither used nor touched. What it fetches is
# verified by the signed index. The age of an index is not asked: a mirror that
# stands still serves the same files, and the manifest's hash decides what is
# used.

set -eu

kind=$1
name=$2
version=$3
mkdir -p "$4"
folder=$(cd "$4" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)/build/third_party
state=$root/apt
# Whose packages apt reads; a source is of no architecture.
if [ "$kind" = foreign ]; then
	arch=$version
else
	arch=$(dpkg --print-architecture)
fi

# Never export this: apt would then act on the system with foreign suites.
private_apt() {
	tool=$1
	shift
	LC_ALL=C APT_CONFIG=$state/apt.conf "$tool" "$@"
}

# "URI CODENAME" of the system's main Debian archive (not of security updates).
# shellcheck disable=SC2016 # apt expands these
mirror() {
	apt-get indextargets \
	    --format '$(REPO_URI) $(COMPONENT) $(CODENAME)' \
	    'Created-By: Packages' |
	    sed -n 's|^\(.*/debian/*\) main \([a-z]*\)$|\1 \2|p' | head -n 1
}

configure() {
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial" \
	    "$state/parts"
	of=$suite-$arch
	keys=/usr/share/keyrings/debian-archive-keyring.gpg
	for kinds in deb deb-src; do
		echo "$kinds [signed-by=$keys] $uri $suite main"
	done >"$state/$of.list"
	: >"$state/status"
	cat >"$state/apt.conf" <<-END
	Dir::Etc::SourceList "$state/$of.list";
	Dir::Etc::SourceParts "$state/parts";
	Dir::Etc::Preferences "/dev/null";
	Dir::Etc::PreferencesParts "$state/parts";
	Dir::State "$state";
	Dir::State::Lists "$state/lists-$of";
	Dir::State::status "$state/status";
	Dir::Cache "$state/cache";
	Dir::Bin::dpkg "/bin/false";
	APT::Architecture "$arch";
	APT::Architectures "$arch";
	APT::Sandbox::User "root";
	APT::Get::Download-Only "true";
	Acquire::Languages "none";
	Acquire::Retries "3";
	Acquire::Check-Valid-Until "false";
	Acquire::Check-Date "false";
	Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
	Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
	END
	mkdir -p "$state/lists-$of/partial"
	if [ ! -e "$state/$of.updated" ]; then
		private_apt apt-get -q -q update
		touch "$state/$of.updated"
	fi
}

# Lines "URI FILE HASH" of what is wanted.
files_of() {
	case $kind in
	source)
		full=$(private_apt apt-cache showsrc "$name" | sed -n \
		    "s/^Version: \(\([0-9]*:\)\{0,1\}${version}\([-+~].*\)\{0,1\}\)$/\1/p" |
		    head -n 1)
		[ -n "$full" ] || return 0
		private_apt apt-get source --print-uris --download-only \
		    "$name=$full" 2>/dev/null | grep '\.orig\.tar\.[a-z0-9]*. '
		;;
	foreign)
		(cd "$folder" && private_apt apt-get download --print-uris \
		    "$name" 2>/dev/null)
		;;
	binary)
		full=$(private_apt apt-cache show "$name" 2>/dev/null | sed -n \
		    "s/^Version: \(${version}[-+~].*\)$/\1/p" | head -n 1)
		[ -n "$full" ] || return 0
		(cd "$folder" && private_apt apt-get download --print-uris \
		    "$name=$full" 2>/dev/null)
		;;
	esac | sed -n "s/^'\([^']*\)' \([^ ]*\) [0-9]* \(SHA[^ ]*\)$/\1 \2 \3/p"
}

# True if all of them came.
download() {
	while read -r uri file hash; do
		private_apt /usr/lib/apt/apt-helper download-file "$uri" \
		    "$folder/$file" "$hash" >/dev/null 2>&1 || {
			echo "  $suite does not serve $file" >&2
			rm -f "$folder/$file"
			return 1
		}
	done
}

uri=$(mirror)
if [ -z "$uri" ]; then
	echo "apt knows no Debian mirror: run apt-get update" >&2
	exit 1
fi
suites='trixie forky sid'
[ "$kind" != foreign ] || suites=${uri#* }
uri=${uri% *}
for suite in $suites; do
	configure
	list=$(files_of)
	[ -n "$list" ] || continue
	echo "$list" | download || continue
	case $kind in
	binary) dpkg-deb -x "$folder"/*.deb "$folder/whole" ;;
	foreign)
		dpkg-deb -x "$folder/$name"_*.deb "$folder"
		mkdir -p "$folder/packages"
		mv "$folder/$name"_*.deb "$folder/packages/"
		;;
	esac
	exit 0
done
echo "$name $version: no suite of ($suites) serves it" >&2
exit 1
