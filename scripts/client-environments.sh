#!/usr/bin/env bash
# Makes an environment for every client nobody here wrote: .venv-clients/NAME for each tests/clients/environments/NAME.in;
# that of `node` holds Node.js itself, and with it come tests/clients/node/node_modules. Does nothing for what has not
# changed. Needs uv (which `make setup` brings), or Python 3.11 to 3.13 with pip.
#
#   scripts/client-environments.sh              all of them
#   scripts/client-environments.sh NAME...      only these
#   scripts/client-environments.sh lock NAME... resolve anew: writes environments/NAME.txt, every version, no address
set -euo pipefail
cd "$(dirname "$0")/.."

TABLE=tests/clients/environments
NODE=tests/clients/node
HOME_OF_ALL=.venv-clients
LOCK=

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

find_uv() { # the system's, or the one among the development tools of `make setup`
    command -v uv || { [[ -x .venv/bin/uv ]] && echo "$PWD/.venv/bin/uv"; }
}

install() { # environment, arguments of pip install
    local at=$1 python uv
    shift
    if uv=$(find_uv); then
        "$uv" venv --quiet --clear --python "${PYTHON:->=3.11,<3.14}" "$at"
        "$uv" pip install --quiet --python "$at/bin/python" "$@"
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

make_packages() { # of JavaScript, by the Node.js of the environment `node`
    local stamp=$NODE/node_modules/.stamp
    [[ ! -f $stamp || $(<"$stamp") != "$(fingerprint "$NODE"/package*.json)" ]] || return 0
    say "making the packages of node"
    PATH="$PWD/$HOME_OF_ALL/node/bin:$PATH" \
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

ACTION=make_python
if [[ ${1:-} == lock ]]; then
    ACTION=lock LOCK=lock
    shift
fi
mkdir -p "$HOME_OF_ALL"
if [[ $# -eq 0 ]]; then
    declare -A making
    broken=()
    for file in "$TABLE"/*.in; do # at the same time: most of it is waiting for packages
        name=$(basename "$file" .in)
        scripts/client-environments.sh $LOCK "$name" &
        making[$name]=$!
    done
    for name in "${!making[@]}"; do wait "${making[$name]}" || broken+=("$name"); done
    [[ ${#broken[@]} -gt 0 ]] || exit 0
    [[ ${CI:-} != true ]] || fail "could not be made: ${broken[*]}"
    say "warning: could not be made: ${broken[*]}; the tests that need them will be skipped"
fi
for name in "$@"; do
    "$ACTION" "$name"
    if [[ $ACTION/$name == make_python/node ]]; then make_packages; fi
done
