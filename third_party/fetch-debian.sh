#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# fetch-debian.sh — fetches a source or binary package of a newer Debian.
#
#	fetch-debian.sh source NAME UPSTREAM-VERSION FOLDER
#	fetch-debian.sh binary NAME UPSTREAM-VERSION FOLDER
#
# The mirror is the one this machine's apt uses. apt runs on a state of its
# own below build/, is told never to install, and reads the system's keyring
# only, so the system's state is neither used nor touched. What it fetches is
# verified by the signed index. A mirror may lack single files of a package:
# of a source, the upstream tarball alone will do (without Debian's patches,
# which is then said). The age of an index is not asked: a mirror that stands
# still serves the same files, and the manifest's hash decides what is used.

set -eu

kind=$1
name=$2
version=$3
mkdir -p "$4"
folder=$(cd "$4" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)/build/third_party
state=$root/apt
suites='trixie forky sid'

# Never export this: apt would then act on the system with foreign suites.
private_apt() {
	tool=$1
	shift
	LC_ALL=C APT_CONFIG=$state/apt.conf "$tool" "$@"
}

# The URI of the system's main Debian archive (not of security updates).
# shellcheck disable=SC2016 # apt expands these
mirror() {
	apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' \
	    'Created-By: Packages' |
	    sed -n 's|^\(.*/debian/*\) main$|\1|p' | head -n 1
}

configure() {
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial" \
	    "$state/parts"
	uri=$(mirror)
	if [ -z "$uri" ]; then
		echo "apt knows no Debian mirror: run apt-get update" >&2
		exit 1
	fi
	keys=/usr/share/keyrings/debian-archive-keyring.gpg
	for kinds in deb deb-src; do
		echo "$kinds [signed-by=$keys] $uri $suite main"
	done >"$state/$suite.list"
	: >"$state/status"
	cat >"$state/apt.conf" <<-END
	Dir::Etc::SourceList "$state/$suite.list";
	Dir::Etc::SourceParts "$state/parts";
	Dir::Etc::Preferences "/dev/null";
	Dir::Etc::PreferencesParts "$state/parts";
	Dir::State "$state";
	Dir::State::Lists "$state/lists-$suite";
	Dir::State::status "$state/status";
	Dir::Cache "$state/cache";
	Dir::Bin::dpkg "/bin/false";
	APT::Sandbox::User "root";
	APT::Get::Download-Only "true";
	Acquire::Languages "none";
	Acquire::Retries "3";
	Acquire::Check-Valid-Until "false";
	Acquire::Check-Date "false";
	Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
	Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
	END
	mkdir -p "$state/lists-$suite/partial"
	if [ ! -e "$state/$suite.updated" ]; then
		private_apt apt-get -q -q update
		touch "$state/$suite.updated"
	fi
}

# Lines "URI FILE HASH" of everything the package consists of.
files_of() {
	case $kind in
	source)
		full=$(private_apt apt-cache showsrc "$name" | sed -n \
		    "s/^Version: \(\([0-9]*:\)\{0,1\}${version}\([-+~].*\)\{0,1\}\)$/\1/p" |
		    head -n 1)
		[ -n "$full" ] || return 0
		private_apt apt-get source --print-uris --download-only \
		    "$name=$full" 2>/dev/null
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

# True if every file came; what did come stays.
download_all() {
	complete=0
	while read -r uri file hash; do
		[ -s "$folder/$file" ] && continue
		private_apt /usr/lib/apt/apt-helper download-file "$uri" \
		    "$folder/$file" "$hash" >/dev/null 2>&1 || {
			echo "  $suite does not serve $file" >&2
			rm -f "$folder/$file"
			complete=1
		}
	done
	return $complete
}

# The upstream tarball of what is in the folder, if it is there.
orig() {
	find "$folder" -name '*.orig.tar.*' ! -name '*.asc' | head -n 1
}

unpack_source() {
	rm -rf "$folder/tree"
	if [ "$1" = complete ]; then
		dpkg-source --no-check -x "$folder"/*.dsc "$folder/tree" \
		    >/dev/null
	else
		echo "  $name $version: without Debian's patches" >&2
		mkdir "$folder/tree"
		tar -C "$folder/tree" --strip-components=1 -xf "$(orig)"
	fi
}

for suite in $suites; do
	configure
	list=$(files_of)
	[ -n "$list" ] || continue
	if echo "$list" | download_all; then
		case $kind in
		source) unpack_source complete ;;
		binary) dpkg-deb -x "$folder"/*.deb "$folder/tree" ;;
		esac
		exit 0
	fi
	if [ "$kind" = source ] && [ -n "$(orig)" ]; then
		unpack_source orig
		exit 0
	fi
done
echo "$name $version: no suite of ($suites) serves it" >&2
exit 1
