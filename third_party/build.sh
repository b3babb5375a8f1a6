#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# build.sh — fetches and builds libraries of the manifest, once.
#
#	third_party/build.sh NAME...
#
# NAME is awslc, inih, llhttp, nghttp2, mbedtls-awslc or mbedtls-mbedtls. Results
# are build/third_party/{include,lib}/NAME; build/third_party/stamp/NAME holds the
# hash of what went in, so that a second run does nothing, and changed patches
# or recipes build anew. Sources stay in build/third_party/src.
#
# THIRD_PARTY_ARCH=arm64 builds for that machine, into build/third_party/arm64,
# and knows one name more: debian, the static archives of Debian's own, which
# for this machine apt has installed.

set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
out=$top/build/third_party
src=$out/src
jobs=$(getconf _NPROCESSORS_ONLN)
arch=${THIRD_PARTY_ARCH:-}
tools=
case $arch in
'') ;;
arm64)
	tools=aarch64-linux-gnu-
	out=$out/$arch
	;;
*)
	echo "there is no cross-building for $arch" >&2
	exit 1
	;;
esac
cc=${THIRD_PARTY_CC:-${tools}gcc}
cflags="-O3 -g1 -fPIE -ffunction-sections -fdata-sections
    -fstack-protector-strong -D_FORTIFY_SOURCE=2 -pthread
    -ffile-prefix-map=$top=. -Wno-date-time"

mkdir -p "$src" "$out/work" "$out/stamp" "$out/include" "$out/lib"
# Several makes may want the libraries at once.
exec 9>"$top/build/third_party/lock"
flock 9

# --- sources -----------------------------------------------------------------

has_hash() {
	[ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$2" ]
}

# $1 package, $2 version, $3 folder. pip reads the metadata; nothing is built.
fetch_pypi() {
	/usr/bin/python3 -m pip download -q --disable-pip-version-check \
	    --no-deps --no-binary "$1" -d "$3" "$1==$2"
}

# What cargo thinks of the crate's neighbours does not matter: the file does.
fetch_crate() {
	command -v cargo >/dev/null || {
		echo "  $1 is a crate: without cargo it cannot be had" >&2
		return 1
	}
	mkdir -p "$3/cargo/src"
	cat >"$3/cargo/Cargo.toml" <<-END
	[package]
	name = "fetch"
	version = "0.0.0"
	[dependencies]
	$1 = "=${2%%+*}"
	END
	: >"$3/cargo/src/lib.rs"
	CARGO_HOME=$3/cargo/home cargo fetch -q \
	    --manifest-path "$3/cargo/Cargo.toml" || :
	[ -d "$3/cargo/home/registry/cache" ] || return 1
	find "$3/cargo/home/registry/cache" -name "$1-$2.crate" \
	    -exec cp {} "$3/" \;
	rm -rf "$3/cargo"
}

# One line of the manifest; true if its tree is there and is the right one.
fetch_line() {
	lib=$1 version=$2 from=$3 package=$4 inside=$5 file=$6 hash=$7
	folder=$src/$lib
	whole=$folder/whole
	rm -rf "$folder"
	mkdir -p "$whole"
	case $from in
	debian-*)
		"$here/fetch-debian.sh" "${from#debian-}" "$package" \
		    "$version" "$folder" || return 1
		;;
	*) "fetch_$from" "$package" "$version" "$folder" || return 1 ;;
	esac
	checked=$folder/$file
	[ "$from" != debian-binary ] || checked=$whole/$file
	if ! has_hash "$checked" "$hash"; then
		echo "$lib $version: $file is not the file we know" >&2
		rm -rf "$folder"
		return 1
	fi
	[ "$from" = debian-binary ] || tar -C "$whole" --strip-components=1 \
	    -xf "$checked" || return 1
	[ "$inside" = . ] || whole=$whole/$inside
	mv "$whole" "$folder/tree" || return 1
	rm -rf "$folder/whole"
	echo "$*" >"$folder/fetched"
}

# $1 name: leaves its tree in src/$1/tree.
fetch() {
	folder=$src/$1
	if [ -e "$folder/fetched" ] &&
	    grep -qxFf "$folder/fetched" "$here/manifest"; then
		return 0
	fi
	echo "  FETCH   $1"
	grep "^$1 " "$here/manifest" >"$out/work/$1.lines"
	while read -r line; do
		# shellcheck disable=SC2086 # seven words
		if fetch_line $line; then
			return 0
		fi
	done <"$out/work/$1.lines"
	echo "$1: no source of the manifest could be had" >&2
	exit 1
}

# --- building ----------------------------------------------------------------

# $1 archive, $2 extra flags, rest: C files. Objects go to the work folder.
# shellcheck disable=SC2016 # the inner shell expands these
compile() {
	archive=$1 extra=$2
	shift 2
	work=$out/work/$(basename "$archive" .a)
	rm -rf "$work"
	mkdir -p "$work" "$(dirname "$archive")"
	for file in "$@"; do
		echo "$file"
	done | xargs -P "$jobs" -I '{}' sh -c '
	    object=$(basename "{}" .c).o
	    '"$cc"' '"$(echo "$cflags $extra" | tr '\n' ' ')"' \
	        -c "{}" -o "'"$work"'/$object" || exit 255'
	rm -f "$archive"
	"${tools}ar" rcsD "$archive" "$work"/*.o
}

build_awslc() {
	work=$out/work/awslc
	rm -rf "$work"
	mkdir -p "$work" "$out/lib/awslc" "$out/include/awslc"
	foreign=
	[ -z "$arch" ] || foreign="-DCMAKE_SYSTEM_NAME=Linux
	    -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_AR=/usr/bin/${tools}ar"
	# shellcheck disable=SC2086 # flags
	(cd "$work" && cmake $foreign -DCMAKE_BUILD_TYPE=Release \
	    -DCMAKE_C_COMPILER="$cc" -DBUILD_LIBSSL=OFF -DBUILD_TESTING=OFF \
	    -DBUILD_TOOL=OFF -DDISABLE_GO=ON -DDISABLE_PERL=ON \
	    -DDISABLE_CPU_JITTER_ENTROPY=ON \
	    -DCMAKE_C_FLAGS="-fPIE -ffunction-sections -fdata-sections \
		-ffile-prefix-map=$top=." \
	    -DCMAKE_ASM_FLAGS="-ffile-prefix-map=$top=." \
	    "$src/awslc/tree" >cmake.log 2>&1 &&
	    make -j "$jobs" crypto >make.log 2>&1) || {
		tail -n 30 "$work"/*.log >&2
		exit 1
	}
	cp "$work/crypto/libcrypto.a" "$out/lib/awslc/libcrypto.a"
	rm -rf "$out/include/awslc"
	mkdir -p "$out/include/awslc"
	cp -R "$src/awslc/tree/include/openssl" "$out/include/awslc/"
	# Generated by its build, if the version does so.
	if [ -d "$work/include/openssl" ]; then
		cp -R "$work/include/openssl" "$out/include/awslc/"
	fi
}

# What its users and its build have to agree on is written into the header.
build_inih() {
	tree=$src/inih/tree
	mkdir -p "$out/include/inih"
	{
		echo '#define INI_HANDLER_LINENO 1'
		cat "$tree/ini.h"
	} >"$out/include/inih/ini.h"
	mkdir -p "$out/work"
	rm -rf "$out/work/inih-src"
	mkdir -p "$out/work/inih-src"
	cp "$tree/ini.c" "$out/include/inih/ini.h" "$out/work/inih-src/"
	compile "$out/lib/inih/libinih.a" "-DINI_MAX_LINE=65536 \
	    -DINI_USE_STACK=0 -DINI_ALLOW_REALLOC=1 -DINI_INITIAL_ALLOC=1024 \
	    -DINI_ALLOW_MULTILINE=0 -DINI_ALLOW_INLINE_COMMENTS=0 \
	    -DINI_STOP_ON_FIRST_ERROR=0 -DINI_CALL_HANDLER_ON_NEW_SECTION=0" \
	    "$out/work/inih-src/ini.c"
}

build_llhttp() {
	tree=$src/llhttp/tree
	mkdir -p "$out/include/llhttp"
	cp "$tree/include/llhttp.h" "$out/include/llhttp/"
	compile "$out/lib/llhttp/libllhttp.a" "-I$tree/include" \
	    "$tree"/src/*.c
}

# $1 library, $2 folder, rest: of its tree, what is copied there and patched
patched() {
	lib=$1 tree=$2
	shift 2
	rm -rf "$tree"
	mkdir -p "$tree"
	for part in "$@"; do
		cp -R "$src/$lib/tree/$part" "$tree/"
	done
	for patch in "$here/$lib"/patches/*.patch; do
		patch -s -p1 -d "$tree" <"$patch"
	done
}

# $1 tree. A tarball comes with this header; what the repository has does not.
nghttp2_version() {
	header=$1/lib/includes/nghttp2/nghttp2ver.h
	[ ! -e "$header" ] || return 0
	version=$(sed -n 's/^AC_INIT(\[nghttp2\], *\[\([0-9.]*\).*/\1/p' \
	    "$1/configure.ac")
	number=$(printf %s "$version" | xargs -d . printf '0x%02x%02x%02x')
	sed -e "s/@PACKAGE_VERSION@/$version/" \
	    -e "s/@PACKAGE_VERSION_NUM@/$number/" "$header.in" >"$header"
}

build_nghttp2() {
	tree=$out/work/nghttp2-tree
	patched nghttp2 "$tree" lib configure.ac
	nghttp2_version "$tree"
	compile "$out/lib/nghttp2/libnghttp2.a" "-I$tree/lib/includes -DNDEBUG \
	    -DNGHTTP2_STATICLIB -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H \
	    -DHAVE_CLOCK_GETTIME -DHAVE_DECL_CLOCK_MONOTONIC=1" \
	    "$tree"/lib/*.c
	rm -rf "$out/include/nghttp2"
	mkdir -p "$out/include/nghttp2/nghttp2"
	cp "$tree"/lib/includes/nghttp2/*.h "$out/include/nghttp2/nghttp2/"
}

# $1: awslc or mbedtls, whose primitives
build_mbedtls() {
	variant=$1
	name=mbedtls-$variant
	tree=$out/work/$name-tree
	patched mbedtls "$tree" include library
	cp "$here/mbedtls/config.h" "$tree/include/mbedtls/mbedtls_config.h"
	extra="-I$tree/include -I$tree/library"
	set -- "$tree"/library/*.c
	: >"$tree/include/mbedtls/meshd_variant.h"
	if [ "$variant" = awslc ]; then
		echo '#define MESHD_AWSLC' \
		    >"$tree/include/mbedtls/meshd_variant.h"
		cp "$here"/mbedtls/alt/gcm_alt.h \
		    "$here"/mbedtls/alt/chachapoly_alt.h "$tree/include/"
		extra="$extra -I$here/mbedtls/alt -isystem $out/include/awslc"
		set -- "$@" "$here"/mbedtls/alt/*.c
	fi
	compile "$out/lib/$name/libmbedtls.a" "$extra" "$@"
	rm -rf "$out/include/$name"
	cp -R "$tree/include" "$out/include/$name"
}

build_debian() {
	rm -rf "$out/debian"
	for package in libevent-dev libjansson-dev libprotobuf-c-dev \
	    libsodium-dev libsqlite3-dev libyaml-dev; do
		"$here/fetch-debian.sh" foreign "$package" "$arch" "$out/debian"
	done
}

# --- which, and whether ------------------------------------------------------

# The hash of everything of ours that goes into $1.
key_of() {
	case $1 in
	mbedtls-* | nghttp2) files=$(find "$here/${1%%-*}" -type f | sort) ;;
	*) files= ;;
	esac
	{
		grep "^${1%%-*} " "$here/manifest" || [ "$1" = debian ]
		[ "$1" != mbedtls-awslc ] || grep '^awslc ' "$here/manifest"
		# shellcheck disable=SC2086 # paths of ours have no spaces
		cat "$here/build.sh" $files
		echo "$cc"
	} | sha256sum | cut -d ' ' -f 1
}

for name in "$@"; do
	key=$(key_of "$name")
	if [ "$(cat "$out/stamp/$name" 2>/dev/null)" = "$key" ]; then
		continue
	fi
	rm -f "$out/stamp/$name"
	[ "$name" = debian ] || fetch "${name%%-*}"
	echo "  BUILD   $name"
	case $name in
	mbedtls-*) build_mbedtls "${name#mbedtls-}" ;;
	*) "build_$name" ;;
	esac
	echo "$key" >"$out/stamp/$name"
done
