"""Which models a service lists at ``/models``."""

from __future__ import annotations

from vivavoce.contracts.errors import ProviderFailed
from vivavoce.providers._http import Service

MAX_MODELS = 2_000
_NOT_FOR_CHAT = (
    "embed", "whisper", "tts", "transcribe", "rerank", "dall-e", "image", "moderation", "bge-", "sora", "realtime", "guard",
)  # fmt: skip
"""Parts of names of models that do not chat; services list all they have without saying what for."""


async def models(service: Service) -> list[str]:
    """Names in the order of the service. Raises ProviderFailed, InvalidRequest."""
    listed = await service.fetch_json("GET", "/models")
    rows = listed.get("data", listed.get("models")) if isinstance(listed, dict) else listed
    if not isinstance(rows, list):
        raise ProviderFailed(f"{service.name} lists no models; is its url right?", retryable=False)
    names = [str(row.get("id") or row.get("name") or "") for row in rows[:MAX_MODELS] if isinstance(row, dict)]
    return [name for name in names if name]


def chats(name: str) -> bool:
    """Whether a model, judged by its name, may be a language model."""
    return not any(part in name.lower() for part in _NOT_FOR_CHAT)


async def model_name(service: Service) -> str:
    """The first listed model that may be a language model. Raises ProviderFailed."""
    found = next((name for name in await models(service) if chats(name)), None)
    if found is None:
        raise ProviderFailed(f"{service.name} lists no language model; name one (llm)", retryable=False)
    return found
