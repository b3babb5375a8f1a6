# SPDX-License-Identifier: Apache-2.0
#
# The user of the units and its folders; goes into the scripts of each package,
# and into the installer.
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers meshd.conf
elif ! id -u meshd >/dev/null 2>&1; then
	useradd --system --user-group --no-create-home \
	    --home-dir /var/lib/meshd --shell /usr/sbin/nologin \
	    --comment 'meshd service mesh' meshd
fi
# In a chroot it may be there and not work.
if ! command -v systemd-tmpfiles >/dev/null ||
    ! systemd-tmpfiles --create meshd.conf 2>/dev/null; then
	mkdir -p /run/meshd /var/lib/meshd
	# shellcheck disable=SC2174 # what is above them is there
	mkdir -p -m 700 /var/lib/meshd/agent /var/lib/meshd/backups \
	    /var/lib/meshd/server
	chown meshd:meshd /run/meshd /var/lib/meshd/agent \
	    /var/lib/meshd/backups /var/lib/meshd/server
fi
