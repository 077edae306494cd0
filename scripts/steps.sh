# What the scripts share that run tests in steps: every step runs, whatever became of the ones before it, and the sum of their
# tests is the last line. Sourced behind env.sh; `only` names the steps to run, all of them when it is blank.

logs=${CARGO_TARGET_DIR:-target}/test-logs
rm -rf "$logs"
mkdir -p "$logs"
export CARGO_TERM_COLOR=never NO_COLOR=1 FORCE_COLOR=0

passed_sum=0 failed_sum=0
table=()
faults=()

# Sums the closing lines of the runners in a log: cargo test and wasm-bindgen-test, Node's test runner.
# Prints "PASSED FAILED"; nothing when the log has no such line.
count() {
  awk '
    match($0, /^test result: .* [0-9]+ passed; [0-9]+ failed/) { split($0, w, /[ ;]+/); for (i in w) { if (w[i] == "passed") p += w[i-1]; if (w[i] == "failed") f += w[i-1] } seen = 1 }
    /^(ℹ|#) pass [0-9]+$/ { p += $3; seen = 1 }
    /^(ℹ|#) (fail|cancelled) [0-9]+$/ { f += $3; seen = 1 }
    END { if (seen) print p + 0, f + 0 }
  ' "$1"
}

# step NAME KIND COMMAND...: KIND is 'one' for a check that counts as one test, 'many' for a runner that prints its count,
# 'show' for a check whose report is worth reading when it passes, too.
step() {
  local name=$1 kind=$2 begin=$SECONDS
  shift 2
  is_wanted "$name" || return 0
  printf '%-22s ' "$name"
  "$@" >"$logs/$name.log" 2>&1 </dev/null
  tell "$name" "$kind" $? $((SECONDS - begin))
}

# The one step that is under way beside the others: its name, its kind and its process.
beside=()

# begin_beside NAME KIND COMMAND...: as `step`, but the next steps do not wait for it; `end_beside` does.
begin_beside() {
  local name=$1 kind=$2
  shift 2
  is_wanted "$name" || return 0
  (
    begin=$SECONDS
    "$@" >"$logs/$name.log" 2>&1 </dev/null
    code=$?
    echo $((SECONDS - begin)) >"$logs/$name.seconds"
    exit $code
  ) &
  beside=("$name" "$kind" $!)
  # Nothing of it goes on when the run is broken off.
  trap 'pkill -P "${beside[2]:-0}" 2>/dev/null; kill "${beside[2]:-}" 2>/dev/null' EXIT
}

end_beside() {
  local name kind process code
  [ "${#beside[@]}" != 0 ] || return 0
  name=${beside[0]} kind=${beside[1]} process=${beside[2]}
  trap - EXIT
  beside=()
  printf '%-22s ' "$name"
  wait "$process"
  code=$?
  tell "$name" "$kind" "$code" "$(cat "$logs/$name.seconds")"
}

is_wanted() {
  [ "$only" = "  " ] || [[ "$only" == *" $1 "* ]]
}

# tell NAME KIND CODE SECONDS: what became of a step, which has left its log.
tell() {
  local name=$1 kind=$2 code=$3 seconds=$4 log="$logs/$1.log" passed failed
  if [ "$kind" != many ]; then
    passed=$((code == 0)) failed=$((code != 0))
  else
    read -r passed failed < <(count "$log") || true
    : "${passed:=0}" "${failed:=0}"
    # A step that ended badly with no failed test (it did not compile, it was killed) is one failure, and so is a step
    # that says all is well but ran nothing.
    if [ "$code" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
    if [ "$code" = 0 ] && [ $((passed + failed)) = 0 ]; then failed=1; echo "no test was run" >>"$log"; fi
    if [ "$failed" != 0 ]; then code=1; fi
  fi
  passed_sum=$((passed_sum + passed)) failed_sum=$((failed_sum + failed))
  table+=("$(printf '%-22s %6d passed %5d failed %5d s' "$name" "$passed" "$failed" "$seconds")")
  if [ "$code" = 0 ]; then
    printf 'ok     %5d passed %5d s\n' "$passed" "$seconds"
    if [ "$kind" = show ]; then sed 's/^/    /' "$log"; fi
  else
    printf 'FAILED %5d s, the end of %s:\n' "$seconds" "$log"
    tail -n 120 "$log" | sed 's/^/    /'
    faults+=("$(printf '%s:\n' "$name"; faults_in "$log" | cut -c1-200 | head -n 10 | sed 's/^/    /')")
  fi
}

# What failed, in the runners' own words: names and first lines.
faults_in() {
  if grep -q '^✖ failing tests:' "$1"; then
    sed '1,/^✖ failing tests:/d' "$1" | grep -E '^(✖|test at)|^  [^ ]'
  else
    grep -E 'panicked at|^test .* FAILED|^error|^npm error|^    [A-Z]' "$1" || tail -n 5 "$1"
  fi
}

# What a debugger wants makes a module four times as large, and wasm-bindgen takes it all apart and puts it together again. Panics
# tell the line without it.
wasm_tests() {
  CARGO_PROFILE_DEV_DEBUG=false cargo test --target wasm32-unknown-unknown "$@"
}

# The tests that run inside a browser page or worker say so themselves: this finds them, so none is forgotten.
browser_tests() {
  local file names=(--test browser)
  for file in $(grep -lE 'run_in_(browser|dedicated_worker|shared_worker|service_worker)' tests/*.rs 2>/dev/null); do
    file=$(basename "$file" .rs)
    [ "$file" = browser ] || names+=(--test "$file")
  done
  # The runner's own patience with all tests of a file is 20 seconds, which is little for a slow disk under a busy machine.
  WASM_BINDGEN_TEST_TIMEOUT=300 wasm_tests "${names[@]}"
}

# The last lines; the exit code tells whether all passed. The steps began at second $1.
sum_up() {
  if [ "${#table[@]}" = 0 ]; then
    echo "there is no step named$only" >&2
    return 2
  fi
  echo
  printf '%s\n' "${table[@]}"
  printf '%-22s %35d s\n\n' 'all steps' $((SECONDS - $1))
  if [ "${#faults[@]}" != 0 ]; then printf '%s\n' "${faults[@]}" ''; fi
  echo "$passed_sum passed, $failed_sum failed"
  [ "$failed_sum" = 0 ]
}
