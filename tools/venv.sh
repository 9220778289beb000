#!/bin/sh
# Make or update .venv from a lock file: venv.sh LOCKFILE
set -eu
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python="$(sh tools/python.sh)"
    if ! "$python" -m venv --clear .venv; then
        rm -rf .venv
        echo "This Python cannot make a virtual environment. On Debian or Ubuntu: apt install python3-venv" >&2
        exit 1
    fi
fi
echo "Installing what $1 lists into .venv (a minute or two the first time) …"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
.venv/bin/python -m pip install --quiet --require-hashes -r "$1"
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
