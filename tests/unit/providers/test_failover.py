"""Chains of scripted ports on virtual time: nobody hears that one failed, and no word is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.laws import laws
from vivavoce.contracts.errors import (
    EngineMissing,
    InvalidText,
    Overloaded,
    ProviderFailed,
    Unavailable,
    UnknownName,
    VivavoceError,
)
from vivavoce.contracts.speech import Capabilities, Delta, LanguageOptions, Message, SynthesisOptions, TranscriptionOptions
from vivavoce.flow.clock import SystemClock
from vivavoce.providers.failover.chain import Chain, Member
from vivavoce.providers.failover.language_model import FailoverLanguageModel
from vivavoce.providers.failover.named import NamedLanguageModel, NamedSpeechToText, NamedTextToSpeech
from vivavoce.providers.failover.speech_to_text import FailoverSpeechToText
from vivavoce.providers.failover.text_to_speech import FailoverTextToSpeech
from vivavoce.testing.hearing import ScriptedSpeechToText
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech

DOWN = ProviderFailed("it is down")
ASKED = (Message("user", "Hello"),)


def chain(*ports: Any, group: str = "") -> Chain[Any]:
    return Chain("port", [Member(f"port{i}", port, group) for i, port in enumerate(ports)], SystemClock())


def model(reply: str = "Fine.", fail: VivavoceError | None = None, **knobs: Any) -> ScriptedLanguageModel:
    port = ScriptedLanguageModel([reply])
    port.fail = fail
    for name, value in knobs.items():
        setattr(port, name, value)
    return port


def voice(fail: VivavoceError | None = None, after: float = 0.0, **knobs: Any) -> ScriptedTextToSpeech:
    port = ScriptedTextToSpeech(**knobs)
    port.fail, port.fail_after = fail, after
    return port


def ear(text: str = "what time is it", fail: VivavoceError | None = None, at: Any = "final") -> ScriptedSpeechToText:
    port = ScriptedSpeechToText(text, fail=fail)
    port.fail_at = at
    return port


async def answer(port: FailoverLanguageModel) -> str:
    return "".join([delta.text async for delta in port.stream(ASKED, (), LanguageOptions())])


# --- the laws, with one that works and behind one that fails in each way


MODELS: dict[str, Callable[[], Sequence[Any]]] = {
    "alone": lambda: [model()],
    "the first is down": lambda: [model(fail=DOWN), model()],
    "two are down": lambda: [model(fail=DOWN), model(fail=Overloaded("full")), model()],
}
VOICES: dict[str, Callable[[], Sequence[Any]]] = {
    "alone": lambda: [voice()],
    "the first is down": lambda: [voice(DOWN), voice()],
    "the first breaks": lambda: [voice(DOWN, 0.3), voice()],
    "two break": lambda: [voice(DOWN, 0.3), voice(DOWN, 0.5), voice()],
}
EARS: dict[str, Callable[[], Sequence[Any]]] = {
    "alone": lambda: [ear()],
    "cannot open": lambda: [ear(fail=DOWN, at="open"), ear()],
    "breaks in the middle": lambda: [ear("no", DOWN, "audio"), ear()],
    "breaks at the end": lambda: [ear("quite another text", DOWN), ear()],
}


def tallied(ports: Sequence[Any]) -> None:
    assert [port.tally.live for port in ports] == [0] * len(ports)


@pytest.mark.parametrize("law", laws.LANGUAGE_MODEL, ids=laws.name)
@pytest.mark.parametrize("kind", MODELS)
async def test_language_model_laws(kind: str, law: Any) -> None:
    ports = MODELS[kind]()
    await law(FailoverLanguageModel(chain(*ports)))
    tallied(ports)


@pytest.mark.parametrize("law", laws.TEXT_TO_SPEECH, ids=laws.name)
@pytest.mark.parametrize("kind", VOICES)
async def test_text_to_speech_laws(kind: str, law: Any) -> None:
    if law is laws.speaking_keeps_the_wanted_rate and "break" in kind:
        pytest.skip("a voice that breaks in a word says part of it twice, at each rate another part")
    ports = VOICES[kind]()
    await law(FailoverTextToSpeech(chain(*ports)))
    tallied(ports)


@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
@pytest.mark.parametrize("kind", EARS)
async def test_speech_to_text_laws(kind: str, law: Any) -> None:
    ports = EARS[kind]()
    await law(FailoverSpeechToText(chain(*ports)))
    tallied(ports)


@pytest.mark.parametrize("law", laws.LANGUAGE_MODEL, ids=laws.name)
async def test_a_model_by_name_keeps_the_laws(law: Any) -> None:
    port = model()
    await law(NamedLanguageModel(chain(port)))
    tallied([port])


@pytest.mark.parametrize("law", laws.TEXT_TO_SPEECH, ids=laws.name)
async def test_a_voice_by_name_keeps_the_laws(law: Any) -> None:
    port = voice()
    await law(NamedTextToSpeech(chain(port)))
    tallied([port])


@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
async def test_a_recogniser_by_name_keeps_the_laws(law: Any) -> None:
    port = ear("")
    await law(NamedSpeechToText(chain(port)))
    tallied([port])


class Noted:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def answered(self, name: str, seconds: float) -> None:
        self.heard.append(f"{name} answered")

    def failed(self, name: str, error: VivavoceError) -> None:
        self.heard.append(f"{name} {error.code}")


@pytest.mark.parametrize("kind", ["llm", "stt", "tts"])
async def test_what_is_asked_by_name_is_observed_whatever_its_breaker_says(kind: str) -> None:
    port = {"llm": model, "stt": ear, "tts": voice}[kind](fail=DOWN)
    noted = Noted()
    alone = Chain("port", [Member("one", port)], SystemClock(), observer=noted)

    async def ask() -> None:
        if kind == "llm":
            await answer(NamedLanguageModel(alone))
        elif kind == "stt":
            await laws.transcribe(NamedSpeechToText(alone), laws.chunks(laws.tone(0.5), 1_600), TranscriptionOptions())
        else:
            await laws.speak(NamedTextToSpeech(alone), ("Hello there.",), SynthesisOptions())

    for _ in range(4):
        with pytest.raises(ProviderFailed):
            await ask()
    assert noted.heard == ["one provider_failed"] * 4
    assert alone.states() == {"one": "open"}
    port.fail = None
    await ask()
    assert noted.heard[4:] == ["one answered"]
    assert alone.states() == {"one": "closed"}
    assert alone._places[0].outstanding == 0


# --- language models


async def test_failing_before_the_first_word_is_unnoticed_and_behind_it_is_told() -> None:
    class Breaks:
        capabilities = Capabilities("breaks")

        async def stream(self, *_: Any) -> Any:
            yield Delta("Half an ")
            raise DOWN

    assert await answer(FailoverLanguageModel(chain(model(fail=DOWN), model("Fine.")))) == "Fine."
    port, heard = FailoverLanguageModel(chain(Breaks(), model())), []
    with pytest.raises(ProviderFailed, match="it is down"):
        async for delta in port.stream(ASKED, (), LanguageOptions()):
            heard.append(delta.text)
    assert heard == ["Half an "]


@pytest.mark.parametrize(("error", "asked"), [(InvalidText("too long"), 0), (UnknownName("no German"), 1), (DOWN, 1)])
async def test_what_the_caller_is_to_blame_for_is_not_failed_over(error: VivavoceError, asked: int) -> None:
    second = model()
    port = FailoverLanguageModel(chain(model(fail=error), second))
    try:
        await answer(port)
    except VivavoceError as caught:
        assert caught is error
    assert second.tally.opened == asked


async def test_all_failed_names_all_causes() -> None:
    others = EngineMissing("install it"), ProviderFailed("wrong key", retryable=False, code="provider_not_allowed")
    with pytest.raises(ProviderFailed) as caught:
        await answer(FailoverLanguageModel(chain(*(model(fail=error) for error in (DOWN, *others)))))
    error = caught.value
    assert error.message == "no port could answer: it is down; install it; wrong key"
    assert error.code == "provider_not_allowed" and error.retryable
    assert isinstance(error.cause, ExceptionGroup) and error.cause.exceptions == (DOWN, *others)


async def test_one_that_fails_again_and_again_is_left_alone_and_tried_again_later() -> None:
    first, second = model("first", fail=DOWN), model("second")
    port = FailoverLanguageModel(chain(first, second))
    for _ in range(10):
        assert await answer(port) == "second"
    assert first.tally.opened == 3, "three failures open the breaker"
    first.fail = None
    await asyncio.sleep(2.1)
    assert await answer(port) == "first"


async def test_when_all_are_left_alone_the_reason_is_told_at_once() -> None:
    only = model(fail=ProviderFailed("wrong key", retryable=False))
    port = FailoverLanguageModel(chain(only))
    with pytest.raises(ProviderFailed):
        await answer(port)
    with pytest.raises(Unavailable, match="wrong key"):
        await answer(port)
    assert only.tally.opened == 1


async def test_being_full_is_no_illness() -> None:
    first = model("first", fail=Overloaded("full"))
    port = FailoverLanguageModel(chain(first, model("second")))
    for _ in range(5):
        assert await answer(port) == "second"
    first.fail = None
    assert await answer(port) == "first"


async def test_equals_share_the_work_by_what_is_outstanding() -> None:
    ports = [model(f"{i}") for i in range(3)]
    port = FailoverLanguageModel(chain(*ports, group="equal"))
    streams: list[Any] = [port.stream(ASKED, (), LanguageOptions()) for _ in range(6)]
    for stream in streams:
        await anext(stream)
    assert [p.tally.opened for p in ports] == [2, 2, 2]
    await streams[1].aclose()
    await streams[4].aclose()
    another: Any = port.stream(ASKED, (), LanguageOptions())
    assert (await anext(another)).text == "1", "the least busy one"
    for stream in [*streams, another]:
        await stream.aclose()
    tallied(ports)


async def test_a_withdrawn_probe_does_not_shut_it_out() -> None:
    first = model("first", fail=ProviderFailed("wrong key", retryable=False))
    port = FailoverLanguageModel(chain(first, model("second")))
    assert await answer(port) == "second"
    first.fail, first.first_token_latency = None, 5.0
    await asyncio.sleep(2.1)
    task = asyncio.get_running_loop().create_task(answer(port))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert await answer(port) == "first"


# --- voices


async def test_a_voice_that_breaks_off_is_followed_from_the_word_it_was_at() -> None:
    texts = ("One two three four. ", "Five six seven. ", "Eight nine.")
    first, second = voice(DOWN, 0.8), voice()
    spoken = await laws.speak(FailoverTextToSpeech(chain(first, second)), texts, SynthesisOptions())
    whole = "".join(texts)
    offset = at = 0
    for audio in spoken:
        assert audio.chunk.offset == offset
        assert audio.text_start <= at + 8 and audio.text_start >= 0, "no stretch of text is passed over"
        offset, at = audio.chunk.end, audio.text_end
    assert at == len(whole)
    assert first.tally.failed == 1 and second.tally.finished == 1


async def test_a_voice_that_stops_early_is_no_success() -> None:
    class Mute:
        capabilities = Capabilities("mute")

        def open(self, options: SynthesisOptions) -> Any:
            silent = ScriptedTextToSpeech().open(options)
            silent.finish()
            silent.send = lambda _text: None  # type: ignore[method-assign]
            return silent

    spoken = await laws.speak(FailoverTextToSpeech(chain(Mute(), voice())), ("Hello there.",), SynthesisOptions())
    assert spoken[-1].text_end == 12


async def test_a_stand_in_speaks_with_its_own_voice() -> None:
    port = FailoverTextToSpeech(chain(voice(DOWN), voice()))
    spoken = await laws.speak(port, ("Hello.",), SynthesisOptions(voice="tone"))
    assert spoken


# --- recognisers


async def test_another_recogniser_reads_the_whole_utterance() -> None:
    pcm = laws.tone(1.0) + laws.silence(0.2)
    for at in ("open", "audio", "final"):
        broken = ear("nothing", DOWN, at)
        heard = ScriptedSpeechToText(lambda audio: f"{len(audio)}")
        port = FailoverSpeechToText(chain(broken, heard))
        transcripts = await laws.transcribe(port, laws.chunks(pcm, 320), TranscriptionOptions())
        assert transcripts[-1].text == str(len(pcm)), at


async def test_audio_that_comes_while_another_one_catches_up_is_in_order() -> None:
    broken, heard = ear("nothing", DOWN, "audio"), ScriptedSpeechToText(lambda audio: audio.hex())
    utterance = FailoverSpeechToText(chain(broken, heard)).open(TranscriptionOptions(partials=False))
    pcm = laws.tone(0.5)
    reading = asyncio.get_running_loop().create_task(laws.read(utterance))
    for piece in laws.chunks(pcm, 160):
        utterance.send(piece)
        await asyncio.sleep(0)
    utterance.finish()
    assert (await reading)[-1].text == pcm.hex()


async def test_an_utterance_is_bounded() -> None:
    utterance = FailoverSpeechToText(chain(ear())).open(TranscriptionOptions())
    second = laws.chunks(laws.silence(1.0), 16_000)[0]
    with pytest.raises(Overloaded):
        for _ in range(301):
            utterance.send(second)
    utterance.cancel()


# --- observed, and changed while it runs


class Notes:
    def __init__(self) -> None:
        self.answers: list[tuple[str, float]] = []
        self.failures: list[tuple[str, str]] = []

    def answered(self, name: str, seconds: float) -> None:
        self.answers.append((name, round(seconds, 3)))

    def failed(self, name: str, error: VivavoceError) -> None:
        self.failures.append((name, error.code))


def observed(*ports: Any) -> tuple[Chain[Any], Notes]:
    notes = Notes()
    members = [Member(f"port{i}", port) for i, port in enumerate(ports)]
    return Chain("port", members, SystemClock(), observer=notes), notes


async def test_an_observer_hears_of_failures_and_of_the_time_to_the_first_output() -> None:
    links, notes = observed(model(fail=DOWN), model(first_token_latency=0.3))
    assert await answer(FailoverLanguageModel(links)) == "Fine."
    assert notes.failures == [("port0", "provider_failed")]
    assert notes.answers == [("port1", 0.3)]


async def test_the_time_of_a_recogniser_counts_from_the_end_of_the_utterance() -> None:
    recogniser = ear()
    recogniser.final_latency = 0.25
    links, notes = observed(recogniser)
    utterance = FailoverSpeechToText(links).open(TranscriptionOptions())
    for chunk in laws.chunks(laws.tone(1.0), 1_600):
        utterance.send(chunk)
        await asyncio.sleep(0.1)
    utterance.finish()
    assert [transcript.text async for transcript in utterance][-1] == "what time is it"
    assert notes.answers == [("port0", 0.25)]


async def test_the_time_of_a_voice_counts_from_its_first_text() -> None:
    links, notes = observed(voice(first_latency=0.2))
    utterance = FailoverTextToSpeech(links).open(SynthesisOptions())
    await asyncio.sleep(5.0)
    utterance.send("Hello there.")
    utterance.finish()
    assert [audio async for audio in utterance]
    [(name, seconds)] = notes.answers
    assert name == "port0"
    assert seconds == pytest.approx(0.2, abs=0.05)


async def test_members_change_and_those_that_stay_keep_what_is_known_of_them() -> None:
    broken, good, new = model(fail=EngineMissing("not here")), model("Good."), model("New.")
    links = chain(broken, good)
    port = FailoverLanguageModel(links)
    assert await answer(port) == "Good."
    assert links.states() == {"port0": "open", "port1": "closed"}
    links.replace([Member("new", new), Member("port0", broken)])
    assert links.states() == {"new": "closed", "port0": "open"}
    assert await answer(port) == "New."
    with pytest.raises(ValueError, match="member"):
        links.replace([])


async def test_a_request_under_way_ends_with_the_member_it_began_with() -> None:
    first, second = model("One two three."), model("Other.")
    links = chain(first)
    said = FailoverLanguageModel(links).stream(ASKED, (), LanguageOptions())
    begun = (await anext(said)).text
    links.replace([Member("second", second)])
    assert begun + "".join([delta.text async for delta in said]) == "One two three."
    assert links.states() == {"second": "closed"}
