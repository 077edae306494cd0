#!/usr/bin/env bash
# The browser tests in Firefox ESR: the file systems' own, the package's contract, and a killed browser. Not part of `make test`,
# for its driver has to be built. `scripts/test_firefox.sh STEP...` runs only the named steps.
set -uo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

only=" $* "
source scripts/steps.sh

echo 'looking for Firefox and its driver, which is built when it is missing'
if ! scripts/need.sh rust wasm-bindgen npm firefox geckodriver; then
  echo '0 passed, 1 failed'
  exit 1
fi
FIREFOX=$(find_firefox)
GECKODRIVER=$(find_geckodriver)
export FIREFOX GECKODRIVER
# The runner takes the first driver that it finds named.
unset CHROMEDRIVER SAFARIDRIVER

begin=$SECONDS
step wasm-firefox many browser_tests
step firefox many npm run --prefix www test:firefox

sum_up "$begin"
