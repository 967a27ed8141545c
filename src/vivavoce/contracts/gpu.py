"""What the libraries of a GPU say when they fail, whichever runtime passes it on: one meaning for all engines.

The texts are those of CUDA 12 and 13, cuBLAS and cuDNN 9 as CTranslate2 4 and onnxruntime 1.31 pass them on.
"""

from __future__ import annotations

import ctypes

from vivavoce.contracts.errors import DeviceLost, EngineFailed, EngineMissing, VivavoceError

NO_LIBRARIES = "cuda_libraries_missing"
"""Code of EngineMissing where the GPU is asked for and cannot be reached."""
OUT_OF_MEMORY = "out_of_memory"

_UNREACHED = ("cannot be loaded", "cannot open shared object", "driver version is insufficient", "no CUDA-capable device")
_FULL = ("out of memory", "ALLOC_FAILED", "bad_alloc", "Failed to allocate memory")
_REFUSED = ("STATUS_BAD_PARAM", "STATUS_NOT_SUPPORTED", "STATUS_INVALID_VALUE")
"""A call that was wrong, behind which the next one may be right."""
_FAILED = ("CUDA failure", "CUDA error", "CUDA failed", "CUBLAS", "cuBLAS", "CUDNN", "cuDNN", "CUFFT", "cuFFT")


def is_unreached(text: str) -> bool:
    """Whether a library or the driver could not be opened, or there is no device."""
    return any(words in text for words in _UNREACHED)


def is_full(text: str) -> bool:
    """Whether memory ran out: on the device, or beside it."""
    return any(words in text for words in _FULL)


def unopened(library: str) -> str:
    """What the loader lacks to open a library by path or name, in its words; empty where nothing is lacking.

    A library that opens stays open. What is wrong with one that is found (such as symbols its runtime brings) is not told.
    """
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error) if is_unreached(str(error)) else ""
    return ""


def failure(error: Exception, who: str, mending: str) -> VivavoceError | None:
    """What a runtime's error means where the GPU is the reason; None where it is not.

    ``who`` is the engine, ``mending`` the command that brings the libraries. EngineMissing (cuda_libraries_missing),
    EngineFailed (out_of_memory, retryable) or DeviceLost: behind that one no call of this process succeeds any more.
    """
    text = " ".join(str(error).split())[:300]
    if is_unreached(text):
        return EngineMissing(f"{who} cannot use the GPU: {mending} ({text})", code=NO_LIBRARIES, cause=error)
    if is_full(text):
        return EngineFailed(
            f"no memory left for {who}: choose a smaller model, let other programs leave the GPU, or raise "
            f"max_address_space ({text})",
            code=OUT_OF_MEMORY, retryable=True, cause=error,
        )  # fmt: skip
    if any(words in text for words in _FAILED) and not any(words in text for words in _REFUSED):
        return DeviceLost(
            f"the GPU failed under {who}; its process is replaced, try again. If it comes back, look at `nvidia-smi`, or "
            f"set device to cpu ({text})",
            cause=error,
        )
    return None
