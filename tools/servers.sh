#!/usr/bin/env bash
# Get the real InfluxDB servers that the tests use, if this machine can build them; tests say what they miss otherwise.
set -uo pipefail
cd "$(dirname "$0")/.."
get() {
    if ! bash tools/influxd.sh "$1" >/dev/null; then
        echo "No InfluxDB $1 for the tests: they will be skipped and say how to get one." >&2
        [ "${CI:-}" = true ] && exit 1
    fi
}
[ -n "${POISE_TEST_INFLUXDB_URL:-}" ] || get 2.7
[ -n "${POISE_TEST_INFLUXDB1_URL:-}" ] || get 1.8
exit 0
