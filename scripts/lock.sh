#!/usr/bin/env bash
# Writes the locks: every package with version and hashes, for every supported Python and platform. They name no index, so
# pip and uv take packages from wherever they are set to.
#
#   requirements.lock          the project, its built-in engines, codecs, WebRTC and its development tools: all that `make setup` installs
#   requirements-engines.lock  the same and every optional engine, for the tests of the engines; the same versions
#
# Arguments are passed on, for example: scripts/lock.sh --upgrade
set -euo pipefail
cd "$(dirname "$0")/.."

command -v uv >/dev/null || { echo "lock.sh: uv is needed to resolve for all platforms: python3 -m pip install uv" >&2; exit 1; }

resolve() { # lock, then what goes into it
    local lock=$1
    shift
    uv pip compile pyproject.toml --no-config --universal --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --quiet --output-file "$lock" "$@"
    if grep -nE '://|file:|^-' "$lock"; then
        echo "lock.sh: $lock names an address or an option; it must hold versions and hashes only" >&2
        exit 1
    fi
    echo "$lock: $(grep -c '==' "$lock") packages"
}

resolve requirements.lock --extra builtin --extra codecs --extra webrtc --extra webrtc-native \
    --group dev "$@"
resolve requirements-engines.lock --all-extras --group dev --group engines --constraint requirements.lock "$@"
