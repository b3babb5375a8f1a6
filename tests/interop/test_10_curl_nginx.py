# SPDX-License-Identifier: Apache-2.0
"""curl to nginx, through a pair of agents."""

import hashlib
import os

import pytest

MIB = 1 << 20


def test_a_small_file(curl):
    assert curl("/small") == "small\n"


def test_status_and_headers_are_nginx_own(curl):
    head = curl("/missing", "-i")
    assert head.startswith("HTTP/1.1 404 Not Found")
    assert "server: nginx" in head.lower()


def test_one_connection_carries_many_requests(curl):
    out = curl("/small?[1-50]", "-w", "%{num_connects} ")
    assert out.count("small\n") == 50
    counts = [int(word) for word in out.split() if word.isdigit()]
    assert sum(counts) == 1


def test_the_connection_to_nginx_is_kept_too(curl):
    assert len(set(curl("/connection?[1-10]", "-w", "\n").split())) == 1


def test_head_has_a_length_and_no_body(curl):
    head = curl("/small", "--head").lower()
    assert "content-length: 6" in head
    assert head.endswith("\n\n")


def test_a_close_delimited_answer_for_http_1_0(curl):
    out = curl("/small", "--http1.0", "-i")
    assert out.endswith("small\n")


def test_an_answer_after_which_nginx_closes(curl):
    assert curl("/closed?[1-5]") == "small\n" * 5


def test_a_range(curl):
    assert curl("/small", "-r", "1-3") == "mal"


def test_an_upload_with_a_length(curl, mesh):
    curl("/put/length", "-T", "-", "-H", "transfer-encoding:",
         "-H", "content-length: 5", input="hello")
    assert (mesh.nginx / "stored/put/length").read_text() == "hello"


def test_an_upload_in_chunks(curl, mesh):
    text = "0123456789" * 20000
    code = curl("/put/chunks", "-T", "-", "-w", "%{http_code}", input=text)
    assert code in ("201", "204")
    assert (mesh.nginx / "stored/put/chunks").read_text() == text


def test_expect_100_continue_is_asked_and_answered(curl, mesh, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"y" * MIB)
    out = mesh.app.run(
        "curl", "-sv", "-T", path, "-H", "Expect: 100-continue",
        "--expect100-timeout", "30", "--max-time", "60",
        f"http://{mesh.app.at(9000)}/put/expected")
    assert out.returncode == 0, out.stderr
    assert "HTTP/1.1 100 Continue" in out.stderr
    assert (mesh.nginx / "stored/put/expected").stat().st_size == MIB


def test_a_delete(curl, mesh):
    curl("/put/gone", "-T", "-", input="x")
    assert curl("/put/gone", "-X", "DELETE", "-o", "/dev/null", "-w",
                "%{http_code}") == "204"
    assert not (mesh.nginx / "stored/put/gone").exists()


@pytest.fixture(scope="session")
def big(mesh):
    """100 MB in nginx's folder; its checksum."""
    digest = hashlib.sha256()
    with open(mesh.nginx / "www" / "big", "wb") as out:
        block = os.urandom(MIB)
        for number in range(100):
            part = number.to_bytes(8, "big") + block[8:]
            digest.update(part)
            out.write(part)
    yield digest.hexdigest()
    (mesh.nginx / "www" / "big").unlink()


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_a_hundred_megabytes_come_down_whole(curl, big, tmp_path):
    curl("/big", "-o", tmp_path / "big")
    assert digest_of(tmp_path / "big") == big
    (tmp_path / "big").unlink()


def test_a_hundred_megabytes_go_up_whole(curl, mesh, big):
    curl("/put/big", "-T", mesh.nginx / "www" / "big")
    stored = mesh.nginx / "stored/put/big"
    assert digest_of(stored) == big
    stored.unlink()


def test_a_client_that_leaves_half_way_hurts_nobody(curl, mesh, big):
    assert len(big) == 64
    done = mesh.app.run("sh", "-c", "curl -s --max-time 60 "
                        f"http://{mesh.app.at(9000)}/big | head -c 100000 "
                        "| wc -c")
    assert done.stdout.strip() == "100000"
    assert curl("/small") == "small\n"
