#!/usr/bin/env bash
# Everything that must pass. Every step runs, whatever became of the ones before it; the last line is the sum of the tests
# of all of them, and the exit code tells whether all passed. `scripts/test.sh STEP...` runs only the named steps.
set -uo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

only=" $* "
source scripts/steps.sh

echo 'looking for the tools'
if ! scripts/need.sh lints wasm-bindgen npm chromium victoria-metrics prometheus tar; then
  echo '0 passed, 1 failed'
  exit 1
fi
CHROMIUM=$(find_chromium)
CHROMEDRIVER=$(find_chromedriver)
PROMETHEUS=$(find_prometheus)
VICTORIA_METRICS=$(find_victoria_metrics)
export CHROMIUM CHROMEDRIVER PROMETHEUS VICTORIA_METRICS

# Not every system has a package of each: the step then fails, and says which.
other_browsers() {
  scripts/need.sh firefox webkit || return
  FIREFOX=$(find_firefox) WEBKIT=$(find_webkit) npm run --prefix www test:other-browsers
}

begin=$SECONDS
step format one cargo fmt --all --check
step lints one cargo clippy --all-targets -- -D warnings
step lints-www one npm run --prefix www lint
step format-www one npm run --prefix www format:check
step lints-wasm one cargo clippy --target wasm32-unknown-unknown --all-targets -- -D warnings
step native many cargo test
step wasm-node many cargo test --target wasm32-unknown-unknown --test node
step wasm-browser many browser_tests
step page one make page
step page-browser many npm run --prefix www test:page
step size show node scripts/size.mjs
step package many npm run --prefix www test:unit
step browsers many npm run --prefix www test:browsers
step other-browsers many other_browsers
step real-server many npm run --prefix www test:server

sum_up "$begin"
