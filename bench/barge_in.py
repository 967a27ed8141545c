"""Wrong cut-offs and false interruptions on a scripted set, on virtual time: deterministic, no clock of the machine in it.

What is real: the recordings of people, Silero's and smart-turn's judgement of every sample, the session with its turn
machine. What is synthetic: the recogniser (it knows the transcript and, by alignment, when each word was spoken; its
readings are never wrong), the turns flite speaks, backchannels, "stop" and "wait" and the echo (flite), coughs and clicks
(shaped noise), the noise of -65 dBFS behind everything, the reply. The time the detectors take is fixed (see
``bench.stage``).

- *Listening* (``bench.turn_scenes``): turns with pauses inside, in a development and a held-out set. A wrong cut-off is
  what the user notices: anything of a reply reached the ear before the true last sample of speech, or history holds the
  turn in more than one piece. Both are told apart, as are replies of which more than a syllable (0.3 s) was heard, and
  decisions that came early but were taken back in time. Answering late would avoid cut-offs at no cost, so the time from
  the true end to the decision is reported beside, for turns with pauses and for questions and commands of one breath.
- *Over a reply*: backchannels, coughs, clicks and echo must not end it (false interruption); words, sentences and "stop"
  must (missed interruption). Where the reply was paused and resumed, the session's sample must be the one the ear stood
  at, and the ear must have heard every sample once and in order."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench import speech
from bench.result import Options, Result, Table
from bench.speech import RATE, Samples
from bench.stage import SECONDS_PER_CHARACTER, Performance, knowing, perform
from bench.stats import Bar, Figure, figure, share
from bench.turn_scenes import BEHIND, SHORT, Expect, Scene, development, held_out, placed, timed
from vivavoce.contracts.events import ReplyInterrupted, ReplyPaused, TranscriptUpdated
from vivavoce.sessions.options import ConversationOptions
from vivavoce.testing.ports import tone_pcm

REPLY = (
    "There are four rooms on the ground floor. The first one holds the oldest pictures, and the second one is closed until "
    "spring. Behind them a staircase leads up to the library, where you may sit and read as long as you like. "
    "The garden is open from ten to five, and dogs are welcome there."
)
NOTED = "All right, that is noted."
BEGIN = 2.0
"""Seconds into the track at which something is said over the reply."""
SYLLABLE = 0.3
"""Seconds of a reply that count as next to nothing."""
SETS = ("development", "held out")


def run(options: Options) -> Result:
    """Every scene once: nothing varies between runs."""
    result = Result("barge_in", "Wrong cut-offs and false interruptions")
    if not speech.present():
        result.skipped = speech.ABSENT
        return result
    step = 3 if options.quick else 1
    sets = [list(made())[::step] for made in (development, held_out)]
    over = list(_over())[::step]
    if not shutil.which("flite"):
        result.notes.append("flite is absent: no backchannels, no echo, no spoken stop.")
    for name, scenes in zip(SETS, sets, strict=True):
        _report_turns(result, name, [(scene, _judge(scene)) for scene in scenes])
    _report_over(result, [(scene, _judge(scene)) for scene in over])
    return result


# --- scenes ------------------------------------------------------------------------------------------------------------


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
    track, start = placed(samples, BEGIN)
    stretches = [(start + utterance.onset, start + utterance.end)]
    return Scene(name, group, track, timed(utterance.text.split(), stretches), expect, start + utterance.end)


def _sound_over(name: str, group: str, samples: Samples) -> Scene:
    track, start = placed(samples, BEGIN)
    return Scene(name, group, track, (), "go on", start + len(samples))


def _echo(number: int) -> Scene:
    """The reply's own words, 18 dB down, as the loudspeaker says them."""
    begin = BEGIN + number * 0.7
    at = int((begin - 0.25) / SECONDS_PER_CHARACTER)
    at = REPLY.rfind(" ", 0, at) + 1
    words = REPLY[at:].split()[:6]
    said = speech.spoken(" ".join(words), ("slt", "rms", "awb")[number % 3])
    quiet = (np.frombuffer(said.pcm, "<i2") * 10 ** (-18 / 20)).astype(np.int16)
    track, start = placed(quiet, begin)
    stretch = [(start + said.onset, start + said.end)]
    return Scene(f"echo {number + 1}", "echo of the reply", track, timed(words, stretch), "go on", start + said.end)


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


# --- judging -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happened in a scene. ``decided`` is when the turn was judged over, in seconds behind the true end.

    ``early`` counts decisions before the true end, ``audible`` the replies of which something was heard before it,
    ``seconds`` how much, ``pieces`` the turns of the user in history.
    """

    wrong: bool
    early: int = 0
    audible: int = 0
    seconds: float = 0.0
    pieces: int = 1
    decided: float | None = None
    paused: bool = False
    resumes: int = 0
    exact: int = 0
    cut_after: float | None = None


Judged = list[tuple[Scene, Verdict]]


def _judge(scene: Scene) -> Verdict:
    typed = scene.expect != "answer"
    options = dataclasses.replace(ConversationOptions(acknowledged=True), hint=scene.hint)
    played = perform(scene.track.tobytes(), knowing(scene.words), REPLY if typed else NOTED, typed=typed, options=options)
    return _over_verdict(scene, played) if typed else _listen_verdict(scene, played)


def _listen_verdict(scene: Scene, played: Performance) -> Verdict:
    end = played.origin + scene.end / RATE
    finals = [moment for moment, e in played.events if isinstance(e, TranscriptUpdated) and e.final]
    behind = [moment - end for moment in finals if moment >= end]
    audible = sum(moment < end for moment in played.sink.first_heard.values())
    rate = played.sink.format.rate
    seconds = sum(max(0.0, min(len(h.pcm) / 2 / rate, end - h.at)) for h in played.sink.heard)
    pieces = len(played.turns)
    return Verdict(
        audible > 0 or pieces > 1,
        early=sum(moment < end for moment in finals),
        audible=audible,
        seconds=seconds,
        pieces=pieces,
        decided=behind[0] if behind else None,
    )


def _over_verdict(scene: Scene, played: Performance) -> Verdict:
    first = min((e.stamp.generation for _, e in played.events if isinstance(e, ReplyPaused)), default=1)
    cuts = [m for m, e in played.events if isinstance(e, ReplyInterrupted) and e.stamp.generation == first]
    paused = any(isinstance(e, ReplyPaused) for _, e in played.events)
    exact = sum(at == ear for at, ear in played.resumed)
    pcm = played.sink.pcm(first)
    whole = pcm == tone_pcm(24_000, 0, len(pcm) // 2) and not played.sink.discontinuities
    wrong = bool(cuts) if scene.expect == "go on" else not cuts
    began = played.origin + BEGIN
    return Verdict(
        wrong,
        paused=paused,
        resumes=len(played.resumed),
        exact=exact if whole else 0,
        cut_after=cuts[0] - began if cuts else None,
    )


def _report_turns(result: Result, name: str, judged: Judged) -> None:
    bar = (Bar("value", 2.0),)
    pauses = sum(s.pauses for s, _ in judged)
    wrong = sum(v.wrong for _, v in judged)
    counts = {
        "wrong cut-offs, of scenes": share(wrong, len(judged)),
        "a reply was audible in the turn, of scenes": share(sum(v.audible > 0 for _, v in judged), len(judged)),
        "more of it than a syllable, of scenes": share(sum(v.seconds > SYLLABLE for _, v in judged), len(judged)),
        "the turn is split in history, of scenes": share(sum(v.pieces > 1 for _, v in judged), len(judged)),
        "audible replies, of pauses inside a turn": share(sum(v.audible for _, v in judged), pauses),
        "decided early, of pauses inside a turn": share(sum(v.early for _, v in judged), pauses),
    }
    for text, value in counts.items():
        bars = bar if text.startswith("wrong") else ()
        result.figures.append(Figure(f"{text}, {name}", "%", value=value, bars=bars))
    for short in (False, True):
        waits = [1000 * v.decided for s, v in judged if v.decided is not None and (s.group == SHORT) == short]
        what = "questions and commands of one breath" if short else "other turns"
        result.figures.append(figure(f"true end to the decision, {what}, {name}", "ms", [waits]))
    rows = []
    for group in dict.fromkeys(scene.group for scene, _ in judged):
        mine = [(s, v) for s, v in judged if s.group == group]
        names = ", ".join(s.name for s, v in mine if v.wrong)
        numbers = (len(mine), sum(s.pauses for s, _ in mine), sum(v.wrong for _, v in mine))
        kinds = (sum(v.audible > 0 for _, v in mine), sum(v.seconds > SYLLABLE for _, v in mine))
        more = (sum(v.pieces > 1 for _, v in mine), sum(v.early for _, v in mine))
        rows.append((group, *map(str, (*numbers, *kinds, *more)), names))
    header = (
        "scenes",
        "n",
        "pauses",
        "wrong",
        "audible",
        "more than a syllable",
        "split",
        "decided early",
        "which were wrong",
    )
    result.tables.append(Table(f"Turns with pauses, {name}", header, tuple(rows)))
    unanswered = [s.name for s, v in judged if v.decided is None]
    result.notes.append(
        f"{name}: {len(judged)} scenes with {pauses} pauses of 0.1 s and more inside. Not judged over within {BEHIND:.0f} s "
        f"of the end: {', '.join(unanswered) or 'none'}."
    )


def _report_over(result: Result, judged: Judged) -> None:
    harmless = [(s, v) for s, v in judged if s.expect == "go on"]
    meant = [(s, v) for s, v in judged if s.expect == "stop"]
    resumes = sum(v.resumes for _, v in judged)
    exact = share(sum(v.exact for _, v in judged), resumes)
    result.figures += [
        Figure("false interruptions, of harmless sounds", "%", value=_wrong(harmless), bars=(Bar("value", 2.0),)),
        Figure("missed interruptions, of meant ones", "%", value=_wrong(meant)),
        Figure("resumed at the exact sample", "%", value=exact, bars=(Bar("value", 100.0, at_least=True),)),
    ]
    rows = []
    for group in dict.fromkeys(scene.group for scene, _ in judged):
        mine = [(s, v) for s, v in judged if s.group == group]
        wrong = [s.name for s, v in mine if v.wrong]
        paused = sum(v.paused for _, v in mine)
        expect = {"go on": "goes on", "stop": "is cut"}[mine[0][0].expect]
        rows.append((group, expect, str(len(mine)), str(len(wrong)), str(paused), ", ".join(wrong[:8])))
    header = ("scenes", "expected", "n", "wrong", "paused the reply", "which were wrong")
    result.tables.append(Table("Over a reply", header, tuple(rows)))
    result.notes.append(f"over a reply: {len(judged)} scenes; {resumes} times a reply was resumed.")


def _wrong(judged: Judged) -> float:
    return share(sum(verdict.wrong for _, verdict in judged), len(judged))
