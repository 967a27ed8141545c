"""CUDA's libraries, which CTranslate2 opens by name when it first computes and which are not part of its wheel."""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from pathlib import Path

LIBRARIES = "pip install nvidia-cublas-cu12, or put the folder of libcublas.so.12 on LD_LIBRARY_PATH, or set device to cpu"
_FILES = ("libcublasLt.so.12", "libcublas.so.12")
"""In the order in which they need each other. CTranslate2 4 is built for CUDA 12."""


def preload() -> None:
    """Open the libraries of NVIDIA's own wheels, where the loader does not look by itself. Does nothing without them."""
    try:
        found = find_spec("nvidia.cublas")
    except ModuleNotFoundError:
        return
    for folder in found.submodule_search_locations or () if found else ():
        for name in _FILES:
            file = Path(folder) / "lib" / name
            if file.is_file():
                ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
