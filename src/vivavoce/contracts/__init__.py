"""Frozen dataclasses (audio chunks, transcripts, events), the Protocol ports and the error tree.

Knows only the standard library.
"""
