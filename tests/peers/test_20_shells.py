# SPDX-License-Identifier: Apache-2.0
"""Protocols in which the server speaks first, and both at will: SSH, SMTP."""

import hashlib
import os
import smtplib

import pytest

from mesh import wait_for
from conftest import SERVICES, done, home_port, program

SSHD = """\
ListenAddress {listen}
HostKey {home}/host
AuthorizedKeysFile {home}/user.pub
PidFile none
StrictModes no
UsePAM no
"""

SMTPD = """\
listen on {loopback} port {port}
action keep maildir "{home}/box"
match from any for domain "example.org" action keep
"""


@pytest.fixture(scope="module")
def ssh(pair, serve):
    """A command by ssh from vm3; bytes in and out."""
    sshd = program("/usr/sbin/sshd")
    home = pair.home / "ssh"
    home.mkdir()
    os.makedirs("/run/sshd", exist_ok=True)
    for name in ("host", "user"):
        done(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
              home / name])
    conf = home / "sshd_config"
    conf.write_text(SSHD.format(
        home=home, listen=pair.service.at(home_port("ssh"))))
    serve("ssh", sshd, "-D", "-e", "-f", conf)

    def run(command, data=""):
        ran = pair.app.run(
            "ssh", "-F", "none", "-i", home / "user", "-p",
            SERVICES["ssh"][0], "-o", "BatchMode=yes", "-o",
            "StrictHostKeyChecking=no", "-o",
            f"UserKnownHostsFile={home}/known", f"root@{pair.app.loopback}",
            command, input=data)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout
    return run


def test_ssh_runs_a_command(ssh):
    assert ssh("echo $((6 * 7))") == "42\n"


def test_ssh_carries_bytes_and_the_end_of_input(ssh):
    data = os.urandom(4 << 20).hex()
    assert ssh("sha256sum", data).split()[0] == \
        hashlib.sha256(data.encode()).hexdigest()
    assert ssh("cat", data) == data


@pytest.fixture(scope="module")
def box(pair, serve):
    """Where OpenSMTPD puts what it accepts."""
    smtpd = program("/usr/sbin/smtpd")
    home = pair.home / "smtp"
    (home / "box").mkdir(parents=True)
    done(["chown", "nobody", home / "box"])
    conf = home / "smtpd.conf"
    conf.write_text(SMTPD.format(home=home, loopback=pair.service.loopback,
                                 port=home_port("smtp")))
    # Its socket and its queue have one place on a machine.
    serve("smtp", "unshare", "--mount", "sh", "-c",
          "mount -t tmpfs smtp /run && mount -t tmpfs smtp /var/spool/smtpd "
          f"&& chmod 711 /var/spool/smtpd && exec {smtpd} -d -f {conf}")
    return home / "box"


def test_mail_is_delivered(pair, box):
    with smtplib.SMTP(timeout=30) as smtp:
        smtp.sock = pair.app.connect(pair.app.loopback, SERVICES["smtp"][0])
        assert smtp.getreply()[0] == 220
        for number in range(3):
            smtp.sendmail("a@example.org", ["nobody@example.org"],
                          f"Subject: {number}\r\n\r\n" + "line\r\n" * 20000)
    wait_for(lambda: len(list(box.glob("new/*"))) == 3,
             lambda: f"three mails are here: {list(box.rglob('*'))}, "
             f"{(pair.home / 'smtp.log').read_text()}")
    for mail in box.glob("new/*"):
        assert mail.read_text().count("line\n") == 20000
