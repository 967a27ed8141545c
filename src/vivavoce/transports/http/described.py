"""The description of all routes, with the answers no single route knows of: those of the entrance and of the framework."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from vivavoce.transports.access import scope_of
from vivavoce.transports.bodies import ErrorBody

Json = dict[str, Any]

_SHARED = {
    "400": "A wrong parameter; `param` names it.",
    "401": "A key is needed, or this one is wrong, revoked or used up.",
    "403": "A foreign Host or Origin, or a key that may not do this.",
    "422": "A wrong parameter.",
    "429": "Too many requests, or no room now; `Retry-After` says when to come back.",
    "500": "The server failed; its log says how.",
}
_ERROR = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}}
_FRAMEWORK = ("HTTPValidationError", "ValidationError")
"""Schemas of the framework's own errors, which nobody gets to see here."""


class Described(FastAPI):
    """An application whose `/openapi.json` tells every status there is."""

    def openapi(self) -> Json:
        """See FastAPI."""
        if self.openapi_schema is None:
            complete(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema


def complete(document: Json) -> None:
    """Add to each operation what every request may be answered; what a route says of itself stays."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            answers.pop("422", None)
            for status in _statuses(path, method, operation):
                answers.setdefault(status, {"description": _SHARED[status], **_ERROR})
            operation["responses"] = dict(sorted(answers.items()))
            if scope_of(method.upper(), path) is not None:
                operation["security"] = [{}, {"key": []}]
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key or a signed token, where the server wants one.",
        }
    }
    schemas = components.setdefault("schemas", {})
    for name in _FRAMEWORK:
        schemas.pop(name, None)
    found = ErrorBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(found.pop("$defs"))
    schemas["ErrorBody"] = found
    components["schemas"] = dict(sorted(schemas.items()))


def _statuses(path: str, method: str, operation: Json) -> list[str]:
    found = ["403", "429", "500"]
    if scope_of(method.upper(), path) is not None:
        found.append("401")
    body = "requestBody" in operation
    asked = body or any(parameter["in"] != "path" for parameter in operation.get("parameters", ()))
    if path.startswith("/v1/"):
        return [*found, "400"] if asked else found  # OpenAI's status for what it cannot read
    if body:
        found.append("400")
    return [*found, "422"] if asked else found
