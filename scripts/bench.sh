#!/usr/bin/env bash
# Runs the benchmarks against the named peers; arguments go to www/bench/main.mjs (--help lists them).
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh
scripts/need.sh npm npm-bench chromium victoria-metrics tar
CHROMIUM=$(find_chromium)
VICTORIA_METRICS=$(find_victoria_metrics)
export CHROMIUM VICTORIA_METRICS
exec node www/bench/main.mjs "$@"
