#!/bin/sh
# Print a Python that Poise runs on; without one, say in a sentence which ones work.
for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
    if "$name" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
        command -v "$name"
        exit 0
    fi
done
echo "Poise needs Python 3.11, 3.12 or 3.13: install one of them, or name it: make PYTHON=/path/to/python3.12 …" >&2
exit 1
