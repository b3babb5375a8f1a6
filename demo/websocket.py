# SPDX-License-Identifier: Apache-2.0
"""websocket.py — a WebSocket service that echoes, and its client.

    websocket.py serve PORT           echoes every message, on loopback
    websocket.py call PORT WORD...    sends each word, prints what came back
"""

import asyncio
import sys

import websockets

# Uncompressed, so that a capture of it can be read where it should be.
PLAIN = {"compression": None}


async def echo(socket, _path=None):
    async for message in socket:
        await socket.send(message)


async def serve(port):
    async with websockets.serve(echo, "127.0.0.1", port, **PLAIN):
        await asyncio.Future()


async def call(port, words):
    answers = []
    url = f"ws://127.0.0.1:{port}/"
    async with websockets.connect(url, open_timeout=5, **PLAIN) as socket:
        for word in words:
            await socket.send(word)
            answers.append(await asyncio.wait_for(socket.recv(), 5))
    print(*answers)


def main():
    role, port, *words = sys.argv[1:]
    asyncio.run(serve(int(port)) if role == "serve" else call(int(port), words))


main()
