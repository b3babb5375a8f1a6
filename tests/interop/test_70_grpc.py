# SPDX-License-Identifier: Apache-2.0
"""gRPC of others on either side: its own interop client and server in Go, and
browsers (gRPC-Web) that call the same server."""

import contextlib
import re

import pytest

from web_client import (INTERNAL, OK, SERVICE, UNIMPLEMENTED, UNKNOWN, Browser,
                        Call1, bytes_field, frame, payload, read_fields,
                        size_of, status, streaming, unary)

# As gRPC's README of the cases has them; the rest is about credentials, or
# wants several servers.
LOAD_REPORTS = [
    "-service_config_json",
    '{"loadBalancingConfig": [{"test_backend_metrics_load_balancer": {}}]}']
CASES = {
    "empty_unary": [], "large_unary": [], "client_streaming": [],
    "server_streaming": [], "ping_pong": [], "empty_stream": [],
    "timeout_on_sleeping_server": [], "cancel_after_begin": [],
    "cancel_after_first_response": [], "status_code_and_message": [],
    "special_status_message": [], "custom_metadata": [],
    "unimplemented_method": [], "unimplemented_service": [],
    "orca_per_rpc": LOAD_REPORTS, "orca_oob": LOAD_REPORTS,
    "rpc_soak": ["-soak_iterations", 100],
    "channel_soak": ["-soak_iterations", 20]}


@pytest.mark.parametrize("case", CASES)
def test_the_interop_client_is_content(mesh, grpc, case):
    """It would say nothing of a case that went well."""
    ports, client = grpc
    done = mesh.app.run(
        "env", "GRPC_GO_LOG_SEVERITY_LEVEL=info", client, "-use_tls=false",
        "-server_host", mesh.app.loopback, "-server_port", ports["grpc"],
        "-test_case", case, *CASES[case])
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\bdone$", done.stderr, re.M), done.stderr


# --- browsers ---

@pytest.fixture(params=[(1, False), (1, True), (2, False), (2, True)],
                ids=["h1-binary", "h1-text", "h2-binary", "h2-text"])
def browser(mesh, grpc, request):
    return Browser(mesh.app, grpc[0]["grpc-web"], *request.param)


def test_a_call_has_an_answer_and_an_outcome(browser):
    answer = browser.call("EmptyCall", b"")
    assert answer.messages == [b""]
    assert (answer.status, answer.words) == (OK, "")
    kind = "-text+proto" if browser.text else "+proto"
    assert answer.head["content-type"] == "application/grpc-web" + kind


def test_large_messages_go_both_ways(browser):
    answer = browser.call("UnaryCall", unary(314159, sent=271828))
    assert [size_of(one) for one in answer.messages] == [314159]
    assert answer.status == OK


def test_the_server_streams(browser):
    sizes = [31415, 9, 2653, 58979]
    answer = browser.call("StreamingOutputCall", streaming(*sizes))
    assert [size_of(one) for one in answer.messages] == sizes
    assert answer.status == OK


def test_the_client_streams(browser):
    sizes = [27182, 8, 1828, 45904]
    answer = browser.call("StreamingInputCall", *(
        bytes_field(1, payload(size)) for size in sizes))
    assert [read_fields(one) for one in answer.messages] == [{1: sum(sizes)}]
    assert answer.status == OK


def test_the_outcome_is_the_services(browser):
    words = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
    for method, message in (
            ("UnaryCall", unary(0, more=status(UNKNOWN, words))),
            ("FullDuplexCall", streaming(more=status(UNKNOWN, words)))):
        answer = browser.call(method, message)
        assert answer.status == UNKNOWN
        assert answer.words.startswith("%09%0Atest with whitespace%0D%0A")
        assert "%F0%9F%98%88" in answer.words


def test_what_is_not_there_is_unimplemented(browser):
    assert browser.call("UnimplementedCall", b"").status == UNIMPLEMENTED
    assert browser.call("EmptyCall", b"", path="/no.Service/").status == \
        UNIMPLEMENTED


def test_metadata_goes_both_ways(browser):
    more = {"x-grpc-test-echo-initial": "test_initial_metadata_value",
            "x-grpc-test-echo-trailing-bin": "q6ur"}
    answer = browser.call("UnaryCall", unary(1), more=more)
    assert answer.head["x-grpc-test-echo-initial"] == \
        "test_initial_metadata_value"
    assert answer.trailers["x-grpc-test-echo-trailing-bin"] == "q6ur"


def test_its_time_is_its_services(browser):
    answer = browser.call("FullDuplexCall", streaming(
        1, more=b""), more={"grpc-timeout": "5S"})
    assert (answer.status, len(answer.messages)) == (OK, 1)


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_messages_pass_one_by_one(mesh, grpc, text):
    """Each is sent when the answer to the one before it is here."""
    browser = Browser(mesh.app, grpc[0]["grpc-web"], 1, text)
    sizes = [31415, 9, 2653, 58979]
    with contextlib.closing(browser.connect()) as conn:
        call = Call1(conn, text, SERVICE + "FullDuplexCall", {})
        for count, size in enumerate(sizes, 1):
            call.send(frame(streaming(size)))
            assert call.next()
            assert len(call.frames.messages) == count
        call.end()
        answer = call.finish()
    assert [size_of(one) for one in answer.messages] == sizes
    assert answer.status == OK


def test_what_is_no_base64_is_refused_in_its_words(mesh, grpc):
    browser = Browser(mesh.app, grpc[0]["grpc-web"], 1, True)
    with contextlib.closing(browser.connect()) as conn:
        call = Call1(conn, False, SERVICE + "EmptyCall",
                     {"content-type": "application/grpc-web-text"})
        call.send(b"****")
        answer = call.finish()
    assert answer.status == INTERNAL
    assert re.search("base64", answer.words)
