#!/usr/bin/env bash
# Builds the engine for the web: Rust -> wasm -> JavaScript glue -> optimised wasm -> its two halves, into www/pkg/.
# With `instrument` a module that tells which functions are called goes to target/wasm-profile/ instead (scripts/profile.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

name=sandglass
work=target/wasm-build
target_dir=${CARGO_TARGET_DIR:-target}/wasm

# The standard library is compiled with the engine: for size, and with panics that trap at once. Stable compilers do so when they
# are told that this is meant (docs/decisions/wasm-size.md).
export RUSTC_BOOTSTRAP=1
flags=(-C target-feature=+simd128 -C link-arg=-zstack-size=2097152 -C symbol-mangling-version=v0
  -Z unstable-options -C panic=immediate-abort -Z location-detail=none)
CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="${flags[*]}" \
  cargo build --release --target wasm32-unknown-unknown --lib --target-dir "$target_dir" -Z build-std=std -Z build-std-features=optimize_for_size
unset RUSTC_BOOTSTRAP
rm -rf "$work"
mkdir -p "$work"
wasm-bindgen --target web --out-dir "$work" --out-name "$name" "$target_dir/wasm32-unknown-unknown/release/$name.wasm"

# The wasm-opt of the npm packages, by its path: version 108, which some systems package, writes modules that fail at start.
# Large functions are not inlined into their only caller (docs/decisions/wasm-size.md).
optimise() { www/node_modules/.bin/wasm-opt "$@"; }
optimise -O3 --debuginfo --one-caller-inline-max-function-size=40 --minify-imports-and-exports-and-modules "$work/${name}_bg.wasm" -o "$work/whole.wasm" >"$work/names.json"
node scripts/shorten_names.mjs "$work/names.json" "$work/$name.js"
rm "$work/names.json"

split() { cargo run --quiet --package sandglass-split-wasm -- "$@"; }
if [ "${1:-}" = instrument ]; then
  split instrument "$work/whole.wasm" "$work/${name}_bg.wasm" "$work/functions.txt"
  # Nothing is left out of it, and the glue notes what is called.
  printf '\0asm\1\0\0\0' >"$work/${name}_rest.wasm"
  sed -i 's/^ *"a": import0,$/&\n"profile": { called: (number) => void ((globalThis.calledFunctions ??= new Uint8Array(1 << 16))[number] = 1) },/' "$work/$name.js"
  rm -rf target/wasm-profile
  mv "$work" target/wasm-profile
  exit
fi
split split "$work/whole.wasm" scripts/split_wasm/deferred.txt "$work/core.wasm" "$work/rest.wasm"
features=(--enable-bulk-memory --enable-bulk-memory-opt --enable-multivalue --enable-mutable-globals --enable-nontrapping-float-to-int
  --enable-reference-types --enable-sign-ext --enable-simd)
# What the numbers of functions in a browser's trace stand for is left in target/.
optimise -O1 "${features[@]}" --reorder-functions-by-name --symbolmap=target/core.names "$work/core.wasm" -o "$work/${name}_bg.wasm" >/dev/null
optimise -O1 "${features[@]}" --reorder-functions-by-name --symbolmap=target/rest.names "$work/rest.wasm" -o "$work/${name}_rest.wasm" >/dev/null
# The numbers that functions were sorted by go again.
sed -i -E 's/^([0-9]+:)[0-9]{6} /\1/' target/core.names target/rest.names
rm "$work"/{whole,core,rest}.wasm

# Only a whole build replaces the last one.
rm -rf www/pkg
mv "$work" www/pkg
