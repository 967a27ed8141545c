"""Recognisers that sherpa-onnx runs. Data only; checksums and sizes as published for the revision that is named."""

from __future__ import annotations

from vivavoce.services.model_entries import Cost, ModelEntry, Needs, hub_files

PI = "published: below this on a Raspberry Pi 4"
KROKO = "CC-BY-SA-4.0 (community models)"
KROKO_TERMS = (
    "The community models of Kroko ASR are shared alike and ask for attribution; the publisher sells another licence for "
    "products, and the copy fetched here carries no licence file of its own. Read the publisher's page before use."
)
FUNASR_TERMS = (
    "The FunASR model licence asks that the source and the model's name are kept and shown wherever it is used or shared. "
    "Read it before use."
)
# fmt: off
EUROPEAN = (
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hr", "hu", "it", "lt", "lv", "mt", "nl", "pl", "pt", "ro",
    "ru", "sk", "sl", "sv", "uk",
)
# fmt: on
_ENGLISH_TOKENS = "49e3c2646595fd907228b3c6787069658f67b17377c60aeb8619c4551b2316fb"


def _kroko(language: str, revision: str, rank: int, rows: tuple[tuple[str, int, str | None], ...]) -> ModelEntry:
    return ModelEntry(
        name=f"sherpa-{language}",
        engine="sherpa",
        files=hub_files(f"csukuangfj/sherpa-onnx-streaming-zipformer-{language}-kroko-2025-08-06", revision, rows),
        licence=KROKO,
        restricted=KROKO_TERMS,
        description=f"Streaming, with punctuation: partial transcripts while somebody speaks ({language}).",
        languages=(language,),
        quality="no error rate was published",
        needs=Needs(2, 500),
        rank=rank,
    )


SHERPA = (
    ModelEntry(
        name="sherpa-en",
        engine="sherpa",
        files=hub_files(
            "csukuangfj/sherpa-onnx-streaming-zipformer-en-2023-06-26",
            "672fbf1b30579d6585301139bb363f42a0ad4a24",
            (
                (
                    "encoder-epoch-99-avg-1-chunk-16-left-128.int8.onnx",
                    71_083_163,
                    "563fde436d16cf7607cf408cd6b30909819d03162652ef389c2450ced3f45ac1",
                ),
                (
                    "decoder-epoch-99-avg-1-chunk-16-left-128.int8.onnx",
                    1_307_236,
                    "98da299f471e38bb4e1a8df579b8cc9122d6039576a77e357b3c60f17dd83b02",
                ),
                (
                    "joiner-epoch-99-avg-1-chunk-16-left-128.int8.onnx",
                    259_335,
                    "d944208d660d67c8d72cd2acaeac971fa5ceb8c80e76c1968148846fedd6e297",
                ),
                ("tokens.txt", 5_048, _ENGLISH_TOKENS),
            ),
        ),
        licence="Apache-2.0",
        description="Streaming English: partial transcripts while you speak, the final one at once. Capitals only.",
        languages=("en",),
        cost=Cost(PI, rtf=0.1),
        quality="trained on read English (LibriSpeech): clear speech reads well, casual speech less",
        needs=Needs(1, 400),
        rank=70,
    ),
    ModelEntry(
        name="sherpa-en-20m",
        engine="sherpa",
        files=hub_files(
            "csukuangfj/sherpa-onnx-streaming-zipformer-en-20M-2023-02-17",
            "d42f2d9f7ca24806fb667456a18a9f1b60f70d16",
            (
                (
                    "encoder-epoch-99-avg-1.int8.onnx",
                    42_845_182,
                    "3810755ce7c3ab26b42a8bcf39d191308fa27fb0f53358823ba46141d03b7eb3",
                ),
                (
                    "decoder-epoch-99-avg-1.int8.onnx",
                    539_499,
                    "21e2a2acd961b3ac72f55be2f10f1a285e1b0b0ba010d7c0b6eab141411b163c",
                ),
                (
                    "joiner-epoch-99-avg-1.int8.onnx",
                    259_572,
                    "e085d73b593cf9b0707f370dbd656d58327d3fe36d80d849202ef81df02cb01e",
                ),
                ("tokens.txt", 5_048, _ENGLISH_TOKENS),
            ),
        ),
        licence="Apache-2.0",
        description="The smallest streaming English; for small boards and many sessions. Capitals only.",
        languages=("en",),
        cost=Cost(PI, rtf=0.1),
        quality="a little worse than sherpa-en",
        needs=Needs(1, 250),
        rank=60,
    ),
    ModelEntry(
        name="sherpa-zh-en",
        engine="sherpa",
        files=hub_files(
            "csukuangfj/sherpa-onnx-streaming-zipformer-bilingual-zh-en-2023-02-20",
            "98590b7ed6443e77b714204da2757d75e1a642f4",
            (
                (
                    "encoder-epoch-99-avg-1.int8.onnx",
                    181_895_032,
                    "8fa764187a261844f859d7143ebaa563af5d10adfece4c18a8f414c88cba2a9b",
                ),
                (
                    "decoder-epoch-99-avg-1.onnx",
                    13_876_452,
                    "2e3b5ec371f8899ee6acd829fd753ba45772df57a91bdf37cde3136354e7db7d",
                ),
                (
                    "joiner-epoch-99-avg-1.int8.onnx",
                    3_228_404,
                    "1ed689c5ed19dbaa725d9d191bb4822b5f4855a39e1ffd28cbc1f340d25b2ee0",
                ),
                ("tokens.txt", 56_317, "a8e0e4ec53810e433789b54a5c0134a7eaa2ffca595a6334d54c00da858841d3"),
            ),
        ),
        licence="Apache-2.0",
        description="Streaming Mandarin and English, mixed as you please.",
        languages=("zh", "en"),
        quality="no error rate was published for this export",
        needs=Needs(2, 700),
        rank=50,
    ),
    ModelEntry(
        name="sherpa-zh-14m",
        engine="sherpa",
        files=hub_files(
            "csukuangfj/sherpa-onnx-streaming-zipformer-zh-14M-2023-02-23",
            "204ad334e2e683fd295359930cc16fc0432a23ac",
            (
                (
                    "encoder-epoch-99-avg-1.int8.onnx",
                    21_621_684,
                    "1c556ea57cec304e55ec4b72e52c1cc098bb01476ed7d90f3de939fe126487b1",
                ),
                (
                    "decoder-epoch-99-avg-1.onnx",
                    7_509_745,
                    "5ee0f03a2768ff1d5c83ef3a493243c7935d316cd41280037b14783a3467cc78",
                ),
                (
                    "joiner-epoch-99-avg-1.int8.onnx",
                    1_795_562,
                    "a7cf9d82757bdcf786059454495a9ca95e4bd7347f72473fc08d794475c36169",
                ),
                ("tokens.txt", 48_697, "8b294db9045d6e5f94647f4c1eec1af4da143a75053c399611444b378ff966ac"),
            ),
        ),
        licence="Apache-2.0",
        description="The smallest streaming Mandarin.",
        languages=("zh",),
        needs=Needs(1, 250),
        rank=40,
    ),
    _kroko(
        "de",
        "887db3d083240198c2d2b99fb66cfcfe6948ced8",
        60,
        (
            ("encoder.onnx", 70_091_557, "6e83993d6967ec7a3498b055b7e85ace85b5d64d1b1e8773cb29a43a11f5edb5"),
            ("decoder.onnx", 617_489, "94a29592b403c53fa2231b478637da1ab4abcef7f5e46e432098416a4a3ed562"),
            ("joiner.onnx", 336_817, "28356bff070aea51ab1d725a3278e81d19f9300f860d3248a7014292264df15a"),
            ("tokens.txt", 5_606, "86e8370994ff2c01149ba8c4f8709aa93cdc18914b27a717e291e96faf39a6eb"),
        ),
    ),
    _kroko(
        "fr",
        "08b84b7b7cf519be9817e9c16919d96a7a8bad91",
        60,
        (
            ("encoder.onnx", 70_092_599, "e02facae1daf6f1f13da67ea3ace7c722516d0868d1768d78c0580bc22cc0c5b"),
            ("decoder.onnx", 617_488, "6aed547570e3ab5afc05429a017cedd3a056c16df3baa5703f02461cefa25bac"),
            ("joiner.onnx", 336_817, "a51eec759bcdcaae2614686fa2a8b57417b2d420dd55a5a5558b388d35a9b2b6"),
            ("tokens.txt", 5_415, "fedfb9c844bfb2bf14171f8184863e3d617b815a8667bdd9fc9a3149fde73298"),
        ),
    ),
    _kroko(
        "es",
        "20cf7a4921613397841d31168796cade5b866585",
        60,
        (
            ("encoder.onnx", 154_878_102, "2d9f5ef87d1a5257f8a6687e21501c56f3aa2fcbfcfab9364dcc4ce4e06ae81b"),
            ("decoder.onnx", 617_488, "d4ce176b94b25f7acc88717bc3f704fcf5d6e131aaac2e0cabab3885541181ee"),
            ("joiner.onnx", 336_817, "dae35df88d676e320fcdb99217328e66dcf722bf11b0f2459e14ddb5b982ded5"),
            ("tokens.txt", 6_385, "1be5e0a58e05d06d327df4c6b7b5e4f8aba01da6981eb016fcaceafc6a56680f"),
        ),
    ),
    ModelEntry(
        name="sherpa-parakeet-v3",
        engine="sherpa",
        files=hub_files(
            "csukuangfj/sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8",
            "2bda32ec70b097a55adaa07d9a7173915b43cc78",
            (
                ("encoder.int8.onnx", 652_184_281, "acfc2b4456377e15d04f0243af540b7fe7c992f8d898d751cf134c3a55fd2247"),
                ("decoder.int8.onnx", 11_845_275, "179e50c43d1a9de79c8a24149a2f9bac6eb5981823f2a2ed88d655b24248db4e"),
                ("joiner.int8.onnx", 6_355_277, "3164c13fc2821009440d20fcb5fdc78bff28b4db2f8d0f0b329101719c0948b3"),
                ("tokens.txt", 93_939, "d58544679ea4bc6ac563d1f545eb7d474bd6cfa467f0a6e2c1dc1c7d37e3c35d"),
            ),
        ),
        licence="CC-BY-4.0",
        description="NVIDIA Parakeet 0.6B v3: 25 European languages with punctuation, whole utterances.",
        languages=EUROPEAN,
        quality="among the best open recognisers for its languages (published leaderboards)",
        needs=Needs(4, 2_500),
        rank=55,
    ),
    ModelEntry(
        name="sherpa-sense-voice",
        engine="sherpa",
        files=hub_files(
            "csukuangfj/sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17",
            "main",
            (
                ("model.int8.onnx", 239_233_841, "c71f0ce00bec95b07744e116345e33d8cbbe08cef896382cf907bf4b51a2cd51"),
                ("tokens.txt", 315_894, "f449eb28dc567533d7fa59be34e2abca8784f771850c78a47fb731a31429a1dc"),
            ),
        ),
        licence="FunASR Model Licence 1.1",
        restricted=FUNASR_TERMS,
        description="SenseVoice small: Mandarin, Cantonese, English, Japanese, Korean; whole utterances.",
        languages=("zh", "yue", "en", "ja", "ko"),
        needs=Needs(2, 1_000),
        rank=45,
    ),
)
