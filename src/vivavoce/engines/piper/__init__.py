"""Natural voices in some forty languages with Piper. GPL-3: in a worker process of its own."""

from vivavoce.engines.piper.engine import Piper, PiperSynthesis

__all__ = ["Piper", "PiperSynthesis"]
