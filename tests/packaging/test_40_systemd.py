# SPDX-License-Identifier: Apache-2.0
"""systemd — the units run, confined as they are, by a systemd that is the
first process of a container."""

from conftest import BEGIN, PACKAGES, VERSION

DEB = next(PACKAGES.glob(f"meshd_{VERSION}_*.deb"))

LIFE = BEGIN + r"""
meshd server init
systemctl start meshd-server
says 'Serves mesh.internal to agents' status meshd-server
meshd status --socket /run/meshd/server.sock >/dev/null
(umask 077; meshd token create >/etc/meshd/token)
cat >/etc/meshd/meshd.conf <<END
[agent]
name = one
gossip = 15947
access-log = /var/log/meshd/access.log
END
systemctl start meshd-agent
says 'Serves as one of mesh.internal' status meshd-agent
says 'one ' meshd members
meshd apply -f - <<END
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80, name: http}]}
END
meshd expose web 80:8080 --protocol http
says 'in use' meshd endpoints web
meshd server backup /var/lib/meshd/backups/mesh.db
stat -c '%n %U %a' /var/lib/meshd/backups/mesh.db /var/log/meshd/access.log

# By the step of meshd-capture(7); ready is when it captures again.
meshd capture status
install -D -m 644 -t /etc/systemd/system/meshd-agent.service.d \
    /usr/share/meshd/meshd-capture.conf
systemctl daemon-reload
systemctl restart meshd-agent
meshd capture on
systemctl restart meshd-agent
echo "again: $(meshd capture status | head -n 1)"
grep -h CapEff /proc/$(systemctl show --value -p MainPID meshd-agent)/status
meshd capture off
meshd expose --unit none
test -e /etc/systemd/system/none.service.d/50-meshd.conf

# A member needs no token, nor a server, nor the other's runtime folder.
rm /etc/meshd/token
systemctl stop meshd-server
test -S /run/meshd/agent.sock
systemctl reload meshd-agent
systemctl restart meshd-agent
[[ $(status meshd-agent) == 'Serves as one of mesh.internal' ]]
says 'web' meshd exposed

# It hangs; systemd notices.
mkdir /run/systemd/system/meshd-agent.service.d
printf '[Service]\nWatchdogSec=4s\nTimeoutAbortSec=1s\n' \
    >/run/systemd/system/meshd-agent.service.d/short.conf
systemctl daemon-reload
systemctl restart meshd-agent
sleep 5
echo restarts: $(systemctl show --value -p NRestarts meshd-agent)
kill -STOP $(systemctl show --value -p MainPID meshd-agent)
says 1 systemctl show --value -p NRestarts meshd-agent
says 'Serves as one' status meshd-agent

# The same member as a gateway, in the agent's place.
systemctl start meshd-gateway
says 'Serves as one of mesh.internal' status meshd-gateway
says inactive systemctl is-active meshd-agent
grep Cap /proc/$(systemctl show --value -p MainPID meshd-gateway)/status
systemctl stop meshd-gateway

# Nothing was started by installing it; purged, nothing stays.
dpkg -P meshd >/dev/null
find / -xdev -name '*meshd*' -not -path '/proc/*' -not -path '/root/*' \
    -not -path '/var/cache/*' -not -path '/run/credentials/*'
getent passwd meshd || echo no user
"""


def test_the_units_live_confined_and_go_with_the_package(root, boot):
    root.sh(f"dpkg -i {root.copy(DEB)} >/dev/null")
    told = boot(LIFE)
    lines = told.splitlines()
    assert "/var/lib/meshd/backups/mesh.db meshd 600" in lines, told
    assert "/var/log/meshd/access.log meshd 600" in lines, told
    assert "captures  no, and this agent has not the right to " \
        "(CAP_NET_ADMIN)" in lines, told
    assert "again: captures  yes" in lines, told
    assert "CapEff:\t0000000000000000" in lines, told
    assert "restarts: 0" in lines, told
    assert "CapEff:\t0000000000000400" in lines, told  # CAP_NET_BIND_SERVICE
    assert "CapBnd:\t0000000000000400" in lines, told
    assert lines[-2:] == ["no user", "done"], told
    assert not [n for n in lines if n.startswith("/") and "meshd" in n and
                n.count(" ") == 0], told
