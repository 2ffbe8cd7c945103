#!/usr/bin/env bash
# Makes the seeds of the fuzz targets from the saved domains in tests/data: each cut down to a few pages, in all
# three layers. The targets `page_data` and `order` build their own streams and need none.
set -euo pipefail
cd "$(dirname "$0")"

corpus=corpus/reader
mkdir -p "$corpus" corpus/page_data corpus/order
for saved in ../tests/data/*.xz; do
    name=$(basename "$saved" .xz)
    for layer in xl libxl libxc; do
        xz -dc "$saved" | ../tests/oracle/trim_stream.py "$layer" >"$corpus/$name.$layer"
    done
done
