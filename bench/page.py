"""The page itself, in headless Chromium: interruption and voice to voice at the ear, bytes, and how soon one can talk.

A real server process with the built-in engines. Chromium's microphone is a file of recorded people (flite's commands where
there are none) who ask, and then speak over each reply three seconds behind the end of their last word; they cannot know
what is going on, so an utterance counts only for what it met. Both sides are seen by one clock, that of the AudioContext
that plays (``bench.in_page``): the microphone's track behind the browser's echo cancellation and noise suppression, and the
output of the playback worklet, or of the call's track behind its jitter buffer. The way to the loudspeaker is not in it.

- *Interruption*: from the onset of an utterance at the microphone (as ``bench.speech`` tells it from the recording) to the
  last sample of the reply that is not silent, behind which half a second is; and to the first tenth of a second of silence,
  in which a reply stands that is paused first, to be resumed or cut.
- *Voice to voice*: from the end of speech to the first sample of the reply that is not silent.
- *Loading*: each visit with an empty cache; ready is when the button to talk can be pressed, which is when the session is
  open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import speech
from bench.ear import Exchange
from bench.in_page import WEBRTC, WEBSOCKET, Line, hold, missing, recording
from bench.page_load import Weight, client_files, loads, page_files, total
from bench.process import Server, Setup
from bench.result import Options, Result, Table
from bench.stats import Bar, figure, single
from bench.voice_to_voice import COMMANDS

SETTINGS = ("webrtc.loopback=true", 'webrtc.addresses=["127.0.0.1"]')
OPENING = "what can you do"
LEAD, PAUSE, BEHIND = 2.0, 3.0, 4.0
"""Seconds before the first utterance, behind each, and behind the last."""
QUICK, QUICK_VISITS, VISITS, ROUNDS = 4, 3, 15, 2
INTERRUPTED = {WEBSOCKET.name: (Bar("p95", 120.0),)}
"""A call has a jitter buffer, and no bar of its own."""
READY = (Bar("p50", 500.0),)
"""Of our own choosing: half a second is what a click on a link feels like."""


def run(options: Options) -> Result:
    """Bytes first, which need no browser."""
    result = Result("page", "The page")
    _weigh(result)
    lack = missing()
    if lack:
        result.notes.append(f"{lack}: nothing was measured in a browser.")
        return result
    with Server(Setup(SETTINGS)) as server:
        url = f"http://127.0.0.1:{server.port}"
        _load(result, url, QUICK_VISITS if options.quick else VISITS)
        with TemporaryDirectory() as folder:
            microphone = Path(folder) / "microphone.wav"
            said = _utterances(QUICK if options.quick else None)
            parts = [part for one in said for part in (one, PAUSE)]
            played = recording(microphone, [LEAD, *parts, BEHIND])
            for line in (WEBSOCKET, WEBRTC):
                rounds = [asyncio.run(hold(url, line, microphone, played)) for _ in range(1 if options.quick else ROUNDS)]
                _listen(result, line, len(said), rounds)
    return result


def _utterances(count: int | None) -> list[speech.Utterance]:
    """One that opens, and those that are spoken over replies."""
    over: Sequence[speech.Utterance] = [speech.spoken(text) for text in COMMANDS]
    if speech.present():
        over = [one for one in speech.sentences() if 1.0 <= one.seconds <= 4.0]
    return [speech.spoken(OPENING), *over[:count]]


def _listen(result: Result, line: Line, said: int, rounds: Sequence[Sequence[Exchange]]) -> None:
    result.figures += [
        figure(
            f"{line.name}: onset at the microphone to the last sound of the reply",
            "ms",
            [[1000 * (one.stopped - one.onset) for one in found if one.stopped is not None] for found in rounds],
            INTERRUPTED.get(line.name, ()),
        ),
        figure(
            f"{line.name}: onset at the microphone to the first silence",
            "ms",
            [[1000 * (one.hushed - one.onset) for one in found if one.hushed is not None] for found in rounds],
            INTERRUPTED.get(line.name, ()),
        ),
        figure(
            f"{line.name}: voice to voice at the ear",
            "ms",
            [[1000 * (one.answered - one.end) for one in found if one.answered is not None] for found in rounds],
        ),
    ]
    every = [one for found in rounds for one in found]
    over = [one for one in every if one.stopped is not None]
    again = sum(one.stopped != one.hushed for one in over)
    hastened = sum(one.hastened for one in every)
    answered = sum(one.answered is not None for one in every)
    early = sum(one.early for one in every)
    result.notes.append(
        f"{line.name}: {len(rounds)} x {said} utterances, {len(every)} found; {len(over)} began over a reply, "
        f"of which {again} was heard once more before it ended; {hastened} others found it stopped by the breath before "
        f"them, and do not count; {answered} were answered behind their end, {early} before it."
    )


def _load(result: Result, url: str, visits: int) -> None:
    found = asyncio.run(loads(url + "/", visits))
    for name, field, bars in (
        ("navigation to DOMContentLoaded", "loaded", ()),
        ("navigation to first contentful paint", "painted", ()),
        ("navigation to ready to talk", "ready", READY),
    ):
        result.figures.append(figure(f"{name}, cold cache", "ms", [[one[field] for one in found]], bars))
    result.figures.append(single("requests until ready to talk", "", [one["requests"] for one in found]))
    result.figures.append(single("transferred until ready to talk", "KB", [one["bytes"] / 1000 for one in found]))


def _weigh(result: Result) -> None:
    page, client = page_files(), client_files()
    rows = [_row(one) for one in (*page, total("all of them", page), *client)]
    result.tables.append(Table("Bytes", ("file", "raw", "gzip"), tuple(rows)))
    result.notes.append("The server sends the page as it is; gzip is what a proxy before it would make of each file.")
    if not client:
        result.notes.append("The client library was not weighed: run `npm ci` in clients/js first.")


def _row(one: Weight) -> tuple[str, ...]:
    return (one.name, str(one.raw or "–"), str(one.zipped))
