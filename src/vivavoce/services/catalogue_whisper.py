"""Whisper in the conversions faster-whisper reads. Data only; checksums and sizes as published for the revision named."""

from __future__ import annotations

from vivavoce.services.model_entries import Cost, ModelEntry, Needs, hub_files

SHAPE = "measured on two shared x86-64 cores, int8, with weights of the true shape: a 5 s utterance"
# fmt: off
LANGUAGES = (
    "af", "am", "ar", "as", "az", "ba", "be", "bg", "bn", "bo", "br", "bs", "ca", "cs", "cy", "da", "de", "el", "en",
    "es", "et", "eu", "fa", "fi", "fo", "fr", "gl", "gu", "ha", "haw", "he", "hi", "hr", "ht", "hu", "hy", "id", "is",
    "it", "ja", "jw", "ka", "kk", "km", "kn", "ko", "la", "lb", "ln", "lo", "lt", "lv", "mg", "mi", "mk", "ml", "mn",
    "mr", "ms", "mt", "my", "ne", "nl", "nn", "no", "oc", "pa", "pl", "ps", "pt", "ro", "ru", "sa", "sd", "si", "sk",
    "sl", "sn", "so", "sq", "sr", "su", "sv", "sw", "ta", "te", "tg", "th", "tk", "tl", "tr", "tt", "uk", "ur", "uz",
    "vi", "yi", "yo", "zh",
)
# fmt: on
ENGLISH = ("en",)

_TOKENS = (
    ("tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
    ("vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
)
_ENGLISH_TOKENS = (
    ("tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
    ("vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
)
_QUALITY = "published word error rates fall with size; names and numbers gain most"


def _whisper(
    name: str, revision: str, rows: tuple[tuple[str, int, str | None], ...], cost: Cost | None, place: tuple[int, Needs]
) -> ModelEntry:
    english = name.endswith(".en")
    return ModelEntry(
        name=f"whisper-{name}",
        engine="whisper",
        files=hub_files(f"Systran/faster-whisper-{name}", revision, (*rows, *(_ENGLISH_TOKENS if english else _TOKENS))),
        licence="MIT",
        description=f"Whisper {name}: {'English' if english else '99 languages'} with punctuation, whole utterances.",
        languages=ENGLISH if english else LANGUAGES,
        cost=cost,
        quality=_QUALITY,
        needs=place[1],
        rank=place[0],
    )


_TINY, _BASE, _SMALL = (Cost(SHAPE, 0.08, 0.4), Cost(SHAPE, 0.15, 0.7), Cost(SHAPE, 0.48, 2.4))

WHISPER = (
    _whisper(
        "tiny.en",
        "0d3d19a32d3338f10357c0889762bd8d64bbdeba",
        (
            ("model.bin", 75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
            ("config.json", 2_317, None),
        ),
        _TINY,
        (25, Needs(2, 400)),
    ),
    _whisper(
        "tiny",
        "d90ca5fe260221311c53c58e660288d3deb8d356",
        (
            ("model.bin", 75_538_270, "dcb76c6586fc06cbdac6dd21f14cfd129cc4cdd9dce19bf4ffa62e59cbe6e6d1"),
            ("config.json", 2_249, "a73a28cdfe1c43ccc7202fa333d1f89c202477271407ae9a7f19afa52039cac8"),
        ),
        _TINY,
        (24, Needs(2, 400)),
    ),
    _whisper(
        "base.en",
        "3d3d5dee26484f91867d81cb899cfcf72b96be6c",
        (
            ("model.bin", 145_216_508, "2a166925539a16005f14ff328359f9b9adb9dc4fb631bb3b227526862e93e2ef"),
            ("config.json", 2_227, "f3bc3821e9fc76a27bae538e11ae5b677dcdd352b4600429ce7951d398569aeb"),
        ),
        _BASE,
        (35, Needs(2, 500)),
    ),
    _whisper(
        "base",
        "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
        (
            ("model.bin", 145_217_532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
            ("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
        ),
        _BASE,
        (34, Needs(2, 500)),
    ),
    _whisper(
        "small.en",
        "d1d751a5f8271d482d14ca55d9e2deeebbae577f",
        (
            ("model.bin", 483_545_366, "62b2a45b05ee59acb4a5341b33ee35e041395d378d418a18acfe4c9e768ee37a"),
            ("config.json", 2_657, "666a9605530ac1f61fa8177f3702b4dacec9966749e42610839fcc32661d5fae"),
        ),
        _SMALL,
        (45, Needs(6, 1_000)),
    ),
    _whisper(
        "small",
        "536b0662742c02347bc0e980a01041f333bce120",
        (
            ("model.bin", 483_546_902, "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671"),
            ("config.json", 2_370, "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828"),
        ),
        _SMALL,
        (44, Needs(6, 1_000)),
    ),
    ModelEntry(
        name="whisper-distil-small.en",
        engine="whisper",
        files=hub_files(
            "Systran/faster-distil-whisper-small.en",
            "ef77d90526ccd62cde3808ee70626a01e5cf83e4",
            (
                ("model.bin", 332_308_257, "1187de3982cdcf962a2fb8f797e429fb4651b875b18fe9ce50b58b52fc9072b7"),
                ("config.json", 2_812, None),
                ("preprocessor_config.json", 339, None),
                ("tokenizer.json", 2_405_466, None),
                ("vocabulary.json", 825_480, None),
            ),
        ),
        licence="MIT",
        description="Whisper small.en, distilled: a shorter decoder, so quicker on long utterances.",
        languages=ENGLISH,
        quality=_QUALITY,
        needs=Needs(6, 1_000),
        rank=43,
    ),
    ModelEntry(
        name="whisper-distil-large-v3",
        engine="whisper",
        files=hub_files(
            "Systran/faster-distil-whisper-large-v3",
            "c3058b475261292e64a0412df1d2681c06260fab",
            (
                ("model.bin", 1_512_927_867, "b79368e19b6623813609431a6e5ee309a71506701ebc49fd7820e692dec7c5f5"),
                ("config.json", 2_690, None),
                ("preprocessor_config.json", 340, None),
                ("tokenizer.json", 2_480_617, None),
                ("vocabulary.json", 1_068_114, None),
            ),
        ),
        licence="MIT",
        description="Whisper large-v3, distilled for English: for machines with a GPU.",
        languages=ENGLISH,
        quality="close to large-v3 on English (published)",
        needs=Needs(16, 4_000),
        rank=49,
    ),
    ModelEntry(
        name="whisper-large-v3-turbo",
        engine="whisper",
        files=hub_files(
            "deepdml/faster-whisper-large-v3-turbo-ct2",
            "4df90f75321148c3a29a9e2351b7ddf8f5b115a8",
            (
                ("model.bin", 1_617_884_929, "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da"),
                ("config.json", 2_263, None),
                ("preprocessor_config.json", 340, None),
                ("tokenizer.json", 2_710_337, None),
                ("vocabulary.json", 1_068_114, None),
            ),
        ),
        licence="MIT",
        description="Whisper large-v3 turbo, 99 languages: for machines with a GPU.",
        languages=LANGUAGES,
        quality="close to large-v3 (published)",
        needs=Needs(16, 4_000),
        rank=48,
    ),
)
