#!/bin/sh
# Resolves pyproject.toml into requirements.lock (run time) and requirements-dev.lock (with the dev tools).
#
# Each names every file of each version by its hash, for all platforms and Python 3.11 to 3.14, and no place
# to fetch it from: that is the reader's own setting. Pins that still fit are kept; `tools/lock.sh --upgrade`
# takes the newest of all.
set -eu
cd "$(dirname "$0")/.."

venv=${VENV:-.venv}
uv=$venv/lock-tool/bin/uv
[ -x "$uv" ] || {
    "$venv/bin/python" -m venv "$venv/lock-tool"
    "$venv/lock-tool/bin/python" -m pip install --quiet --disable-pip-version-check uv==0.13.9
}

resolve() {
    out=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --no-annotate --no-header --output-file "$out" pyproject.toml "$@"
}

resolve requirements-dev.lock --extra dev "$@"
# What runs is what was tested: the run-time lock takes its versions from the other.
resolve requirements.lock --constraints requirements-dev.lock "$@"
