#!/bin/sh
# Makes the virtual environment of this checkout, once: instant when it is already what the locks ask for.
#
#   tools/setup.sh            sets up $VENV (default .venv)
#   PYTHON=python3.13 tools/setup.sh    with this interpreter
#
# Two of them may run at once; the second waits for the first and finds the work done.
set -eu
cd "$(dirname "$0")/.."

venv=${VENV:-.venv}
lock=requirements-dev.lock

say() { printf '%s\n' "setup: $*" >&2; }
stop() { say "$*"; exit 1; }

# What the environment must have been made from: the locked packages, our own entry points, its place.
wanted() {
    dir=$(cd "$venv" 2>/dev/null && pwd) || return 1
    { cat "$lock" pyproject.toml; printf '%s\n' "$dir"; } | sha256sum | cut -d' ' -f1
}

ready() {
    [ -x "$venv/bin/python" ] && [ -f "$venv/.ready" ] && [ "$(cat "$venv/.ready")" = "$(wanted)" ]
}

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 && recent "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    stop "no Python 3.11 or later found. On Debian: apt-get install python3 python3-venv"
}

# Debian keeps the part of Python that makes environments in a package of its own.
install_venv() {
    package="$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    help="apt-get install $package"
    command -v apt-get >/dev/null 2>&1 || stop "$1 cannot make virtual environments: it lacks the module ensurepip"
    [ "$(id -u)" = 0 ] || stop "$1 cannot make virtual environments. This helps: sudo $help"
    say "installing $package"
    apt-get update -qq >&2 || say "apt-get update failed; trying with the lists at hand"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >&2 ||
        stop "could not install $package. This helps: $help"
}

make_venv() {
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || install_venv "$python"
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
}

if ready; then exit 0; fi

# The lock ends with this process, however it ends; where flock is missing nothing guards two runs at once.
if command -v flock >/dev/null 2>&1; then
    exec 9<"$lock"
    flock 9
    if ready; then exit 0; fi
fi

if ! { [ -x "$venv/bin/python" ] && recent "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
    make_venv
fi
rm -f "$venv/.ready"
say "installing the locked packages"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
# The build backend is among the locked packages, so nothing unlocked is fetched to build our own.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation -e .
wanted >"$venv/.ready"
say "ready"
