"""Very natural voices in nine languages with Kokoro. It reads with espeak-ng (GPL-3): in a worker process of its own."""

from vivavoce.engines.kokoro.engine import Kokoro, KokoroSynthesis

__all__ = ["Kokoro", "KokoroSynthesis"]
