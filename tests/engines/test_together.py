"""Everything in one run: a sherpa-onnx recogniser, a Piper voice and a language model behind the OpenAI API.

The models are generated, the libraries, the command, the worker processes and the sockets are real.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.conftest import ROOT
from tests.engines.models_piper import make_piper
from tests.engines.models_sherpa import zipformer2_ctc
from vivavoce.app.graph import Parts, parts_of
from vivavoce.app.recorder import Recorder
from vivavoce.config.load import Surroundings, load
from vivavoce.contracts.events import ResponseCompleted, SessionEvent, SessionFailed, SettingsChanged, TranscriptUpdated
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions
from vivavoce.testing.openai_server import OpenAiServer

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

TIME, PRODUCT = (ROOT / "examples" / name for name in ("what-time-is-it.wav", "twelve-times-twelve.wav"))
REPLY = "It is late. Go to bed."


def vivavoce(*arguments: str) -> str:
    """Run the command; what it prints."""
    run = subprocess.run(
        [sys.executable, "-m", "vivavoce", *arguments], capture_output=True, text=True, timeout=180, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models directory with both, put there as a person would."""
    folder = tmp_path_factory.mktemp("together")
    for name, make in (("letters", zipformer2_ctc), ("tones", make_piper)):
        source = folder / f"from-{name}"
        source.mkdir()
        made = make(source)
        setting = f"models_dir={folder / 'models'}"
        vivavoce("models", "import", str(source if name == "letters" else made), "--name", name, "--set", setting)
    return folder / "models"


def written(path: Path, **settings: Any) -> Path:
    path.write_text(yaml.safe_dump(settings))
    return path


async def test_talk_with_all_three_in_one_run(models: Path, tmp_path: Path) -> None:
    async with OpenAiServer() as server:
        config = written(
            tmp_path / "vivavoce.yaml",
            models_dir=str(models),
            engines={"stt": "letters", "tts": "piper"},
            providers=[{"name": "box", "url": server.url, "llm": "test-model"}],
            discovery={"services": []},
        )
        reply = tmp_path / "reply.wav"
        arguments = ["talk", str(TIME), str(PRODUCT), "-o", str(reply), "--json", "--config", str(config)]
        turns = json.loads(await asyncio.to_thread(vivavoce, *arguments))
        asked = [seen.json for seen in server.asked("/chat/completions")]
    assert [turn["reply"] for turn in turns] == [REPLY, REPLY]
    said = [turn["said"] for turn in turns]
    assert all(text and set(text) <= set("abcdefghijklmnopqrstuvwxyz ") for text in said)
    assert [[m["content"] for m in body["messages"] if m["role"] == "user"][-1] for body in asked][-1] == said[1]
    assert REPLY in [message["content"] for message in asked[-1]["messages"] if message["role"] == "assistant"]
    assert all(turn["latency"]["total"] is not None for turn in turns)
    with wave.open(str(reply)) as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), "<i2")
        assert 1.0 < len(samples) / recording.getframerate() < 30
    assert np.abs(samples.astype(np.int32)).max() > 3_000


class Talk:
    """A conversation over real parts, fed with recordings at the pace of speech."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.events: list[SessionEvent] = []
        recorder = Recorder()

        def take(event: SessionEvent) -> None:
            recorder.take(event)
            self.events.append(event)

        self.conversation = Conversation("switch", parts.ports, ConversationOptions(), recorder, take, parts.clock)

    async def play(self, pcm: bytes, switch: tuple[int, str, str] | None = None) -> str:
        """Speak, switching an engine behind so many frames; the exchange's transcript."""
        done = sum(isinstance(event, ResponseCompleted) for event in self.events)
        frames = [pcm[at : at + 640] for at in range(0, len(pcm) - 640, 640)]
        for number in range(len(frames) + 1_500):
            if switch is not None and number == switch[0]:
                self.conversation.set_provider(switch[1], switch[2])  # type: ignore[arg-type]
            self.conversation.hear(frames[number] if number < len(frames) else bytes(640))
            await asyncio.sleep(0.02)
            answered = sum(isinstance(event, ResponseCompleted) for event in self.events) > done
            if number >= len(frames) and answered and not self.conversation.busy:
                return [e.text for e in self.events if isinstance(e, TranscriptUpdated) and e.final][-1]
        raise AssertionError(f"no answer: {self.events[-5:]}")


def recording(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        return file.readframes(file.getnframes())


async def test_engines_switched_in_mid_sentence_lose_no_word(models: Path, tmp_path: Path) -> None:
    """A switch counts from the next utterance on; the one that is being spoken is read to its end by whoever began it."""
    around = Surroundings({}, tmp_path, tmp_path, tmp_path)
    config = written(
        tmp_path / "config.yaml",
        models_dir=str(models),
        engines={"stt": "pocketsphinx", "tts": "espeak", "turn": "off", "vad": "pysilero"},
        discovery={"services": []},
    )
    settings = (await asyncio.to_thread(load, file=config, surroundings=around)).settings
    parts = await asyncio.to_thread(parts_of, settings)
    question = await asyncio.to_thread(recording, PRODUCT)
    try:
        await parts.start()
        talk = Talk(parts)
        await talk.conversation.start()
        try:
            assert await talk.play(question, (60, "stt", "letters")) == "what is twelve times twelve"
            letters = await talk.play(question, (60, "tts", "piper"))
            assert letters
            assert "twelve" not in letters  # read by the other recogniser
            assert await talk.play(question, (10, "stt", "pocketsphinx"))
            switched = [(event.name, event.value) for event in talk.events if isinstance(event, SettingsChanged)]
            assert switched == [("stt", "letters"), ("tts", "piper"), ("stt", "pocketsphinx")]
            assert not [event for event in talk.events if isinstance(event, SessionFailed)]
            replies = [event.text for event in talk.events if isinstance(event, ResponseCompleted)]
            assert replies[0] == "That is 144."
            assert len(replies) == 3
        finally:
            await talk.conversation.close()
    finally:
        await parts.close()
