"""moonshine-voice itself reads, with models made here: partials, lines, sessions side by side, loading and unloading."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.engines.models_moonshine import add_times, make_streaming, make_whole, sing
from tests.laws import laws
from tests.laws.laws import silence
from tests.laws.test_workers import keep
from tests.unit.workers.pools import group, running, until
from vivavoce.contracts.audio import AudioChunk, AudioFormat
from vivavoce.contracts.errors import EngineFailed, EngineMissing, InvalidAudio, Overloaded
from vivavoce.contracts.speech import Transcript, TranscriptionOptions
from vivavoce.engines.moonshine import Moonshine
from vivavoce.workers.options import EngineOptions

pytestmark = pytest.mark.engine

Sing = Callable[[str], bytes]
OPTIONS = TranscriptionOptions()
SENTENCES = ["efghefgh", "gh", "efefgh", "ghghghef", "ef", "ghef", "efghghef", "ghefghef"]


def one_frontend(folder: Path) -> Path:
    """The older layout of streaming models: the frontend is one file."""
    return make_streaming(folder, split=False)


LAYOUTS = [make_whole, make_streaming, one_frontend]


def words(text: str) -> str:
    letters = text.replace(" ", "")
    return " ".join(letters[at : at + 2] for at in range(0, len(letters), 2))


@pytest.fixture(scope="module")
def song() -> Sing:
    """Letters above speech, with silence around it."""
    with wave.open(str(ROOT / "examples" / "what-time-is-it.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    loud = np.flatnonzero(np.abs(samples) > 800)
    carrier = samples[loud[0] : loud[-1]]
    return lambda text: silence(0.5) + sing(text, carrier) + silence(0.5)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[Path], Path]], Path]:
    folder = tmp_path_factory.mktemp("moonshine")
    found: dict[str, Path] = {}
    return lambda make: found.setdefault(make.__name__, make(folder / f"tiny-{make.__name__}"))


@pytest.fixture(scope="module", params=LAYOUTS, ids=lambda make: make.__name__)
def engine(made: Callable[[Callable[[Path], Path]], Path], request: pytest.FixtureRequest) -> Iterator[Moonshine]:
    engine = Moonshine({"model": str(made(request.param))})
    yield engine
    engine.close()


def read(engine: Moonshine, pcm: bytes, chunk: int = 3_200) -> tuple[list[Transcript], Transcript]:
    utterance = engine.open(OPTIONS)
    partials = [utterance.send(pcm[at : at + chunk]) for at in range(0, len(pcm), chunk)]
    return [partial for partial in partials if partial is not None], utterance.finish()


@pytest.mark.parametrize("text", SENTENCES)
def test_what_was_said_is_read(engine: Moonshine, song: Sing, text: str) -> None:
    _, final = read(engine, song(text))
    assert final.text == words(text)
    assert final.final and final.stable == len(final.text) and final.language == "en"


def test_partials_come_while_it_is_said_and_grow(engine: Moonshine, song: Sing) -> None:
    text = "efghghefefghghef"
    partials, final = read(engine, song(text))
    assert len(partials) >= 5
    said = [partial.text.replace(" ", "") for partial in partials]
    assert all(later.startswith(earlier) for earlier, later in zip(said, [*said[1:], text], strict=True))
    assert not any(partial.final for partial in partials)
    assert final.text == words(text)


def test_what_lies_before_a_pause_is_stable(engine: Moonshine, song: Sing) -> None:
    partials, final = read(engine, song("efghef" + " " * 6 + "ghefgh"))
    assert final.text == "ef gh ef gh ef gh"
    assert max(partial.stable for partial in partials) == len("ef gh ef")
    for partial in partials:
        assert final.text.startswith(partial.text[: partial.stable])


def test_no_partials_where_none_are_asked_for(engine: Moonshine, song: Sing) -> None:
    utterance = engine.open(TranscriptionOptions(partials=False))
    pcm = song("efghefgh")
    assert [utterance.send(pcm[at : at + 3_200]) for at in range(0, len(pcm), 3_200)] == [None] * -(-len(pcm) // 3_200)
    assert utterance.finish().text == "ef gh ef gh"


def test_chunks_make_no_difference_to_what_is_read_in_the_end(engine: Moonshine, song: Sing) -> None:
    pcm, chance = song("efghghef"), random.Random(7)
    for size in (320, 2_730, 32_000, len(pcm)):
        assert read(engine, pcm, size)[1].text == "ef gh gh ef"
    utterance, at = engine.open(OPTIONS), 0
    while at < len(pcm):
        size = 2 * chance.randrange(1, 9_000)
        utterance.send(pcm[at : at + size])
        at += size
    assert utterance.finish().text == "ef gh gh ef"


@pytest.mark.parametrize("pcm", [b"", silence(0.01), silence(3.0)], ids=["nothing", "10 ms", "silence"])
def test_nothing_is_read_of_silence(engine: Moonshine, pcm: bytes) -> None:
    partials, final = read(engine, pcm)
    assert (partials, final.text) == ([], "")


def test_eight_sessions_at_once_do_not_mix(engine: Moonshine, song: Sing) -> None:
    sounds = [song(text) for text in SENTENCES]
    utterances = [engine.open(OPTIONS) for _ in sounds]
    for at in range(0, max(map(len, sounds)), 3_200):
        for utterance, pcm in zip(utterances, sounds, strict=True):
            if at < len(pcm):
                utterance.send(pcm[at : at + 3_200])
    assert [utterance.finish().text for utterance in utterances] == [words(text) for text in SENTENCES]


@pytest.mark.parametrize("make", [make_whole, make_streaming])
def test_words_have_times_where_the_model_has_the_file_for_them(
    tmp_path: Path, song: Sing, make: Callable[[Path], Path]
) -> None:
    model = make(tmp_path / "tiny")
    pcm = song("efgh" + " " * 8 + "ghef")
    without = Moonshine({"model": str(model)})
    assert not without.capabilities.word_times
    assert read(without, pcm)[1].words == ()
    without.close()
    with pytest.raises(EngineMissing, match=r"with_attention\.ort"):
        Moonshine({"model": str(model), "word_times": True})
    add_times(model)
    engine = Moonshine({"model": str(model)})
    assert engine.capabilities.word_times
    utterance = engine.open(TranscriptionOptions(partials=False))
    for at in range(0, len(pcm), 3_200):
        assert utterance.send(pcm[at : at + 3_200]) is None
    final = utterance.finish()
    assert [word.text for word in final.words] == final.text.split() == ["ef", "gh", "gh", "ef"]
    times = [time for word in final.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] > 0.2
    assert times[-1] <= len(pcm) / 32_000
    pause = 0.5 + 8 * 0.24
    assert final.words[1].end < pause < final.words[2].end, "the second line begins behind the pause"
    partials, live = read(engine, pcm)
    assert not any(partial.words for partial in partials)
    assert [word.text for word in live.words] in ([], live.text.split()), "all words have times or none"
    assert all(word.start <= word.end for word in live.words)
    engine.close()
    silenced = Moonshine({"model": str(model), "word_times": False})
    assert not silenced.capabilities.word_times
    assert read(silenced, pcm)[1].words == ()
    silenced.close()


def test_one_that_is_withdrawn_in_mid_word_leaves_the_others_alone(engine: Moonshine, song: Sing) -> None:
    pcm = song("efghghef")
    kept, withdrawn = engine.open(OPTIONS), engine.open(OPTIONS)
    for number, at in enumerate(range(0, len(pcm), 3_200)):
        kept.send(pcm[at : at + 3_200])
        if number < 10:
            withdrawn.send(pcm[at : at + 3_200])
        elif number == 10:
            withdrawn.close()
            withdrawn.close()
            with pytest.raises(EngineFailed):
                withdrawn.send(pcm[:320])
    assert kept.finish().text == "ef gh gh ef"
    assert read(engine, pcm)[1].text == "ef gh gh ef"


def test_bounds(made: Callable[[Callable[[Path], Path]], Path]) -> None:
    engine = Moonshine({"model": str(made(make_streaming)), "max_seconds": 2})
    utterance = engine.open(OPTIONS)
    with pytest.raises(InvalidAudio):
        utterance.send(b"odd")
    utterance.send(silence(1.9))
    with pytest.raises(Overloaded):
        utterance.send(silence(0.2))
    utterance.close()
    engine.close()


# --- loading and unloading

RELOADED = """
import sys
from pathlib import Path
from vivavoce.contracts.speech import TranscriptionOptions
from vivavoce.engines.moonshine import Moonshine

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

pcm = Path(sys.argv[2]).read_bytes()
sizes = []
for _ in range(12):
    engine = Moonshine({"model": sys.argv[1]})
    utterance = engine.open(TranscriptionOptions())
    utterance.send(pcm)
    assert utterance.finish().text == "ef gh gh ef", "misread"
    engine.open(TranscriptionOptions()).send(pcm)  # left open: closing the engine withdraws it
    engine.close()
    sizes.append(resident())
print(sizes[2], sizes[-1])
"""


@pytest.mark.process
@pytest.mark.parametrize("make", [make_whole, make_streaming], ids=lambda make: make.__name__)
def test_loading_again_and_again_takes_no_more_memory(
    made: Callable[[Callable[[Path], Path]], Path], song: Sing, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    sound = tmp_path / "sound.pcm"
    sound.write_bytes(song("efghghef"))
    done = subprocess.run(
        [sys.executable, "-c", RELOADED, str(made(make)), str(sound)],
        capture_output=True, text=True, timeout=240, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    early, late = map(int, done.stdout.split())
    assert late - early < 40, f"{early} MB after three loads, {late} MB after twelve"


BROKEN = """
import sys
from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.speech import TranscriptionOptions
from vivavoce.engines.moonshine import Moonshine
if len(sys.argv) > 3:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]) << 20,) * 2)
try:
    utterance = Moonshine({"model": sys.argv[1]}).open(TranscriptionOptions())
    utterance.send(open(sys.argv[2], "rb").read())
    print("read", utterance.finish().text)
except VivavoceError as error:
    print("told", error.code, error.message)
except MemoryError:
    print("told MemoryError")
"""


def attempt(main: Path, sound: Path, *limits: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BROKEN, str(main), str(sound), *limits],
        capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
    )  # fmt: skip


FILES = {
    make_whole: ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"),
    make_streaming: (
        *("encoder.ort", "adapter.ort", "cross_kv.ort", "decoder_kv.ort", "frontend.model.ort", "frontend.weights.ort"),
        *("streaming_config.json", "tokenizer.bin"),
    ),
}
EACH = [(make, name) for make, names in FILES.items() for name in names]


@pytest.mark.process
@pytest.mark.parametrize(("make", "name"), EACH, ids=[name for _, name in EACH])
@pytest.mark.parametrize("kind", ["cut", "junk", "empty"])
def test_a_file_that_is_not_right_is_told(
    tmp_path: Path, song: Sing, make: Callable[[Path], Path], name: str, kind: str
) -> None:
    main = make(tmp_path / "tiny-en")
    wrong, sound = main.parent / name, tmp_path / "sound.pcm"
    content = wrong.read_bytes()
    wrong.write_bytes({"cut": content[: len(content) // 2], "junk": b"\xff\xfejunk" * 99, "empty": b""}[kind])
    sound.write_bytes(song("ghefghef"))
    done = attempt(main, sound)
    assert done.stdout.startswith("told"), (done.returncode, done.stdout, done.stderr[-600:])
    assert "vivavoce models pull tiny-en" in done.stdout


@pytest.mark.parametrize(("make", "name"), EACH, ids=[name for _, name in EACH])
def test_a_file_that_is_absent_is_named(tmp_path: Path, make: Callable[[Path], Path], name: str) -> None:
    main = make(tmp_path / "tiny-en")
    (main.parent / name).unlink()
    with pytest.raises(EngineMissing, match=r"vivavoce models pull tiny-en") as told:
        Moonshine({"model": str(main), "arch": "tiny" if make is make_whole else "tiny-streaming"})
    assert name in told.value.message


@pytest.mark.process
@pytest.mark.parametrize("megabytes", ["150", "300", "450"])
def test_too_little_memory_is_an_error_or_death_but_no_hang(
    made: Callable[[Callable[[Path], Path]], Path], song: Sing, tmp_path: Path, megabytes: str
) -> None:
    sound = tmp_path / "sound.pcm"
    sound.write_bytes(song("efghghef"))
    done = attempt(made(make_streaming), sound, megabytes)
    assert done.returncode != 0 or done.stdout.startswith(("told", "read ef gh gh ef")), done.stdout


# --- in a worker


def options(main: Path) -> EngineOptions:
    return EngineOptions("stt", "moonshine", {"model": str(main)})


@pytest.mark.process
@pytest.mark.real_time
@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
@pytest.mark.parametrize("make", [make_whole, make_streaming], ids=lambda make: make.__name__)
async def test_laws(made: Callable[[Callable[[Path], Path]], Path], make: Callable[[Path], Path], law: laws.Law) -> None:
    await keep(law, "speech_to_text", "moonshine", group(options(made(make))))


@pytest.mark.process
@pytest.mark.real_time
async def test_eight_sessions_unloading_and_audio_of_another_rate(
    made: Callable[[Callable[[Path], Path]], Path], song: Sing
) -> None:
    async with running(group(options(made(make_streaming)), prewarm=False, idle_unload=0.3)) as pool:
        port = pool.speech_to_text("moonshine")
        sounds = [laws.chunks(song(text), 1_600) for text in SENTENCES]
        heard = await asyncio.gather(*(laws.transcribe(port, pieces, OPTIONS) for pieces in sounds))
        assert [transcripts[-1].text for transcripts in heard] == [words(text) for text in SENTENCES]
        utterance = port.open(OPTIONS)
        with pytest.raises(InvalidAudio):
            utterance.send(AudioChunk(silence(0.1), AudioFormat(8_000), 0))
        utterance.cancel()
        await until(lambda: all(line.pid is None for line in pool.status()))
        again = await laws.transcribe(port, sounds[0], OPTIONS)
        assert again[-1].text == words(SENTENCES[0])
