"""A vocoder made of sines, as a part of an ONNX graph: every token sounds as a tone of its own for a known time.

Generated models use it so that a test can read from the sound what was said, in which order and for how long.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

BASE, STEP = 300.0, 18.0
AMPLITUDE = 0.5


def frequency(token: int, speaker: int = 0) -> float:
    """Hertz of a token; each further speaker is a fifth higher."""
    return (BASE + STEP * token) * (1.5**speaker)


class Tones:
    """Collects nodes and constants. ``tokens``, ``frames`` and ``factor`` are names of tensors in the graph."""

    def __init__(self, rate: int, hop: int) -> None:
        self.rate = rate
        self.hop = hop
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def sound(self, tokens: str, frames: str, factor: str, silent: Sequence[int], vocabulary: int) -> str:
        """Samples [N] of ``tokens`` [T] int64 that take ``frames`` [T] int64 each, pitched by the scalar ``factor``."""
        pitch = np.array([frequency(token) for token in range(vocabulary)], np.float32)
        loud = np.full(vocabulary, AMPLITUDE, np.float32)
        loud[list(silent)] = 0.0
        zero = self.constant("t.zero", np.array(0, np.int64))
        one = self.constant("t.one", np.array(1, np.int64))
        last = self.constant("t.last", np.array([1], np.int64))
        ends = self.node("CumSum", [frames, zero], "t.ends")
        total = self.node("ReduceMax", [ends], "t.total", keepdims=0)
        each = self.node("Range", [zero, total, one], "t.frames")
        column = self.node("Unsqueeze", [each, last], "t.column")
        passed = self.node("GreaterOrEqual", [column, ends], "t.passed")
        counts = self.node("Cast", [passed], "t.counts", to=TensorProto.INT64)
        index = self.node("ReduceSum", [counts, last], "t.index", keepdims=0)
        sounding = self.node("Gather", [tokens, index], "t.sounding")
        hertz = self.node("Gather", [self.constant("t.pitch", pitch), sounding], "t.hertz")
        hertz = self.node("Mul", [hertz, factor], "t.pitched")
        level = self.node("Gather", [self.constant("t.loud", loud), sounding], "t.level")
        shape = self.constant("t.hop", np.ones((1, self.hop), np.float32))
        hertz = self._per_sample(hertz, shape, last, "t.hertz_each")
        level = self._per_sample(level, shape, last, "t.level_each")
        turn = self.constant("t.turn", np.array(2 * np.pi / self.rate, np.float64))
        wide = self.node("Cast", [hertz], "t.wide", to=TensorProto.DOUBLE)
        advance = self.node("Mul", [wide, turn], "t.advance")
        phase = self.node("CumSum", [advance, zero], "t.phase")
        circle = self.node("Mod", [phase, self.constant("t.circle", np.array(2 * np.pi, np.float64))], "t.inside", fmod=1)
        narrow = self.node("Cast", [circle], "t.narrow", to=TensorProto.FLOAT)
        wave = self.node("Sin", [narrow], "t.wave")
        return self.node("Mul", [wave, level], "t.samples")

    def _per_sample(self, frames: str, shape: str, axis: str, name: str) -> str:
        column = self.node("Unsqueeze", [frames, axis], f"{name}.column")
        block = self.node("Mul", [column, shape], f"{name}.block")
        flat = self.constant(f"{name}.flat", np.array([-1], np.int64))
        return self.node("Reshape", [block, flat], name)

    def model(self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "tones", list(inputs), list(outputs), self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def heard(samples: NDArray[np.floating], rate: int, window: float = 0.02) -> list[float]:
    """The loudest tone in Hertz in each window that is not silent."""
    size = int(window * rate)
    found: list[float] = []
    for begin in range(0, len(samples) - size + 1, size // 2):
        part = samples[begin : begin + size] * np.hanning(size)
        if np.abs(part).max() < 0.1 * max(1e-9, np.abs(samples).max()):
            continue
        spectrum = np.abs(np.fft.rfft(part, 16_384))
        found.append(float(np.argmax(spectrum)) * rate / 16_384)
    return found


def melody(samples: NDArray[np.floating], rate: int, vocabulary: Sequence[int]) -> list[int]:
    """The tokens one after the other, equal neighbours once; a token counts if three windows in a row (40 ms) hold it."""
    nearest = [min(vocabulary, key=lambda token: abs(frequency(token) - tone)) for tone in heard(samples, rate)]
    held = [one for one, two, three in zip(nearest, nearest[1:], nearest[2:], strict=False) if one == two == three]
    return [token for index, token in enumerate(held) if not index or token != held[index - 1]]
