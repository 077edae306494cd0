#!/usr/bin/env bash
# Simulates databases on failing disks, one seed after the other, for SOAK_SECONDS (an hour unless told otherwise), from the
# seed SIM_START on, which is chosen by the clock unless given. Prints figures every minute and at the end, and for each seed
# that fails what was wrong and the line that replays it. SIM_THREADS limits how many run at once.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh
scripts/need.sh rust

export SOAK_SECONDS=${SOAK_SECONDS:-3600}
unset SIM_SEED
exec nice -n 10 cargo test --quiet --test sim
