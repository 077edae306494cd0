#!/usr/bin/env bash
# Everything that must pass. Every step runs, whatever became of the ones before it; the last line is the sum of the tests
# of all of them, and the exit code tells whether all passed. `scripts/test.sh STEP...` runs only the named steps.
set -uo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

only=" $* "
source scripts/steps.sh

echo 'looking for the tools'
# OTHER_BROWSERS=none leaves Firefox and WebKitGTK out, for systems that have no WebKitGTK.
export OTHER_BROWSERS=${OTHER_BROWSERS:-without-private}
others=(firefox webkit)
if [ "$OTHER_BROWSERS" = none ]; then others=(); fi
if ! scripts/need.sh lints wasm-bindgen npm chromium victoria-metrics prometheus tar "${others[@]}"; then
  echo '0 passed, 1 failed'
  exit 1
fi
FIREFOX=$(find_firefox)
WEBKIT=$(find_webkit)
CHROMIUM=$(find_chromium)
CHROMEDRIVER=$(find_chromedriver)
PROMETHEUS=$(find_prometheus)
VICTORIA_METRICS=$(find_victoria_metrics)
export CHROMIUM CHROMEDRIVER FIREFOX PROMETHEUS VICTORIA_METRICS WEBKIT

begin=$SECONDS
step format one cargo fmt --all --check
step lints one cargo clippy --all-targets -- -D warnings
step lints-www one npm run --prefix www lint
step format-www one npm run --prefix www format:check
step lints-wasm one cargo clippy --target wasm32-unknown-unknown --all-targets -- -D warnings
# The engine's release is compiled on one core most of the time; the other one is there for the tests.
begin_beside page one make page
step native many cargo test
step wasm-node many wasm_tests --test node
step wasm-browser many browser_tests
end_beside
step size show node scripts/size.mjs
# One pool of all files, of which one waits while another computes. A part of it alone: `npm run --prefix www test:page`, or
# test:unit, test:browsers, test:server.
step www many npm test --prefix www

sum_up "$begin"
