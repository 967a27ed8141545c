"""sherpa-onnx itself, with models made here: every family path, partials, ends, pauses, batches, faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.engines import models_sequences as sequences
from tests.engines import models_sherpa as models
from tests.engines.models_sherpa import LETTERS, say, spoken
from tests.laws.laws import silence
from vivavoce.contracts.engines import BatchTranscription, BatchTranscriptionEngine
from vivavoce.contracts.errors import ConfigurationError, EngineFailed, EngineMissing, InvalidAudio, Overloaded, UnknownName
from vivavoce.contracts.speech import Transcript, TranscriptionOptions
from vivavoce.engines.sherpa import SherpaRecogniser
from vivavoce.engines.sherpa.engine import hotwords
from vivavoce.engines.sherpa.files import inspect

Make = Callable[[Path], Path]
STREAMING: list[Make] = [
    models.wenet_ctc,
    models.zipformer2_ctc,
    models.nemo_streaming_ctc,
    models.zipformer2_transducer,
    sequences.nemo_streaming_transducer,
]
WHOLE: list[Make] = [
    models.nemo_ctc,
    models.zipformer_ctc,
    models.zipformer_transducer,
    models.sense_voice,
    sequences.nemo_transducer,
    sequences.nemo_tdt,
]
ALL = STREAMING + WHOLE
BATCHED = [make for make in ALL if make not in (models.wenet_ctc, sequences.nemo_streaming_transducer)]


def name(make: Make) -> str:
    return make.__name__  # type: ignore[attr-defined, no-any-return]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Make], Path]:
    folder = tmp_path_factory.mktemp("models")
    found: dict[str, Path] = {}
    return lambda make: found.setdefault(name(make), make(folder / name(make)))


class Recorder(SherpaRecogniser):
    """Remembers how many utterances were in each step."""

    sizes: list[int]

    def advance(self, streams: Sequence[Any]) -> None:
        self.sizes = [*getattr(self, "sizes", []), len(streams)]
        super().advance(streams)


@pytest.fixture
def load(made: Callable[[Make], Path]) -> Iterator[Callable[..., Recorder]]:
    loaded: list[Recorder] = []

    def one(make: Make, **settings: Any) -> Recorder:
        loaded.append(Recorder({"model": str(made(make)), "threads": 1, **settings}))
        return loaded[-1]

    yield one
    for engine in loaded:
        engine.close()


def read(
    engine: SherpaRecogniser, *pieces: bytes, chunk: int = 3_200, **options: Any
) -> tuple[list[list[Transcript]], list[Transcript]]:
    """Partials and finals of utterances that are heard at the same time, and advanced in batches."""
    streams = [engine.open(TranscriptionOptions(**options)) for _ in pieces]
    partials: list[list[Transcript]] = [[] for _ in pieces]

    def advance() -> None:
        while batch := [stream for stream in streams if stream.pending][: engine.BATCH]:
            engine.advance(batch)

    for at in range(0, max(map(len, pieces), default=0), chunk):
        for stream, pcm in zip(streams, pieces, strict=True):
            stream.send(pcm[at : at + chunk])
        advance()
        for stream, heard in zip(streams, partials, strict=True):
            partial = stream.poll()
            if partial is not None:
                heard.append(partial)
    for stream in streams:
        stream.end()
    advance()
    finals = [stream.finish() for stream in streams]
    for stream in streams:
        stream.close()
    return partials, finals


# --- reading


@pytest.mark.parametrize("make", ALL, ids=name)
def test_what_was_said_is_read(load: Callable[..., Recorder], make: Make) -> None:
    _, (final,) = read(load(make), say("abcdhgfe"))
    assert final.text == spoken("abcdhgfe") == "ab cdh gf e"
    assert final.final
    assert final.stable == len(final.text)


@pytest.mark.parametrize("make", ALL, ids=name)
def test_words_have_the_times_at_which_they_were_said(load: Callable[..., Recorder], make: Make) -> None:
    _, (final,) = read(load(make), say("ab  cd      ef"))
    assert " ".join(word.text for word in final.words) == final.text == "ab cd ef"
    for word, (start, end) in zip(final.words, [(0.0, 0.4), (0.8, 1.2), (2.4, 2.8)], strict=True):
        assert abs(word.start - start) <= 0.09
        assert abs(word.end - end) <= 0.15


@pytest.mark.parametrize("make", STREAMING, ids=name)
def test_the_last_letter_is_not_lost_wherever_the_audio_ends(load: Callable[..., Recorder], make: Make) -> None:
    """The end lies anywhere in a chunk of the model."""
    engine = load(make)
    for extra in range(0, 64, 7):
        pcm = say("hgfe", seconds=0.2) + say("a", seconds=0.08 + extra * 0.01)
        _, (final,) = read(engine, pcm)
        assert final.text == "h gf e a", extra


@pytest.mark.parametrize("make", STREAMING, ids=name)
def test_partials_grow_and_what_is_stable_stays(load: Callable[..., Recorder], make: Make) -> None:
    (partials,), (final,) = read(load(make), say("abcdefgh abcdefgh"))
    assert len(partials) >= 3
    assert max(partial.stable for partial in partials) > 0
    for earlier, later in zip(partials, [*partials[1:], final], strict=True):
        assert earlier.text != later.text or later.final
        assert 0 <= earlier.stable <= len(earlier.text)
        assert later.text.startswith(earlier.text[: earlier.stable])
    assert not any(partial.final for partial in partials)


@pytest.mark.parametrize("make", WHOLE, ids=name)
def test_whole_utterances_pretend_no_partials(load: Callable[..., Recorder], make: Make) -> None:
    engine = load(make)
    (partials,), _ = read(engine, say("abcdefgh"))
    assert partials == []
    assert not engine.capabilities.streaming


@pytest.mark.parametrize("make", STREAMING, ids=name)
def test_a_long_pause_loses_nothing(load: Callable[..., Recorder], make: Make) -> None:
    """The library's reading is begun anew at each of the pauses; text and times go on."""
    engine = load(make)
    (partials,), (final,) = read(engine, say("abcd") + silence(2.5) + say("ef") + silence(2.5) + say("gh"))
    assert final.text == "ab cd ef gh"
    assert [round(word.start, 1) for word in final.words] == [0.0, 0.4, 3.3, 6.2]
    assert partials[-1].stable >= len("ab cd ef"), "what was said before a pause no longer changes"


@pytest.mark.parametrize("make", STREAMING, ids=name)
def test_it_did_begin_anew(load: Callable[..., Recorder], make: Make) -> None:
    engine = load(make)
    stream = engine.open(TranscriptionOptions())
    stream.send(say("abcd") + silence(3.0))
    while stream.pending:
        engine.advance([stream])
    assert engine._recogniser.get_result_all(stream.stream).text == ""
    partial = stream.poll()
    assert partial is not None
    assert (partial.text, partial.stable) == ("ab cd", 5)


@pytest.mark.parametrize("make", ALL, ids=name)
def test_silence_and_nothing_are_empty(load: Callable[..., Recorder], make: Make) -> None:
    partials, finals = read(load(make), silence(2.0), b"", silence(0.05))
    assert [final.text for final in finals] == ["", "", ""]
    assert not any(partials)


@pytest.mark.parametrize("make", ALL, ids=name)
@pytest.mark.parametrize("chunk", [2, 962, 64_000])
def test_the_reading_does_not_depend_on_chunks(load: Callable[..., Recorder], make: Make, chunk: int) -> None:
    engine = load(make)
    pcm = say("ahb", seconds=0.15)
    assert read(engine, pcm, chunk=chunk)[1] == read(engine, pcm)[1]


def test_a_short_word_is_enough(load: Callable[..., Recorder]) -> None:
    for make in WHOLE:
        _, (final,) = read(load(make), say("d", seconds=0.1))
        assert final.text == "d", name(make)


def test_long_audio_is_read_in_stretches_that_end_in_a_pause(load: Callable[..., Recorder]) -> None:
    """What was read of a long utterance is told on the way; the times go on."""
    engine = load(models.nemo_ctc)
    said = (say("abcdefgh", seconds=1.0) + silence(1.0)) * 8
    (partials,), (final,) = read(engine, said)
    assert final.text == " ".join(["ab cd ef gh"] * 8)
    assert len(engine.sizes) == 3, "72 s are more than two stretches"
    assert [len(partial.text.split()) % 4 for partial in partials] == [0, 0], "cut between sentences, not in one"
    assert abs(final.words[-4].start - 63.0) < 0.1


def test_a_step_has_room_for_so_much_audio(load: Callable[..., Recorder]) -> None:
    """Heartbeats are answered between two steps, so a batch of long utterances takes several."""
    engine = load(models.nemo_ctc, stretch_seconds=5)
    streams = [engine.open(TranscriptionOptions()) for _ in range(5)]
    for stream in streams:
        stream.send(say("abcd", seconds=0.5))
        stream.end()
    left = [5]
    while pending := [stream for stream in streams if stream.pending]:
        engine.advance(pending)
        left.append(sum(stream.pending for stream in streams))
    assert left == [5, 3, 1, 0]
    assert {stream.finish().text for stream in streams} == {"ab cd"}


def test_whisper_reads_one_at_a_time(load: Callable[..., Recorder]) -> None:
    engine = load(models.whisper)
    partials, finals = read(engine, say("abcd"), say("hgfe"), silence(2.0))
    assert [final.text for final in finals] == ["ab cd", "h gf e", ""]
    assert not any(partials)
    assert set(engine.sizes) == {1}
    assert (finals[0].words, engine.capabilities.word_times) == ((), False)
    assert engine.capabilities.languages == ("en",)


def test_whisper_loses_nothing_of_long_audio(load: Callable[..., Recorder]) -> None:
    """It drops what is behind 29.5 s, so it is given less."""
    engine = load(models.whisper)
    _, (final,) = read(engine, say("abcd" * 24) + silence(3.0) + say("hgfe" * 8))
    assert final.text.startswith(spoken("abcd" * 24) + " h")
    assert final.text.count("g") >= 8
    assert len(engine.sizes) == 2


def multilingual(folder: Path) -> Path:
    return models.whisper(folder, ("en", "de"))


def test_whisper_is_told_the_language_or_finds_it(load: Callable[..., Recorder]) -> None:
    told, free = load(multilingual, language="de"), load(multilingual)
    assert (told.capabilities.languages, free.capabilities.languages) == (("de",), ("en", "de"))
    (german,) = read(told, say("abcd"), language="de")[1]
    assert (german.text, german.language) == ("ab cd", "de")
    (found,) = read(free, say("abcd"))[1]
    assert (found.text, found.language) == ("ab cd", "en")


def test_a_language_that_would_end_the_process_is_refused_at_load(load: Callable[..., Recorder]) -> None:
    with pytest.raises(UnknownName, match="reads en, de, not 'fr'"):
        load(multilingual, language="fr")
    with pytest.raises(UnknownName):
        load(models.whisper, language="de")
    with pytest.raises(UnknownName):
        load(models.sense_voice, language="de")


# --- several at once


@pytest.mark.parametrize("make", BATCHED, ids=name)
def test_utterances_read_together_do_not_mix(load: Callable[..., Recorder], make: Make) -> None:
    engine = load(make)
    texts = ["abcdefgh"[i:] + "abcdefgh"[:i] for i in range(8)] + ["a", "hg"]
    _, finals = read(engine, *map(say, texts))
    assert [final.text for final in finals] == [spoken(text) for text in texts]
    assert max(engine.sizes) == engine.BATCH == 8


def test_a_model_that_cannot_batch_is_never_asked_to(load: Callable[..., Recorder]) -> None:
    """The library ends the process over it."""
    engine = load(models.wenet_ctc)
    _, finals = read(engine, say("abcd"), say("hgfe"))
    assert [final.text for final in finals] == ["ab cd", "h gf e"]
    assert (engine.BATCH, engine.WINDOW, set(engine.sizes)) == (1, 0.0, {1})


@pytest.mark.parametrize("make", ALL, ids=name)
def test_a_cancel_in_mid_word_disturbs_nobody(load: Callable[..., Recorder], make: Make) -> None:
    engine = load(make)
    gone, stays = engine.open(TranscriptionOptions()), engine.open(TranscriptionOptions())
    pcm = say("abcdefgh")
    for at in range(0, len(pcm), 3_200):
        if not gone.closed:
            gone.send(pcm[at : at + 3_200])
        stays.send(pcm[at : at + 3_200])
        if at == 16_000:
            gone.close()
            gone.close()
            assert not gone.pending
        for stream in (gone, stays):
            if stream.pending:
                engine.advance([stream])
    stays.end()
    while stays.pending:
        engine.advance([stays])
    assert stays.finish().text == spoken("abcdefgh")
    stays.close()
    with pytest.raises(EngineFailed, match="open another"):
        gone.send(b"\0\0")


@pytest.mark.parametrize("make", STREAMING, ids=name)
def test_the_final_takes_one_step(load: Callable[..., Recorder], make: Make) -> None:
    engine = load(make)
    stream = engine.open(TranscriptionOptions())
    stream.send(say("abcdefg", seconds=0.09))
    while stream.pending:
        engine.advance([stream])
    stream.end()
    assert stream.pending
    engine.advance([stream])
    assert not stream.pending
    assert stream.finish().text == "ab cd ef g"


# --- words to prefer


def test_a_vocabulary_decides_where_sound_does_not(load: Callable[..., Recorder]) -> None:
    """A b and a d at once, the d a little louder."""
    both = models.chord("bd", 0.2, (0.3, 0.33))
    assert read(load(models.soft_transducer), both, vocabulary=("b",))[1][0].text == "d", "decoded greedily"
    engine = load(models.soft_transducer, modeling_unit="cjkchar", hotwords_score=6.0)
    texts = {
        words: read(engine, both, vocabulary=words)[1][0].text for words in [(), ("b",), ("d",), ("x", ":1", "#@", "b")]
    }
    assert list(texts.values()) == ["d", "b", "d", "b"]
    ignored = load(models.soft_transducer, modeling_unit="cjkchar", hotwords_score=0)
    assert read(ignored, both, vocabulary=("b",))[1][0].text == "d"


@pytest.mark.parametrize("make", ALL, ids=name)
def test_a_vocabulary_that_cannot_be_used_harms_nobody(load: Callable[..., Recorder], make: Make) -> None:
    engine = load(make)
    words = ("a", "zebra", "", "/", ":9", "@", "#x", "a/b", "日本", "x" * 5_000)
    assert read(engine, say("abcd"), vocabulary=words)[1][0].text == "ab cd"
    if "transducer" in name(make):
        engine = load(make, modeling_unit="cjkchar")
        assert read(engine, say("abcd"), vocabulary=words * 100)[1][0].text == "ab cd"


def test_hotwords_in_the_notation_of_the_library(made: Callable[[Make], Path]) -> None:
    model = inspect(made(models.zipformer2_transducer))
    assert hotwords(("b d", "zebra", "h/f", ":d", "f:"), model, "cjkchar") == "b d/h f/d/f"
    assert len(hotwords(("b",) * 1_000, model, "cjkchar").split("/")) == 200


def test_partials_of_a_beam_are_stable_only_up_to_a_pause(load: Callable[..., Recorder]) -> None:
    (partials,), _ = read(
        load(models.zipformer2_transducer, modeling_unit="cjkchar"), say("abcd") + silence(2.5) + say("ef")
    )
    assert {partial.stable for partial in partials if partial.text == "ab cd"} <= {0, 5}
    assert partials[0].stable == 0
    assert partials[-1].stable == len("ab cd")


def test_capitals_are_given_in_small_letters(load: Callable[..., Recorder], tmp_path: Path) -> None:
    path = models.zipformer2_ctc(tmp_path)
    tokens = tmp_path / "tokens.txt"
    tokens.write_text(
        "".join(f"{symbol.upper() if i else symbol} {i}\n" for i, symbol in enumerate(models.SYMBOLS)), "utf-8"
    )
    (partials,), (final,) = read(SherpaRecogniser({"model": str(path), "threads": 1}), say("abcd"))
    assert final.text == "ab cd"
    assert [word.text for word in final.words] == ["ab", "cd"]
    assert all(partial.text.islower() for partial in partials)


def test_it_keeps_the_shape_of_the_contract(load: Callable[..., Recorder]) -> None:
    engine: BatchTranscriptionEngine = load(models.zipformer2_ctc)
    stream: BatchTranscription = engine.open(TranscriptionOptions())
    stream.end()
    stream.end()
    assert not stream.pending
    assert stream.poll() is None
    assert stream.finish() == Transcript("", final=True)
    stream.close()


# --- refusals


@pytest.mark.parametrize("make", ALL, ids=name)
def test_half_a_sample_is_refused(load: Callable[..., Recorder], make: Make) -> None:
    stream = load(make).open(TranscriptionOptions())
    with pytest.raises(InvalidAudio):
        stream.send(b"\0\0\0")
    stream.close()


@pytest.mark.parametrize("make", [models.zipformer2_ctc, models.nemo_ctc], ids=name)
def test_an_utterance_has_a_longest_length(load: Callable[..., Recorder], make: Make) -> None:
    stream = load(make, max_seconds=1).open(TranscriptionOptions())
    stream.send(silence(1.0))
    with pytest.raises(Overloaded, match="longer than 1 s"):
        stream.send(b"\0\0")


def test_a_language_the_model_does_not_read_is_refused(load: Callable[..., Recorder]) -> None:
    engine = load(models.zipformer2_ctc, language="en-GB")
    assert engine.capabilities.languages == ("en-GB",)
    engine.open(TranscriptionOptions(language="en-US")).close()
    with pytest.raises(UnknownName, match="reads en"):
        engine.open(TranscriptionOptions(language="de"))
    assert load(models.sense_voice).capabilities.languages == ("zh", "en", "ja", "ko", "yue")
    load(models.zipformer2_ctc).open(TranscriptionOptions(language="tlh")).close()


def test_settings_that_make_no_sense(made: Callable[[Make], Path]) -> None:
    model = str(made(models.zipformer2_transducer))
    with pytest.raises(ConfigurationError, match="`model`"):
        SherpaRecogniser({})
    with pytest.raises(ConfigurationError, match="device"):
        SherpaRecogniser({"model": model, "device": "tpu"})
    with pytest.raises(EngineMissing, match="CPU only"):
        SherpaRecogniser({"model": model, "device": "cuda"})
    with pytest.raises(ConfigurationError, match="modeling_unit"):
        SherpaRecogniser({"model": model, "modeling_unit": "words"})
    with pytest.raises(EngineMissing, match=r"bpe\.vocab"):
        SherpaRecogniser({"model": model, "modeling_unit": "bpe"})


def test_a_step_that_fails_is_told_by_each_utterance_it_took(load: Callable[..., Recorder]) -> None:
    """The library has lost their states: they fail, the next ones work."""
    engine = load(models.sick_zipformer2_ctc)
    streams = [engine.open(TranscriptionOptions()) for _ in range(2)]
    for stream in streams:
        stream.send(say("ab") + say("h", level=0.9))
    with pytest.raises(EngineFailed, match="sherpa-onnx failed"):
        while True:
            engine.advance(streams)
    for stream in streams:
        assert stream.pending
        with pytest.raises(EngineFailed, match="sherpa-onnx failed"):
            engine.advance([stream])
        stream.close()
    assert read(engine, say("ab"))[1][0].text == "ab"


def test_the_letters_are_what_the_tests_think() -> None:
    assert "".join(symbol[-1] for symbol in LETTERS) == "abcdefgh"
