# SPDX-License-Identifier: Apache-2.0
"""redis-cli to Redis, through a pair of agents, as plain TCP."""

import hashlib
import os

import pytest


@pytest.fixture
def redis(mesh):
    """redis-cli on vm3."""
    def run(*words, **options):
        done = mesh.app.run("redis-cli", "-h", mesh.app.loopback, "-p", 9001,
                            *words, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
    return run


def test_ping(redis):
    assert redis("PING") == "PONG"


def test_a_value_is_kept(redis):
    assert redis("SET", "k", "v") == "OK"
    assert redis("GET", "k") == "v"


def test_big_values_come_back_whole(redis):
    value = os.urandom(8 << 20).hex()
    assert redis("-x", "SET", "big", input=value) == "OK"
    assert redis("STRLEN", "big") == str(len(value))
    back = redis("GET", "big")
    assert hashlib.sha256(back.encode()).digest() == \
        hashlib.sha256(value.encode()).digest()


def test_a_pipeline_of_ten_thousand(redis):
    commands = "".join(f"SET p{n} {n}\r\n" for n in range(10000))
    out = redis("--pipe", input=commands)
    assert "errors: 0, replies: 10000" in out
    assert redis("GET", "p9999") == "9999"


def test_a_subscriber_hears_what_others_say(mesh, redis):
    with mesh.app.connect(mesh.app.loopback, 9001) as conn:
        conn.sendall(b"SUBSCRIBE news\r\n")
        reader = conn.makefile("rb")
        assert [reader.readline() for _ in range(6)][4:] == \
            [b"news\r\n", b":1\r\n"]
        assert redis("PUBLISH", "news", "hello") == "1"
        assert [reader.readline() for _ in range(7)][6] == b"hello\r\n"
