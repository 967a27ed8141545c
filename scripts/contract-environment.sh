#!/usr/bin/env bash
# Makes .venv-contract with what checks the HTTP API from outside (tests/contract): schemathesis, and OpenAI's own
# OpenAPI document out of a published package. Does nothing when nothing has changed. Needs uv, or Python 3.11 with pip.
#
#   scripts/contract-environment.sh         make it, or do nothing
#   scripts/contract-environment.sh lock    resolve tests/contract/requirements.in anew (needs uv)
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv-contract
LOCK=tests/contract/requirements.lock
STAMP=$VENV/.stamp

UV=$(command -v uv || command -v .venv/bin/uv || true)

if [[ ${1:-} == lock ]]; then
    "${UV:?uv is needed to resolve}" pip compile tests/contract/requirements.in --no-config --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet --output-file "$LOCK"
    exit
fi

fingerprint() { cat "$0" "$LOCK" | cksum; pwd; }

[[ ! -x $VENV/bin/python || ! -f $STAMP || $(<"$STAMP") != "$(fingerprint)" ]] || exit 0
echo "contract: making $VENV"
rm -rf "$VENV"
if [[ -n $UV ]]; then
    "$UV" venv --quiet --python "${PYTHON:->=3.11}" "$VENV"
    "$UV" pip install --quiet --python "$VENV/bin/python" --require-hashes -r "$LOCK"
elif "${PYTHON:-python3}" -m pip --version >/dev/null 2>&1; then
    "${PYTHON:-python3}" -m venv --without-pip "$VENV"
    "${PYTHON:-python3}" -m pip --python "$VENV/bin/python" install --quiet --disable-pip-version-check --no-input \
        --require-hashes -r "$LOCK"
else
    echo "contract: error: neither uv nor pip is here; on Debian: apt-get install python3-pip" >&2
    exit 1
fi
fingerprint >"$STAMP"
