#!/bin/sh
# Make the lock files again from pyproject.toml, for all supported Pythons and systems (uv comes with the development venv).
set -eu
PATH=".venv/bin:$PATH"
lock() { uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet "$@"; }
lock --group build pyproject.toml -o requirements.lock
lock --group build --extra dev --extra bench -c requirements.lock pyproject.toml -o requirements-dev.lock
