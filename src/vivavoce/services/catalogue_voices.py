"""Voices: Piper, Kokoro, and one that sherpa-onnx speaks. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.services.model_entries import Cost, HubSource, ModelEntry, ModelFile, Needs, UrlSource

PIPER_COST = Cost("measured on two shared x86-64 cores with weights of the true shape", rtf=0.09, delay=0.15, memory=350)
KOKORO_COST = Cost("measured on two shared x86-64 cores with weights of the true shape", rtf=0.4, delay=0.53)
_REVISION = "1162a9173d0ce503555aed757976b7a9912eae4c"
_MEDIUM = 63_201_294
"""Bytes of a Piper voice of medium quality with one speaker."""
_CONFIGURATION = 5_000
_UNSURE = "see the voice's model card"
_BLIZZARD = "Blizzard Challenge 2013 (Lessac)"
_RESEARCH = (
    "Trained on the Lessac recordings of the Blizzard Challenge 2013, whose licence is one for research. Read it before use."
)


@dataclass(frozen=True, slots=True)
class _Voice:
    """One Piper voice; without a checksum the size is about the usual one."""

    name: str
    """``LANGUAGE_REGION-SPEAKER``, medium quality."""
    model: str | None = None
    configuration: str | None = None
    configuration_size: int | None = None
    licence: str = _UNSURE
    restricted: str = ""
    rank: int = 50


_VOICES = (
    _Voice(
        "en_US-lessac",
        "5efe09e69902187827af646e1a6e9d269dee769f9877d17b16b1b46eeaaf019f",
        "efe19c417bed055f2d69908248c6ba650fa135bc868b0e6abb3da181dab690a0",
        4_885,
        _BLIZZARD,
        _RESEARCH,
        40,
    ),
    _Voice(
        "en_US-amy",
        "b3a6e47b57b8c7fbe6a0ce2518161a50f59a9cdd8a50835c02cb02bdd6206c18",
        "95a23eb4d42909d38df73bb9ac7f45f597dbfcde2d1bf9526fdeaf5466977d77",
        4_882,
        rank=60,
    ),
    _Voice(
        "en_GB-alan",
        "0a309668932205e762801f1efc2736cd4b0120329622adf62be09e56339d3330",
        "c0f0d124e5895c00e7c03b35dcc8287f319a6998a365b182deb5c8e752ee8c1e",
        4_888,
    ),
    _Voice(
        "en_GB-alba",
        "401369c4a81d09fdd86c32c5c864440811dbdcc66466cde2d64f7133a66ad03b",
        "aa965a2f02ecced632c2694e1fc72bbff6d65f265fab567ca945918c73dd89f4",
        licence="CC-BY-4.0",
    ),
    _Voice(
        "de_DE-thorsten",
        "7e64762d8e5118bb578f2eea6207e1a35a8e0c30595010b666f983fc87bb7819",
        "974adee790533adb273a1ac88f49027d2a1b8f0f2cf4905954a4791e79264e85",
        4_819,
        "CC0-1.0",
    ),
    _Voice(
        "fr_FR-siwis",
        "641d1ab097da2b81128c076810edb052b385decc8be3381814802a64a73baf99",
        "39479916c2db192b5ac9764daddd0c744d83e023ad890c6976c0633ae4df8959",
        4_875,
        "CC-BY-4.0",
    ),
    _Voice(
        "es_ES-davefx",
        "6658b03b1a6c316ee4c265a9896abc1393353c2d9e1bca7d66c2c442e222a917",
        "0e0dda87c732f6f38771ff274a6380d9252f327dca77aa2963d5fbdf9ec54842",
        4_817,
    ),
    _Voice(
        "zh_CN-huayan",
        "9929917bf8cabb26fd528ea44d3a6699c11e87317a14765312420be230be0f3d",
        "d521dc45504a8ccc99e325822b35946dd701840bfb07e3dbb31a40929ed6a82b",
        4_822,
    ),
    _Voice("it_IT-paola"),
    _Voice("pt_BR-faber"),
    _Voice("nl_NL-pim"),
    _Voice("pl_PL-gosia"),
    _Voice("ru_RU-irina"),
    _Voice("uk_UA-ukrainian_tts"),
    _Voice("tr_TR-dfki"),
    _Voice("cs_CZ-jirka"),
    _Voice("sv_SE-nst"),
)


def _piper(voice: _Voice) -> ModelEntry:
    region, speaker = voice.name.split("-")
    folder = f"{region.partition('_')[0]}/{region}/{speaker}/medium"

    def file(name: str, checksum: str | None, size: int | None, usual: int) -> ModelFile:
        source = HubSource("rhasspy/piper-voices", _REVISION, f"{folder}/{name}")
        return ModelFile(name, checksum, size or usual, source, exact=size is not None)

    model = f"{voice.name}-medium.onnx"
    return ModelEntry(
        name=f"piper-{voice.name}",
        engine="piper",
        files=(
            file(model, voice.model, _MEDIUM if voice.model else None, _MEDIUM),
            file(f"{model}.json", voice.configuration, voice.configuration_size, _CONFIGURATION),
        ),
        licence=voice.licence,
        restricted=voice.restricted,
        description=f"Piper voice {speaker} ({region.replace('_', '-')}), medium quality.",
        kind="tts",
        languages=(region.replace("_", "-"),),
        cost=PIPER_COST,
        quality="natural; one sentence at a time",
        needs=Needs(1, 400),
        rank=voice.rank,
    )


def _ljs(name: str, size: int, checksum: str, *, exact: bool = True) -> ModelFile:
    source = HubSource("csukuangfj/vits-ljs", "7ac337c834f318e45a34037cb3371cc3929187ff", name)
    return ModelFile(name, checksum, size, source, exact)


_KOKORO = "https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0"

VOICES = (
    *map(_piper, _VOICES),
    ModelEntry(
        name="kokoro-v1.0",
        engine="kokoro",
        files=(
            ModelFile(
                "kokoro-v1.0.onnx",
                "7d5df8ecf7d4b1878015a32686053fd0eebe2bc377234608764cc0ef3636a6c5",
                325_532_387,
                UrlSource(f"{_KOKORO}/kokoro-v1.0.onnx"),
            ),
            ModelFile(
                "voices-v1.0.bin",
                "bca610b8308e8d99f32e6fe4197e7ec01679264efed0cac9140fe9c29f1fbf7d",
                28_214_398,
                UrlSource(f"{_KOKORO}/voices-v1.0.bin"),
            ),
        ),
        licence="Apache-2.0",
        description="Kokoro 82M: 54 voices in nine languages, the most natural here.",
        kind="tts",
        languages=("en-US", "en-GB", "es", "fr", "hi", "it", "ja", "pt-BR", "zh"),
        cost=KOKORO_COST,
        quality="better than Piper, four times its cost",
        needs=Needs(4, 1_500),
        rank=70,
    ),
    ModelEntry(
        name="sherpa-tts-ljs",
        engine="sherpa-tts",
        files=(
            _ljs(
                "vits-ljs.onnx", 110_000_000, "5bbd273797a9ecf8d94bd6ec02ad16cb41cbb85f055ad98d528ced3e44c9b31a", exact=False
            ),
            _ljs("tokens.txt", 1_084, "5fee2c6b238d712287f2ecb08f34a8a8b413bcb7390862ef6fb6fd6f0f8d3a17"),
            _ljs("lexicon.txt", 3_708_181, "bdccfc6da71c45c48e2e0056fcf0aab760577c5f959f6c1b5eb3e3e916fd5a0e"),
        ),
        licence="Apache-2.0",
        description="One English voice (LJ Speech) that needs no espeak-ng; words beyond its lexicon are lost.",
        kind="tts",
        languages=("en-US",),
        quality="natural; no figure was measured here",
        needs=Needs(2, 500),
        rank=20,
    ),
)
