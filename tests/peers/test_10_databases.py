# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, whose client begins, and MariaDB, whose server does."""

import hashlib
import shutil

import pytest

from conftest import SERVICES, done, home_port, program

POSTGRES = "/usr/lib/postgresql/*/bin/"


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def postgres(pair, serve, certificate):
    """psql on vm3; more words are psql's."""
    server = program(POSTGRES + "postgres")
    home = pair.home / "postgres"
    home.mkdir()
    for source in certificate:
        shutil.copy(source, home)
        (home / source.name).chmod(0o600)
    done(["chown", "-R", "postgres", home])
    as_user = ["runuser", "-u", "postgres", "--"]
    done([*as_user, program(POSTGRES + "initdb"), "-D", home / "data",
          "-A", "trust", "-N"], cwd=home)
    hosts = ["all all 0.0.0.0/0 trust", "all all ::/0 trust"]
    (home / "data/pg_hba.conf").write_text(
        "".join(f"host {line}\n" for line in hosts))
    serve("postgres", *as_user, server, "-D", home / "data",
          "-p", home_port("postgres"), "-h", pair.service.loopback,
          "-k", home, "-F", "-c", "ssl=on",
          "-c", f"ssl_key_file={home / 'tls.key'}",
          "-c", f"ssl_cert_file={home / 'tls.crt'}")

    def run(sql, mode="disable"):
        ran = pair.app.run(
            "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1",
            f"host={pair.app.loopback} port={SERVICES['postgres'][0]} "
            f"user=postgres sslmode={mode}", input=sql)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()
    return run


@pytest.mark.parametrize("mode", ["disable", "require"])
def test_postgres_is_asked_with_tls_and_without(postgres, mode):
    out = postgres("select ssl from pg_stat_ssl where pid = "
                   "pg_backend_pid();", mode)
    assert out == ("t" if mode == "require" else "f")


@pytest.mark.parametrize("mode", ["disable", "require"])
def test_postgres_sends_a_million_rows(postgres, mode):
    out = postgres("select n, md5(n::text) from generate_series(1, 1000000) "
                   "as n;", mode)
    assert out.count("\n") == 999999
    assert out.endswith(f"1000000|{md5('1000000')}")


def test_postgres_takes_what_is_copied_in(postgres):
    rows = "".join(f"{n}\tline {n}\n" for n in range(200000))
    out = postgres("create temp table t (n int, s text);\n"
                   f"copy t from stdin;\n{rows}\\.\n"
                   "select count(*), max(n) from t;\n")
    assert out.splitlines()[-1] == "200000|199999"


def test_pgbench_loses_no_transaction(pair, postgres):
    assert postgres("select 1") == "1"
    at = ["-h", pair.app.loopback, "-p", SERVICES["postgres"][0],
          "-U", "postgres"]
    bench = program(POSTGRES + "pgbench")
    ran = pair.app.run(bench, "-i", "-q", *at, "postgres")
    assert ran.returncode == 0, ran.stderr
    ran = pair.app.run(bench, "-c", 8, "-t", 50, *at, "postgres")
    assert "number of transactions actually processed: 400/400" in ran.stdout
    assert "number of failed transactions: 0" in ran.stdout


@pytest.fixture(scope="module")
def mariadb(pair, serve):
    """The client on vm3."""
    server = program("mariadbd")
    home = pair.home / "mariadb"
    home.mkdir()
    done([program("mariadb-install-db"), "--no-defaults", "--user=root",
          f"--datadir={home}", "--skip-test-db"])
    serve("mariadb", server, "--no-defaults", "--user=root",
          f"--datadir={home}", f"--socket={home}/sock",
          f"--port={home_port('mariadb')}", "--skip-grant-tables",
          f"--bind-address={pair.service.loopback}")

    def run(sql):
        ran = pair.app.run(
            "mariadb", "--no-defaults", "-N", "-B", "-h", pair.app.loopback,
            "-P", SERVICES["mariadb"][0], "--protocol=tcp", "mysql",
            input=sql)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()
    return run


def test_mariadb_greets_first(mariadb):
    assert mariadb("select 6 * 7") == "42"


def test_mariadb_sends_a_hundred_thousand_rows(mariadb):
    out = mariadb("select seq, md5(seq) from seq_1_to_100000")
    assert out.count("\n") == 99999
    assert out.endswith(f"100000\t{md5('100000')}")
