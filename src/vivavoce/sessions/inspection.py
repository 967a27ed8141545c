"""What the people who run a server may see of a conversation, and do to it."""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.contracts.errors import Cancelled
from vivavoce.sessions.driver import TurnDriver
from vivavoce.sessions.options import Mode
from vivavoce.sessions.ports import SessionPorts
from vivavoce.sessions.turn_messages import Activity

ENDED = "session_ended"
"""Code of the failure a session ends with when somebody who runs the server ends it; the door closes then."""


@dataclass(frozen=True, slots=True)
class SettingsInForce:
    """What a session uses now; providers by name, an empty voice is the engine's own."""

    language: str
    voice: str
    mode: Mode
    stt: str
    llm: str
    tts: str
    speed: float
    volume: float
    spoken: bool


class Inspection:
    """Of one conversation."""

    def __init__(self, driver: TurnDriver, ports: SessionPorts) -> None:
        self._driver = driver
        self._ports = ports

    @property
    def activity(self) -> Activity:
        """What goes on."""
        return self._driver.activity

    @property
    def asleep(self) -> bool:
        """Whether nothing is listened to but the wake words."""
        return not self._driver.waking.awake

    @property
    def settings(self) -> SettingsInForce:
        """In force now."""
        settings, ports = self._driver.settings, self._ports
        return SettingsInForce(
            language=settings.language,
            voice=settings.voice,
            mode=self._driver.mode,
            stt=ports.stt.name(settings.stt),
            llm=ports.llm.name(settings.llm),
            tts=ports.tts.name(settings.tts),
            speed=settings.speed,
            volume=settings.volume,
            spoken=settings.spoken,
        )

    @property
    def sent(self) -> int:
        """Samples of replies sent, at the sink's rate."""
        return self._driver.replies.sent

    def refused(self, samples: int) -> None:
        """So many samples (HEARING) of the microphone were refused at the door."""
        self._driver.listening.microphone.refused += samples

    def end(self, reason: str) -> None:
        """End the session; the client is told why, and the door closes."""
        self._driver.trouble(Cancelled(reason, code=ENDED))
