#!/usr/bin/env bash
# Get the real InfluxDB that the tests use, if this machine can build it; tests say what they miss otherwise.
set -uo pipefail
cd "$(dirname "$0")/.."
if [ -n "${POISE_TEST_INFLUXDB_URL:-}" ] || command -v influxd >/dev/null; then
    exit 0
fi
if ! bash tools/influxd.sh >/dev/null; then
    echo "No InfluxDB for the tests: they will be skipped and say how to get one." >&2
    [ "${CI:-}" = true ] && exit 1
fi
exit 0
