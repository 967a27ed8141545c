"""Bodies that are not streamed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class ModelBody(BaseModel):
    """One model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    kind: str = Field(description="`stt`, `tts` or `llm`.")
    alias_of: str | None = Field(description="What a name of OpenAI's stands for here.")


class Models(BaseModel):
    """A list of models."""

    object: Literal["list"] = "list"
    data: list[ModelBody]


class ModelNames(BaseModel):
    """The shape some clients look for first."""

    models: list[ModelBody]


class VoiceBody(BaseModel):
    """One voice."""

    id: str
    name: str
    model: str
    language: str


class Voices(BaseModel):
    """One body for every client: some read ``data``, some ``voices``."""

    object: Literal["list"] = "list"
    data: list[VoiceBody]
    voices: list[VoiceBody]
