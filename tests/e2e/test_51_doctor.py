# SPDX-License-Identifier: Apache-2.0
"""doctor — what it finds on a machine, and that what it says mends it.

Each test breaks one thing of a machine whose agent serves, and looks at what
is found, at the exit status and, where a command can mend it alone, whether it
does.
"""

import base64
import contextlib
import datetime
import email.utils
import hashlib
import itertools
import json
import os
import ssl
import subprocess
import threading
import time

import h2.config
import h2.connection
import h2.events
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mesh import Mesh, Meshd

NUMBERS = itertools.count(1)
NOW = datetime.datetime.now(datetime.timezone.utc)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    with Mesh(tmp_path_factory.mktemp("doctor"), 4, machines=3) as it:
        yield it


@pytest.fixture
def agent(mesh):
    """One that serves, and that no other test knows."""
    it = mesh.member(2, name=f"patient-{next(NUMBERS)}")
    yield it
    it.stop()


def doctor_of(agent):
    """The command on the agent's machine."""
    return Meshd(agent.cli.folder, "agent.sock", agent.machine)


def examine(cli, *words, **options):
    """What was found, by check, of those that are not ok; its exit status."""
    done = cli("doctor", *words, "-o", "json", **options)
    assert done.stderr == "", done
    told = json.loads(done.stdout)
    for item in told["items"]:
        assert (item["mend"] == "") == (item["level"] == "ok"), item
    assert done.returncode == (1 if told["problems"] else 0), done
    return told["items"]


def found(items, check, level):
    """The texts of one check and level, and the commands that mend it."""
    return [(i["text"], i["mend"]) for i in items
            if i["check"] == check and i["level"] == level]


def assert_healthy(cli, *but):
    """No problem; no warning but of these checks."""
    items = examine(cli)
    bad = [i for i in items if i["level"] != "ok" and i["check"] not in but]
    assert bad == [], bad
    return items


def mend(command):
    subprocess.run(["sh", "-ec", command], check=True, timeout=60)


def load(machine, rules):
    subprocess.run([*machine.enter, "nft", "-f", "-"], input=rules, text=True,
                   check=True, timeout=60)


def test_a_machine_that_serves_is_well(mesh, agent):
    items = assert_healthy(doctor_of(agent))
    texts = " ".join(i["text"] for i in items)
    assert "the agent serves" in texts
    assert f"{mesh.machine(1).ip}:15012 answers, and its clock is as" in texts
    assert "packets of 1200 bytes get to" in texts, texts
    told = doctor_of(agent).ok("doctor")
    assert told.endswith("\n0 problems, 0 warnings\n"), told
    assert "something is wrong" not in agent.text


def test_a_server_is_looked_at_by_its_folder(mesh):
    cli = Meshd(mesh.cli.folder, "server.sock", mesh.machine(1))
    items = assert_healthy(cli)
    assert found(items, "server", "ok") == [("the server serves", "")]
    assert "signer.pem is" in found(items, "certificate", "ok")[0][0]


def test_a_server_says_whether_a_token_may_be_used(mesh):
    cli = Meshd(mesh.cli.folder, "server.sock", mesh.machine(1))
    known = {i["id"] for i in mesh.cli.items("token", "list")}
    token = mesh.token()
    told = found(examine(cli, "--join", token), "token", "ok")
    assert ("this server calls the token valid", "") in told, told
    ident, = {i["id"] for i in mesh.cli.items("token", "list")} - known
    mesh.cli.ok("token", "revoke", ident)
    told = found(examine(cli, "--join", token), "token", "problem")
    assert told == [("this server calls the token revoked",
                     "meshd token create")]


def test_others_may_not_look_into_the_folder(agent):
    key = agent.cli.state / "node.key"
    agent.cli.state.chmod(0o755)
    key.chmod(0o644)
    items = examine(doctor_of(agent))
    (text, open_folder), = found(items, "state", "warning")
    assert "others may look into" in text
    (text, open_key), = found(items, "state", "problem")
    assert "node.key (mode 0644)" in text
    mend(open_folder)
    mend(open_key)
    assert_healthy(doctor_of(agent))


def test_files_of_another_user_are_told(agent):
    """As after a start as root, by hand."""
    os.chown(agent.cli.state / "gossip.key", 65534, 65534)
    (text, command), = found(
        examine(doctor_of(agent)), "state", "problem")
    assert "gossip.key is of user 65534, the folder of user 0" in text
    mend(command)
    assert_healthy(doctor_of(agent))


def test_a_port_is_held_by_somebody_else(agent):
    agent.stop()
    held = agent.machine.listen("0.0.0.0", 15008)
    with held:
        items = examine(doctor_of(agent))
        (text, command), = found(items, "ports", "problem")
        assert "TCP port 0.0.0.0:15008 (hbone) is held by " in text, text
        assert f"(process {os.getpid()})" in text, text
        assert command == f"kill {os.getpid()}" or command.startswith(
            "systemctl stop "), command
        assert "systemctl start meshd-agent" in found(
            items, "agent", "warning")[0][1]
        agent.start()
        agent.says("check=ports")
        agent.says("15008 (hbone) is held by")
    agent.joined()


def issued(mesh, name, namespace, key, begins, ends):
    """A certificate by the server's own intermediate, and its chain."""
    state = mesh.cli.state
    chain = (state / "signer.pem").read_bytes()
    signer = serialization.load_pem_private_key(
        (state / "signer.key").read_bytes(), None)
    issuer = x509.load_pem_x509_certificate(chain)  # the first
    uri = f"spiffe://mesh.internal/ns/{namespace}/sa/{name}"
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment",
         "key_agreement", "key_cert_sign", "crl_sign", "encipher_only",
         "decipher_only"), False)
    made = x509.CertificateBuilder(
        issuer.subject, x509.Name([x509.NameAttribute(
            x509.NameOID.COMMON_NAME, name)]), key.public_key(), 77,
        begins, ends).add_extension(x509.SubjectAlternativeName(
            [x509.UniformResourceIdentifier(uri)]), False).add_extension(
            x509.BasicConstraints(False, None), True).add_extension(
            x509.KeyUsage(True, **usage), True).sign(signer, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM) + chain


def test_the_certificate_has_ended(mesh, agent):
    agent.stop()
    state = agent.cli.state
    good = (state / "node.pem").read_bytes()
    key = serialization.load_pem_private_key(
        (state / "node.key").read_bytes(), None)
    day = datetime.timedelta(days=1)
    for ends, level, words in (
            (NOW - 3 * day, "problem", "node.pem ended 3 d ago"),
            (NOW + day, "warning", "should have been renewed by now")):
        (state / "node.pem").write_bytes(issued(
            mesh, agent.name, "meshd-nodes", key, ends - 7 * day, ends))
        (text, command), = found(
            examine(doctor_of(agent)), "certificate", level)
        assert words in text, text
        assert "meshd-agent" in command
    other = ec.generate_private_key(ec.SECP256R1())
    (state / "node.pem").write_bytes(issued(
        mesh, agent.name, "meshd-nodes", other, NOW - day / 24, NOW + day))
    (text, _), = found(examine(doctor_of(agent)), "certificate", "problem")
    assert "for another key" in text
    (state / "node.pem").write_bytes(good)
    assert_healthy(doctor_of(agent), "agent")


def test_no_server_is_reached(mesh, agent):
    load(agent.machine, "table inet cut {\nchain out {\n"
         "type filter hook output priority 0;\n"
         "tcp dport 15012 reject with tcp reset\n"
         "udp dport 15946 drop\n}\n}\n")
    try:
        items = examine(doctor_of(agent))
    finally:
        agent.machine.run("nft", "flush", "ruleset")
    (text, _), = found(items, "servers", "problem")
    assert f"server {mesh.machine(1).ip}:15012: " in text
    (text, _), = found(items, "gossip", "problem")
    assert "does not answer by UDP" in text


def test_long_packets_get_lost(mesh, agent):
    """What a tunnel on the way does that tells nobody of its MTU."""
    load(mesh.machine(1), "table inet narrow {\nchain in {\n"
         "type filter hook input priority 0;\n"
         "udp dport 15946 udp length > 1000 drop\n}\n}\n")
    try:
        (text, command), = found(
            examine(doctor_of(agent)), "gossip", "problem")
    finally:
        mesh.machine(1).run("nft", "delete", "table", "inet", "narrow")
    assert "short packets get to" in text and "1200" in text
    assert command == f"tracepath -n {mesh.machine(1).ip}"


def test_a_rule_keeps_gossip_out(mesh, agent):
    machine = agent.machine
    load(machine, "table inet filter {\nchain input {\n"
         "type filter hook input priority 0; policy drop;\n"
         "ct state established,related accept\niif \"lo\" accept\n"
         "tcp dport { 22, 15008 } accept\n}\n}\n"
         "table ip nat {\nchain OUTPUT {\n"
         "type nat hook output priority -100;\n"
         "tcp dport 15000-15020 redirect to :9999\n}\n}\n")
    try:
        items = found(examine(doctor_of(agent)), "firewall", "warning")
        assert len(items) == 3, items
        assert all("filter" in t and "15946" in t for t, _ in items[:2])
        assert "sends elsewhere what goes to port 15008" in items[2][0]
        for _, command in items:
            done = machine.run("sh", "-c", command)
            assert done.returncode == 0, (command, done)
        assert found(examine(doctor_of(agent)), "firewall", "warning") == []
    finally:
        machine.run("nft", "flush", "ruleset")


# --- a server whose clock is another ---


def redirected(token, there, here):
    """The token with another server's address, as token.c writes it."""
    text = token.removeprefix("mj1.")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    body = raw[2:-4].replace(
        bytes([len(there)]) + there.encode(),
        bytes([len(here)]) + here.encode())
    raw = (len(body) + 4).to_bytes(2, "big") + body
    raw += hashlib.sha256(raw).digest()[:4]
    return "mj1." + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def answer_one(listener, context, date):
    """A request of HTTP/2 over TLS, answered with this date."""
    with contextlib.suppress(OSError):
        conn = context.wrap_socket(listener.accept()[0], server_side=True)
        with conn:
            http = h2.connection.H2Connection(
                h2.config.H2Configuration(client_side=False))
            http.initiate_connection()
            conn.sendall(http.data_to_send())
            while data := conn.recv(65536):
                for event in http.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        http.send_headers(event.stream_id, [
                            (":status", "404"), ("date", date)], True)
                conn.sendall(http.data_to_send())


def test_the_clock_is_another_than_the_servers(mesh, tmp_path):
    machine = mesh.machine(3)
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    hour = datetime.timedelta(hours=1)
    (tmp_path / "chain.pem").write_bytes(issued(
        mesh, "other", "meshd-servers", key, NOW - hour, NOW + 24 * hour))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    context.set_alpn_protocols(["h2"])
    token = redirected(mesh.token(), f"{mesh.machine(1).ip}:15012",
                       "127.0.0.1:15012")
    cli = Meshd(tmp_path, machine=machine)
    for off, level, words in (
            (-3600, "warning", "clock is 1 h ahead of its clock"),
            (86400 * 3, "problem", "clock is 2 d behind its clock"),
            (5, "ok", "its clock is as this machine's")):
        with machine.listen("127.0.0.1", 15012) as listener:
            thread = threading.Thread(target=answer_one, args=(
                listener, context,
                email.utils.formatdate(time.time() + off, usegmt=True)))
            thread.start()
            items = examine(cli, "--join", token)
            thread.join()
        told = found(items, "servers", level)
        assert len(told) == 1 and words in told[0][0], items
        assert "the token is whole" in found(items, "token", "ok")[0][0]


def test_a_token_of_another_mesh_is_not_for_this_server(mesh, tmp_path):
    """Its pin is of another root than the one that answers."""
    token = mesh.token()
    text = token.removeprefix("mj1.")
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    raw[-40] ^= 1  # in the pin
    raw[-4:] = hashlib.sha256(raw[:-4]).digest()[:4]
    wrong = "mj1." + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    cli = Meshd(tmp_path, machine=mesh.machine(3))
    (text, command), = found(
        examine(cli, "--join", wrong), "servers", "problem")
    assert "somebody else answers there" in text
    assert command == "meshd token create"
    (text, _), = found(
        examine(cli, "--join", token[:-9]), "token", "problem")
    assert "cut short" in text
    assert found(examine(cli, "--join", token), "servers", "problem") == []
