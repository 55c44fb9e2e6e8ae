"""Exec and attach at the kubelet's endpoint: a WebSocket on one side, a process on the other.

A request that cannot be served is answered on the error stream of the upgraded connection, in the
kubelet's words: a client shows those, where it would replace a refused upgrade by its own.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping

from aiohttp import web

from azrunbook.sandbox.node import channels, commands, config, containers, launch, pipes, simulation

_LAST_OUTPUT_SECONDS = 1.0
_LONGEST_OUTPUT_WAITING = 1000


def read_streams(query: Mapping[str, str]) -> commands.Streams:
    """Read which streams a request wants. Pure."""
    tty = query.get("tty") == "1"
    return commands.Streams(
        stdin=query.get("input") == "1",
        stdout=query.get("output") == "1",
        stderr=query.get("error") == "1" and not tty,
        tty=tty,
    )


async def answer(
    request: web.Request, runner: containers.ContainerRunner | None, name: str
) -> web.WebSocketResponse:
    """Serve ``exec`` (a request with a command) or ``attach`` (one without)."""
    socket = web.WebSocketResponse(
        protocols=channels.PROTOCOLS, compress=False, max_msg_size=0, timeout=1.0
    )
    await socket.prepare(request)
    client = channels.Channels(socket)
    argv, streams = request.query.getall("command", []), read_streams(request.query)
    with contextlib.suppress(ConnectionError):
        if runner is None or runner.run is None:
            await client.end(channels.describe_failure(f'container not found ("{name}")'))
        elif isinstance(runner.run, simulation.SimulatedRun):
            await client.end(channels.describe_failure(runner.run.text))
        elif argv:
            await client.end(await _execute(client, runner, argv, streams))
        else:
            await client.end(await _attach(client, runner, streams))
    return socket


async def _execute(
    client: channels.Channels,
    runner: containers.ContainerRunner,
    argv: list[str],
    streams: commands.Streams,
) -> config.Object:
    try:
        command = await runner.start_command(argv, streams)
    except (launch.StartError, OSError) as error:
        return channels.describe_failure(f"error executing command in container: {error}")
    output = [
        asyncio.create_task(_send_output(client, channel, reader))
        for channel, reader in (
            (channels.STDOUT, command.stdout),
            (channels.STDERR, command.stderr),
        )
        if reader is not None
    ]
    typing = asyncio.create_task(_take_input(client, command.stdin, command.terminal))
    ending = asyncio.create_task(command.wait())
    try:
        await asyncio.wait({typing, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            raise ConnectionResetError("the client is gone")
        if output:  # a process that it left may hold the streams open for ever
            await asyncio.wait(output, timeout=_LAST_OUTPUT_SECONDS)
        return channels.describe_exit(await ending)
    finally:
        command.close()
        for task in (typing, *output):
            task.cancel()
        await asyncio.gather(typing, ending, *output, return_exceptions=True)


async def _attach(
    client: channels.Channels, runner: containers.ContainerRunner, streams: commands.Streams
) -> config.Object:
    run, log = runner.run, runner.live_log
    if run is None or log is None:
        return channels.describe_failure("the container has just ended")
    queue: asyncio.Queue[bytes] = asyncio.Queue(_LONGEST_OUTPUT_WAITING)

    def take(data: bytes) -> None:
        with contextlib.suppress(asyncio.QueueFull):  # a client that does not read loses output
            queue.put_nowait(data)

    async def send() -> None:
        while data := await queue.get():
            await client.send(channels.STDOUT, data)

    if streams.stdout or streams.stderr:
        log.listeners.append(take)
    stdin = run.stdin if streams.stdin else None
    tasks = [
        asyncio.create_task(_take_input(client, stdin, run.terminal if streams.tty else None)),
        asyncio.create_task(log.wait_for_end()),
    ]
    sending = asyncio.create_task(send())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        take(b"")
        await asyncio.wait({sending}, timeout=_LAST_OUTPUT_SECONDS)
        return channels.SUCCESS
    finally:
        if take in log.listeners:
            log.listeners.remove(take)
        for task in (*tasks, sending):
            task.cancel()
        await asyncio.gather(*tasks, sending, return_exceptions=True)


async def _send_output(
    client: channels.Channels, channel: int, reader: asyncio.StreamReader
) -> None:
    async for data in pipes.read_pieces(reader):
        await client.send(channel, data)


async def _take_input(
    client: channels.Channels,
    stdin: asyncio.StreamWriter | None,
    terminal: pipes.Terminal | None,
) -> None:
    """Carry what the client sends until it is gone."""
    async for channel, data in client.read():
        if channel == channels.RESIZE and terminal is not None:
            size = json.loads(data)
            terminal.resize(size["Width"], size["Height"])
        elif channel == channels.STDIN and stdin is not None:
            with contextlib.suppress(ConnectionError):  # it does not read: as for `yes | true`
                stdin.write(data)
                await stdin.drain()
        elif channel == channels.CLOSE and data == bytes([channels.STDIN]) and stdin is not None:
            stdin.close()
