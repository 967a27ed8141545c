"""Pocketsphinx: free speech and the built-in commands, read side by side."""

from vivavoce.engines.pocketsphinx.engine import MAX_SPEAKERS, PocketSphinx

__all__ = ["MAX_SPEAKERS", "PocketSphinx"]
