#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# repo.sh — signed trees for apt and for dnf, of packages that are built.
#
#	packaging/repo.sh OUT FOLDER...
#
# OUT is made anew: apt/, yum/ and meshd.asc, the public key. FOLDERs hold the
# packages. REPO_KEY names the key of gpg that signs, in GNUPGHOME or the
# user's; SOURCE_DATE_EPOCH is the time of the trees.

set -eu
umask 022
: "${REPO_KEY:?names the key of gpg that signs, as --local-user takes it}"
: "${SOURCE_DATE_EPOCH:?is the time of the trees}"

out=$1
shift
name=stable
part=main

sign() {
	gpg --batch --yes --quiet --local-user "$REPO_KEY" \
	    --digest-algo SHA512 "$@"
}

# --- apt: by the digests of an index, and those by the signature of Release ----

index() {
	folder=dists/$name/$part/binary-$1
	mkdir -p "$folder"
	dpkg-scanpackages --multiversion --arch "$1" pool \
	    >"$folder/Packages" 2>/dev/null
	gzip -9nk "$folder/Packages"
	xz -9k "$folder/Packages"
}

release() {
	cat <<-END
	Origin: meshd
	Label: meshd
	Suite: $name
	Codename: $name
	Date: $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH" | sed 's/+0000/UTC/')
	Architectures: $1
	Components: $part
	Description: meshd, a service mesh for machines
	SHA256:
	END
	find "$part" -type f | LC_ALL=C sort | while read -r file; do
		echo " $(sha256sum "$file" | cut -d ' ' -f 1)" \
		    "$(stat -c %s "$file") $file"
	done
}

apt_tree() {
	mkdir -p "$out/apt/pool/$part/m/meshd"
	for folder in "$@"; do
		cp "$folder"/*.deb "$out/apt/pool/$part/m/meshd/"
	done
	cd "$out/apt"
	archs=$(for deb in "pool/$part/m/meshd"/*.deb; do
		dpkg-deb -f "$deb" Architecture
	done | sort -u | tr '\n' ' ')
	archs=${archs% }
	for arch in $archs; do
		index "$arch"
	done
	cd "dists/$name"
	release "$archs" >Release.new
	mv Release.new Release
	sign --clearsign --output InRelease Release
	sign --armor --detach-sign --output Release.gpg Release
}

# --- dnf: each package is signed, and the list of the lists ---------------------

yum_tree() {
	mkdir -p "$out/yum"
	for folder in "$@"; do
		cp "$folder"/*.rpm "$out/yum/"
	done
	cd "$out/yum"
	rpmsign --define "__gpg $(command -v gpg)" \
	    --define "_gpg_name $REPO_KEY" \
	    --define '_gpg_digest_algo sha512' --addsign ./*.rpm >/dev/null
	createrepo_c --quiet --revision "$SOURCE_DATE_EPOCH" \
	    --set-timestamp-to-revision .
	sign --armor --detach-sign --output repodata/repomd.xml.asc \
	    repodata/repomd.xml
}

rm -rf "${out:?}/apt" "$out/yum"
mkdir -p "$out"
sign --armor --export "$REPO_KEY" >"$out/meshd.asc"
[ -s "$out/meshd.asc" ] || {
	echo "gpg has no key $REPO_KEY" >&2
	exit 1
}
(apt_tree "$@")
(yum_tree "$@")
echo "$out"
