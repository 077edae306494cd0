#!/usr/bin/env bash
# Runs the targets of fuzz/, all or those that are named, one after the other, each for FUZZ_SECONDS (ten minutes unless told
# otherwise): scripts/fuzz_targets.sh native otlp. Inputs that reached something new are kept in target/fuzz/corpus/TARGET and are
# where the next run begins. What fails is left in target/fuzz/found/TARGET; the program of the target repeats it, and
# -minimize_crash=1 makes it shorter.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh
scripts/need.sh rust
command -v c++ >/dev/null || { echo 'sandglass: a C++ compiler is missing; install the package g++ and try again' >&2; exit 1; }

seconds=${FUZZ_SECONDS:-600}
folder=$PWD/target/fuzz
host=$(rustc --print host-tuple)
targets=("$@")
if [ "${#targets[@]}" = 0 ]; then
  mapfile -t targets < <(grep -l '^fuzz_target!' fuzz/fuzz_targets/*.rs | xargs -n 1 basename -s .rs)
fi

# What `cargo fuzz` would build with, of which stable Rust lacks only the address sanitizer. --target keeps it from build scripts.
flags=(
  --cfg fuzzing -Cdebug-assertions -Coverflow-checks
  -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares
  -Cllvm-args=-simplifycfg-branch-fold-threshold=0
)
export RUSTFLAGS="${flags[*]}"
# The versions are those that are shipped.
if [ Cargo.lock -nt fuzz/Cargo.lock ]; then cp Cargo.lock fuzz/Cargo.lock; fi
echo 'building the targets (some minutes the first time)'
nice -n 10 cargo build --quiet --release --manifest-path fuzz/Cargo.toml --target "$host" --target-dir "$folder/build"
programs=$folder/build/$host/release

# First inputs: what real servers wrote. A target takes the first byte for the place where it cuts the rest.
seed() {
  mkdir -p "$folder/seeds/$1"
  { printf '\200'; head -c 60000; } >"$folder/seeds/$1/$2"
  # The rest is read, too, so that who writes it does not fail.
  cat >/dev/null
}
golden() { gzip -dc "tests/golden/$1.gz"; }
"$programs/seeds" "$folder/seeds"
golden edge.prom | seed prometheus edge
golden node_exporter.prom | sed -n '1,60p' | seed prometheus node_exporter
golden edge.influx | seed influx edge
golden tsbs_devops.influx | sed -n '1,12p' | seed influx tsbs
golden stocks.csv | sed -n '1,40p' | seed csv stocks
golden seattle_weather.import.jsonl | seed jsonl weather
golden prometheus_remote_write.snappy | seed remote_write prometheus
golden stocks.csv | sed -n '1,20p' | gzip -c | seed compression gzip
for name in tiny tiny_v1.150.0 deleted prometheus-snapshot prometheus-killed txn-absolute-pending; do
  golden "$name.tar" | seed archive "$name"
  golden "$name.tar" | seed restore "$name"
done
mkdir -p "$folder/seeds/queries"
sed -nE 's/^[mp] (.*) => .*/\1/p' tests/query/language.txt | split -l 1 -a 3 - "$folder/seeds/queries/"

failed=()
for target in "${targets[@]}"; do
  mkdir -p "$folder/corpus/$target" "$folder/found/$target"
  echo "$target, $seconds s"
  nice -n 10 "$programs/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="$folder/found/$target/" "$folder/corpus/$target" "$folder/seeds/$target" >"$folder/$target.log" 2>&1 ||
    failed+=("$target")
  grep -E '^#[0-9]+.*cov: ' "$folder/$target.log" | tail -n 1 || true
  if [[ " ${failed[*]-} " == *" $target "* ]]; then
    echo "FAILED, the end of $folder/$target.log:"
    grep -vE '^(#|stat::)' "$folder/$target.log" | tail -n 60 | sed 's/^/    /'
  fi
done
if [ "${#failed[@]}" != 0 ]; then
  echo "failed: ${failed[*]}; what did it is in $folder/found"
  exit 1
fi
echo "nothing was found in ${#targets[@]} targets"
