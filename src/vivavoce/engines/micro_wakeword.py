"""Wake words with microWakeWord (Apache-2.0, models too): small streaming networks on TensorFlow Lite.

The sound of a stream is turned into features once (30 ms windows every 10 ms) and shown to one network per word; a word is
recognised when the mean of a network's last five probabilities passes the threshold that belongs to it. All four built-in
words take about 2 % of real time on one core.

A network keeps its past inside its interpreter, so each stream needs interpreters of its own (60 kB files, mapped into
memory once); those of closed streams are used again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vivavoce.contracts.errors import (
    ConfigurationError,
    EngineFailed,
    EngineMissing,
    InvalidAudio,
    Overloaded,
    UnknownName,
)
from vivavoce.contracts.speech import Capabilities, WakeWord

try:
    import pymicro_wakeword
except ImportError:
    pymicro_wakeword = None

RATE = 16_000
HOP = 160
"""Samples between two feature frames."""
FIRST = 2
"""Hops that pass before the first feature frame: its window is 30 ms long."""
LATENCY = int(0.1 * RATE)
"""Samples by which a recognition comes behind the end of the word: 50–210 ms, 115 in the median of the recordings of the
package that end behind the word."""
REFRACTORY = 1.0
MOST_STREAMS = 256
MOST_IDLE = 16
"""Interpreters of each word kept for the next stream."""
_IDENTIFIER = b"TFL3"
"""Stands at bytes 4–8 of every TensorFlow Lite file; the library crashes on other files."""

Setting = str | int | float | bool


class MicroWakeWords:
    """Recognises a few words in running audio; see WakeWordEngine.

    Settings:

    - ``models``: paths of further ``.tflite`` files, separated as in PATH; each needs its description (``.json``) beside it.
      The word is called like the file.
    - ``threshold`` (0): probability above which a word is recognised in place of the one that belongs to each model.
    - ``refractory`` (1.0): seconds behind a word in which no other is recognised.
    - ``streams`` (256): most streams.

    Raises EngineMissing without the package or a model, ConfigurationError for a model that cannot be used.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        if pymicro_wakeword is None:
            raise EngineMissing("pymicro-wakeword is not installed: pip install 'vivavoce[wakeword]'")
        self._threshold = float(settings.get("threshold", 0.0))
        self._refractory = round(float(settings.get("refractory", REFRACTORY)) * RATE)
        self._most = int(settings.get("streams", MOST_STREAMS))
        self._open = 0
        self._sources: dict[str, Any] = {model.value: model for model in pymicro_wakeword.Model}
        for path in filter(None, str(settings.get("models", "")).split(os.pathsep)):
            self._sources[Path(path).stem] = _description(Path(path))
        self._idle: dict[str, list[Any]] = {word: [self._load(word)] for word in self._sources}
        self._capabilities = Capabilities(
            name="micro_wakeword",
            languages=("en",),
            concurrency=self._most,
            licence="Apache-2.0",
            words=tuple(sorted(self._sources)),
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def open(self, words: Sequence[str]) -> MicroWakeWordStream:
        """Listen for ``words``; none are all. Raises UnknownName, Overloaded."""
        wanted = tuple(dict.fromkeys(words)) or self._capabilities.words
        for word in wanted:
            if word not in self._sources:
                names = ", ".join(self._capabilities.words)
                raise UnknownName(f"no wake word {word!r} here; there is {names}", code="unknown_wake_word")
        if self._open >= self._most:
            raise Overloaded(f"wake words are listened for in {self._open} streams already: raise the engine's 'streams'")
        self._open += 1
        networks = {word: self._idle[word].pop() if self._idle[word] else self._load(word) for word in wanted}
        return MicroWakeWordStream(self, networks, self._threshold, self._refractory)

    def release(self, networks: Mapping[str, Any]) -> None:
        """A stream is closed: its interpreters serve the next."""
        self._open -= 1
        for word, network in networks.items():
            if len(self._idle[word]) < MOST_IDLE:
                self._idle[word].append(network)
            else:
                network.close()

    def close(self) -> None:
        """Let all idle interpreters go."""
        for networks in self._idle.values():
            for network in networks:
                network.close()
            networks.clear()

    def _load(self, word: str) -> Any:
        source = self._sources[word]
        try:
            if isinstance(source, Path):
                return pymicro_wakeword.MicroWakeWord.from_config(source)
            return pymicro_wakeword.MicroWakeWord.from_builtin(source)
        except (OSError, RuntimeError) as error:
            raise EngineMissing(
                f"the wake word {word} could not be loaded ({error}): pip install --force-reinstall 'vivavoce[wakeword]' "
                "(its library needs glibc 2.35)",
                cause=error,
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"the wake word model {word} has an unusable description: {error!r}", cause=error
            ) from error


def _description(path: Path) -> Path:
    """The JSON file beside a model. Raises EngineMissing, ConfigurationError."""
    if not path.is_file():
        raise EngineMissing(f"the wake word model {path} is not there: correct the engine's setting 'models'")
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:] != _IDENTIFIER:
        raise ConfigurationError(f"{path} is no TensorFlow Lite model: correct the engine's setting 'models'")
    description = path.with_suffix(".json")
    if not description.is_file():
        raise EngineMissing(f"{path} needs its description beside it: {description.name} (it comes with the model)")
    return description


class MicroWakeWordStream:
    """One stream. Implements ``contracts.engines.WakeWordStream``."""

    def __init__(self, engine: MicroWakeWords, networks: Mapping[str, Any], threshold: float, refractory: int) -> None:
        self._engine = engine
        self._networks = networks
        self._threshold = threshold
        self._refractory = refractory
        self._features = pymicro_wakeword.MicroWakeWordFeatures()
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        for network in self._networks.values():
            network.reset()
        self._frames = 0
        self._position = FIRST * HOP
        self._deaf_until = 0
        self._above: set[str] = set()

    def send(self, pcm: bytes) -> list[WakeWord]:
        """The words recognised, with their ends in samples since the start or the last reset. Raises InvalidAudio."""
        if self._closed:
            raise EngineFailed("this stream is closed: open another")
        if len(pcm) % 2:
            raise InvalidAudio(f"audio is 16-bit: {len(pcm)} bytes is no whole number of samples")
        heard: list[WakeWord] = []
        for features in self._features.process_streaming(pcm):
            self._frames += 1
            self._position += HOP
            for word, network in self._networks.items():
                if self._passes(word, network, features):
                    self._deaf_until = self._position + self._refractory
                    heard.append(WakeWord(word, max(0, self._position - LATENCY)))
        return heard

    def _passes(self, word: str, network: Any, features: Any) -> bool:
        """Whether the word was recognised just now: a long high plateau is one word, and two at once are one, too."""
        try:
            probability = network.process_streaming_prob(features)
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"the wake word {word} failed: {error}", cause=error) from error
        if self._frames % network.stride:
            return False  # it judges every third frame only, and says 0 between
        if probability is None or probability <= (self._threshold or network.probability_cutoff):
            self._above.discard(word)
            return False
        rising = word not in self._above
        self._above.add(word)
        return rising and self._position >= self._deaf_until

    def reset(self) -> None:
        """Forget what was heard; positions begin at 0 again."""
        self._features.reset()
        self._begin()

    def close(self) -> None:
        """Idempotent."""
        if not self._closed:
            self._closed = True
            self._engine.release(self._networks)
