"""When each word of a recording was spoken: its transcript, aligned by the built-in recogniser's acoustic model."""

from __future__ import annotations

import re
from functools import cache

import pocketsphinx

from bench.speech import Samples
from bench.stage import TimedWord

_FRAME = 160
_WIDEST = 1e-300
"""Beam: recordings are short, and an alignment that is lost is of no use."""


@cache
def _decoder() -> pocketsphinx.Decoder:
    return pocketsphinx.Decoder(
        samprate=16_000, loglevel="FATAL", bestpath=False, beam=_WIDEST, wbeam=_WIDEST, pbeam=_WIDEST
    )  # fmt: skip


def align(samples: Samples, text: str) -> list[TimedWord]:
    """The words with their samples; words the dictionary lacks are left out; nothing where no alignment is found."""
    decoder = _decoder()
    words = [word for word in re.findall(r"[a-z']+", text.lower()) if decoder.lookup_word(word) is not None]
    if not words:
        return []
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    return [
        TimedWord(part.word.split("(")[0], part.start_frame * _FRAME, (part.end_frame + 1) * _FRAME)
        for part in decoder.seg() or ()
        if not part.word.startswith(("<", "["))
    ]
