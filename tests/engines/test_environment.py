"""The environment of these tests: every optional engine is there, at the version that is locked."""

from __future__ import annotations

import importlib.metadata
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_extra_is_installed(extra: str) -> None:
    for requirement in EXTRAS[extra]:
        importlib.metadata.version(Requirement(requirement).name)
