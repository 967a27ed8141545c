"""A session of onnxruntime that computes where it was told to, or says why it cannot."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import Any

from vivavoce.contracts.errors import EngineFailed, EngineMissing
from vivavoce.contracts.gpu import NO_LIBRARIES, unopened

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

LIBRARIES = "pip install 'onnxruntime-gpu[cuda,cudnn]' in place of onnxruntime, or set device to cpu"
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "coreml": "CoreMLExecutionProvider"}
_CUDA = {"cudnn_conv_algo_search": "HEURISTIC"}
"""Left to itself the runtime tries all algorithms for each length it has not met, and every clause has one of its own: on an
H200 half a second for a decoder of Kokoro's size that computes for 12 ms."""
_CUDNN = "libcudnn.so.9"
"""Every voice has convolutions; where it is absent the runtime notices at the first of them only."""


def open_session(model: bytes, threads: int, device: str) -> Any:
    """The model on ``device``. Left to itself the runtime computes on the CPU where it cannot do so, and tells nobody.

    Raises EngineMissing where the device cannot be had, EngineFailed for one that is unknown, and what the runtime raises.
    """
    provider = _PROVIDERS.get(device)
    if provider is None:
        raise EngineFailed(f"there is no device {device!r} for Piper; it runs on {', '.join(_PROVIDERS)}")
    missing = _preload() if device == "cuda" else ""
    if provider not in onnxruntime.get_available_providers():
        how = LIBRARIES if device == "cuda" else "set device to cpu"
        raise EngineMissing(f"this onnxruntime cannot use {device}: {how}")
    if missing.startswith(_CUDNN):
        raise _unreached(device, missing)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads must not burn a core
    providers: list[Any] = list(dict.fromkeys((provider, _PROVIDERS["cpu"])))
    if device == "cuda":
        providers[0] = (provider, _CUDA)
    session = onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)
    if provider not in session.get_providers():
        raise _unreached(device, missing or "look at `nvidia-smi`")
    return session


def _unreached(device: str, detail: str) -> EngineMissing:
    if device != "cuda":
        return EngineMissing(f"Piper cannot use {device} here: set device to cpu")
    return EngineMissing(f"Piper cannot use the GPU: {LIBRARIES} ({detail})", code=NO_LIBRARIES)


def _preload() -> str:
    """Open CUDA's libraries where NVIDIA's own wheels have them; what is missing, in the words of the loader."""
    if not getattr(onnxruntime, "cuda_version", ""):
        return ""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        onnxruntime.preload_dlls()
    for line in said.getvalue().splitlines():
        if line.startswith("Failed to load"):
            return line.partition(": ")[2]
    return unopened(_CUDNN) if sys.platform == "linux" else ""
