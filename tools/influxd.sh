#!/usr/bin/env bash
# Build a real InfluxDB server for the tests, once, outside the repository, and print where it is.
#
#   tools/influxd.sh 2.7    go (1.23 or newer), cargo and gcc: about four minutes the first time
#   tools/influxd.sh 1.8    go alone: one to two minutes the first time
#
# Afterwards it takes no time at all. Without them, start servers yourself and give their addresses instead:
#   docker run -p 8086:8086 influxdb:2.7
#   POISE_TEST_INFLUXDB_URL=http://127.0.0.1:8086 POISE_TEST_INFLUXDB_TOKEN=… python -m pytest tests/ingest
#   docker run -p 8087:8086 influxdb:1.8
#   POISE_TEST_INFLUXDB1_URL=http://127.0.0.1:8087 POISE_TEST_INFLUXDB1_TOKEN=user:password python -m pytest tests/ingest
set -euo pipefail

case "${1:-2.7}" in
    2.7) version=v2.7.12 programs=(go cargo gcc) ;;
    1.8) version=v1.8.10 programs=(go) ;;
    *)
        echo "influxd.sh: say 2.7 or 1.8, not '$1'" >&2
        exit 2
        ;;
esac
cache="${POISE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/poise}"
target="$cache/influxd-${version#v}/influxd"

if [ -x "$target" ]; then
    echo "$target"
    exit 0
fi
for program in "${programs[@]}"; do
    if ! command -v "$program" >/dev/null; then
        echo "influxd.sh: $program is missing; install it, or see the first lines of this script for Docker" >&2
        exit 1
    fi
done

mkdir -p "$cache"
work="$(mktemp -d "$cache/influxd-build.XXXXXX")"
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/module"

build_1_8() {
    CGO_ENABLED=0 GOBIN="$work/bin" go install "github.com/influxdata/influxdb/cmd/influxd@$version" >&2
    mv "$work/bin/influxd" "$work/influxd"
}

build_2_7() {
    # InfluxDB's Go code finds its Rust library with a pkg-config of its own, which must come first in PATH.
    local real_cargo
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
}

if [ "${version%.*}" = v1.8 ]; then build_1_8; else build_2_7; fi
mkdir -p "$(dirname "$target")"
mv "$work/influxd" "$target"
echo "$target"
