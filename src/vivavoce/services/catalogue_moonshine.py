"""Moonshine: streaming English, and the classifier of spelled letters. Data only."""

from __future__ import annotations

from vivavoce.services.model_entries import Cost, ModelEntry, ModelFile, Needs, UrlSource, hub_files

PUBLISHED = "published: after the end of speech, on x86-64"
_ASSETS = ("moonshine-ai/moonshine-voice-assets", "0bf2f2e5aff22e6fbba4300b00a4e00bbc4f8aae")
_TOKENIZER = "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d"
_CODE = "https://raw.githubusercontent.com/moonshine-ai/moonshine/db88bffd14574212b6094a2e230d4f328029c31b/micro/models"
_FILES = (
    "encoder.ort",
    "adapter.ort",
    "cross_kv.ort",
    "decoder_kv.ort",
    "frontend.model.ort",
    "frontend.weights.ort",
    "streaming_config.json",
)
"""The encoder comes first: it is the file the engine is given; the others are found beside it."""


def _streaming(
    size: str, sums: tuple[tuple[int, str], ...], cost: Cost, quality: str, place: tuple[int, Needs]
) -> ModelEntry:
    folder = f"model/{size}-streaming-en/quantized_26_08_21"
    rows = [(f"{folder}/{name}", *known) for name, known in zip(_FILES, sums, strict=True)]
    return ModelEntry(
        name=f"moonshine-{size}-en",
        engine="moonshine",
        files=hub_files(*_ASSETS, (*rows, (f"{folder}/tokenizer.bin", 249_974, _TOKENIZER))),
        licence="MIT",
        description=f"Moonshine {size}, streaming English with punctuation.",
        languages=("en",),
        cost=cost,
        quality=quality,
        needs=place[1],
        rank=place[0],
    )


MOONSHINE = (
    _streaming(
        "tiny",
        (
            (7_675_440, "a8414e1a5dedf9f2093d7680601dd8a9b0433e7020260eafe0e370ead91134ca"),
            (1_319_664, "22ecc949e146c49667fda28d102d4e30749a107dc88a396292aa8f277ef1347c"),
            (1_287_544, "143a36667b8d05fd9d04e8c337b7ee121f37ef299aea6b3d82bdb3d3401950b4"),
            (32_583_720, "8852553f312adb6c9aa4d17418015049b30f412209ee569d336548c0044627de"),
            (23_344, "5121b561417b638afce0c6c31b760e37c93cf97f80d9b0031aad1fe7b6f25d61"),
            (2_093_464, "217da24ac6f522ebf02da8ef288e77d1ac68d50d4a6821433182e4fbf4204bbd"),
            (509, "74fe5ddebd63b17caf59e8a3b18c17547ff7bce1642050edbb1c3962674f8950"),
        ),
        Cost(PUBLISHED, delay=0.069),
        "4.8 % word error rate on LibriSpeech clean (published)",
        (75, Needs(1, 300)),
    ),
    _streaming(
        "small",
        (
            (44_148_576, "2d4d973e91e8aca08c51e7e7efa28a46ab265b63d809d5294d18b86bcd85b993"),
            (2_870_368, "c665f742364febad597cc9ac1e0b341ffbee0e24a1466e2f3bde95e6e4771762"),
            (5_356_536, "e2d3417144e9514055ebfefe8dcc4c0a55a55adcb8530435844c75c53e352bf6"),
            (81_878_600, "1a05465b1dd955858dfcbee039c0020fb5dd982b0f5094c34e61735d518d771b"),
            (26_944, "09b1210ae30dc5f0f3e45f0ebab914c254741323114f53fbbe5ae62cca35058f"),
            (7_769_464, "7ef97521bd4bad3928f5bb6808586f4fcc6e92bd5990394112eed7d4052ec338"),
            (512, "26f02b6afb22d60871a5efd85c3d38e569cc0ddb6c5eb6e93d3260152ae8a47a"),
        ),
        Cost(PUBLISHED, delay=0.165),
        "2.6 % word error rate on LibriSpeech clean (published)",
        (85, Needs(2, 600)),
    ),
    _streaming(
        "medium",
        (
            (94_705_376, "12915e76ebac7dd287c5ea63965d06103a53ba1ce242a4a34f318f3958c60c37"),
            (3_651_296, "3f2a287def57cc094367a0eec3c4f5fc36a32ec420e86764b696920991b20281"),
            (11_643_776, "642f6e21cd305be79342207c6f9e6b681d469d55bc48c72b27b84846fb71fd1e"),
            (146_972_408, "193bb366492b74fc4ad338c6778e8d8eb916aaa11b5aa264f9057f4db7759486"),
            (28_720, "95768855c70c8251eeecc05fedf69999da1b8ab16f605c9f457fd3354b0ad6b5"),
            (11_889_560, "5ac941f490cbe035b335b99a414cc393d62d4c6f9f2423495b286870d271d709"),
            (513, "28e83b7a28e91472692a035e0dae3116422ae43aeb2bef5ed822c44ce89b88af"),
        ),
        Cost(PUBLISHED, delay=0.269),
        "2.2 % word error rate on LibriSpeech clean (published)",
        (88, Needs(4, 1_000)),
    ),
    ModelEntry(
        name="spelling-en",
        engine="spelling",
        files=(
            ModelFile(
                "spelling_cnn_mel.shrunk.onnx",
                "c249f0305df5be98433ccddfda13cf7ddb60e1a7e3465a28d6e992508bd38681",
                1_310_439,
                UrlSource(f"{_CODE}/spelling_cnn_mel.shrunk.onnx"),
            ),
            ModelFile(
                "spelling_cnn_meta.json",
                "c6162455d46f6e9502fb32db03a3e18d1fa9cbb54bd8f461d1176dbfec6362ca",
                903,
                UrlSource(f"{_CODE}/spelling_cnn_meta.json"),
            ),
        ),
        licence="MIT",
        description="Single letters, digits and a few commands, one at a time: for spelling, not for sentences.",
        languages=("en",),
        cost=Cost("measured on two shared x86-64 cores: a clip of one second", rtf=0.002),
        quality="91 % of 220 held-out recordings",
    ),
)
