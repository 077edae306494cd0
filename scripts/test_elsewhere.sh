#!/usr/bin/env bash
# The package in bundlers and runtimes that are too large for `make test`: Rspack, Parcel, Next with Turbopack, Bun and Deno.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh
scripts/need.sh npm npm-elsewhere chromium
CHROMIUM=$(find_chromium)
export CHROMIUM

cd www/test/elsewhere
# npm may be told to run no scripts of packages; these fetch their programs by them.
for runtime in bun/install.js deno/install.cjs; do node "node_modules/$runtime" >/dev/null; done
exec node --test --test-reporter=spec elsewhere.test.mjs
