#!/usr/bin/env bash
# What the tests need of the system, beyond Python: a browser, a second voice, Node for the web page's drift check,
# decoders that are not our own, a TURN server, and what one of the outside clients is compiled with.
# As root on Debian it installs what is missing; elsewhere it says what is missing and goes on: those tests skip, with
# the reason. The server itself needs none of it.
set -euo pipefail

missing=()
need() { # package, then commands any of which will do
    local package=$1 command
    shift
    for command in "$@"; do
        if command -v "$command" >/dev/null; then return; fi
    done
    missing+=("$package")
}

need chromium chromium chromium-browser google-chrome
need flite flite
need nodejs node
need npm npm
need ffmpeg ffmpeg
need opus-tools opusinfo
need sox sox
need coturn turnserver
need openssl openssl
need gcc gcc cc
has_library() { ldconfig -p 2>/dev/null | grep -q "$1" || /sbin/ldconfig -p 2>/dev/null | grep -q "$1"; }
has_library 'libflite\.so\.1' || missing+=(libflite1)
has_library 'libportaudio\.so\.2' || missing+=(libportaudio2)
[[ -f /usr/include/alsa/asoundlib.h ]] || missing+=(libasound2-dev)
if ! python3 -c 'import os, sysconfig; open(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null; then
    missing+=(python3-dev)
fi

[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "system: missing for some tests, which will be skipped: ${missing[*]}"
    echo "system: on Debian, as root: apt-get install --no-install-recommends ${missing[*]}"
    exit 0
fi

echo "system: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
if ! apt-get update -qq || ! apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
    echo "system: warning: could not install ${missing[*]}; tests that need them will be skipped" >&2
fi
