"""What ``bench.engines`` measures: engines with the models they come with, else with generated ones."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bench.speech import FOLDER
from vivavoce.app.engines import CATALOGUE, lacking
from vivavoce.services.models import directory
from vivavoce.workers.options import Setting

Kind = Literal["stt", "tts"]
REAL, GENERATED = "real", "generated"
PIECES = (
    "The ferry leaves at half past seven,",
    "crosses the bay in forty minutes, and returns before noon.",
    "There is another one at ten.",
)
"""What a voice says: a clause and two sentences."""


@dataclass(frozen=True, slots=True)
class Row:
    """One engine with one model; ``model`` says whether it is a real one."""

    name: str
    kind: Kind
    engine: str
    model: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    pieces: tuple[str, ...] = PIECES


def rows(folder: Path) -> tuple[list[Row], list[str]]:
    """What can be measured here (generated models are put into ``folder``), and what cannot, with the reason."""
    found: list[Row] = []
    missing: list[str] = []
    models = directory("")
    for entry in CATALOGUE:
        if entry.kind not in ("stt", "tts") or entry.pulls:
            continue
        lack = lacking(entry, models)
        if lack:
            missing.append(f"{entry.name}: {lack} is missing")
        else:
            found.append(Row(entry.name, entry.kind, entry.name, REAL, {**entry.settings}))
    spelling = FOLDER / "models" / "moonshine-micro" / "spelling_cnn_mel.shrunk.onnx"
    if spelling.is_file():
        found.append(Row("spelling", "stt", "spelling", REAL, {"model": str(spelling)}))
    if importlib.util.find_spec("onnx") is None:
        missing.append("optional engines: make bench-engines measures them, where their packages are")
        return found, missing
    return found + _generated(folder), missing


def _generated(folder: Path) -> list[Row]:
    from tests.engines import models_kokoro, models_piper, models_sherpa, models_sherpa_tts, models_whisper

    threads: dict[str, Setting] = {"threads": 1}

    def row(name: str, kind: Kind, engine: str, make: Callable[[Path], Path]) -> Row:
        place = folder / name.replace(" ", "-")
        place.mkdir()
        return Row(name, kind, engine, GENERATED, {**threads, "model": str(make(place))})

    return [
        row("sherpa streaming ctc", "stt", "sherpa", models_sherpa.zipformer2_ctc),
        row("sherpa streaming transducer", "stt", "sherpa", models_sherpa.zipformer2_transducer),
        row("sherpa offline ctc", "stt", "sherpa", models_sherpa.nemo_ctc),
        row("whisper", "stt", "whisper", models_whisper.make_whisper),
        row("piper", "tts", "piper", models_piper.make_piper),
        row("kokoro", "tts", "kokoro", models_kokoro.make_kokoro),
        # Its generated lexicon has these words and no others.
        replace(row("sherpa-tts vits", "tts", "sherpa-tts", models_sherpa_tts.make_sherpa_vits), pieces=_words(18)),
    ]


def _words(count: int) -> tuple[str, ...]:
    from tests.engines.models_sherpa_tts import WORDS

    return (" ".join(WORDS[place % len(WORDS)] for place in range(count)),)
