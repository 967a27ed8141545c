#!/usr/bin/env bash
# Writes requirements.lock: every package of the project, its extras and its development tools, with version and hashes,
# for every supported Python and platform. It names no index, so pip and uv take packages from wherever they are set to.
# Arguments are passed on, for example: scripts/lock.sh --upgrade
set -euo pipefail
cd "$(dirname "$0")/.."

command -v uv >/dev/null || { echo "lock.sh: uv is needed to resolve for all platforms: python3 -m pip install uv" >&2; exit 1; }

uv pip compile pyproject.toml --no-config --all-extras --group dev --universal --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock "$@"

if grep -nE '://|file:|^-' requirements.lock; then
    echo "lock.sh: requirements.lock names an address or an option; it must hold versions and hashes only" >&2
    exit 1
fi
echo "requirements.lock: $(grep -c '==' requirements.lock) packages"
