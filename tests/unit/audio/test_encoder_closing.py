"""An encoder may be closed while another thread is at work with it: a reader leaves whenever it likes."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from vivavoce.audio.codecs.encoder import FORMATS, open_encoder
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import InternalError

RACE = """
import random, sys, threading
from vivavoce.audio.codecs.encoder import open_encoder
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import VivavoceError

sys.setswitchinterval(1e-6)
pcm = random.Random(1).randbytes(48_000)
for number in range(150):
    encoder = open_encoder(sys.argv[1], AudioFormat(24_000))
    def work():
        try:
            encoder.encode(pcm)
            encoder.finish()
        except VivavoceError:
            pass
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(0.001 * (number % 7))
    encoder.close()
    thread.join()
"""


@pytest.mark.parametrize("name", ["flac", "aac", "webm", "opus", "mp3"])
def test_closing_under_work_does_not_kill_the_process(name: str) -> None:
    """In a process of its own: libav ends one whose container is closed under work."""
    done = subprocess.run([sys.executable, "-c", RACE, name], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FORMATS)
def test_a_closed_encoder_is_over_for_whoever_still_works(name: str) -> None:
    encoder = open_encoder(name, AudioFormat(24_000))
    errors: list[InternalError] = []
    closed = threading.Event()

    encoder.encode(bytes(4_800))

    def work() -> None:
        closed.wait(10)
        try:
            encoder.encode(bytes(4_800))
        except InternalError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    encoder.close()
    encoder.close()
    closed.set()
    thread.join()
    assert len(errors) == 1
    assert encoder.finish() == b""
