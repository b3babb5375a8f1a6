# SPDX-License-Identifier: Apache-2.0
"""remote — operators on another machine, by tokens with a role."""

import base64
import hashlib
import http.client
import signal
import socket
import ssl
import struct
import subprocess

import pytest

from mesh import DEADLINE, Mesh, Meshd, Process, families, wait_for
from test_10_offline import REVIEWS
from test_20_server import SERVICE

API = 15080


@pytest.fixture(scope="module", params=families("remote"))
def shared(request, tmp_path_factory):
    """A server on machine 1; operators are on machine 2."""
    with Mesh(tmp_path_factory.mktemp("remote"), request.param, 2) as it:
        yield it


@pytest.fixture
def mesh(shared):
    """The shared mesh, without configuration."""
    yield shared
    for item in shared.cli.items("get"):
        meta = item["metadata"]
        shared.cli.ok("delete", item["kind"], meta["name"],
                      "-n", meta["namespace"])
    assert shared.server.is_running


@pytest.fixture
def operator(mesh, tmp_path):
    """Makes an operator: a role, or a token, brought to machine 2."""
    def make(*words, token=None):
        if token is None:
            token = mesh.token("--role", *words)
        folder = tmp_path / hashlib.sha256(token.encode()).hexdigest()[:8]
        folder.mkdir()
        (folder / "token").write_text(token + "\n")
        cli = Meshd(folder, "no.sock", mesh.machine(2))
        cli.env["MESHD_TOKEN"] = f"@{folder / 'token'}"
        cli.token = token
        return cli
    return make


# --- tokens, taken apart ---


def parts_of(token):
    """What it says: servers, trust domain, root pin, id, secret."""
    text = token[4:]
    body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[2:-4]
    texts, at = [], 1
    for _ in range(body[0] + 1):
        texts.append(body[at + 1:at + 1 + body[at]])
        at += 1 + body[at]
    return {"servers": texts[:-1], "domain": texts[-1],
            "pin": body[at:at + 32], "id": body[at + 32:at + 40],
            "secret": body[at + 40:]}


def token_of(parts):
    """A token whose checksum is right, whatever it says."""
    texts = [*parts["servers"], parts["domain"]]
    body = bytes([len(parts["servers"])]) + b"".join(
        bytes([len(text)]) + text for text in texts)
    body += parts["pin"] + parts["id"] + parts["secret"]
    data = struct.pack(">H", len(body) + 4) + body
    data += hashlib.sha256(data).digest()[:4]
    return "mo1." + base64.urlsafe_b64encode(data).decode().rstrip("=")


def changed(token, **parts):
    return token_of({**parts_of(token), **parts})


def id_of(token):
    return parts_of(token)["id"].hex()


# --- the port, without our own client ---


def connect(mesh, machine=2):
    """TLS to the API's port, with nobody verified."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(
        mesh.machine(machine).connect(mesh.machine(1).ip, API))


def ask(conn, method="GET", path="/v1/status", token=None, **fields):
    """The answer's status, fields and JSON; the connection stays."""
    if token is not None:
        fields["Authorization"] = f"Bearer {token}"
    conn.request(method, path, headers=fields)
    answer = conn.getresponse()
    return answer.status, answer.headers, answer.read()


def http_to(mesh):
    conn = http.client.HTTPConnection(mesh.machine(1).ip, API)
    conn.sock = connect(mesh)
    return conn


# --- what an operator may ---


def test_an_admin_does_from_elsewhere_what_root_does_at_the_socket(
        mesh, operator):
    admin = operator("admin")
    assert admin.ok("apply", "-f", "-", stdin=REVIEWS).count("created") == 3
    assert admin.items("get") == mesh.cli.items("get")
    assert len(admin.items("get", "svc", "reviews")) == 1
    assert admin.json("status")["role"] == "server"
    assert "VirtualService/default/reviews" in admin.ok(
        "explain", "request", "http://reviews/x", "-H", "who: tester")
    assert admin.json("history")["items"][0]["actor"] == \
        f"admin token {id_of(admin.token)}"
    assert admin.ok("delete", "vs", "reviews").endswith("deleted\n")
    assert admin.items("members")[0]["status"] == "up"
    assert admin.items("endpoints") == [] and admin.items("node", "list") == []
    assert "BEGIN CERTIFICATE" in admin.ok("ca", "show")
    assert admin.ok("log", "level", "xds=info") == "changed\n"
    machines = admin.ok("token", "create", "--uses", "2").strip()
    assert machines.startswith("mj1.")
    admin.ok("token", "revoke", id_of(machines))


def test_a_token_of_an_operator_makes_a_machine_join(mesh, operator):
    token = operator("admin").ok("token", "create").strip()
    agent = mesh.agent(2).start(token)
    try:
        agent.joined()
        # What the agent answers is asked at its socket, whoever is elsewhere.
        assert "no.sock" not in agent.cli.ok(
            "exposed", env={"MESHD_TOKEN": "garbage"})
    finally:
        agent.stop(signal.SIGKILL)
        mesh.agents.remove(agent)
    mesh.cli.ok("node", "revoke", "vm2")


def refused(done, code, *words):
    assert done.returncode == code, done
    assert done.stdout == ""
    assert done.stderr.startswith("meshd: ") and done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr, done.stderr


def test_a_viewer_reads_and_writes_nothing(mesh, operator):
    viewer = operator("viewer")
    mesh.cli.ok("apply", "-f", "-", stdin=REVIEWS)
    before = mesh.cli.json("status")["revision"]
    assert len(viewer.items("get")) == 3
    assert viewer("diff", "-f", "-", stdin=REVIEWS).returncode == 0
    for words in (("apply", "-f", "-"), ("apply", "--dry-run", "-f", "-"),
                  ("delete", "svc", "reviews"), ("token", "create"),
                  ("token", "create", "--role", "admin"),
                  ("token", "revoke", id_of(viewer.token)),
                  ("node", "revoke", "x"), ("log", "level", "trace")):
        refused(viewer(*words, stdin=SERVICE % ("a", "a", 80)), 5,
                f"viewer token {id_of(viewer.token)} may only read",
                "this takes the role")
    assert mesh.cli.json("status")["revision"] == before


def test_an_editor_rolls_back_in_its_namespaces_only(mesh, operator):
    for ns in ("shop", "blog"):
        mesh.cli.ok("apply", "-n", ns, "-f", "-",
                    stdin=SERVICE % ("a", "a", 80))
    then = mesh.cli.json("status")["revision"]
    for ns in ("shop", "blog"):
        mesh.cli.ok("apply", "-n", ns, "-f", "-",
                    stdin=SERVICE % ("a", "a", 90))
    editor = operator("editor", "--namespaces", "shop")
    assert len(editor.items("history", "-n", "blog", "svc", "a")) == 2
    refused(editor("rollback", then), 5, "but not Service/blog/a")
    assert editor.ok("rollback", "-n", "shop", "svc", "a", then) == \
        "Service/shop/a updated\n"
    refused(editor("rollback", "-n", "blog", "svc", "a", then), 5)
    refused(operator("viewer")("rollback", then), 5, "may only read")


def test_an_editor_prunes_in_its_namespaces_only(mesh, operator):
    for ns in ("shop", "blog"):
        mesh.cli.ok("apply", "-n", ns, "-f", "-", stdin=(
            SERVICE % ("a", "a", 80)).replace("{name: a}",
                                              "{name: a, labels: {t: x}}"))
    editor = operator("editor", "--namespaces", "shop")
    out = editor.ok("apply", "-n", "shop", "--prune", "-l", "t=x", "-f", "-",
                    stdin=SERVICE % ("b", "b", 80))
    assert out == "Service/shop/b created\nService/shop/a deleted\n"
    assert len(mesh.cli.items("get", "svc", "a")) == 1


def test_an_editor_writes_in_its_namespaces_all_or_nothing(mesh, operator):
    editor = operator("editor", "--namespaces", "shop,web")
    inside = SERVICE % ("a", "a", 80)
    for namespace in ("shop", "web"):
        editor.ok("apply", "-n", namespace, "-f", "-", stdin=inside)
    mesh.cli.ok("apply", "-f", "-", stdin=inside)
    outside = inside.replace("{name: a}", "{name: b, namespace: default}")
    for stdin in (inside + "---\n" + outside, outside + "---\n" + inside):
        refused(editor("apply", "-n", "shop", "-f", "-",
                       stdin=stdin.replace(": 80", ": 81")), 5,
                "may write in the namespaces shop,web, but not "
                "Service/default/b")
    refused(editor("delete", "svc", "a"), 5, "Service/default/a")
    refused(editor("delete", "svc", "absent"), 5, "Service/default/absent")
    refused(editor("token", "create"), 5, "this takes the role admin")
    assert len(editor.items("get")) == 3, "it reads everything"
    editor.ok("delete", "svc", "a", "-n", "shop")
    assert {item["metadata"]["namespace"] for item in mesh.cli.items("get")} \
        == {"web", "default"}


def test_a_list_of_tokens_says_whom_each_is_for(mesh):
    made = {mesh.token("--role", "editor", "--namespaces", "shop",
                       "--note", "ci"): "editor",
            mesh.token("--role", "admin"): "admin", mesh.token(): "machine"}
    rows = {row["id"]: row for row in mesh.cli.items("token", "list")}
    for token, role in made.items():
        row = rows[id_of(token)]
        assert row["role"] == role and row["state"] == "valid"
        secret = parts_of(token)["secret"]
        for form in (secret.hex(), base64.b64encode(secret).decode()[:-2]):
            assert form not in str(row)
    assert [row["note"] for row in rows.values()
            if row["role"] == "editor" and row["note"]] == ["ci"]
    state = mesh.cli.state / "mesh.db"
    for name in (state, state.with_name("mesh.db-wal")):
        for token in made:
            assert parts_of(token)["secret"] not in name.read_bytes()


def test_bounds_that_are_not_an_operators_are_refused(mesh):
    for words, part in ((("--role", "boss"), "viewer, editor or admin"),
                        (("--role", "viewer", "--uses", "2"),
                         "for an operator"),
                        (("--role", "admin", "--cidr", "10.0.0.0/8"),
                         "for an operator"),
                        (("--role", "viewer", "--namespaces", "shop"),
                         "only an editor"),
                        (("--role", "editor", "--lifetime", "9000h"),
                         "365 days")):
        refused(mesh.cli("token", "create", *words), 3, part)


# --- who is refused, and how ---


def test_an_expired_token_is_refused_by_the_servers_clock(operator):
    viewer = operator("viewer", "--lifetime", "1s")
    wait_for(lambda: viewer("get").returncode != 0, "it expires")
    refused(viewer("get"), 5, "the operator token has expired (",
            "meshd token create --role")


def test_a_revoked_token_is_refused_at_once_on_a_living_connection(
        mesh, operator):
    viewer = operator("viewer")
    conn = http_to(mesh)
    for _ in range(2):
        assert ask(conn, token=viewer.token)[0] == 200
    mesh.cli.ok("token", "revoke", id_of(viewer.token))
    status, headers, body = ask(conn, token=viewer.token)
    assert status == 401 and headers["Connection"] == "close"
    assert b'"operator_token_revoked"' in body
    refused(viewer("get"), 5, "the operator token was revoked")


def test_another_secret_and_another_id_are_told_apart(operator):
    token = operator("viewer").token
    wrong = changed(token, secret=bytes(16))
    refused(operator(token=wrong)("get"), 5, "has the wrong secret",
            "copy the whole token again")
    refused(operator(token=changed(token, id=bytes(8)))("get"), 5,
            "this server knows no such operator token")


def test_a_server_of_another_root_gets_no_token(mesh, operator):
    viewer = operator("viewer")
    stranger = operator(token=changed(viewer.token, pin=bytes(32)))
    before = mesh.server.text
    refused(stranger("get"), 1,
            "this is not the server that the token was made for",
            f"{mesh.net.join(mesh.machine(1).ip, API)}")
    assert mesh.server.text.count("operator refused") == \
        before.count("operator refused")


def test_each_kind_of_token_is_refused_in_place_of_the_other(mesh, operator):
    viewer = operator("viewer")
    refused(viewer("get", "--token", mesh.token()), 3,
            "this is a token for joining", "meshd token create --role")
    agent = mesh.agent(2, name="wrong")
    try:
        agent.start()
        wait_for(agent.status, "the agent answers")
        done = agent.cli("join", viewer.token)
        assert done.returncode != 0
        assert "this is an operator's token" in done.stderr
        # The letters alone do not make it one of the other kind.
        done = agent.cli("join", "mj1." + changed(
            viewer.token, servers=parts_of(mesh.token())["servers"])[4:])
        assert done.returncode == 5, done
        assert "knows no such token" in done.stderr
    finally:
        agent.stop(signal.SIGKILL)
        mesh.agents.remove(agent)
    fresh = changed(
        mesh.token(), servers=parts_of(viewer.token)["servers"])
    refused(operator(token=fresh)("get"), 5, "knows no such operator token")


def test_garbage_is_no_token(operator):
    viewer = operator("viewer")
    refused(viewer("get", "--token", "garbage"), 3, "--token: ",
            'begins with "mo1."')
    refused(viewer("get", "--token", viewer.token[:-3]), 3, "cut short")
    refused(viewer("get", "--token", "@/nowhere"), 1, "/nowhere")
    refused(viewer("get", "--token", ""), 3, "the token is empty")
    done = viewer("get", env={"MESHD_TOKEN": ""})
    assert done.returncode == 4, "as if it were not set: the socket is asked"


def test_strangers_get_a_reason_and_no_more(mesh, operator):
    for token, code in ((None, "missing"), ("garbage", "bad"),
                        (mesh.token(), "bad")):
        status, headers, body = ask(http_to(mesh), token=token)
        assert status == 401, body
        assert headers["WWW-Authenticate"] == 'Bearer realm="meshd"'
        assert f'"operator_token_{code}"'.encode() in body
        assert b'"hint"' in body
    conn = http_to(mesh)
    assert ask(conn, path="/v1/nothing")[0] == 401, "not even which paths"
    status, _, body = ask(http_to(mesh), path="/healthz/ready")
    assert (status, body) == (200, b"serving\n")
    assert ask(http_to(mesh), "POST", "/healthz/ready")[0] == 401
    assert "code=operator_token_missing" in mesh.server.text
    plain = mesh.machine(2).connect(mesh.machine(1).ip, API)
    plain.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"HTTP" not in plain.recv(4096)
    operator("viewer").ok("status")


def test_nobodys_body_is_taken_before_the_token_is_known(mesh):
    with connect(mesh) as conn:
        conn.sendall(b"POST /v1/apply HTTP/1.1\r\nHost: x\r\n"
                     b"Content-Length: 16000000\r\n"
                     b"Expect: 100-continue\r\n\r\n" + b"x" * 5000)
        assert conn.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_one_address_cannot_take_all_connections(mesh, operator):
    viewer = operator("viewer")
    held = [connect(mesh) for _ in range(32)]
    with pytest.raises(OSError):
        connect(mesh)
    done = viewer("get")
    assert done.returncode == 4, "its machine has too many"
    here = Meshd(mesh.cli.folder, "no.sock", mesh.machine(1))
    here.ok("get", "--token", changed(
        viewer.token, servers=[mesh.machine(1).at(API).encode()]))
    for conn in held:
        conn.close()
    wait_for(lambda: viewer("get").returncode == 0, "they are free again")


# --- finding the server ---


def test_a_tokens_addresses_are_tried_in_order(mesh, operator):
    viewer = operator("viewer")
    silent = mesh.machine(1).listen(mesh.machine(1).ip, 15999)
    live = parts_of(viewer.token)["servers"]
    dead = [mesh.net.join(mesh.machine(1).ip, port).encode()
            for port in (15998, 15999)]
    try:
        operator(token=changed(viewer.token, servers=dead + live)).ok("get")
    finally:
        silent.close()
    refused(operator(token=changed(viewer.token, servers=dead))("get"), 4,
            "no server answers", "15999", "is meshd running there")


def test_the_token_comes_by_flag_environment_or_settings(
        mesh, operator, write):
    viewer = operator("viewer")
    path = viewer.env.pop("MESHD_TOKEN")
    assert viewer("status").returncode == 4
    viewer.ok("status", "--token", path)
    viewer.ok("status", "--token", "-", stdin=viewer.token + "\r\n")
    viewer.ok("status", env={"MESHD_TOKEN": viewer.token})
    conf = write("meshd.conf", f"[cli]\ntoken = {path}\n")
    viewer.ok("status", env={"MESHD_CONF": str(conf)})


# --- the port ---


def curl(mesh, pin, *words):
    where = mesh.net.join(mesh.machine(1).ip, API)
    return mesh.machine(2).run(
        "curl", "-sS", "--max-time", DEADLINE, "--pinnedpubkey", pin,
        *words, f"https://{where}/v1/status")


def test_curl_pins_a_key_that_outlives_the_server(mesh, operator, write):
    viewer = operator("viewer")
    shown = mesh.cli.json("ca", "show")
    root = write("root.pem", shown["rootPem"])
    words = ("-H", f"Authorization: Bearer {viewer.token}")
    for verified in (("-k",), ("--cacert", root)):
        done = curl(mesh, shown["apiPin"], *verified, *words)
        assert '"role":"server"' in done.stdout, done.stderr
    assert mesh.server.stop() == 0
    mesh.server.start()
    assert mesh.cli.json("ca", "show")["apiPin"] == shown["apiPin"]
    done = curl(mesh, shown["apiPin"], "-k", *words)
    assert '"role":"server"' in done.stdout, done.stderr
    other = "sha256//" + base64.b64encode(bytes(32)).decode()
    assert curl(mesh, other, "-k", *words).returncode == 90
    assert (mesh.cli.state / "api.key").stat().st_mode & 0o777 == 0o600
    viewer.ok("status")


def test_a_port_that_is_taken_ends_the_start_in_words(meshd):
    meshd.ok("server", "init")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = meshd("server", "run", "--api", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert f"port {port} is taken" in done.stderr
    assert not meshd.socket.exists()


def test_a_server_without_the_port_makes_no_tokens_for_it(meshd):
    meshd.ok("server", "init")
    server = Process(meshd, ["server", "run", "--api", "off"]).start()
    try:
        wait_for(lambda: meshd("status").returncode == 0, "it serves")
        refused(meshd("token", "create", "--role", "admin"), 3, "--api")
        meshd.ok("token", "create")
    finally:
        server.stop(signal.SIGKILL)


def test_a_key_that_others_may_read_is_not_used(meshd):
    meshd.ok("server", "init")
    key = meshd.state / "api.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", key], check=True,
                   capture_output=True, timeout=DEADLINE)
    key.chmod(0o644)
    done = meshd("server", "run")
    assert done.returncode == 5, done
    assert "api.key" in done.stderr
