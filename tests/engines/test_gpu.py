"""Whisper on a GPU, where there is one; and what is said where its libraries are not, which needs none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import ctranslate2
import pytest

from tests.conftest import ROOT
from tests.engines.gpu import NO_GPU
from vivavoce.contracts.errors import ConfigurationError, DeviceLost, EngineFailed, EngineMissing
from vivavoce.engines.whisper.files import failed_reading, failure

pytestmark = pytest.mark.engine


@pytest.mark.process
@pytest.mark.parametrize("checks", ["gpu_check", "gpu_voices"])
def test_what_holds_on_a_cpu_holds_on_a_gpu(checks: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.engines.{checks}"], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode == NO_GPU:  # a GPU is not a component that could be installed: no failure in CI either
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (RuntimeError("Library libcublas.so.12 is not found or cannot be loaded"), EngineMissing, "cuda_libraries_missing"),
        (OSError("libcublasLt.so.12: cannot open shared object file"), EngineMissing, "cuda_libraries_missing"),
        (RuntimeError("CUDA failed with error out of memory"), EngineFailed, "out_of_memory"),
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"), EngineFailed, "out_of_memory"),
        (RuntimeError("CUDA failed with error an illegal memory access was encountered"), DeviceLost, "gpu_failed"),
        (ValueError("Requested float16 compute type, but the target device …"), ConfigurationError, "configuration_error"),
        (RuntimeError("CUDA driver version is insufficient for CUDA runtime"), EngineMissing, "cuda_libraries_missing"),
        (MemoryError(), EngineFailed, "out_of_memory"),
        (RuntimeError("Unsupported model binary version"), EngineFailed, "damaged_model"),
    ],
)
def test_errors_at_loading_say_what_to_do(error: Exception, kind: type, code: str) -> None:
    told = failure(Path("/models/whisper"), error)
    assert (type(told), told.code, told.cause) == (kind, code, error)
    assert str(error) in told.message


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (RuntimeError("CUDA failed with error an illegal memory access was encountered"), DeviceLost, "gpu_failed"),
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_EXECUTION_FAILED"), DeviceLost, "gpu_failed"),
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_NOT_SUPPORTED"), EngineFailed, "engine_failed"),
        (RuntimeError("CUDA failed with error out of memory"), EngineFailed, "out_of_memory"),
        (IndexError("list index out of range"), EngineFailed, "engine_failed"),
    ],
)
def test_errors_at_reading_say_whether_the_process_is_spoilt(error: Exception, kind: type, code: str) -> None:
    told = failed_reading(error)
    assert (type(told), told.code, told.cause) == (kind, code, error)


PRELOAD = """
from vivavoce.engines.whisper import cuda
cuda.preload()
print([line.split("/")[-1].strip() for line in open("/proc/self/maps") if "libcublas" in line and "r-xp" in line])
"""


@pytest.mark.process
@pytest.mark.parametrize("wheel", [True, False])
def test_libraries_of_nvidias_wheels_are_found(tmp_path: Path, wheel: bool) -> None:
    """With any library in their place: whether it is opened is what counts."""
    folder = tmp_path / "nvidia" / ("cublas" if wheel else "other") / "lib"
    folder.mkdir(parents=True)
    [library] = (Path(ctranslate2.__file__).parent.parent / "ctranslate2.libs").glob("libgomp*")
    for name in ("libcublasLt.so.12", "libcublas.so.12"):
        shutil.copy(library, folder / name)
    done = subprocess.run(
        [sys.executable, "-c", PRELOAD],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("libcublas.so.12" in done.stdout) is wheel
