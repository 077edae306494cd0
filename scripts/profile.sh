#!/usr/bin/env bash
# Finds out anew which functions of the engine's code most pages don't need at first, for scripts/split_wasm/deferred.txt: runs
# www/profile/workload.mjs in Chromium on an engine that tells which of its functions are called.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh
scripts/need.sh rust wasm-bindgen npm chromium

scripts/wasm.sh instrument
built=$PWD/target/wasm-profile
(cd www && node build.mjs "$built" "$built/dist")
CHROMIUM=$(find_chromium) node www/profile/profile.mjs "$built/dist" "$built/functions.txt" scripts/split_wasm/deferred.txt
