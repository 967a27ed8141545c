"""Wrong cut-offs and false interruptions on a scripted set, on virtual time: deterministic, no clock of the machine in it.

What is real: the recordings of people, Silero's and smart-turn's judgement of every sample, the session with its turn
machine. What is synthetic: the recogniser (it knows the transcript; word times are the transcript laid evenly over the
voiced stretches; its readings are never wrong), backchannels, "stop" and "wait" and the echo (flite), coughs and clicks
(shaped noise), the noise of -65 dBFS behind everything, the reply. The time the detectors take is fixed (see
``bench.stage``).

- *Listening*: recordings read aloud by people, with the pauses they made, and dictated digits (single recorded digits in
  groups with pauses of 0.3 to 0.6 s). A wrong cut-off is a reply of which anything reached the ear before the true last
  sample of speech. That the turn was judged over early but nothing was heard is told apart. Answering late would avoid
  cut-offs at no cost, so the time from the true end to the decision is reported beside.
- *Over a reply*: backchannels, coughs, clicks and echo must not end it (false interruption); words, sentences and "stop"
  must (missed interruption). Where the reply was paused and resumed, the session's sample must be the one the ear stood
  at, and the ear must have heard every sample once and in order."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench import speech
from bench.result import Options, Result, Table
from bench.speech import RATE, Samples
from bench.stage import SECONDS_PER_CHARACTER, Performance, TimedWord, perform
from bench.stats import Bar, Figure, figure, share
from vivavoce.contracts.events import ReplyInterrupted, ReplyPaused, TranscriptUpdated
from vivavoce.sessions.options import ConversationOptions, Hint
from vivavoce.testing.ports import tone_pcm

REPLY = (
    "There are four rooms on the ground floor. The first one holds the oldest pictures, and the second one is closed until "
    "spring. Behind them a staircase leads up to the library, where you may sit and read as long as you like. "
    "The garden is open from ten to five, and dogs are welcome there."
)
SHORT = "All right, that is noted."
BEGIN = 2.0
"""Seconds into the track at which something is said over the reply."""
BEHIND = 3.0
"""Seconds of silence behind everything."""

Expect = Literal["answer", "go on", "stop"]


@dataclass(frozen=True, slots=True)
class Scene:
    """A track for the microphone, the words in it, and what ought to happen."""

    name: str
    group: str
    track: Samples
    words: tuple[TimedWord, ...]
    expect: Expect
    end: int
    pauses: int = 0
    hint: Hint = "none"


def run(options: Options) -> Result:
    """Every scene once: nothing varies between runs."""
    result = Result("barge_in", "Wrong cut-offs and false interruptions")
    if not speech.present():
        result.skipped = speech.ABSENT
        return result
    found = list(_listening()) + list(_over())
    scenes = found[::3] if options.quick else found
    if not shutil.which("flite"):
        result.notes.append("flite is absent: no backchannels, no echo, no spoken stop.")
    judged = [(scene, _judge(scene)) for scene in scenes]
    _report(result, judged)
    return result


# --- scenes ------------------------------------------------------------------------------------------------------------


def _listening() -> Iterator[Scene]:
    for path in sorted((speech.FOLDER / "en").glob("*.wav")):
        text = speech.transcripts().get(f"en/{path.name}", "")
        if text and not path.stem.startswith("vosk"):
            (whole,) = speech.cut(path.stem, speech.read(path), text, split=30.0)
            yield _listen(whole.name, "read aloud", np.frombuffer(whole.pcm, "<i2"), text)
    for utterance in speech.sentences():
        if "#" in utterance.name and utterance.pauses:
            yield _listen(utterance.name, "read aloud, excerpt", np.frombuffer(utterance.pcm, "<i2"), "")
    digits = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    for number in range(12):
        dice = np.random.default_rng(number)
        group = [digits[int(d)] for d in dice.integers(0, 10, 10)]
        yield _dictation(f"digits {number + 1}", group, dice, "digits" if number % 2 else "none")


def _listen(name: str, group: str, samples: Samples, text: str, hint: Hint = "none") -> Scene:
    track, start = _placed(samples, 0.5)
    stretches = [
        (start + a * speech.FRAME, start + b * speech.FRAME) for a, b in speech.stretches(speech.probabilities(samples))
    ]
    loudness = speech.levels(track)
    end = speech.refine(loudness, stretches[-1][0], stretches[-1][1])[1]
    pauses = sum(1 for a, b in itertools.pairwise(stretches) if b[0] - a[1] >= 0.1 * RATE)
    words = _timed((text or "one two three").split() if text else _mumbled(stretches), stretches)
    return Scene(name, group, track, words, "answer", end, pauses, hint)


def _mumbled(stretches: list[tuple[int, int]]) -> list[str]:
    """Words for an excerpt without a transcript of its own: neutral ones that neither end nor continue a sentence."""
    seconds = sum(b - a for a, b in stretches) / RATE
    return ["season"] * max(2, round(seconds * 2.5))


def _dictation(name: str, digits: list[str], dice: np.random.Generator, hint: Hint) -> Scene:
    pieces, words, at = [], [], 0
    for place, digit in enumerate(digits):
        path = speech.FOLDER / "alphanumeric" / f"{digit}__petewarden_nohash_{place % 3}.wav"
        (one,) = speech.cut(digit, speech.read(path), digit, split=2.0)[:1]
        samples = np.frombuffer(one.pcm, "<i2")[one.onset : one.end]
        words.append(TimedWord(digit, at, at + len(samples)))
        pause = 0.1 if place % 3 != 2 else float(dice.uniform(0.3, 0.6))
        pieces += [speech.faded(samples, 0.005), np.zeros(round(pause * RATE), np.int16)]
        at += len(samples) + len(pieces[-1])
    last = len(pieces.pop())
    track, start = _placed(np.concatenate(pieces), 0.5)
    placed = tuple(TimedWord(w.text, w.start + start, w.end + start) for w in words)
    return Scene(name, f"digits, hint {hint}", track, placed, "answer", start + at - last, 3, hint)


def _over() -> Iterator[Scene]:
    if shutil.which("flite"):
        for number, text in enumerate(("mm-hm", "uh huh", "yeah", "okay", "right", "I see") * 2):
            voice = ("slt", "rms", "awb", "kal16")[number % 4]
            yield _spoken_over(speech.spoken(text, voice), "backchannel", "go on", f"{text} ({voice})")
        for number in range(6):
            yield _echo(number)
        for text in ("stop", "wait a minute please", "no that is wrong", "stop please"):
            for voice in ("slt", "rms"):
                yield _spoken_over(speech.spoken(text, voice), "spoken command", "stop", f"{text} ({voice})")
    for number in range(10):
        yield _sound_over(f"cough {number + 1}", "cough", _cough(number))
    for number in range(6):
        yield _sound_over(f"click {number + 1}", "click", _click(number))
    singles = [u for u in speech.words() if u.name.startswith(("okay_nabu", "hey_jarvis", "hey_mycroft"))]
    for utterance in [*singles, *(u for u in speech.sentences() if u.text)]:
        yield _spoken_over(utterance, "interruption, recorded people", "stop", utterance.name)


def _spoken_over(utterance: speech.Utterance, group: str, expect: Expect, name: str) -> Scene:
    samples = np.frombuffer(utterance.pcm, "<i2")
    track, start = _placed(samples, BEGIN)
    stretches = [(start + utterance.onset, start + utterance.end)]
    return Scene(name, group, track, _timed(utterance.text.split(), stretches), expect, start + utterance.end)


def _sound_over(name: str, group: str, samples: Samples) -> Scene:
    track, start = _placed(samples, BEGIN)
    return Scene(name, group, track, (), "go on", start + len(samples))


def _echo(number: int) -> Scene:
    """The reply's own words, 18 dB down, as the loudspeaker says them."""
    begin = BEGIN + number * 0.7
    at = int((begin - 0.25) / SECONDS_PER_CHARACTER)
    at = REPLY.rfind(" ", 0, at) + 1
    words = REPLY[at:].split()[:6]
    said = speech.spoken(" ".join(words), ("slt", "rms", "awb")[number % 3])
    quiet = (np.frombuffer(said.pcm, "<i2") * 10 ** (-18 / 20)).astype(np.int16)
    track, start = _placed(quiet, begin)
    stretch = [(start + said.onset, start + said.end)]
    return Scene(f"echo {number + 1}", "echo of the reply", track, _timed(words, stretch), "go on", start + said.end)


def _cough(number: int) -> Samples:
    """One to three bursts of noise through a vocal-tract-like band, 0.1 to 0.25 s each."""
    dice = np.random.default_rng(100 + number)
    pieces = []
    for _ in range(1 + number % 3):
        count = round(dice.uniform(0.1, 0.25) * RATE)
        spectrum = np.fft.rfft(dice.normal(0, 1, count))
        hertz = np.fft.rfftfreq(count, 1 / RATE)
        spectrum *= np.exp(-(((hertz - dice.uniform(500, 1_500)) / 700) ** 2)) + 0.05
        burst = np.fft.irfft(spectrum, count) * np.exp(-np.arange(count) / (0.08 * RATE))
        pieces += [burst / np.max(np.abs(burst)) * 9_000, np.zeros(round(0.12 * RATE))]
    return np.concatenate(pieces).astype(np.int16)


def _click(number: int) -> Samples:
    """Keys and clicks: a few impulses of 2 to 8 ms."""
    dice = np.random.default_rng(200 + number)
    samples = np.zeros(round(0.5 * RATE))
    for _ in range(1 + number):
        at, count = int(dice.integers(0, len(samples) - 200)), int(dice.integers(32, 128))
        samples[at : at + count] += dice.normal(0, 8_000, count) * np.exp(-np.arange(count) / 30)
    return np.clip(samples, -32_768, 32_767).astype(np.int16)


def _placed(samples: Samples, seconds: float) -> tuple[Samples, int]:
    """In noise, ``seconds`` from the start; the track goes on for a while."""
    start = round(seconds * RATE)
    track = speech.ambient(seconds + len(samples) / RATE + BEHIND).astype(np.int32)
    track[start : start + len(samples)] += samples
    return np.clip(track, -32_768, 32_767).astype(np.int16), start


def _timed(words: list[str], stretches: list[tuple[int, int]]) -> tuple[TimedWord, ...]:
    """Words laid over voiced stretches by their length."""
    total = sum(b - a for a, b in stretches)
    letters = sum(len(word) + 1 for word in words)
    found, spent = [], 0
    for word in words:
        start, spent = spent, spent + (len(word) + 1) * total // max(1, letters)
        found.append(TimedWord(word, _at(start, stretches), _at(max(start, spent - 1), stretches)))
    return tuple(found)


def _at(voiced: int, stretches: list[tuple[int, int]]) -> int:
    for a, b in stretches:
        if voiced < b - a:
            return a + voiced
        voiced -= b - a
    return stretches[-1][1]


# --- judging -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happened in a scene. ``decided`` is when the turn was judged over, in seconds behind the true end."""

    wrong: bool
    early: int = 0
    decided: float | None = None
    paused: bool = False
    resumes: int = 0
    exact: int = 0
    cut_after: float | None = None


def _judge(scene: Scene) -> Verdict:
    typed = scene.expect != "answer"
    options = dataclasses.replace(ConversationOptions(acknowledged=True), hint=scene.hint)
    played = perform(scene.track.tobytes(), scene.words, REPLY if typed else SHORT, typed=typed, options=options)
    return _over_verdict(scene, played) if typed else _listen_verdict(scene, played)


def _listen_verdict(scene: Scene, played: Performance) -> Verdict:
    end = played.origin + scene.end / RATE
    finals = [moment for moment, e in played.events if isinstance(e, TranscriptUpdated) and e.final]
    heard_early = any(moment < end for moment in played.sink.first_heard.values())
    behind = [moment - end for moment in finals if moment >= end]
    return Verdict(heard_early, sum(moment < end for moment in finals), behind[0] if behind else None)


def _over_verdict(scene: Scene, played: Performance) -> Verdict:
    first = min((e.stamp.generation for _, e in played.events if isinstance(e, ReplyPaused)), default=1)
    cuts = [m for m, e in played.events if isinstance(e, ReplyInterrupted) and e.stamp.generation == first]
    paused = any(isinstance(e, ReplyPaused) for _, e in played.events)
    exact = sum(at == ear for at, ear in played.resumed)
    pcm = played.sink.pcm(first)
    whole = pcm == tone_pcm(24_000, 0, len(pcm) // 2) and not played.sink.discontinuities
    wrong = bool(cuts) if scene.expect == "go on" else not cuts
    began = played.origin + BEGIN
    return Verdict(wrong, 0, None, paused, len(played.resumed), exact if whole else 0, cuts[0] - began if cuts else None)


def _report(result: Result, judged: list[tuple[Scene, Verdict]]) -> None:
    listening = [(s, v) for s, v in judged if s.expect == "answer"]
    harmless = [(s, v) for s, v in judged if s.expect == "go on"]
    meant = [(s, v) for s, v in judged if s.expect == "stop"]
    pauses = sum(s.pauses for s, _ in listening)
    resumes = sum(v.resumes for _, v in judged)
    cut_offs = sum(v.wrong for _, v in listening)
    bar = (Bar("value", 2.0),)
    waits = [1000 * v.decided for _, v in listening if v.decided is not None]
    result.figures += [
        Figure("wrong cut-offs, of scenes", "%", value=share(cut_offs, len(listening)), bars=bar),
        Figure("wrong cut-offs, of pauses inside a turn", "%", value=share(cut_offs, pauses)),
        Figure("false interruptions, of harmless sounds", "%", value=_wrong(harmless), bars=bar),
        Figure("missed interruptions, of meant ones", "%", value=_wrong(meant)),
        Figure(
            "resumed at the exact sample", "%", value=share(sum(v.exact for _, v in judged), resumes),
            bars=(Bar("value", 100.0, at_least=True),),
        ),
        figure("true end of speech to the decision", "ms", [waits]),
    ]  # fmt: skip
    rows = []
    for group in dict.fromkeys(scene.group for scene, _ in judged):
        mine = [(s, v) for s, v in judged if s.group == group]
        wrong = [s.name for s, v in mine if v.wrong]
        paused = sum(v.paused for _, v in mine)
        early = sum(v.early for _, v in mine)
        expect = {"answer": "no cut-off", "go on": "goes on", "stop": "is cut"}[mine[0][0].expect]
        rows.append((group, expect, str(len(mine)), str(len(wrong)), str(paused), str(early), ", ".join(wrong[:8])))
    header = ("scenes", "expected", "n", "wrong", "paused the reply", "decided early", "which were wrong")
    result.tables.append(Table("By group", header, tuple(rows)))
    unanswered = [s.name for s, v in listening if v.decided is None]
    result.notes.append(
        f"{len(judged)} scenes; {len(listening)} while listening with {pauses} pauses of 0.1 s and more inside; {resumes} "
        f"times a reply was resumed. Not judged over within {BEHIND:.0f} s of the end: {', '.join(unanswered) or 'none'}."
    )


def _wrong(judged: list[tuple[Scene, Verdict]]) -> float:
    return share(sum(verdict.wrong for _, verdict in judged), len(judged))
