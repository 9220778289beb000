#!/usr/bin/env bash
# Build Telegraf with just an MQTT input and an InfluxDB output, once, outside the repository, and print where it is.
#
#   tools/telegraf.sh    go alone (1.25 or newer, or one that may fetch it): some minutes the first time
#
# Only benchmarks/telegraf.py uses it.
set -euo pipefail

version=v1.37.2
cache="${POISE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/poise}"
target="$cache/telegraf-${version#v}/telegraf"

if [ ! -x "$target" ]; then
    if ! command -v go >/dev/null; then
        echo "telegraf.sh: go is missing; install it, or put a telegraf at $target" >&2
        exit 1
    fi
    GOBIN="$(dirname "$target")" CGO_ENABLED=0 go install -trimpath \
        -tags custom,inputs.mqtt_consumer,outputs.influxdb_v2,parsers.influx \
        "github.com/influxdata/telegraf/cmd/telegraf@$version" >&2
fi
echo "$target"
