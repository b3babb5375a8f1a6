# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 of others on either side: curl, nghttpd, h2load, h2spec."""

import os
import pathlib
import re

import pytest

H2 = "--http2-prior-knowledge"
BOTH = pytest.mark.parametrize("service", ["web", "h2"])
PORTS = {"web": 9000, "h2": 9004}
EITHER = pytest.mark.parametrize("version", ["--http1.1", H2])


@BOTH
@EITHER
def test_a_small_file(curl, service, version):
    out = curl("/small", version, "-w", "%{http_version}", service=service)
    assert out == "small\n" + ("2" if version == H2 else "1.1")


@EITHER
def test_the_service_of_http2_is_nghttpd(curl, version):
    head = curl("/missing", version, "-i", service="h2").lower()
    assert head.split()[1] == "404"
    assert "server: nghttpd" in head


@BOTH
@EITHER
def test_head_has_a_length_and_no_body(curl, service, version):
    head = curl("/small", version, "--head", service=service).lower()
    assert "content-length: 6" in head
    assert head.endswith("\n\n")


@EITHER
@pytest.mark.parametrize("length", [True, False])
def test_an_upload_comes_back(curl, version, length):
    text = "0123456789" * 20000
    words = [] if length else ["-H", "transfer-encoding: chunked"]
    assert curl("/up", version, "-X", "POST", "--data-binary", "@-", *words,
                service="h2", input=text) == text


def test_an_upload_reaches_nginx(curl, mesh):
    text = "0123456789" * 200000
    code = curl("/put/h2", H2, "-T", "-", "-w", "%{http_code}", input=text)
    assert code in ("201", "204")
    assert (mesh.nginx / "stored/put/h2").read_text() == text


@EITHER
def test_twenty_megabytes_come_down_whole(curl, mesh, tmp_path, version):
    """A name for each: nghttpd keeps a file that it has opened."""
    big = mesh.nghttpd / f"big{version}"
    big.write_bytes(os.urandom(20 << 20))
    curl(f"/{big.name}", version, "-o", tmp_path / "big", service="h2")
    assert (tmp_path / "big").read_bytes() == big.read_bytes()
    big.unlink()


# Debian 12's curl cannot use a connection of HTTP/2 again; h2load can.
@BOTH
@pytest.mark.parametrize("clients, streams", [(1, 1), (1, 100), (10, 20)])
def test_h2load_sees_no_failure(mesh, service, clients, streams):
    """It would leave out the brackets of an IPv6 address in :authority."""
    done = mesh.app.run(
        "h2load", "-n", 2000, "-c", clients, "-m", streams,
        "-H", f":authority: {service}",
        f"http://{mesh.app.at(PORTS[service])}/small")
    assert "2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, " \
        "0 errored, 0 timeout" in done.stdout, done.stdout + done.stderr
    assert "2000 2xx" in done.stdout


def test_h2spec_passes_all_its_cases(mesh):
    program = pathlib.Path(os.environ["H2SPEC"])
    log = program.with_name(program.name + ".log")
    why = log.read_text() if log.exists() else "make check-e2e builds it"
    assert program.exists(), f"there is no h2spec: {why}"
    host, port = mesh.app.at(PORTS["h2"]).rsplit(":", 1)
    done = mesh.app.run(program, "-h", host, "-p", port, "-o", 10)
    assert "145 tests, 145 passed, 0 skipped, 0 failed" in done.stdout, \
        done.stdout + done.stderr
