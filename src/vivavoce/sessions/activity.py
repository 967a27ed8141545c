"""From speech probabilities to the beginning, course and end of voice: a gate with hysteresis, sans I/O.

Two thresholds keep a probability that wavers from opening and closing the gate; a release of a few silent frames bridges
the closures inside words.
"""

from __future__ import annotations

from vivavoce.contracts.speech import SpeechProbability
from vivavoce.sessions.options import ActivityOptions
from vivavoce.sessions.turn_messages import VoiceBegan, VoiceEnded, VoiceWent


class VoiceGate:
    """Feed probabilities in order; get at most one event for each, none in silence. Times are samples (HEARING)."""

    def __init__(self, options: ActivityOptions) -> None:
        self.options = options
        self._open = False
        self._previous = 0
        self._voiced = 0
        self._silent_frames = 0
        self._last_voice = 0

    @property
    def open(self) -> bool:
        """Whether there is voice."""
        return self._open

    def feed(self, frame: SpeechProbability) -> VoiceBegan | VoiceWent | VoiceEnded | None:
        """Take the next frame; it reaches from the end of the previous one to ``frame.end``."""
        start, self._previous = self._previous, frame.end
        if not self._open:
            if frame.probability < self.options.onset:
                return None
            self._open, self._silent_frames = True, 0
            self._voiced, self._last_voice = frame.end - start, frame.end
            return VoiceBegan(frame.end, start)
        if frame.probability < self.options.release:
            self._silent_frames += 1
            if self._silent_frames >= self.options.release_frames:
                return self.close(frame.end)
            return None
        self._silent_frames = 0
        self._voiced += frame.end - start
        self._last_voice = frame.end
        return VoiceWent(frame.end, self._voiced)

    def skip_to(self, position: int) -> None:
        """The stream goes on at ``position``; what lies between was not sent."""
        self._previous = position

    def close(self, at: int) -> VoiceEnded | None:
        """Voice ends because the stream does, or by its release."""
        if not self._open:
            return None
        self._open = False
        return VoiceEnded(at, self._last_voice, self._voiced)
