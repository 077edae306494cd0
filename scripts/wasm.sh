#!/usr/bin/env bash
# Builds the engine for the web: Rust -> wasm -> JavaScript glue -> optimised wasm, into www/pkg/.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

name=sandglass
work=target/wasm-build
target_dir=${CARGO_TARGET_DIR:-target}

cargo build --release --target wasm32-unknown-unknown --lib
rm -rf "$work"
mkdir -p "$work"
wasm-bindgen --target web --out-dir "$work" --out-name "$name" "$target_dir/wasm32-unknown-unknown/release/$name.wasm"

# The wasm-opt of the npm packages, by its path: version 108, which some systems package, writes modules that fail at start.
# Large functions are not inlined into their only caller (docs/decisions/wasm-size.md).
www/node_modules/.bin/wasm-opt -O3 --one-caller-inline-max-function-size=40 --minify-imports-and-exports-and-modules "$work/${name}_bg.wasm" -o "$work/optimised.wasm" >"$work/names.json"
node scripts/shorten_names.mjs "$work/names.json" "$work/$name.js"
rm "$work/names.json"
mv "$work/optimised.wasm" "$work/${name}_bg.wasm"

# Only a whole build replaces the last one.
rm -rf www/pkg
mv "$work" www/pkg
