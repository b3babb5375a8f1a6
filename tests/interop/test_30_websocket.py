# SPDX-License-Identifier: Apache-2.0
"""Python's websockets, client and server, through a pair of agents."""

import asyncio
import pathlib
import re
import threading

import pytest
import websockets


async def answer(socket, *_):
    """Says everything back; "push N" makes it speak by itself."""
    async for message in socket:
        if isinstance(message, str) and message.startswith("push "):
            for number in range(int(message[5:])):
                await socket.send(f"pushed {number}")
        else:
            await socket.send(message)


@pytest.fixture(scope="module")
def server(mesh):
    """In a thread with a loop of its own, on vm2."""
    listener = mesh.service.listen(mesh.service.loopback, 8082)
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def serve():
        over = asyncio.Event()
        loop.over = over
        async with websockets.serve(answer, sock=listener,
                                    max_size=None):
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield
    loop.call_soon_threadsafe(loop.over.set)
    thread.join()


@pytest.fixture
def talk(mesh, server):  # pylint: disable=unused-argument
    """Runs a conversation on a connection of its own, on vm3."""
    def run(conversation, **options):
        async def main():
            conn = mesh.app.connect(mesh.app.loopback, 9002)
            conn.setblocking(False)
            async with websockets.connect(
                    "ws://ws.example/chat", sock=conn, max_size=None,
                    **options) as socket:
                return await asyncio.wait_for(conversation(socket), 30)
        return asyncio.run(main())
    return run


def test_text_and_bytes_come_back(talk):
    async def conversation(socket):
        for message in ("hello", b"\x00\xff" * 10, ""):
            await socket.send(message)
            assert await socket.recv() == message
    talk(conversation)


def test_big_messages_come_back_whole(talk):
    async def conversation(socket):
        message = bytes(range(256)) * (4 << 12)
        await socket.send(message)
        assert await socket.recv() == message
    talk(conversation, compression=None)


def test_the_server_speaks_by_itself(talk):
    async def conversation(socket):
        await socket.send("push 100")
        return [await socket.recv() for _ in range(100)]
    assert talk(conversation) == [f"pushed {n}" for n in range(100)]


def test_pings_and_the_close_handshake_pass(talk):
    async def conversation(socket):
        await (await socket.ping())
        await socket.close(4321, "enough")
        return socket.close_code, socket.close_reason
    assert talk(conversation) == (4321, "enough")


def test_a_connection_is_listed_as_an_upgrade(mesh, talk):
    async def conversation(socket):
        await socket.send("x")
        await socket.recv()
        return await asyncio.to_thread(
            lambda: mesh.vm3.cli.api("/v1/connections")["items"])
    kinds = {c["kind"] for c in talk(conversation)}
    assert any("upgrade" in kind for kind in kinds), kinds


def test_a_pipe_has_no_idle_limit():
    """What cannot be waited for is read: the pipe arms no timer.

    Who has one (piped.c) ends it at the age that a rule says, if one does.
    """
    path = (pathlib.Path(__file__).parents[2]
            / "modules/5-plane/proxy/pipe/pipe.c")
    assert not re.search(r"timer_(init|set)", path.read_text())
