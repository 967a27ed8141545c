"""The hearing half of a conversation: voice activity, transcriptions and turn scores become events of the turn machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import Unavailable, VivavoceError
from vivavoce.contracts.ports import Clock, SpeechToText, Transcription, TurnDetector, VoiceActivity, VoiceActivityDetector
from vivavoce.contracts.speech import SpeechProbability, Transcript, TranscriptionOptions
from vivavoce.flow.tasks import Task, TaskScope
from vivavoce.sessions import turn_messages as m
from vivavoce.sessions.activity import VoiceGate
from vivavoce.sessions.microphone import AudioStatistics, Microphone
from vivavoce.sessions.options import ActivityOptions
from vivavoce.text.backchannel import echo_similarity, is_command_to_stop, is_hesitation, may_become_backchannel, new_words

STARVED = 0.4
"""Seconds without audio after which voice that was going on counts as ended."""
REOPEN_DETECTOR = 0.5
"""Seconds until a lost voice activity detector is opened again."""
SCORED_WINDOW = 8.0
"""Seconds of sound the turn detector is shown."""
MAX_TRANSCRIPTIONS = 4
"""Transcriptions of one session that may be open at once; the oldest gives way."""


class ListeningOwner(Protocol):
    """Who the events are for."""

    def tell(self, event: m.Event) -> None:
        """An event for the turn machine."""

    def trouble(self, error: VivavoceError) -> None:
        """Something went wrong that the client should know of."""

    def recently_spoken(self) -> str:
        """What the reply has said in the last seconds, empty when there is none."""


class Listening:
    """Owns the microphone's stream and everything opened on it."""

    def __init__(
        self,
        owner: ListeningOwner,
        vad: VoiceActivityDetector,
        turn: TurnDetector | None,
        options: ActivityOptions,
        clock: Clock,
        scope: TaskScope,
    ) -> None:
        self._owner = owner
        self._vad = vad
        self._turn = turn
        self._options = options
        self._clock = clock
        self._scope = scope
        self._gate = VoiceGate(options)
        self._detector: VoiceActivity | None = None
        self._segments: dict[int, Transcription] = {}
        self._current: Transcription | None = None
        self._scoring: Task | None = None
        self._watching = False
        self._closed = False
        self._pressed = False
        self._finished_at = 0
        self._unread_from: int | None = None
        self._asleep: Callable[[AudioChunk], None] | None = None
        """Who gets the audio while the session sleeps."""
        self._awake_from = 0
        """What is before this sample was not meant for us, or has been dealt with."""
        self.push_to_talk = False
        self.judged = 0
        """Samples that voice activity has judged."""
        self.on_judged: Callable[[], None] | None = None
        self.microphone = Microphone(clock)

    def start(self) -> None:
        """Open voice activity detection. Raises Unavailable, Overloaded."""
        self._detector = self._vad.open(self._detected, self._detector_lost)

    @property
    def statistics(self) -> AudioStatistics:
        """Of the microphone."""
        return self.microphone.statistics

    # --- audio --------------------------------------------------------------------------------------------------------

    def hear(self, pcm: bytes) -> None:
        """Take the next audio: the hot path of every session."""
        chunk = self.microphone.take(pcm)
        if self._asleep is not None and not self.push_to_talk:
            self.judged = chunk.end
            self._asleep(chunk)
            return
        reading = self._current  # one that is opened by this very chunk has had it already
        if self.push_to_talk:
            if not self._pressed:
                self._pressed = True
                start, self._unread_from = self._unread_from, None
                self._owner.tell(m.VoiceBegan(chunk.end, chunk.offset if start is None else start))
        elif self._detector is not None:
            self._detector.send(chunk)
        if reading is not None and reading is self._current:
            self._feed(reading, chunk)

    def _feed(self, transcription: Transcription, chunk: AudioChunk) -> None:
        try:
            transcription.send(chunk)
        except VivavoceError:  # its backlog is full; the reading goes on with a hole rather than late
            self.microphone.dropped += 1

    def adapt(self, options: ActivityOptions, *, push_to_talk: bool) -> None:
        """Other thresholds, or another way for turns to end, from the next audio on."""
        self._options = self._gate.options = options
        if push_to_talk != self.push_to_talk:
            self.push_to_talk = push_to_talk
            self.end_voice()

    def end_voice(self) -> None:
        """What voice there is belongs to a turn that was committed."""
        self._pressed = False
        self._gate.close(self.microphone.position)

    def sleep(self, instead: Callable[[AudioChunk], None]) -> None:
        """Hear nothing from now on: audio goes to ``instead``, but while a button is pressed."""
        self._asleep = instead
        self._gate.close(self.microphone.position)

    def wake(self, start: int) -> None:
        """Hear again, from sample ``start`` on as far as it is still kept."""
        self._asleep = None
        missed = self.microphone.read(start, self.microphone.position)
        self._awake_from = missed.offset
        self._gate.skip_to(missed.offset)
        if missed.pcm and self._detector is not None:
            self._detector.send(missed)

    @property
    def voiced(self) -> bool:
        """Whether there is voice now."""
        return self._gate.open

    def keep_listening(self) -> None:
        """A turn became too long in mid-speech: the next audio goes on where its reading ended."""
        self._pressed, self._unread_from = False, self._finished_at

    def _detected(self, result: SpeechProbability) -> None:
        self.microphone.note_detection(result)
        self.judged = max(self.judged, result.end)
        if self._asleep is not None or result.end <= self._awake_from:
            return  # of what was said before it fell asleep
        event = self._gate.feed(result)
        if event is not None:
            if not self._watching:
                self._watching = True
                self._clock.call_later(STARVED, self._check_starved)
            self._owner.tell(event)
        if self.on_judged is not None:
            self.on_judged()

    def _check_starved(self) -> None:
        """A stream that stops in mid-word ends the word."""
        self._watching = False
        if self._closed or not self._gate.open:
            return
        if self.microphone.silent_for >= STARVED:
            event = self._gate.close(self.microphone.now)
            if event is not None:
                self._owner.tell(event)
        else:
            self._watching = True
            self._clock.call_later(STARVED, self._check_starved)

    def _detector_lost(self, error: Exception) -> None:
        if self._closed:
            return
        self._detector = None
        event = self._gate.close(self.microphone.position)
        if event is not None:
            self._owner.tell(event)
        lost = Unavailable("voice activity detection was lost", cause=error)
        self._owner.trouble(error if isinstance(error, VivavoceError) else lost)
        self._clock.call_later(REOPEN_DETECTOR, self._reopen_detector)

    def _reopen_detector(self) -> None:
        if self._closed or self._detector is not None:
            return
        try:
            self.start()
        except VivavoceError:
            self._clock.call_later(REOPEN_DETECTOR, self._reopen_detector)

    # --- words --------------------------------------------------------------------------------------------------------

    def open_segment(self, number: int, start: int, stt: SpeechToText, options: TranscriptionOptions) -> None:
        """Read the audio from ``start`` on, as far as it is still kept."""
        try:
            transcription = stt.open(options)
        except VivavoceError as error:
            self._owner.trouble(error)
            self._owner.tell(m.Read(self.microphone.now, number, "", failed=True))
            return
        if len(self._segments) >= MAX_TRANSCRIPTIONS:
            self.cancel_segment(min(self._segments))
        self._segments[number] = self._current = transcription
        before = self.microphone.read(max(start, self._awake_from), self.microphone.position)
        if before.pcm:
            self._feed(transcription, before)
        self._scope.start(self._read(number, transcription, options.language), name=f"segment {number}")

    def finish_segment(self, number: int) -> None:
        """No more audio for this one."""
        transcription = self._segments.get(number)
        if transcription is not None:
            if transcription is self._current:
                self._current = None
                self._finished_at = self.microphone.position
            transcription.finish()

    def cancel_segment(self, number: int) -> None:
        """Nobody wants this one any more."""
        transcription = self._segments.pop(number, None)
        if transcription is not None:
            if transcription is self._current:
                self._current = None
            transcription.cancel()

    async def _read(self, number: int, transcription: Transcription, language: str) -> None:
        final = False
        try:
            async for transcript in transcription:
                final = transcript.final
                self._heard(number, transcript, language)
        except VivavoceError as error:
            self._owner.trouble(error)
        finally:
            wanted = self._segments.pop(number, None) is not None
            transcription.cancel()
        if wanted and not final:
            if transcription is self._current:
                self._current = None
            self._owner.tell(m.Read(self.microphone.now, number, "", failed=True))

    def _heard(self, number: int, transcript: Transcript, language: str) -> None:
        now, text = self.microphone.now, transcript.text
        spoken = self._owner.recently_spoken() if text else ""
        words, stop, echo, hesitation = len(text.split()), False, 0.0, is_hesitation(text)
        if spoken:
            words, stop = new_words(text, language, spoken), is_command_to_stop(text, language)
            if not transcript.final and may_become_backchannel(text, language):
                words = 0
            echo = echo_similarity(text, spoken)
        if transcript.final:
            command = transcript.command
            self._owner.tell(m.Read(now, number, text, words, stop, echo, command=command, hesitation=hesitation))
        else:
            self._owner.tell(m.Heard(now, number, text, words, stop, echo, hesitation, transcript.stable))

    # --- the end of a turn --------------------------------------------------------------------------------------------

    def score(self, turn: int, revision: int) -> None:
        """Show the turn detector the last seconds; of an earlier pause nobody wants to know any more."""
        if self._scoring is not None:
            self._scoring.cancel()
        end = self.microphone.position
        window = self.microphone.read(max(self._awake_from, end - HEARING.samples(SCORED_WINDOW)), end)
        self._scoring = self._scope.start(self._score(turn, revision, window.pcm), name=f"score {turn}.{revision}")

    async def _score(self, turn: int, revision: int, pcm: bytes) -> None:
        probability: float | None = None
        if self._turn is not None:
            try:
                probability = (await self._turn.score(pcm)).probability
            except VivavoceError as error:
                self._owner.trouble(error)
        self._owner.tell(m.Scored(self.microphone.now, turn, revision, probability))

    def close(self) -> None:
        """End everything. Idempotent."""
        self._closed = True
        for number in list(self._segments):
            self.cancel_segment(number)
        if self._detector is not None:
            self._detector.close()
            self._detector = None
