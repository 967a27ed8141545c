"""Holds answers against what `/openapi.json` says of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
from fastapi import FastAPI
from jsonschema import Draft202012Validator

Json = dict[str, Any]


class Description:
    """The document of an application, and which of the answers it tells of were seen."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self.seen: set[tuple[str, str, str]] = set()
        exact_first = sorted(document["paths"], key=lambda path: ("{" in path, -path.count("/")))
        self._addresses = [(_pattern(path), path) for path in exact_first]

    @property
    def promised(self) -> set[tuple[str, str, str]]:
        """Every documented answer: method, path, status."""
        return {
            (method.upper(), path, status)
            for path, operations in self.document["paths"].items()
            for method, operation in operations.items()
            for status in operation["responses"]
        }

    def check(self, method: str, path: str, answer: httpx.Response) -> None:
        """Assert that an answer is a documented one. ``answer`` has been read."""
        place = f"{method} {path} {answer.status_code}"
        if answer.status_code >= 400:
            self._valid({"$ref": "#/components/schemas/ErrorBody"}, answer, place, unless_health=path.startswith("/health"))
        if answer.status_code in (429, 503):
            again = path.startswith("/health") or answer.json()["error"]["retryable"]
            wait = answer.headers.get("retry-after", "")
            assert (wait.isdecimal() and int(wait) >= 1) if again else not wait, f"{place}: Retry-After is {wait!r}"
        found = next((known for pattern, known in self._addresses if pattern.fullmatch(path)), None)
        operation = self.document["paths"].get(found, {}).get(method.lower())
        if operation is None:
            return
        status = str(answer.status_code)
        assert status in operation["responses"], f"{place} is not documented: {answer.text[:300]}"
        self.seen.add((method, str(found), status))
        contents = {_bare(name): content for name, content in operation["responses"][status].get("content", {}).items()}
        kind = _bare(answer.headers.get("content-type", ""))
        if not contents:
            assert not answer.content, f"{place} has a body nobody documented"
            return
        assert kind in contents, f"{place}: {kind} is not among {', '.join(contents)}"
        if kind == "application/json":
            self._valid(contents[kind]["schema"], answer, place)

    def _valid(self, schema: Json, answer: httpx.Response, place: str, *, unless_health: bool = False) -> None:
        if unless_health and answer.status_code == 503:  # readiness tells its state with either status
            return
        whole = {"components": self.document["components"], **schema}
        problems = [
            f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(answer.json())
        ]
        assert not problems, f"{place}: {problems}"


def watching(description: Description) -> dict[str, list[Callable[[httpx.Response], Coroutine[Any, Any, None]]]]:
    """Event hooks of a client that checks every answer it gets."""

    async def check(answer: httpx.Response) -> None:
        await answer.aread()
        description.check(answer.request.method, answer.request.url.path, answer)

    return {"response": [check]}


def hooks(app: FastAPI) -> dict[str, list[Callable[[httpx.Response], Coroutine[Any, Any, None]]]]:
    """The same, by an application's own description."""
    return watching(Description(app.openapi()))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        "".join(".+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]+\})", path)), re.DOTALL
    )


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
