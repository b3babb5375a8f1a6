#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# rpm.sh — a package for Fedora, Alma, openSUSE and their kin.

# shellcheck source=packaging/lib.sh
. "$(dirname "$0")/lib.sh"

arch=$(machine x86_64 aarch64)
top=$stage.top
settings_to_etc
set_times "$stage"
rm -rf "$top"
mkdir -p "$top"
rpmbuild -bb --quiet --target "$arch" \
    --define "_topdir $top" --define "_rpmdir $out" \
    --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" \
    --define "version_of_tree $version" --define "stage $stage" \
    --define "packager $maintainer" --define "account $here/account.sh" \
    --define "day $(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')" \
    --define "_buildhost localhost" \
    --define 'use_source_date_epoch_as_buildtime 1' \
    --define 'clamp_mtime_to_source_date_epoch 1' \
    --define '_binary_payload w9.gzdio' "$here/rpm/meshd.spec"
rm -rf "$top"
echo "$out/meshd-$version-1.$arch.rpm"
