"""The size ratchet: files ≤ 400 lines, classes ≤ 250 lines and ≤ 15 public methods, functions ≤ 50 lines.

Exceptions are listed with a reason and a number; the number may only fall.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "vivavoce"
FILE, CLASS, METHODS, FUNCTION = 400, 250, 15, 50

FILES: dict[str, tuple[int, str]] = {}
CLASSES: dict[str, tuple[int, str]] = {}
FUNCTIONS: dict[str, tuple[int, str]] = {}


def _sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def _length(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def _check(name: str, size: int, bar: int, exceptions: dict[str, tuple[int, str]]) -> None:
    if name in exceptions:
        allowed, reason = exceptions[name]
        assert reason, f"{name}: an exception needs a reason"
        assert size <= allowed, f"{name} grew to {size} (its exception allows {allowed})"
        assert size == allowed, f"{name} fell to {size}: lower its exception from {allowed}"
        assert size > bar, f"{name} needs no exception any more"
    else:
        assert size <= bar, f"{name} has {size} lines (bar {bar}): divide its state"


@pytest.mark.parametrize("path", _sources(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_sizes(path: Path) -> None:
    name = str(path.relative_to(SOURCE))
    text = path.read_text()
    _check(name, len(text.splitlines()), FILE, FILES)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            _check(f"{name}:{node.name}", _length(node), CLASS, CLASSES)
            public = [
                child.name
                for child in node.body
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_")
            ]
            assert len(public) <= METHODS, f"{name}:{node.name} has {len(public)} public methods (bar {METHODS})"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            _check(f"{name}:{node.name}", _length(node), FUNCTION, FUNCTIONS)


def test_every_package_says_what_it_is() -> None:
    for init in SOURCE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(init.read_text())), f"{init} has no sentence"


def test_every_exception_names_something_that_exists() -> None:
    names = {str(path.relative_to(SOURCE)) for path in _sources()}
    for listed in (*FILES, *(name.split(":")[0] for name in (*CLASSES, *FUNCTIONS))):
        assert listed in names, f"{listed} is gone: remove its exception"
