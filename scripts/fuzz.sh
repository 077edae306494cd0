#!/usr/bin/env bash
# Damages small data directories, one seed after the other, for FUZZ_SECONDS (ten minutes unless told otherwise), from the seed
# FUZZ_START on, which is chosen by the clock unless given, and reads zstd frames back by another decoder. A failure names its
# seed: FUZZ_START=seed FUZZ_COUNT=1 cargo test --test hostile ten_thousand repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh
scripts/need.sh rust

export FUZZ_SECONDS=${FUZZ_SECONDS:-600} FUZZ_START=${FUZZ_START:-$(date +%s)}
exec nice -n 10 cargo test --quiet --test hostile damaged_directories_for_as_long -- --ignored --nocapture
