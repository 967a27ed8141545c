"""From text as it is written to audio as it is needed: segmentation, synthesis, and a bounded store of what was made.

The store holds what was synthesised ahead of the ear; when it is full, synthesis waits. A voice that fails or stays silent
is replaced by the next one from the first sentence it has not begun.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import DeadlineExceeded, EngineFailed, UnknownName, VivavoceError
from vivavoce.contracts.ports import Clock, Synthesis, TextToSpeech
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.flow.tasks import Signal, Task, TaskScope
from vivavoce.sessions.options import ReplyOptions
from vivavoce.sessions.speech_plan import BETWEEN, PlannedSegment, SpeechPlan
from vivavoce.text.segmentation import Segmenter
from vivavoce.text.speakable import speakable

AHEAD = 2.0
"""Seconds of audio kept ready beyond what was taken, once the reply may be heard."""
SLACK = 8
"""Characters at the end (punctuation, a last short word) whose span a voice may leave out."""
VOICE_PATIENCE = 0.6
"""Share of the first-audio watchdog after which a silent voice is replaced, so that the next one has time left."""


class SpeakingListener(Protocol):
    """Who is told how the reply comes along. Called on the loop."""

    def wrote(self, text: str) -> None:
        """A piece of text was written."""

    def sentence_ready(self) -> None:
        """The first segment goes to synthesis."""

    def audio_ready(self) -> None:
        """There is (more) audio to take."""

    def all_ready(self, samples: int) -> None:
        """Everything is synthesised."""

    def failed(self, error: Exception) -> None:
        """It came to nothing, or to nothing more."""

    def trouble(self, error: VivavoceError) -> None:
        """Something went wrong but the reply goes on."""


class Speaking:
    """One reply in the making."""

    def __init__(
        self,
        voices: Sequence[TextToSpeech],
        synthesis: SynthesisOptions,
        options: ReplyOptions,
        patience: float,
        clock: Clock,
        listener: SpeakingListener,
    ) -> None:
        self._voices = voices
        self._synthesis_options = synthesis
        self._options = options
        self._patience = patience * VOICE_PATIENCE
        self._clock = clock
        self._listener = listener
        self._format = AudioFormat(synthesis.rate)
        self._ready: deque[bytes] = deque()
        self._ready_samples = 0
        self._limit = self._format.samples(options.max_prepared)
        self._room = Signal()
        self._synthesis: Synthesis | None = None
        self._voice_base = 0
        self._all_written = False
        self._progress_at = 0.0
        self._silent = False
        self._stop_watch = _nothing
        self._task: Task | None = None
        self._write_error: VivavoceError | None = None
        self.plan = SpeechPlan()
        self.finished = False

    def start(self, scope: TaskScope, text: AsyncIterator[str], name: str) -> None:
        """Begin writing and speaking."""
        self._task = scope.start(self._run(scope, text), name=f"{name} speaking")

    def cancel(self) -> None:
        """Withdraw everything that is still under way. Idempotent."""
        if self._task is not None:
            self._task.cancel()

    def allow_hearing(self) -> None:
        """The reply is released: from now on only so much is kept ready."""
        self._limit = self._format.samples(AHEAD)

    def take(self, samples: int) -> bytes:
        """Up to ``samples`` samples of what is ready; all that is left at the end, else whole frames only."""
        wanted = samples * 2
        if self._ready_samples < samples and not self.finished:
            return b""
        pieces: list[bytes] = []
        while wanted and self._ready:
            piece = self._ready.popleft()
            if len(piece) > wanted:
                self._ready.appendleft(piece[wanted:])
                piece = piece[:wanted]
            pieces.append(piece)
            wanted -= len(piece)
        pcm = b"".join(pieces)
        self._ready_samples -= len(pcm) // 2
        if self._ready_samples < self._limit:
            self._room.notify()
        return pcm

    @property
    def ready(self) -> int:
        """Samples that can be taken."""
        return self._ready_samples

    @property
    def written(self) -> str:
        """All text so far."""
        return self.plan.written

    def heard(self, samples: int) -> str:
        """The words in the first ``samples`` samples."""
        return self.plan.heard(samples)

    async def _run(self, scope: TaskScope, text: AsyncIterator[str]) -> None:
        writing = scope.start(self._write(text), name="reply writing")
        try:
            await self._listen()
            if self._write_error is not None and not self.plan.samples:
                raise self._write_error
        except VivavoceError as error:
            self._listener.failed(error)
        else:
            self.finished = True
            self._listener.all_ready(self.plan.samples)
        finally:
            writing.cancel()
            self._stop_watch()
            if self._synthesis is not None:
                self._synthesis.cancel()

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _write(self, text: AsyncIterator[str]) -> None:
        segmenter = Segmenter(self._synthesis_options.language)
        try:
            await self._write_to(segmenter, text)
        except VivavoceError as error:  # what was written so far is still said
            self._write_error = error
            self._listener.trouble(error)
        for segment in segmenter.finish():
            self._add(segment)
        self._all_written = True
        if self._synthesis is not None:
            self._synthesis.finish()
        self._room.notify()

    async def _write_to(self, segmenter: Segmenter, text: AsyncIterator[str]) -> None:
        written = 0
        async for piece in text:
            kept = piece[: self._options.max_characters - written]
            written += len(kept)
            if kept:
                self._listener.wrote(kept)
                for segment in segmenter.push(kept):
                    self._add(segment)
            if written >= self._options.max_characters:
                return

    def _add(self, written: str) -> None:
        segment = self.plan.add_segment(written, speakable(written, self._synthesis_options.language))
        if segment is None:
            return
        if segment.spoken_start == 0:
            self._listener.sentence_ready()
        if self._synthesis is None:
            self._room.notify()
        else:
            self._say(segment)

    def _say(self, segment: PlannedSegment) -> None:
        if self.plan.spoken_until >= segment.spoken_start:
            self._progress_at = self._clock.now()
        assert self._synthesis is not None
        self._synthesis.send(segment.spoken.text + BETWEEN)
        self._synthesis.flush()
        self._watch()

    # --- speaking -----------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        problem: VivavoceError = UnknownName("no voice is installed; `vivavoce doctor` says what to do")
        for voice in self._voices:
            try:
                await self._listen_to(voice)
            except VivavoceError as error:
                problem = error
                self._listener.trouble(error)
            else:
                return
        raise problem

    async def _listen_to(self, voice: TextToSpeech) -> None:
        while not self.plan.segments[self._unbegun() :]:
            if self._all_written:
                return
            await self._room.wait()
        first = self._unbegun()
        segments = self.plan.segments[first:]
        self._voice_base = segments[0].spoken_start
        self._silent = False
        self._synthesis = synthesis = voice.open(self._synthesis_options)
        try:
            for segment in segments:
                self._say(segment)
            if self._all_written:
                synthesis.finish()
            await self._store(synthesis)
        finally:
            self._stop_watch()
            self._synthesis = None
            synthesis.cancel()
        if self._silent:
            raise DeadlineExceeded(f"the voice {voice.capabilities.name} gave no audio for {self._patience:.1f} s")
        if self._all_written and not self._cut_short and self.plan.segments[self._unbegun() :]:
            raise EngineFailed(f"the voice {voice.capabilities.name} left out words")

    @property
    def _cut_short(self) -> bool:
        return self.plan.samples >= self._format.samples(self._options.max_length)

    def _unbegun(self) -> int:
        """Index of the first segment there is no audio of."""
        until = self.plan.spoken_until
        return sum(1 for segment in self.plan.segments if segment.spoken_start < until)

    async def _store(self, synthesis: Synthesis) -> None:
        async for audio in synthesis:
            self._progress_at = self._clock.now()
            self.plan.add_audio(audio, self._voice_base)
            self._ready.append(audio.chunk.pcm)
            self._ready_samples += audio.chunk.samples
            self._listener.audio_ready()
            if self._cut_short:
                return
            while self._ready_samples >= self._limit:
                await self._room.wait()
                self._progress_at = self._clock.now()

    # --- a silent voice -----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """While words wait to be spoken, audio must come."""
        self._stop_watch()
        self._stop_watch = self._clock.call_later(self._patience, self._check_progress)

    def _check_progress(self) -> None:
        if self._synthesis is None or self.plan.spoken_length - self.plan.spoken_until <= SLACK:
            return
        waited = self._clock.now() - self._progress_at
        if waited < self._patience or self._ready_samples >= self._limit:
            self._watch()
            return
        self._silent = True
        self._synthesis.cancel()


def _nothing() -> None:
    """No watch is set."""
