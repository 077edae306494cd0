#!/usr/bin/env bash
# The file systems' own tests in Firefox ESR. Not part of `make test`, for the driver that wasm-bindgen's runner needs has to be built.
set -uo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

only=" $* "
source scripts/steps.sh

echo 'looking for Firefox and its driver, which is built when it is missing'
if ! scripts/need.sh rust wasm-bindgen firefox geckodriver; then
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

sum_up "$begin"
