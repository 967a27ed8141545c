"""The body of every answer that is no success: the same at every door that answers with a status."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ErrorDetail(BaseModel):
    """What went wrong, with all four of the keys that clients of OpenAI read."""

    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="For people: says what to do.")
    type: str = Field(description="`invalid_request_error`, `rate_limit_error` or `server_error`.")
    param: str | None = Field(description="The parameter that is wrong, where one is.")
    retryable: bool = Field(description="Whether the same request may succeed later.")


class ErrorBody(BaseModel):
    """The body of every answer that is no success."""

    error: ErrorDetail
