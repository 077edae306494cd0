#!/usr/bin/env bash
# The package in Firefox ESR and in WebKitGTK: its contract, kills, reloads and several tabs. `make test` runs the contract alone; all of it takes six minutes.
# BROWSER= chooses one of the two.
set -uo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

only="  "
source scripts/steps.sh

echo 'looking for the browsers'
if ! scripts/need.sh npm firefox webkit; then
  echo '0 passed, 1 failed'
  exit 1
fi
FIREFOX=$(find_firefox)
WEBKIT=$(find_webkit)
export FIREFOX WEBKIT

begin=$SECONDS
step other-browsers many npm run --prefix www test:other-browsers

sum_up "$begin"
