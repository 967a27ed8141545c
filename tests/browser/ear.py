"""What the page's loudspeaker is given, sample for sample."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from playwright.async_api import Page

from tests.browser.fake_server import TEST_FILES
from tests.browser.pages import true_on

Samples = np.ndarray[Any, Any]

FADE = 120
"""Samples of the ramp at a stop and at a continuation: 5 ms."""

TAP = """
window.tapped = [];
const Node = AudioWorkletNode;
window.AudioWorkletNode = class extends Node {
  constructor(context, name, options) {
    super(context, name, options);
    if (name !== "vivavoce-playback") return;
    context.audioWorklet.addModule(window.tapFrom ?? "/test/tap.js").then(() => {
      const tap = new Node(context, "tap", { numberOfOutputs: 0 });
      tap.port.onmessage = ({ data }) => window.tapped.push(data);
      this.connect(tap);
      window.tapReady = true;
    });
  }
};
"""
"""A script that keeps what the page's playback node puts out, in blocks of 128 samples."""

TAP_ANYWHERE = (
    f"window.tapFrom = URL.createObjectURL(new Blob([{json.dumps((TEST_FILES / 'tap.js').read_text())}], "
    f"{{ type: 'text/javascript' }}));{TAP}"
)
"""The same where the server does not serve its worklet; the page's policy has to be bypassed."""


async def tapped(page: Page) -> Samples:
    """What the page has played, up to the silence behind it, in the units of PCM16."""
    await true_on(page, "window.tapped.slice(-8).every((block) => block.every((value) => value === 0))")
    return np.array(await page.evaluate("window.tapped.flatMap((block) => Array.from(block))")) * 32_768


def stalls(out: Samples, pcm: Samples) -> int:
    """How often the ear ran dry while it heard ``pcm``: every sample once, in order, and nothing else.

    ``pcm`` is never zero. Raises AssertionError with the place where it is not so.
    """
    heard, at, count = 0, int(np.flatnonzero(out)[0]), 0
    while True:
        length = min(len(pcm) - heard, len(out) - at)
        wrong = np.flatnonzero(np.abs(out[at : at + length] - pcm[heard : heard + length]) > 0.5)
        same = int(wrong[0]) if len(wrong) else length
        heard, at = heard + same, at + same
        if not len(wrong):
            break
        assert heard > 0, "the first samples are not those of the reply"
        rest = out[at:].copy()
        tail = min(FADE, len(rest))
        rest[:tail] -= pcm[heard - 1] * np.arange(FADE - 1, -1, -1)[:tail] / FADE
        again = int(np.flatnonzero(np.abs(rest) > 0.5)[0])
        rising = pcm[heard : heard + FADE] * np.arange(1, FADE + 1)[: len(pcm) - heard] / FADE
        np.testing.assert_allclose(
            rest[again : again + len(rising)], rising, atol=1, err_msg=f"behind sample {heard} comes another than the next"
        )
        heard, at, count = heard + len(rising), at + again + len(rising), count + 1
    assert heard == len(pcm), f"{len(pcm) - heard} samples were not heard"
    assert np.all(out[at + FADE :] == 0), "something was heard behind the end"
    return count
