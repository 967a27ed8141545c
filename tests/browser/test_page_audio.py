"""The page's sound, measured sample by sample in a real browser: what the worklets do, not what they were told.

The playback worklet runs in an OfflineAudioContext, which can be stopped at an exact render quantum, and once more live
in the page with a second worklet that records what it puts out.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.ear import FADE, TAP, tapped
from tests.browser.fake_server import FakeServer, fake_server
from tests.browser.pages import recording, true_on, visit

pytestmark = [pytest.mark.browser, pytest.mark.real_time]

RATE = 24_000
QUANTUM = 128
PREFILL = 1_200

# Renders `quanta` blocks; each step posts its messages to the worklet before the block it names.
OFFLINE = """
async ({ rate, quanta, steps }) => {
  const context = new OfflineAudioContext(1, quanta * 128, rate);
  await context.audioWorklet.addModule("worklets/playback.js");
  const options = { numberOfInputs: 0, outputChannelCount: [1], processorOptions: {} };
  const node = new AudioWorkletNode(context, "vivavoce-playback", options);
  const reports = [], counts = [];
  node.port.onmessage = ({ data }) => (data.type === "played" ? reports : counts).push(data);
  node.connect(context.destination);
  const post = (messages) => {
    for (const message of messages) {
      if (message.pcm) message.pcm = Int16Array.from(message.pcm);
      node.port.postMessage(message);
    }
  };
  for (const { quantum, messages } of steps) {
    context.suspend((quantum * 128) / rate).then(async () => {
      post(messages);
      await new Promise((done) => setTimeout(done, 50)); // the worklet's thread takes its mail
      context.resume();
    });
  }
  const rendered = await context.startRendering();
  await new Promise((done) => setTimeout(done, 50));
  return { samples: Array.from(rendered.getChannelData(0)), reports, counts };
}
"""


def sine(seconds: float, hertz: float = 440.0) -> np.ndarray[Any, np.dtype[np.int16]]:
    """A tone that starts and ends within itself, so that any missing or repeated sample shows."""
    phase = 2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE + 0.5
    return np.round(12_000 * np.sin(phase)).astype(np.int16)


def chirp(seconds: float, lowest: float = 500.0, highest: float = 1_500.0) -> np.ndarray[Any, np.dtype[np.int16]]:
    """A rising tone: it correlates with itself at one place only, where a steady one does so at every period."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * (lowest * time + (highest - lowest) * time**2 / (2 * seconds)) + 0.5
    return np.round(12_000 * np.sin(phase)).astype(np.int16)


def uneven(pcm: np.ndarray[Any, Any], seed: int, longest: int = 900) -> list[tuple[int, list[int]]]:
    """The same samples in pieces of many sizes, each with its offset."""
    chance = random.Random(seed)
    pieces, at = [], 0
    while at < len(pcm):
        size = chance.randint(1, longest)
        pieces.append((at, pcm[at : at + size].tolist()))
        at += size
    return pieces


def pushes(pieces: list[tuple[int, list[int]]], generation: int) -> list[dict[str, Any]]:
    return [{"type": "push", "generation": generation, "offset": offset, "pcm": pcm} for offset, pcm in pieces]


Steps = dict[int, list[dict[str, Any]]]


async def rendered(quanta: int, steps: Steps) -> tuple[np.ndarray[Any, Any], list[tuple[int, int]]]:
    """What the worklet put out, in the units of PCM16, and its reports."""
    # The first quantum cannot be stopped at: it is rendered in vain.
    async with fake_server() as server, visit(server.url) as seen:
        plan = [{"quantum": quantum + 1, "messages": messages} for quantum, messages in sorted(steps.items())]
        result = await seen.page.evaluate(OFFLINE, {"rate": RATE, "quanta": quanta + 1, "steps": plan})
        assert seen.complaints == []
    out = np.array(result["samples"])[QUANTUM:] * 32_768
    return out, [(report["generation"], report["samples"]) for report in result["reports"]]


async def test_uneven_chunks_become_one_unbroken_tone() -> None:
    pcm = sine(1.0)
    pieces = uneven(pcm, seed=1)
    # The first third at once, the others as they are needed.
    third = len(pieces) // 3
    start = -(-PREFILL // QUANTUM)
    steps = {0: pushes(pieces[:third], 1), 20: pushes(pieces[third : 2 * third], 1), 60: pushes(pieces[2 * third :], 1)}
    out, reports = await rendered(len(pcm) // QUANTUM + start + 20, steps)

    first = int(np.flatnonzero(out)[0])
    np.testing.assert_array_equal(out[first : first + len(pcm)], pcm)
    # The tone was cut off where it is loud: it falls in 5 ms, then there is silence.
    assert np.all(out[first + len(pcm) + FADE :] == 0)
    assert reports[-1] == (1, len(pcm))
    counts = [samples for _, samples in reports]
    assert counts == sorted(set(counts))
    assert max(np.diff([0, *counts])) <= 0.1 * RATE + QUANTUM


async def test_pause_and_resume_lose_and_repeat_no_sample() -> None:
    pcm = sine(1.0)
    pieces = uneven(pcm, seed=2)
    pauses = [(31, 64), (90, 91), (140, 200)]  # quanta in which playback stands still
    steps: Steps = {0: pushes(pieces, 1)}
    for pause, resume in pauses:
        steps[pause] = [{"type": "pause", "generation": 1}]
        steps[resume] = [{"type": "resume", "generation": 1}]
    still = sum(resume - pause for pause, resume in pauses)
    out, reports = await rendered(len(pcm) // QUANTUM + still + 20, steps)

    ranges, begin = [], 0
    for pause, resume in pauses:
        ranges.append((begin, pause * QUANTUM))
        begin = resume * QUANTUM
    ranges.append((begin, begin + len(pcm) - sum(stop - start for start, stop in ranges)))
    heard = np.concatenate([out[start:stop] for start, stop in ranges])
    assert len(heard) == len(pcm)
    gain = np.ones(len(pcm))
    at = 0
    for start, stop in ranges[:-1]:
        at += stop - start
        assert (1, at) in reports, "a pause reports the sample it stands at"
        gain[at : at + FADE] = np.arange(1, FADE + 1) / FADE
    np.testing.assert_allclose(heard, pcm * gain, atol=0.01)
    for pause, resume in pauses:
        assert np.all(out[pause * QUANTUM + FADE : resume * QUANTUM] == 0)
    assert reports[-1] == (1, len(pcm))
    # No click: no step larger than the tone's own, the 5 ms ramps included.
    assert np.max(np.abs(np.diff(out[: ranges[-1][1]]))) <= np.max(np.abs(np.diff(pcm.astype(float)))) + 12_000 / FADE


async def test_clear_is_silence_within_one_quantum_and_stale_frames_stay_unheard() -> None:
    pcm = sine(0.5)
    newer = sine(0.25, hertz=700)
    late = [{"type": "push", "generation": 1, "offset": 12_000, "pcm": sine(0.1).tolist()}]
    steps = {
        0: pushes(uneven(pcm, seed=3), 1),
        25: [{"type": "clear", "generation": 1}],
        40: late,
        60: pushes(uneven(newer, seed=4), 2),
        80: late,
    }
    out, reports = await rendered(180, steps)

    np.testing.assert_array_equal(out[: 25 * QUANTUM], pcm[: 25 * QUANTUM])
    assert np.all(out[26 * QUANTUM : 60 * QUANTUM] == 0)
    np.testing.assert_array_equal(out[60 * QUANTUM : 60 * QUANTUM + len(newer)], newer)
    assert (1, 25 * QUANTUM) in reports
    assert reports[-1] == (2, len(newer))


async def play_unevenly(server: FakeServer, pcm: np.ndarray[Any, Any], seed: int) -> None:
    """As a network delivers: pieces of many sizes at uneven times, but ahead of the ear."""
    chance = random.Random(seed)
    for offset, samples in uneven(pcm, seed):
        await server.play(np.array(samples, dtype="<i2").tobytes(), offset)
        await asyncio.sleep(chance.choice([0, 0, 0.005, 0.02]) * len(samples) / 900)


async def test_a_live_reply_is_whole_and_acknowledged_to_the_sample(tmp_path: Path) -> None:
    pcm = sine(1.5)
    microphone = recording(tmp_path, "Hello there.")
    async with fake_server() as server, visit(server.url, microphone=microphone, script=TAP) as seen:
        await server.until(lambda: server.messages("hello"))
        await seen.page.click(".talk")
        await true_on(seen.page, "window.tapReady")
        await server.tell("reply_started")
        sending = asyncio.ensure_future(play_unevenly(server, pcm, seed=5))
        await server.until(lambda: server.played() and server.played()[-1] > 8_000)
        known = len(server.played())
        await server.tell("paused")
        await server.until(lambda: len(server.played()) > known)
        await asyncio.sleep(0.3)
        stood = server.played()[-1]
        await server.tell("resumed", at=stood, reason="backchannel")
        await sending
        await server.until(lambda: server.played()[-1] == len(pcm))
        out = await tapped(seen.page)
        assert seen.complaints == []

    first = int(np.flatnonzero(out)[0])
    np.testing.assert_array_equal(out[first : first + stood], pcm[:stood])
    rest = out[first + stood + FADE :]
    again = first + stood + FADE + int(np.flatnonzero(rest)[0])
    assert again - first - stood >= 0.2 * RATE, "it did not stand still"
    np.testing.assert_array_equal(out[again + FADE : again + len(pcm) - stood], pcm[stood + FADE :])
    assert server.played() == sorted(server.played())


async def test_an_interrupted_reply_falls_silent_and_stays_so(tmp_path: Path) -> None:
    pcm = sine(2.0)
    microphone = recording(tmp_path, "Hello there.")
    async with fake_server() as server, visit(server.url, microphone=microphone, script=TAP) as seen:
        await server.until(lambda: server.messages("hello"))
        await seen.page.click(".talk")
        await true_on(seen.page, "window.tapReady")
        await server.play(pcm.astype("<i2").tobytes(), 0)
        await server.until(lambda: server.played() and server.played()[-1] > 4_000)
        await server.tell("interrupted", at=4_000, heard="", reason="speech")
        await server.play(pcm[:4_800].astype("<i2").tobytes(), 48_000)
        newer = chirp(0.3)
        await server.play(newer.astype("<i2").tobytes(), 0, generation=2)
        await server.until(lambda: len(newer) in server.played(2))
        out = await tapped(seen.page)
        stopped = server.played(1)[-1]

    first = int(np.flatnonzero(out)[0])
    np.testing.assert_array_equal(out[first : first + stopped], pcm[:stopped])
    assert stopped < len(pcm)
    # What follows is the newer reply, whole, and no sample of the older one besides the ramp (under which it may begin).
    rest = out[first + stopped :]
    begin = int(np.argmax(np.correlate(rest, newer[FADE:].astype(float), "valid"))) - FADE
    assert begin >= 0
    assert np.all(rest[FADE : max(FADE, begin)] == 0)
    np.testing.assert_array_equal(rest[begin + FADE : begin + len(newer)], newer[FADE:])


async def test_the_microphone_arrives_in_frames_of_16_ms_and_sounds_like_itself(tmp_path: Path) -> None:
    microphone = recording(tmp_path, "What time is it in the afternoon? Please tell me the exact hour and the minutes.")
    async with fake_server() as server, visit(server.url, microphone=microphone) as seen:
        await server.until(lambda: server.messages("hello"))
        await seen.page.click(".talk")
        await server.until(lambda: len(server.heard) > 200)
        await seen.page.click(".talk")
        assert seen.complaints == []
    assert {len(frame) for frame in server.heard[:-1]} == {512}
    assert 0 < len(server.heard[-1]) <= 512, "the microphone goes off in mid-frame, and nothing is lost"
    heard = np.frombuffer(b"".join(server.heard), dtype="<i2").astype(float)
    spoken = np.frombuffer(microphone.read_bytes()[44:], dtype="<i2").astype(float)[::3]
    # Chromium plays the file in a circle from wherever it is, with its own noise suppression and gain on top. At a wrong
    # rate nothing would line up.
    size = 2 ** int(np.ceil(np.log2(len(heard) + 2 * len(spoken))))
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(np.tile(spoken, 2), size))
    likeness = np.max(np.abs(np.fft.irfft(spectrum))) / (np.linalg.norm(heard) * np.linalg.norm(np.tile(spoken, 2)))
    print(f"likeness {likeness:.2f}")
    assert likeness > 0.3
