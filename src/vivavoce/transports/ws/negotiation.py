"""From a client's wishes to a session's options, and to the `ready` that answers them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vivavoce.contracts.audio import HEARING, AudioFormat
from vivavoce.sessions.options import ConversationOptions, Speculation
from vivavoce.sessions.ports import PROVIDER_KINDS, ProviderKind, SessionPorts
from vivavoce.transports.offer import Offer, check_voice, choose_language, offer_of, voices_for
from vivavoce.transports.options import MAX_AUDIO_MESSAGE, MAX_TEXT, PROTOCOL_VERSION, SocketLimits
from vivavoce.transports.ws.events import (
    AudioFormats,
    InputFormat,
    Limits,
    OutputFormat,
    Providers,
    Ready,
    Resumption,
    Settings,
)
from vivavoce.transports.ws.messages import Hello
from vivavoce.transports.ws.protocol import HEADER

_CAUTION: tuple[Speculation, ...] = ("off", "local", "always")


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a connection and its session will do."""

    options: ConversationOptions
    offer: Offer
    providers: dict[ProviderKind, str]
    """The provider of each kind in force."""
    wished: frozenset[ProviderKind]
    """Kinds whose provider the client chose."""
    input_rate: int
    output: AudioFormat
    acknowledge: bool

    @property
    def resample(self) -> bool:
        """Whether microphone audio has another rate than HEARING."""
        return self.input_rate != HEARING.rate


def agree(hello: Hello, defaults: ConversationOptions, ports: SessionPorts) -> Agreement:
    """Check the wishes against what there is. Raises UnknownName."""
    offer = offer_of(ports)
    wishes: dict[ProviderKind, str | None] = {
        "stt": hello.provider.stt,
        "llm": hello.provider.llm,
        "tts": hello.provider.tts,
    }
    ports.stt.get(hello.provider.stt)
    ports.llm.get(hello.provider.llm)
    ports.tts.get(hello.provider.tts)
    providers = {kind: ports.choice(kind).name(wishes[kind]) for kind in PROVIDER_KINDS}
    options = _options(hello, defaults, offer)
    check_voice(offer, providers["tts"], options.voice if hello.voice is not None else "")
    return Agreement(
        options=options,
        offer=offer,
        providers=providers,
        wished=frozenset(kind for kind in PROVIDER_KINDS if wishes[kind] is not None),
        input_rate=hello.audio.input_rate,
        output=AudioFormat(hello.audio.output_rate),
        acknowledge=hello.acknowledge,
    )


def _options(hello: Hello, defaults: ConversationOptions, offer: Offer) -> ConversationOptions:
    endpointing = defaults.endpointing
    if hello.eagerness is not None:
        endpointing = replace(endpointing, eagerness=hello.eagerness)
    if hello.silence_ms is not None:
        endpointing = replace(endpointing, fixed_silence=hello.silence_ms / 1000)
    reply = replace(defaults.reply, frame=hello.audio.frame_ms / 1000)
    if hello.speculation is not None:
        # Discarded work may cost the operator money: a client can ask for less of it, never for more.
        reply = replace(reply, speculation=min(hello.speculation, reply.speculation, key=_CAUTION.index))
    return replace(
        defaults,
        language=defaults.language if hello.language is None else choose_language(offer, hello.language),
        mode=hello.mode or defaults.mode,
        hint=hello.hint or defaults.hint,
        instructions=defaults.instructions if hello.instructions is None else hello.instructions,
        voice=hello.voice or defaults.voice,
        wake_words=defaults.wake_words if hello.wake_words is None else tuple(dict.fromkeys(hello.wake_words)),
        wake_timeout=defaults.wake_timeout if hello.wake_timeout is None else hello.wake_timeout,
        acknowledged=hello.acknowledge,
        endpointing=endpointing,
        reply=reply,
    )


def patient(options: ConversationOptions, window: float) -> ConversationOptions:
    """Where a client may come back within ``window`` seconds, playback that stands still is not given up before: a network
    that dies silently looks like that until the connection counts as lost, and then the reply is kept."""
    watchdogs = options.watchdogs
    return replace(options, watchdogs=replace(watchdogs, stalled=max(watchdogs.stalled, window)))


def ready(session: str, agreement: Agreement, limits: SocketLimits, resume: Resumption | None) -> Ready:
    """The answer to a client."""
    options, offer, providers = agreement.options, agreement.offer, agreement.providers
    return Ready(
        session=session,
        version=PROTOCOL_VERSION,
        audio=AudioFormats(
            input=InputFormat(rate=agreement.input_rate),
            output=OutputFormat(
                rate=agreement.output.rate, frame_ms=round(options.reply.frame * 1000), header_bytes=HEADER.size
            ),
        ),
        settings=Settings(
            language=options.language,
            voice=options.voice,
            mode=options.mode,
            stt=providers["stt"],
            llm=providers["llm"],
            tts=providers["tts"],
            speculation=options.reply.speculation,
            acknowledge=agreement.acknowledge,
            wake_words=options.wake_words,
            wake_timeout=options.wake_timeout,
        ),
        languages=offer.languages,
        providers=Providers(stt=offer.stt, llm=offer.llm, tts=offer.tts),
        voices=voices_for(offer, providers["tts"], options.language),
        modes=offer.modes,
        limits=limits_of(limits),
        resume=resume,
    )


def limits_of(limits: SocketLimits) -> Limits:
    """The limits a client is told."""
    return Limits(
        audio_message_bytes=(2, MAX_AUDIO_MESSAGE),
        text_characters=(1, MAX_TEXT),
        control_messages_per_minute=limits.control_per_minute,
        played_per_second=limits.played_per_second,
        audio_speed=limits.audio_speed,
        audio_burst_seconds=limits.audio_burst,
    )
