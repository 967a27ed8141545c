"""The client's frames, against the library the server uses."""

from __future__ import annotations

import pytest
from bench.line import BINARY, TEXT, Socket, connect, frame
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

SIZES = [0, 1, 125, 126, 640, 65_535, 65_536, 200_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_what_the_standard_says(size: int) -> None:
    reader = StreamReader()
    payload = bytes(range(256)) * (size // 256 + 1)
    reader.feed_data(frame(BINARY, payload[:size]))
    parsing = Frame.parse(reader.read_exact, mask=True)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    parsed = done.value.value
    assert parsed.opcode is Opcode.BINARY and parsed.fin and parsed.data == payload[:size]


@pytest.mark.real_time
@pytest.mark.parametrize("cut", [1, 3, 7, 1_000])
async def test_messages_come_whole_however_the_stream_is_cut(cut: int) -> None:
    got: list[tuple[int, bytes]] = []
    line = Socket(lambda kind, payload: got.append((kind, payload)))
    sent = [(TEXT, b"hello"), (BINARY, bytes(500)), (BINARY, bytes(70_000)), (TEXT, b"")]
    stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    stream += b"".join(Frame(Opcode(kind), payload).serialize(mask=False) for kind, payload in sent)
    for start in range(0, len(stream), cut):
        line.data_received(stream[start : start + cut])
    assert got == sent
    assert line.opened.done()


@pytest.mark.real_time
async def test_a_refused_upgrade_is_an_error() -> None:
    line = Socket(lambda kind, payload: None)
    line.data_received(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    with pytest.raises(ConnectionError, match="403"):
        await line.opened


@pytest.mark.real_time
async def test_nobody_listening_is_an_error() -> None:
    with pytest.raises(ConnectionError):
        await connect(1, lambda kind, payload: None)
