"""A model that computes about as much as Kokoro does, with its inputs and outputs, and noise for a sound.

Its parts have the published sizes of Kokoro-82M: recurrent layers of 512 over phonemes and frames, convolutions of 1 024
channels at 80 frames a second, then an iSTFTNet vocoder (upsampling 10 and 6, kernels 3, 7 and 11): some 40 GFLOP for a
second of speech. Left out is what takes little: the text encoder's transformer and the harmonic source.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.engines.models_kokoro import VOCABULARY, VOICES

FRAMES = 3
"""Of 600 samples for a phoneme."""


class _Net:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(7)

    def constant(self, value: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, *shape: int, fan: int) -> str:
        return self.constant((self.random.standard_normal(shape, np.float32) / np.sqrt(fan)).astype(np.float32))

    def node(self, operator: str, *inputs: str, name: str = "", **attributes: object) -> str:
        name = name or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def conv(self, x: str, size: tuple[int, int], kernel: int, dilation: int = 1) -> str:
        pad = dilation * (kernel - 1) // 2
        weight = self.weight(size[1], size[0], kernel, fan=size[0] * kernel)
        return self.node("Conv", x, weight, pads=[pad, pad], dilations=[dilation])

    def up(self, x: str, size: tuple[int, int], stride: int) -> str:
        weight = self.weight(size[0], size[1], 2 * stride, fan=2 * size[0])
        return self.node("ConvTranspose", x, weight, strides=[stride], pads=[stride // 2, stride - stride // 2])

    def bent(self, x: str) -> str:
        return self.node("LeakyRelu", x, alpha=0.1)

    def blocks(self, x: str, width: int) -> str:
        """The three residual blocks of a stage, averaged."""
        ends = []
        for kernel in (3, 7, 11):
            y = x
            for dilation in (1, 3, 5):
                inner = self.conv(self.bent(y), (width, width), kernel, dilation)
                y = self.node("Add", y, self.conv(self.bent(inner), (width, width), kernel))
            ends.append(self.node("Mul", y, self.constant(np.array(1 / 8, np.float32))))
        return self.node("Sum", *ends)

    def recurrent(self, x: str) -> str:
        """[T, 1, 512] to [T, 1, 512]."""
        weights = [self.weight(2, 1_024, 512, fan=512), self.weight(2, 1_024, 256, fan=256)]
        self.nodes.append(
            helper.make_node("LSTM", [x, *weights], [f"y{len(self.nodes)}"], hidden_size=256, direction="bidirectional")
        )
        both = self.node("Transpose", self.nodes[-1].output[0], perm=[0, 2, 1, 3])
        return self.node("Reshape", both, self.constant(np.array([0, 0, 512], np.int64)))

    def repeated(self, x: str, times: int) -> str:
        """[T, 1, 512] to [times · T, 1, 512]."""
        block = self.node("Mul", x, self.constant(np.ones((1, times, 1), np.float32)))
        return self.node("Reshape", block, self.constant(np.array([-1, 1, 512], np.int64)))


def make_decoder(folder: Path) -> Path:
    """Write ``kokoro-v1.0.onnx`` (some 190 MB) and ``voices-v1.0.bin``; returns the path of the model."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kokoro-v1.0.onnx"
    onnx.save(_graph(), path)
    with (folder / "voices-v1.0.bin").open("wb") as file:
        np.savez(file, **{name: np.zeros((510, 1, 256), np.float32) for name in VOICES})
    return path


def _graph() -> onnx.ModelProto:
    net = _Net()
    tokens = net.node("Reshape", "tokens", net.constant(np.array([-1], np.int64)))
    known = net.node("Gather", net.weight(1 + max(VOCABULARY.values()), 512, fan=1), tokens)
    x = net.node("Unsqueeze", known, net.constant(np.array([1], np.int64)))
    for _ in range(5):
        x = net.recurrent(x)
    x = net.repeated(net.recurrent(net.repeated(x, FRAMES)), 2)
    x = net.conv(net.node("Transpose", x, perm=[1, 2, 0]), (512, 1_024), 3)
    for _ in range(4):
        x = net.node("Add", x, net.conv(net.bent(net.conv(net.bent(x), (1_024, 1_024), 3)), (1_024, 1_024), 3))
    x = net.conv(net.bent(x), (1_024, 512), 3)
    x = net.blocks(net.up(net.bent(x), (512, 256), 10), 256)
    x = net.blocks(net.up(net.bent(x), (256, 128), 6), 128)
    x = net.up(net.conv(net.bent(x), (128, 22), 7), (22, 1), 5)
    x = net.node("MeanVarianceNormalization", x, axes=[0, 1, 2])
    x = net.node("Mul", x, net.constant(np.array(0.3, np.float32)))
    net.node("Reshape", net.node("Tanh", x), net.constant(np.array([-1], np.int64)), name="audio")
    shape = net.node("Shape", tokens)
    net.node("Expand", net.constant(np.array([FRAMES], np.int64)), shape, name="duration")
    inputs = [
        helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "tokens"]),
        helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
        helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["samples"]),
        helper.make_tensor_value_info("duration", TensorProto.INT64, ["phonemes"]),
    ]
    graph = helper.make_graph(net.nodes, "decoder", inputs, outputs, net.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
