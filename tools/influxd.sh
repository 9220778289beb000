#!/usr/bin/env bash
# Build a real InfluxDB 2.7 server for the tests, once, outside the repository, and print where it is.
#
# Needs go (1.23 or newer), cargo and gcc: about four minutes the first time, nothing at all afterwards.
# Without them, start one yourself and give its address to the tests instead:
#   docker run -p 8086:8086 influxdb:2.7
#   POISE_TEST_INFLUXDB_URL=http://127.0.0.1:8086 POISE_TEST_INFLUXDB_TOKEN=… python -m pytest tests/ingest
set -euo pipefail

version=v2.7.12
cache="${POISE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/poise}"
target="$cache/influxd-${version#v}/influxd"

if [ -x "$target" ]; then
    echo "$target"
    exit 0
fi
for program in go cargo gcc; do
    if ! command -v "$program" >/dev/null; then
        echo "influxd.sh: $program is missing; install it, or see the first lines of this script for Docker" >&2
        exit 1
    fi
done

mkdir -p "$cache"
work="$(mktemp -d "$cache/influxd-build.XXXXXX")"
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/module"
# InfluxDB's Go code finds its Rust library with a pkg-config of its own, which must come first in PATH.
real_cargo="$(command -v cargo)"
GOBIN="$work/bin" go install github.com/influxdata/pkg-config@v0.2.14 >&2
# Today's Rust warns about that library, which denies warnings and would then not build with all its parts.
printf '#!/bin/sh\nexec "%s" "$@" --no-default-features --features flux/cffi\n' "$real_cargo" >"$work/bin/cargo-for-flux"
chmod +x "$work/bin/cargo-for-flux"

cd "$work/module"
cat >go.mod <<MODULE
module influxd-for-tests

go 1.24

require github.com/influxdata/influxdb/v2 $version

replace github.com/nats-io/nats-streaming-server v0.11.2 => github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803

tool github.com/influxdata/influxdb/v2/cmd/influxd
MODULE
go mod tidy >&2
env PATH="$work/bin:$PATH" PKG_CONFIG="$work/bin/pkg-config" CARGO="$work/bin/cargo-for-flux" RUSTUP_TOOLCHAIN=stable \
    go build -tags sqlite_foreign_keys,sqlite_json,noassets -o "$work/influxd" \
    github.com/influxdata/influxdb/v2/cmd/influxd >&2
mkdir -p "$(dirname "$target")"
mv "$work/influxd" "$target"
echo "$target"
