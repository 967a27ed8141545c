"""What `vivavoce doctor` looks at. Nothing here imports an engine: packages are found, not loaded."""

from __future__ import annotations

import importlib.resources
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vivavoce.cli.playback import find_player
from vivavoce.contracts.errors import ConfigurationError

if TYPE_CHECKING:
    from vivavoce.config.settings import Settings

MIN_FREE = 200_000_000
"""Bytes free under which a model may not fit."""

CODECS = {
    "av": "no Opus, WebM, AAC or FLAC is made, and of recordings only WAV can be read",
    "lameenc": "no MP3 is made, which is what clients of OpenAI's API ask for by default",
}
"""Packages of the extra `codecs`, and what is lost without each."""

CALLS = {"wrtc": ("webrtc", "webrtc-native"), "aiortc": ("aiortc", "webrtc")}
"""Back ends of calls, the preferred one first: the package each needs, and the extra that brings it."""

Status = Literal["ok", "note", "warn", "fail"]
"""``note``: nothing is wrong, but more could be had."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; ``mend`` is the command or step that helps."""

    name: str
    status: Status
    detail: str
    mend: str = ""


def everything(config: Path | None, assignments: list[str] | None) -> list[Check]:
    """Every check, in reading order."""
    from vivavoce.services.models import directory

    settings, findings = _configuration(config, assignments)
    models = directory(settings.models_dir)
    return [
        _python(),
        _machine(),
        *findings,
        *_engines(settings, models),
        *_models(models),
        _recommended(settings, models),
        *_providers(settings),
        _services(settings),
        _disk(models),
        _port(settings.server.host, settings.server.port),
        *_tls(settings),
        *_signing(settings),
        codecs(),
        calls(settings.webrtc.backend),
        _page(),
        _sound(),
    ]


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _machine() -> Check:
    cores = os.cpu_count() or 1
    detail = f"{platform.system()} {platform.machine()}, {cores} cores"
    if platform.system() == "Windows":
        return Check("machine", "warn", f"{detail}; only Linux is tested", "use Linux, or the Linux subsystem of Windows")
    return Check("machine", "ok", detail)


def _configuration(config: Path | None, assignments: list[str] | None) -> tuple[Settings, list[Check]]:
    """The settings (defaults where they are wrong) and what is wrong with them."""
    from vivavoce.cli.options import load
    from vivavoce.config.settings import Settings

    try:
        loaded = load(config, assignments)
    except ConfigurationError as error:
        mend = "correct that place; `vivavoce config explain KEY` says what is allowed"
        return Settings(), [Check("configuration", "fail", text, mend) for text in error.message.splitlines()]
    files = ", ".join(str(place.path) for place in loaded.files) or "defaults, no file"
    return loaded.settings, [Check("configuration", "ok", files)]


def _engines(settings: Settings, models: Path) -> Iterator[Check]:
    """For each purpose its engines; it fails only where none is left."""
    from vivavoce.app.engines import BUILTIN, CATALOGUE, OPTIONAL, PURPOSES, candidates, lacking, mending, models_of
    from vivavoce.app.providers import local_engines

    for kind, purpose in PURPOSES.items():
        usable = 0
        for engine in (engine for engine in CATALOGUE if engine.kind == kind):
            lack = lacking(engine, models)
            usable += not lack and engine.general
            if lack:
                status: Status = "note" if engine.pulls else "warn"
                yield Check(engine.name, status, f"{purpose}: {lack} is missing", mending(engine, lack))
            else:
                given = " ".join(model.name for model in models_of(engine, models))
                yield Check(engine.name, "ok", f"{purpose}; {engine.licence}{f'; {given}' if given else ''}")
        if not usable and kind not in OPTIONAL:
            yield Check(purpose, "fail", "no engine can be used", BUILTIN)
            continue
        try:
            found = candidates(kind, local_engines(settings), models)
        except ConfigurationError as error:
            yield Check(purpose, "fail", error.message, f"set engines.{kind} to auto, or do as it says")
            continue
        if found:
            yield Check(purpose, "ok", f"{found[0].name} is used")


def _models(models: Path) -> Iterator[Check]:
    """The models that are here, with their licences; missing ones are told by the engines that want them."""
    from vivavoce.services.models import entries, locate

    for entry in entries(models):
        path = locate(entry, models)
        if path is not None:
            yield Check(f"model {entry.name}", "ok", f"{entry.licence}; {path}")


def _recommended(settings: Settings, models: Path) -> Check:
    """The models this machine could carry and has not."""
    from vivavoce.services.overview import overview
    from vivavoce.services.recommendation import this_machine

    machine, language = this_machine(), settings.sessions.conversation.language
    absent = [view.entry.name for view in overview(models, machine, language) if view.recommended and view.path is None]
    if not absent:
        return Check("models", "ok", f"what is recommended for {machine} is here")
    mend = "vivavoce models import PATH" if settings.offline else f"vivavoce models pull {' '.join(absent)}"
    return Check("models", "note", f"recommended for {machine}, and not here: {', '.join(absent)}", mend)


def _providers(settings: Settings) -> Iterator[Check]:
    """What is configured; nothing is sent to them."""
    from vivavoce.app.providers import check_place, key_of
    from vivavoce.providers.openai_compatible.profiles import PROFILES
    from vivavoce.providers.openai_compatible.provider import base_url

    for one in settings.providers:
        purposes = ", ".join(f"{kind} {getattr(one, kind)}" for kind in ("llm", "stt", "tts") if getattr(one, kind))
        try:
            check_place(one, settings)
        except ConfigurationError as error:
            yield Check(f"provider {one.name}", "fail", error.message, "remove the provider or the rule")
            continue
        if PROFILES[one.profile].needs_key and not (one.key or key_of(one.name, settings.keys)):
            yield Check(f"provider {one.name}", "warn", "it has no key", f"vivavoce connect --profile {one.profile}")
        else:
            yield Check(f"provider {one.name}", "ok", f"{purposes} at {base_url(one)}")


def _services(settings: Settings) -> Check:
    """Language models on this machine."""
    from vivavoce.app.connecting import found_here

    found = [f"{one.profile} at {one.url} ({one.models[0]})" for one in found_here(settings)]
    if found:
        return Check("local services", "ok", "; ".join(found))
    return Check("local services", "ok", "no Ollama, llama.cpp or LM Studio with a model runs here")


def _disk(models: Path) -> Check:
    place = next(folder for folder in (models, *models.parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    if free < MIN_FREE:
        return Check("disk", "warn", f"{free / 1e6:.0f} MB free at {place}", "make room, or set models_dir elsewhere")
    if not os.access(place, os.W_OK):
        return Check("disk", "warn", f"{place} is not writable", "set models_dir to a folder of yours")
    return Check("disk", "ok", f"{free / 1e9:.1f} GB free at {place}")


def _port(host: str, port: int) -> Check:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        reason = error.strerror or str(error)
        return Check("port", "warn", f"{host}:{port}: {reason}", "stop the server that runs there, or set server.port")
    return Check("port", "ok", f"{host}:{port} is free")


def _tls(settings: Settings) -> Iterator[Check]:
    """The certificate, where one is configured."""
    from vivavoce.app.watching import SOON
    from vivavoce.flow.clock import SystemClock
    from vivavoce.transports.tls import Tls

    file = settings.server.tls.certificate_file
    try:
        tls = Tls.of(settings.server.tls)
    except ConfigurationError as error:
        yield Check("certificate", "fail", error.message, "correct server.tls, or take it out to serve plain http")
        return
    if tls is None:
        return
    left, day = tls.ends - SystemClock().wall(), f"{datetime.fromtimestamp(tls.ends, UTC):%Y-%m-%d %H:%M UTC}"
    mend = "renew it; a running server takes the new one up by itself"
    if left <= 0:
        yield Check("certificate", "fail", f"{file} ended on {day}; clients refuse it", mend)
    elif left < SOON:
        yield Check("certificate", "warn", f"{file} ends on {day}", mend)
    else:
        yield Check("certificate", "ok", f"{file} ends on {day}; the server speaks https and wss only")


def _signing(settings: Settings) -> Iterator[Check]:
    """Where public keys come from, if from an address; nobody is asked."""
    from vivavoce.app.trust import check_signing

    url = settings.server.jwt.jwks_url
    if not url:
        return
    try:
        check_signing(settings)
    except ConfigurationError as error:
        yield Check("signing keys", "fail", error.message, "correct server.jwt, or do as it says")
    else:
        yield Check("signing keys", "ok", f"{url}; they are fetched when the server starts")


def codecs(find: Callable[[str], object | None] = find_spec) -> Check:
    """What makes and reads compressed audio; ``find`` gives None for a package that is absent."""
    absent = [package for package in CODECS if find(package) is None]
    if not absent:
        return Check("codecs", "ok", "MP3, Opus, WebM, AAC, FLAC, both ways")
    lost = "; ".join(CODECS[package] for package in absent)
    return Check("codecs", "warn", f"{' and '.join(absent)} missing: {lost}", "pip install 'vivavoce[codecs]'")


def calls(wanted: str, find: Callable[[str], object | None] = find_spec) -> Check:
    """Which library ends calls over WebRTC; ``wanted`` is `webrtc.backend`, ``find`` as in ``codecs``."""
    here = [name for name, (package, _) in CALLS.items() if find(package) is not None]
    told = " and ".join(f"{name} {'is' if name in here else 'is not'} installed" for name in CALLS)
    if wanted in here or (wanted == "auto" and here):
        return Check("calls", "ok", f"over WebRTC by {here[0] if wanted == 'auto' else wanted}; {told}")
    extra = CALLS["wrtc" if wanted == "auto" else wanted][1]
    mend = f"pip install 'vivavoce[{extra}]'"
    if wanted == "auto":  # whoever wants no calls lacks nothing
        return Check("calls", "note", f"none over WebRTC can be taken: {told}", mend)
    instead = f", or set webrtc.backend to {here[0]}" if here else ""
    return Check("calls", "warn", f"webrtc.backend is {wanted}, but {told}", mend + instead)


def _page() -> Check:
    if (importlib.resources.files("vivavoce") / "web" / "index.html").is_file():
        return Check("web page", "ok", "installed")
    return Check("web page", "warn", "its built files are missing", "install the package again, or build web/")


def _sound() -> Check:
    player = find_player()
    if player is None:
        return Check("speaker", "warn", "no command to play sound", "apt-get install alsa-utils (or write files with -o)")
    return Check("speaker", "ok", player[0])
