"""Vivavoce: a local-first, real-time voice server."""

__version__ = "0.1.0"
