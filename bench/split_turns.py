"""What reading a turn in pieces costs: word errors of the built-in recogniser, whole recordings against a live conversation.

In a conversation a transcription ends a little behind each pause, so that its words are there when the turn may be over;
the next one begins without the words before it. Whole means one transcription from the first sample to the last. The same
engine, the same samples, a fresh engine for each recording; the conversation is real (turn machine, Silero, smart-turn) and
runs on virtual time, so nothing varies between runs. Transcripts are those of the recordings, some of them unverified; both
sides are judged by the same. Word errors are substitutions, omissions and insertions."""

from __future__ import annotations

from collections.abc import Sequence

from bench import speech
from bench.result import Options, Result, Table
from bench.stage import ReadingSpeechToText, perform
from bench.stats import Figure, share
from bench.turn_scenes import Scene, read_aloud
from vivavoce.contracts.ports import Clock
from vivavoce.contracts.speech import TranscriptionOptions
from vivavoce.engines.pocketsphinx import PocketSphinx
from vivavoce.sessions.options import ConversationOptions
from vivavoce.text.matching import words_of

REPLY = "Noted."


def run(options: Options) -> Result:
    """Every recording with a transcript, whole and live."""
    result = Result("split_turns", "Reading a turn in pieces")
    if not speech.present():
        result.skipped = speech.ABSENT
        return result
    rows, totals = [], [0, 0, 0]
    for scene, text in list(read_aloud())[:: 3 if options.quick else 1]:
        wanted = words_of(text)
        whole = errors(wanted, words_of(_whole(scene)))
        said, pieces = _live(scene)
        live = errors(wanted, words_of(said))
        totals = [total + part for total, part in zip(totals, (len(wanted), whole, live), strict=True)]
        rows.append((scene.name, str(len(wanted)), str(scene.pauses), str(pieces), str(whole), str(live)))
    result.figures += [
        Figure("word errors, whole recordings", "%", value=share(totals[1], totals[0])),
        Figure("word errors, in a live conversation", "%", value=share(totals[2], totals[0])),
    ]
    header = ("recording", "words", "pauses", "transcriptions", "errors whole", "errors live")
    result.tables.append(Table("By recording", header, tuple(rows)))
    result.notes.append(f"{totals[0]} words in {len(rows)} recordings of several people, read aloud.")
    return result


def _whole(scene: Scene) -> str:
    engine = PocketSphinx({"decoders": 1})
    utterance = engine.open(TranscriptionOptions("en"))
    for piece in speech.frames(scene.track):
        utterance.send(piece)
    text = utterance.finish().text
    engine.close()
    return text


def _live(scene: Scene) -> tuple[str, int]:
    """What history holds of it in the end, and in how many transcriptions it was read."""
    engine = PocketSphinx({"decoders": 2})
    ears: list[ReadingSpeechToText] = []

    def recogniser(clock: Clock) -> ReadingSpeechToText:
        ears.append(ReadingSpeechToText(engine, clock))
        return ears[0]

    options = ConversationOptions(acknowledged=True)
    played = perform(scene.track.tobytes(), recogniser, REPLY, typed=False, options=options)
    engine.close()
    return " ".join(played.turns), ears[0].opened


def errors(wanted: Sequence[str], found: Sequence[str]) -> int:
    """Least number of substitutions, omissions and insertions between two lists of words."""
    row = list(range(len(found) + 1))
    for number, word in enumerate(wanted, 1):
        above, row = row, [number]
        for place, other in enumerate(found, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (word != other)))
    return row[-1]
