"""What several benchmarks share: the work of DESIGN's last paragraph on numbers, and how notes become samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.caller import Turn
from bench.load import Outcome
from bench.process import Setup
from bench.speech import Utterance, sentences

USER = "could you play some quiet music in the kitchen"
"""What the scripted recogniser reads in any utterance. It has no word of the reply, or it would count as the reply's
echo."""

REPLY = (
    "I looked it up, and the train to the coast leaves from the north station at a quarter past nine. "
    "There is another one an hour later."
)
"""First clause: 4 tokens; first sentence: 20. At 40 tokens a second its fourth token comes 75 ms behind the first."""

FIRST_CLAUSE_TOKENS = 4
STT, FIRST_TOKEN, TOKENS_PER_SECOND, TTS = 0.06, 0.08, 40.0, 0.06
RELEASE = 0.064
"""The detector's release: two frames of 32 ms."""
CLAUSE = (FIRST_CLAUSE_TOKENS - 1) / TOKENS_PER_SECOND
ENGINES = STT + FIRST_TOKEN + CLAUSE + TTS
"""Serial time of the engines from the end of an utterance to the first audio of its reply: 275 ms."""

PORTS = {
    "stt": {"texts": [USER], "final_latency": STT, "seconds_per_word": 0.4},
    "llm": {"replies": [REPLY], "first_token_latency": FIRST_TOKEN, "tokens_per_second": TOKENS_PER_SECOND},
    "tts": {"first_latency": TTS, "rtf": 0.05, "seconds_per_character": 0.05},
}

SCRIPTED = ("engines.stt=scripted", "engines.llm=scripted", "engines.tts=scripted", "engines.turn=scripted")
"""Everything scripted but voice activity detection, which stays real."""

ONE_RECORDING = "librivox_sense_0880"
"""A human sentence of 2.6 s with a pause of 0.4 s inside."""


def scripted(*settings: str, cores: tuple[int, ...] = (), profile: str = "", sessions: int = 400) -> Setup:
    """A server with scripted engines of the fixed latencies above and the real voice activity detector."""
    room = (f"sessions.max_sessions={sessions}", f"server.sockets.max_connections={sessions + 50}")
    return Setup((*SCRIPTED, *room, "sessions.max_lateness=0", *settings), PORTS, cores, profile)


def one_recording() -> tuple[Utterance, ...]:
    """The recording of the comparison with peers."""
    return tuple(u for u in sentences() if u.name == ONE_RECORDING)


def steady() -> tuple[Utterance, ...]:
    """Utterances of 1 to 4 s without an inner pause of 0.15 s, by different people."""
    return tuple(u for u in sentences() if 1.0 <= u.seconds <= 4.0 and not any(b - a > 0.15 * 16_000 for a, b in u.pauses))


def turns(outcomes: Iterable[Outcome]) -> Iterator[Turn]:
    """All turns behind the warm-up."""
    for outcome in outcomes:
        for notes in outcome.notes:
            yield from (turn for turn in notes.turns if turn.onset >= outcome.measured_from)


def answered(outcome: Outcome) -> list[Turn]:
    """Turns whose reply began behind the end of speech."""
    return [t for t in turns([outcome]) if t.first_audio is not None and not t.premature]


def voice_to_voice(outcome: Outcome) -> list[float]:
    """Milliseconds from the last speech sample at the microphone to the first reply frame at the client."""
    return [1000 * (t.first_audio - t.end) for t in answered(outcome) if t.first_audio is not None]


def client_health(outcomes: Sequence[Outcome]) -> str:
    """How late the load generator itself was; its lateness is inside all latencies."""
    late = sorted(value for outcome in outcomes for value in outcome.late)
    busy = max((o.cpu / o.wall for o in outcomes), default=0.0)
    if not late:
        return "no client ran"
    p99 = 1000 * late[int(0.99 * (len(late) - 1))]
    return (
        f"client late by p50 {1000 * late[len(late) // 2]:.1f}, p99 {p99:.1f}, max {1000 * late[-1]:.1f} ms; busy {busy:.0%}"
    )


def troubles(outcomes: Sequence[Outcome]) -> list[str]:
    """What went wrong, as notes for the report."""
    refused = sum(len(o.refused) for o in outcomes)
    errors = [error for o in outcomes for notes in o.notes for error in notes.errors]
    unanswered = sum(notes.unanswered for o in outcomes for notes in o.notes)
    closed = [notes.closed for o in outcomes for notes in o.notes if notes.closed]
    misplaced = sum(notes.misplaced for o in outcomes for notes in o.notes)
    found = []
    if refused:
        found.append(f"{refused} sessions were refused")
    if errors:
        found.append(f"{len(errors)} errors, for example: {errors[0]}")
    if unanswered:
        found.append(f"{unanswered} utterances were not answered within the caller's patience")
    if closed:
        found.append(f"{len(closed)} connections were closed by the server: {closed[0]}")
    ahead = sum(notes.ahead for o in outcomes for notes in o.notes)
    if ahead:
        found.append(f"{ahead} events about samples that were not captured yet: a stall was taken for a gap in the stream")
    if misplaced:
        found.append(f"{misplaced} reply frames did not begin where the one before ended")
    return found
