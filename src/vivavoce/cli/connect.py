"""`vivavoce connect`: from a service somewhere to a provider in the configuration, tried before it is written down."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vivavoce.cli import output
from vivavoce.cli.options import load
from vivavoce.contracts.errors import ConfigurationError, InvalidRequest

if TYPE_CHECKING:
    from vivavoce.config.settings import Settings
    from vivavoce.providers.openai_compatible.provider import Kind
    from vivavoce.providers.options import ProfileName, ProviderOptions

MAX_KEY = 10_000
SHOWN_MODELS = 30
UNNAMED = "model"
"""Stands for the model until it is chosen."""


class KindName(StrEnum):
    """What a service is wanted for."""

    llm = "llm"
    stt = "stt"
    tts = "tts"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the flags say; empty is still to be found out."""

    kind: Kind
    profile: str
    url: str
    name: str
    model: str
    voice: str
    ask: bool


def connect(
    kind: Annotated[KindName, typer.Option(help="Answers, speech to text, or text to speech.")] = KindName.llm,
    profile: Annotated[str, typer.Option(help="openai, groq, gemini, ollama, llamacpp, lmstudio, vllm or vivavoce.")] = "",
    url: Annotated[str, typer.Option(help="Address up to /v1, for any other service.")] = "",
    name: Annotated[str, typer.Option(help="What to call it; otherwise the profile, or the host.")] = "",
    model: Annotated[str, typer.Option(help="Which model; otherwise it is chosen from the list of the service.")] = "",
    voice: Annotated[str, typer.Option(help="Which voice, for text to speech.")] = "",
    key_from: Annotated[str, typer.Option(metavar="FILE", help="Read the key from a file, or - for standard input.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: take what the flags say and what is found.")] = False,
) -> None:
    """Connect a language model (or a voice, or a recogniser) and try it out before it is saved."""
    from vivavoce.app.connecting import try_out
    from vivavoce.app.providers import check_place

    settings = load(None, None).settings
    wanted = Wanted(kind.value, profile, url, name, model, voice, not yes)
    options = _options(_place(wanted, settings), UNNAMED)
    check_place(options, settings)
    given = _key(options, key_from, settings, ask=not yes)
    key = given or _kept_key(options.name, settings)
    options = _with_model(options, wanted, key)
    output.note(f"asking {options.name} …")
    trial = try_out(options, key, wanted.kind, _show_piece)
    if wanted.kind == "llm":
        output.line()
    else:
        output.line(trial.outcome)
    output.note(f"first answer after {trial.first * 1000:.0f} ms")
    if not yes and not typer.confirm("Save it?", default=True):
        raise typer.Exit(1)
    _save(options, given, settings, wanted.kind)


def _show_piece(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


# --- which service ----------------------------------------------------------------------------------------------------


def _place(wanted: Wanted, settings: Settings) -> Wanted:
    """Profile and url, asked for where the flags leave them open. Raises InvalidRequest."""
    from vivavoce.app.connecting import found_here
    from vivavoce.providers.openai_compatible.profiles import PROFILES

    if wanted.profile and wanted.profile not in PROFILES:
        raise InvalidRequest(f"there is no profile {wanted.profile!r}; there is {', '.join(PROFILES)}, or give --url")
    if wanted.profile or wanted.url:
        return wanted
    found = found_here(settings) if wanted.kind == "llm" else ()
    rows = [(f"{PROFILES[f.profile].title} on this machine ({f.models[0]})", f.profile, f.url, f.models[0]) for f in found]
    if not wanted.ask:
        if not rows:
            raise InvalidRequest("no service was found on this machine; say which with --profile or --url")
        _, profile, url, model = rows[0]
        return replace(wanted, profile=profile, url=url, model=wanted.model or model)
    rows += [(row.title, profile, "", "") for profile, row in PROFILES.items() if profile != "custom"]
    rows.append(("another address", "custom", "", ""))
    for number, (title, *_) in enumerate(rows, 1):
        output.line(f"{number:>3}  {title}")
    _, profile, url, _ = rows[_number("Which one?", len(rows)) - 1]
    if profile == "custom":
        url = typer.prompt("Address (up to /v1)").strip()
    return replace(wanted, profile=profile, url=url)


def _number(question: str, most: int) -> int:
    chosen: int = typer.prompt(question, type=int, default=1)
    if not 1 <= chosen <= most:
        raise InvalidRequest(f"choose a number from 1 to {most}")
    return chosen


def _options(wanted: Wanted, model: str) -> ProviderOptions:
    """Raises InvalidRequest for what no provider can be."""
    from vivavoce.providers.openai_compatible.profiles import PROFILES
    from vivavoce.providers.options import ProviderOptions

    profile = cast("ProfileName", wanted.profile or "custom")
    url = "" if wanted.url.rstrip("/") == PROFILES[profile].url else wanted.url.rstrip("/")
    name = wanted.name or (profile if profile != "custom" else _name_of(wanted.url))
    fields: dict[str, Any] = {wanted.kind: model}
    try:
        return ProviderOptions(name, profile, url, voice=wanted.voice, **fields)
    except ValueError as error:
        raise InvalidRequest(str(error), cause=error) from error


def _name_of(url: str) -> str:
    """A name from a host: ``http://box.lan:8000/v1`` is ``box-lan``."""
    host = re.sub(r"^\w+://", "", url).partition("/")[0].rpartition(":")[0] or url
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"^\w+://", "", host).lower()).strip("-")[:40] or "service"


# --- key and model ----------------------------------------------------------------------------------------------------


def _key(options: ProviderOptions, key_from: str, settings: Settings, *, ask: bool) -> str:
    """A key that was given now, or empty. Never from the command line itself: others can read that."""
    from vivavoce.providers.openai_compatible.profiles import PROFILES

    row = PROFILES[options.profile]
    if key_from:
        try:
            text = sys.stdin.read(MAX_KEY) if key_from == "-" else Path(key_from).read_text()[:MAX_KEY]
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{key_from}: is no text", cause=error) from error
        key = text.strip()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise InvalidRequest("the key must be a single word of plain characters; was it copied whole?")
        return key
    kept = _kept_key(options.name, settings)
    if row.needs_key and not kept and not ask:
        raise InvalidRequest(f"{row.title} wants a key: give it with --key-from FILE, or - for standard input")
    if not ask or kept or not (row.needs_key or options.profile in ("custom", "vivavoce", "vllm")):
        return ""
    hint = "" if row.needs_key else " (nothing if it needs none)"
    return str(typer.prompt(f"Key{hint}", hide_input=True, default="", show_default=False)).strip()


def _kept_key(name: str, settings: Settings) -> str:
    from vivavoce.app.providers import key_of

    return key_of(name, settings.keys)


def _with_model(options: ProviderOptions, wanted: Wanted, key: str) -> ProviderOptions:
    """The model of the flags, or one of the list of the service. Raises InvalidRequest where it lists none."""
    from vivavoce.app.connecting import listed_models

    model = wanted.model
    if not model:
        names = listed_models(options, key, wanted.kind)
        if not names:
            raise InvalidRequest(f"{options.name} lists no model for this; name one with --model")
        if not wanted.ask:
            if wanted.kind != "llm":
                raise InvalidRequest(f"name the model with --model; it lists {', '.join(names[:SHOWN_MODELS])}")
            model = names[0]
        else:
            for number, listed in enumerate(names[:SHOWN_MODELS], 1):
                output.line(f"{number:>3}  {listed}")
            model = names[_number("Which model?", min(len(names), SHOWN_MODELS)) - 1]
    fields: dict[str, Any] = {wanted.kind: model}
    return replace(options, **fields)


# --- saving -----------------------------------------------------------------------------------------------------------


def _save(options: ProviderOptions, key: str, settings: Settings, kind: Kind) -> None:
    """The key into the secrets, the rest into the user's file."""
    from vivavoce.config import edit, secrets
    from vivavoce.config.load import Surroundings

    directory = Surroundings.real().user
    path = next((p for p in (directory / "config.yaml", directory / "config.yml") if p.exists()), directory / "config.yaml")
    toml = directory / "config.toml"
    if toml.exists():
        raise ConfigurationError(f"{toml} is TOML, which is not edited here; add a provider to it, or make it config.yaml")
    before = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    text = edit.with_provider(before, {**edit.provider_named(before, options.name), **_entry(options)})
    if key:
        output.note(f"key kept in {secrets.write_key(directory, options.name, key)}")
    backup = edit.save(path, text)
    output.note(f"saved in {path}" + (f" (before: {backup})" if backup else ""))
    chosen = getattr(settings.engines, kind)
    if options.name not in chosen.split(",") and chosen != "auto":
        output.note(f"engines.{kind} is {chosen!r}: set it to auto, or add {options.name} there, for this to be used")


def _entry(options: ProviderOptions) -> dict[str, Any]:
    """What differs from the defaults, in the order of the options."""
    fields = {name: getattr(options, name) for name in ("name", "profile", "url", "llm", "stt", "tts", "voice")}
    return {name: value for name, value in fields.items() if value and (name, value) != ("profile", "custom")}
