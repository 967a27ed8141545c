#!/usr/bin/env bash
# Makes an environment for every client nobody here wrote: .venv-clients/NAME for each tests/clients/environments/NAME.in,
# and tests/clients/node/node_modules. Does nothing for what has not changed. Needs uv, or Python 3.11 with pip; npm.
#
#   scripts/client-environments.sh              all of them
#   scripts/client-environments.sh NAME...      only these (node is a name, too)
#   scripts/client-environments.sh lock NAME... resolve anew: writes environments/NAME.txt, every version, no address
set -euo pipefail
cd "$(dirname "$0")/.."

TABLE=tests/clients/environments
NODE=tests/clients/node
HOME_OF_ALL=.venv-clients

say() { echo "clients: $*"; }
fail() { echo "clients: error: $*" >&2; exit 1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.11 to 3.13 found: some of the clients have no wheels for others"
}

fingerprint() { # of an environment: what would be installed, where and by what
    cat scripts/client-environments.sh "$@" | cksum
    pwd
}

install() { # environment, arguments of pip install
    local at=$1 python
    shift
    if command -v uv >/dev/null; then
        uv venv --quiet --clear --python "${PYTHON:->=3.11,<3.14}" "$at"
        uv pip install --quiet --python "$at/bin/python" "$@"
        return
    fi
    python=$(find_python)
    rm -rf "$at"
    if "$python" -m pip --version >/dev/null 2>&1; then
        # Debian splits ensurepip from Python, so the environment is made without pip and filled from outside.
        "$python" -m venv --without-pip "$at"
        "$python" -m pip --python "$at/bin/python" install --quiet --disable-pip-version-check --no-input "$@"
    else
        "$python" -m venv "$at" >/dev/null 2>&1 || fail "$python has no pip; on Debian: apt-get install python3-pip (or install uv)"
        "$at/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@"
    fi
}

make_python() {
    local name=$1 at=$HOME_OF_ALL/$1 files=("$TABLE/$1.in")
    [[ -f ${files[0]} ]] || fail "no such environment: $name"
    [[ ! -f $TABLE/$name.txt ]] || files+=("$TABLE/$name.txt")
    [[ ! -x $at/bin/python || ! -f $at/.stamp || $(<"$at/.stamp") != "$(fingerprint "${files[@]}")" ]] || return 0
    say "making $name"
    if [[ ${#files[@]} -eq 2 ]]; then install "$at" -r "${files[0]}" -c "${files[1]}"; else install "$at" -r "${files[0]}"; fi
    fingerprint "${files[@]}" >"$at/.stamp"
}

make_node() {
    local stamp=$NODE/node_modules/.stamp
    if ! command -v npm >/dev/null; then
        say "npm is not installed: no JavaScript client (Debian: apt-get install npm)"
        return 0
    fi
    [[ ! -f $stamp || $(<"$stamp") != "$(fingerprint "$NODE"/package*.json)" ]] || return 0
    say "making node"
    npm ci --prefix "$NODE" --silent --no-audit --no-fund --no-update-notifier --ignore-scripts
    fingerprint "$NODE"/package*.json >"$stamp"
}

lock() { # versions only: no hash, no address
    rm -f "$TABLE/$1.txt"
    make_python "$1"
    "$HOME_OF_ALL/$1/bin/python" - >"$TABLE/$1.txt" <<'PYTHON'
import importlib.metadata as metadata

names = {(item.metadata["Name"].lower().replace("_", "-"), item.version) for item in metadata.distributions()}
print("\n".join(f"{name}=={version}" for name, version in sorted(names) if name not in ("pip", "setuptools")))
PYTHON
    fingerprint "$TABLE/$1.in" "$TABLE/$1.txt" >"$HOME_OF_ALL/$1/.stamp"
}

ACTION=make
if [[ ${1:-} == lock ]]; then
    ACTION=lock
    shift
fi
names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
    for file in "$TABLE"/*.in; do names+=("$(basename "$file" .in)"); done
    [[ $ACTION == lock ]] || names+=(node)
fi
mkdir -p "$HOME_OF_ALL"
for name in "${names[@]}"; do
    if [[ $name == node ]]; then make_node; elif [[ $ACTION == lock ]]; then lock "$name"; else make_python "$name"; fi
done
