"""The Realtime door in detail: transcripts while they are spoken, counts, a voice for one response, silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flows.realtime_stage import RATE, RealtimeStage, messages
from tests.flows.score import LONG_REPLY
from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.events import SpeechStarted
from vivavoce.testing.hearing import ScriptedSpeechToText
from vivavoce.testing.speaking import ScriptedLanguageModel
from vivavoce.transports.realtime.items import Items
from vivavoce.transports.realtime.listening import Hearing
from vivavoce.transports.realtime.wire import Json, Teller

DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
TRANSCRIBED = {"transcription": {"model": "whisper-1"}}
MANUAL = {**TRANSCRIBED, "turn_detection": None}


def silent(milliseconds: int | None) -> Json:
    return {"input": {**TRANSCRIBED, "turn_detection": {"type": "server_vad", "idle_timeout_ms": milliseconds}}}


def told(stage: RealtimeStage) -> dict[str, str]:
    """Deltas by item, put together."""
    found: dict[str, str] = {}
    for event in stage.of(DELTA):
        found[event["item_id"]] = found.get(event["item_id"], "") + event["delta"]
    return found


# --- transcripts


async def test_a_transcript_is_told_while_it_is_spoken_and_adds_up() -> None:
    texts = ["one two three four five six seven", "and eight and nine and ten"]
    async with RealtimeStage(stt=ScriptedSpeechToText(texts)) as stage:
        await stage.update(audio={"input": TRANSCRIBED})
        await stage.speak(2.4, -3.0, 2.0, -3.0)
        await stage.until("response.done", 2)
        completed = {event["item_id"]: event["transcript"] for event in stage.of(COMPLETED)}
        assert list(completed.values()) == texts
        assert told(stage) == completed
        assert len(stage.of(DELTA)) >= 8, "several each"
        first, committed = stage.of(DELTA)[0], stage.of("input_audio_buffer.committed")[0]
        assert stage.events.index(first) < stage.events.index(committed)
        assert first["item_id"] == stage.of("input_audio_buffer.speech_started")[0]["item_id"]


async def test_what_is_not_certain_is_told_at_the_end() -> None:
    stt = ScriptedSpeechToText(lambda pcm: "a reading that may change")
    async with RealtimeStage(stt=stt) as stage:
        await stage.update(audio={"input": TRANSCRIBED})
        await stage.speak(2.0, -1.5)
        await stage.until("response.done")
        (delta,) = stage.of(DELTA)
        assert delta["delta"] == stage.of(COMPLETED)[0]["transcript"]


async def test_speech_over_a_response_is_told_once_it_is_an_interruption() -> None:
    stt = ScriptedSpeechToText(["tell me about the sea", "no please stop that right now", "mm hmm"])
    async with RealtimeStage(stt=stt, llm=ScriptedLanguageModel([LONG_REPLY])) as stage:
        await stage.update(audio={"input": TRANSCRIBED})
        await stage.speak(1.2, -2.5, 2.0, -3.0, 0.3, -2.0)
        assert told(stage) == {event["item_id"]: event["transcript"] for event in stage.of(COMPLETED)}
        assert len(told(stage)) == 2, "and a hum not at all"
        started = [event["item_id"] for event in stage.of("input_audio_buffer.speech_started")]
        for delta in stage.of(DELTA):
            assert delta["item_id"] in started
            begun = stage.of("input_audio_buffer.speech_started")[started.index(delta["item_id"])]
            assert stage.events.index(begun) < stage.events.index(delta)


async def test_without_turn_detection_nothing_is_told_before_the_commit() -> None:
    async with RealtimeStage(stt=ScriptedSpeechToText(["one two three", "four five six"])) as stage:
        await stage.update(audio={"input": MANUAL})
        await stage.speak(70.0)  # more than one turn may have: two readings, one item
        assert not stage.of(DELTA)
        stage.say("input_audio_buffer.commit")
        completed = await stage.until(COMPLETED, seconds=60)
        assert completed["transcript"] == "one two three four five six"
        assert told(stage) == {completed["item_id"]: completed["transcript"]}
        assert completed["usage"] == {"type": "duration", "seconds": pytest.approx(70.0, abs=0.5)}


class Told:
    """An outlet that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self._names = 0

    def tell(self, event: Json) -> None:
        self.events.append(event)

    def play(self, generation: int, event: Json) -> None:
        raise AssertionError

    def name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}_{self._names}"


@given(
    final=st.text("ab \n", max_size=30),
    partials=st.lists(st.tuples(st.integers(0, 30), st.text("abx ", max_size=6)), max_size=8),
    lies=st.booleans(),
    commit=st.integers(0, 9),
)
def test_deltas_add_up_whatever_the_recogniser_says(
    final: str, partials: list[tuple[int, str]], lies: bool, commit: int
) -> None:
    """``lies``: what was called certain is changed after all; then the end alone tells the truth."""
    outlet = Told()
    hearing = Hearing(Teller(outlet, outlet.name), Items())
    hearing.transcribes = True
    hearing.started(SpeechStarted(Stamp(1, 0, 0), 0), held=False)
    for number, (stable, tail) in enumerate(partials):
        if number == commit:
            hearing.commit(100, 0)
        text = final[:stable] + tail
        hearing.partial(1, text if lies else text[: min(stable, len(final))])
    hearing.read(1, final, 200)
    (completed,) = (event for event in outlet.events if event["type"] == COMPLETED)
    said = "".join(event["delta"] for event in outlet.events if event["type"] == DELTA)
    assert completed["transcript"] == final.strip()
    if not lies:
        assert said == completed["transcript"]
    assert all(event["delta"] for event in outlet.events if event["type"] == DELTA)


# --- counts


async def test_a_response_says_what_it_cost() -> None:
    async with RealtimeStage() as stage:
        await stage.update(instructions="Be brief.", audio={"input": TRANSCRIBED})
        await stage.speak(1.2, -1.5)
        usage = (await stage.until("response.done"))["response"]["usage"]
        heard = stage.of(COMPLETED)[0]["usage"]["seconds"]
        sent = len(stage.audio()) / 2 / RATE
        given, said = usage["input_token_details"], usage["output_token_details"]
        assert given["audio_tokens"] == round(heard * 10)
        assert given["text_tokens"] == -(-len("Be brief." + "what time is it") // 4)
        assert said["audio_tokens"] == round(sent * 20)
        assert said["text_tokens"] == -(-len("It is late. Go to bed.") // 4)
        assert usage["input_tokens"] == given["audio_tokens"] + given["text_tokens"]
        assert usage["output_tokens"] == said["audio_tokens"] + said["text_tokens"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        stage.say("response.create")
        again = (await stage.until("response.done", 2))["response"]["usage"]["input_token_details"]
        assert again["audio_tokens"] == 0, "that turn was answered already"
        assert again["text_tokens"] > given["text_tokens"], "there is more to read now"


async def test_text_alone_costs_no_audio() -> None:
    async with RealtimeStage() as stage:
        await stage.update(output_modalities=["text"])
        stage.say("response.create", response={"conversation": "none", "input": [_user("four")], "instructions": "Hi"})
        usage = (await stage.until("response.done"))["response"]["usage"]
        assert usage["input_token_details"]["text_tokens"] == 2
        assert usage["input_token_details"]["audio_tokens"] == usage["output_token_details"]["audio_tokens"] == 0


def _user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


# --- a voice for one response


async def test_one_response_may_have_another_voice() -> None:
    async with RealtimeStage() as stage:
        await stage.update(audio={"output": {"voice": "tone"}})
        for voice in ("low", None, {"id": "low"}, "nobody"):
            output = {} if voice is None else {"voice": voice}
            stage.say("response.create", response={"audio": {"output": output}})
            await stage.until("response.done", len(stage.of("response.done")) + 1)
        assert [asked.voice for asked in stage.tts.asked] == ["low", "tone", "low", "tone"]
        shown = [event["response"]["audio"]["output"]["voice"] for event in stage.of("response.done")]
        assert shown == ["low", "tone", "low", "nobody"]
        assert not stage.of("error")


# --- silence


async def test_a_silent_user_is_asked_and_asked_again() -> None:
    llm = ScriptedLanguageModel(["It is late. Go to bed.", "Are you still there?", "Well, good night."])
    async with RealtimeStage(llm=llm) as stage:
        updated = await stage.update(audio=silent(6_000))
        assert updated["session"]["audio"]["input"]["turn_detection"]["idle_timeout_ms"] == 6_000
        await stage.speak(1.2, -1.5)
        await stage.until("response.done")
        begun = stage.clock.now()
        await stage.speak(-9.0)
        triggered = await stage.until("input_audio_buffer.timeout_triggered")
        assert 5_500 <= triggered["audio_end_ms"] - triggered["audio_start_ms"] <= 6_500
        assert stage.clock.now() - begun < 20
        kinds = stage.kinds(after="input_audio_buffer.timeout_triggered")
        assert kinds[:4] == [
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            COMPLETED,
        ]
        assert stage.of(COMPLETED)[1]["transcript"] == ""
        assert stage.of("input_audio_buffer.committed")[1]["item_id"] == triggered["item_id"]
        done = await stage.until("response.done", 2)
        assert done["response"]["output"][0]["content"][0]["transcript"] == "Are you still there?"
        role, text = messages(llm.requests[-1])[-1]
        assert role == "user"
        assert "said nothing for 6 seconds" in text
        await stage.until("response.done", 3, seconds=60)
        remembered = messages(llm.requests[-1])
        assert sum("said nothing" in text for _, text in remembered) == 1, "history holds none of it"
        assert ("assistant", "Are you still there?") in remembered


async def test_speech_ends_the_wait_and_without_a_response_there_is_none() -> None:
    async with RealtimeStage(stt=ScriptedSpeechToText(["hello", "good bye"])) as stage:
        await stage.update(audio=silent(5_000))
        await stage.speak(-20.0)
        assert not stage.of("input_audio_buffer.timeout_triggered"), "nothing was said that waits for an answer"
        await stage.speak(1.0, -1.5)
        await stage.until("response.done")
        await stage.speak(-4.0, 4.0, -1.5)
        assert not stage.of("input_audio_buffer.timeout_triggered")
        await stage.update(audio=silent(None))
        await stage.speak(-40.0)
        assert not stage.of("input_audio_buffer.timeout_triggered")


@pytest.mark.parametrize(
    ("wished", "kept"), [(100, 5_000), (10**6, 30_000), (None, None), ("soon", None), (True, None), (7_500.4, 7_500)]
)
async def test_the_wait_is_clamped(wished: object, kept: int | None) -> None:
    async with RealtimeStage() as stage:
        updated = await stage.update(audio=silent(wished))  # type: ignore[arg-type]
        assert updated["session"]["audio"]["input"]["turn_detection"]["idle_timeout_ms"] == kept
        assert not stage.of("error")
