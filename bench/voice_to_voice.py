"""Voice to voice: from the last speech sample at the microphone to the first frame of the reply at the client.

A real server process with the built-in engines, one session over `/ws/audio`, recordings of several people played at the
pace of a microphone, a client that plays replies in real time and acknowledges them. The last speech sample is known from
``bench.speech``. A reply is stopped 0.6 s after it began, to go on to the next turn.

A turn is *confident* where the wait that was decided on is at most 0.1 s. The built-in recogniser reads free speech badly
and the built-in agent answers most of it by saying so; neither matters to the time. Commands spoken by flite are
synthetic and counted apart."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from bench import load, scenes
from bench.caller import Move, Turn
from bench.process import Server, Setup
from bench.result import Options, Result, Table
from bench.speech import ABSENT, Utterance, present, sentences, spoken
from bench.stats import Bar, figure, share, summarise

CONFIDENT = 100.0
MOVES = (Move(0.6),)
COMMANDS = (
    "What time is it?",
    "What is twelve times twelve?",
    "Set a timer for ten minutes.",
    "What day is it tomorrow?",
    "Toss a coin.",
    "How many pounds are in five kilos?",
    "Cancel the timer.",
    "Roll two dice.",
)
STAGES = ("speech_stopped", "transcript", "turn_scored", "decision", "wait", "first_token", "first_sentence", "first_audio")


def run(options: Options) -> Result:
    """Human speech, then commands."""
    result = Result("voice_to_voice", "Voice to voice with built-in engines")
    if not present():
        result.skipped = ABSENT
        return result
    people = sentences()[::5] if options.quick else sentences()
    repetitions = 1 if options.quick else 2
    human = [_hold(people, len(people)) for _ in range(repetitions)]
    turns = [turn for outcome in human for turn in scenes.answered(outcome)]
    confident = [
        [1000 * (t.first_audio - t.end) for t in scenes.answered(outcome) if t.first_audio and _confident(t)]
        for outcome in human
    ]
    bars = (Bar("p50", 300.0), Bar("p95", 600.0))
    result.figures += [
        figure("voice to voice, confident turns, recorded human speech", "ms", confident, bars),
        figure("voice to voice, all turns, recorded human speech", "ms", [scenes.voice_to_voice(o) for o in human]),
    ]
    asked = sum(len(outcome.notes[0].turns) for outcome in human)
    early = sum(t.premature for outcome in human for t in scenes.turns([outcome]))
    sure = sum(map(len, confident))
    result.notes.append(
        f"{asked} utterances by several people, {len(turns)} answered behind their end, {early} before it (a pause inside "
        f"them was taken for the end), {sure} confident ({share(sure, len(turns)):.0f} %)."
    )
    result.tables.append(_waterfall("Where the time goes, human speech (ms behind the detected end of speech)", turns))
    outcomes = list(human)
    if shutil.which("flite"):
        asked_for = _commands()[:4] if options.quick else _commands()
        commands = [_hold(asked_for, len(asked_for)) for _ in range(repetitions)]
        outcomes += commands
        result.figures.append(
            figure("voice to voice, commands spoken by flite", "ms", [scenes.voice_to_voice(o) for o in commands])
        )
        spoken_turns = [turn for outcome in commands for turn in scenes.answered(outcome)]
        result.tables.append(_waterfall("Where the time goes, commands", spoken_turns))
    else:
        result.notes.append("flite is absent: no spoken commands.")
    result.notes += [scenes.client_health(outcomes), *scenes.troubles(outcomes)]
    return result


def _hold(utterances: Sequence[Utterance], count: int) -> load.Outcome:
    with Server(Setup()) as server:
        plan = load.Plan(
            server.port, 1, 60.0 + 16.0 * count, tuple(utterances), MOVES, gap=(0.5, 0.8), turns=count, warm_up=0.0
        )
        return load.run(plan)


def _commands() -> tuple[Utterance, ...]:
    voices = ("slt", "rms", "awb", "kal16")
    return tuple(spoken(text, voices[number % len(voices)]) for number, text in enumerate(COMMANDS))


def _confident(turn: Turn) -> bool:
    return turn.waterfall is not None and turn.waterfall["wait"] <= CONFIDENT


def _waterfall(title: str, turns: Sequence[Turn]) -> Table:
    """Stages as the server tells them; then what lies between its clock and the client's."""
    rows = []
    for stage in STAGES:
        rows.append(_row(stage, [t.waterfall[stage] for t in turns if t.waterfall and t.waterfall[stage] is not None]))
    known = [t for t in turns if t.waterfall and t.detected_end is not None and t.first_audio is not None]
    rows.append(_row("first_sent", [t.waterfall["first_sent"] for t in known if t.waterfall]))
    rows.append(_row("detected end − true end", [1000 * (t.detected_end - t.end) for t in known if t.detected_end]))
    unexplained = [
        1000 * (t.first_audio - t.detected_end) - t.waterfall["first_sent"]
        for t in known
        if t.first_audio and t.detected_end and t.waterfall
    ]
    rows.append(_row("at the client − first_sent", unexplained))
    return Table(title, ("stage", "n", "p50", "p95", "max"), tuple(rows))


def _row(name: str, values: Sequence[float]) -> tuple[str, ...]:
    found = summarise(values)
    if found is None:
        return (name, "0", "–", "–", "–")
    return (name, str(found.count), f"{found.p50:.0f}", f"{found.p95:.0f}", f"{found.max:.0f}")
