#!/usr/bin/env bash
# Builds the engine for the web: Rust -> wasm -> JavaScript glue -> optimised wasm, into www/pkg/.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

name=sandglass
work=target/wasm-build
target_dir=${CARGO_TARGET_DIR:-target}/wasm

cargo build --release --target wasm32-unknown-unknown --lib --target-dir "$target_dir"
rm -rf "$work"
mkdir -p "$work"
wasm-bindgen --target web --out-dir "$work" --out-name "$name" "$target_dir/wasm32-unknown-unknown/release/$name.wasm"

echo 'optimising it (half a minute to two)'
# The wasm-opt of the npm packages, by its path: version 108, which some systems package, writes modules that fail at start.
# The functions' names stay in the file beside the release, so that the numbers in a user's trace can be read.
optimise() { www/node_modules/.bin/wasm-opt "$@"; }
# A large function is not inlined into its only caller: that makes the module 5 % larger, and not faster.
optimise -O3 --debuginfo --one-caller-inline-max-function-size=40 "$work/${name}_bg.wasm" -o "$work/$name.debug.wasm"
optimise --strip-debug "$work/$name.debug.wasm" -o "$work/${name}_bg.wasm"

# Only a whole build replaces the last one.
rm -rf www/pkg
mv "$work" www/pkg
