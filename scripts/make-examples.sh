#!/usr/bin/env bash
# Makes the recordings in examples/: 16 kHz mono WAV, spoken by voices of flite (slt, and rms where slt is misheard
# by the built-in recogniser even outside any noise), with 0.3 s of silence before the speech
# and 0.6 s behind it. They are committed; run this only to change them. Needs flite and Python.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v flite >/dev/null || { echo "make-examples: flite is needed: apt-get install flite" >&2; exit 1; }

make_example() { # file name, voice, text
    local raw
    raw=$(mktemp --suffix=.wav)
    flite -voice "$2" -t "$3" -o "$raw"
    python3 - "$raw" "examples/$1" <<'PYTHON'
import sys
import wave

source, target = sys.argv[1:]
with wave.open(source) as speech:
    assert (speech.getframerate(), speech.getnchannels(), speech.getsampwidth()) == (16_000, 1, 2), speech.getparams()
    pcm = speech.readframes(speech.getnframes())


def loud(start: int) -> bool:
    return any(abs(int.from_bytes(pcm[at : at + 2], "little", signed=True)) > 100 for at in range(start, start + 640, 2))


frames = [start for start in range(0, len(pcm) - 640, 640) if loud(start)]
speech_only = pcm[frames[0] : frames[-1] + 640]
with wave.open(target, "wb") as example:
    example.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
    example.writeframes(bytes(round(0.3 * 32_000)) + speech_only + bytes(round(0.6 * 32_000)))
PYTHON
    rm -f "$raw"
    echo "examples/$1: $(wc -c <"examples/$1") bytes"
}

mkdir -p examples
make_example what-time-is-it.wav slt "what time is it"
make_example twelve-times-twelve.wav rms "what is twelve times twelve"
