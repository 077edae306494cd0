#!/usr/bin/env bash
# Builds the npm package from www/src and www/pkg and leaves it at dist/sandglass.tgz.
set -euo pipefail
cd "$(dirname "$0")/.."

# npm takes it from the package's own folder only; the original is at the top.
cp LICENSE www/
(cd www && npm run --silent build)

packed=$(mktemp -d)
trap 'rm -rf "$packed"' EXIT
(cd www && npm pack --silent --ignore-scripts --pack-destination "$packed" >/dev/null)
mkdir -p dist
mv "$packed"/sandglass-*.tgz dist/sandglass.tgz
# The functions' names of this very build, for the numbers in a user's trace.
cp www/pkg/sandglass.debug.wasm dist/sandglass.debug.wasm
touch dist/sandglass.tgz
# What tests have made of the last one.
rm -rf dist/installed
echo "dist/sandglass.tgz: $(wc -c <dist/sandglass.tgz) bytes"
