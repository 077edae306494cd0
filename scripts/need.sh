#!/usr/bin/env bash
# Makes sure that the named tools are there, installing those that are missing.
#
#   scripts/need.sh rust wasm-bindgen npm chromium victoria-metrics
#
# Every step looks first and is silent and quick when there is nothing to do. Tools that this script builds go to .tools/
# in the project; system packages come from the system's own package manager, as root or through sudo, and nothing is
# ever downloaded from anywhere else. What cannot be had is named, with the package to install, and the exit code is 1.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
source scripts/env.sh

say() { printf 'sandglass: %s\n' "$*" >&2; }
fail() { printf 'sandglass: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or through sudo. 2 when neither is possible.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else return 2
  fi
}

# Installs the first of the named system packages that the package manager knows.
system_package() {
  local package
  have apt-get || fail "this system has no apt-get; install the package '$1' (or its like) by hand and try again"
  for attempt in 1 2; do
    for package in "$@"; do
      # 'Candidate: (none)' is a name that is only mentioned by others; an empty answer is an unknown one.
      if [[ "$(apt-cache policy "$package" 2>/dev/null)" =~ Candidate:\ [^\(] ]]; then
        say "installing the system package $package"
        if as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package" >&2; then return 0; fi
        # A stale package list names files that are gone: one update, one more try.
        [ "$attempt" = 1 ] && break
        fail "cannot install '$package'; install it by hand (apt-get install $package) and try again"
      fi
    done
    [ "$attempt" = 1 ] || break
    say "refreshing the list of system packages"
    as_root apt-get update >&2 || fail "cannot refresh the list of system packages (root or sudo is needed); install '$1' by hand and try again"
  done
  fail "the package manager knows none of: $*; install one of them by hand and try again"
}

# The version of a crate that Cargo.toml pins with '=', as '0.2.130'.
pinned() {
  sed -nE "s/^$1 = .*\"=([0-9.]+)\".*/\1/p" Cargo.toml | head -1
}

need_rust() {
  have cc || system_package build-essential
  have cargo || fail "Rust is missing; install it with rustup (https://rustup.rs) and try again"
  local wanted found
  wanted=$(sed -nE 's/^rust-version = "([0-9.]+)"/\1/p' Cargo.toml)
  found=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V | head -1)" != "$wanted" ]; then
    have rustup || fail "Rust $wanted or newer is needed, found $found"
    say "Rust $found is too old: updating it to $wanted or newer"
    rustup update stable >&2 || fail "Rust $wanted or newer is needed, found $found; update it (rustup update stable) and try again"
  fi
  if [ ! -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; then
    have rustup || fail "the Rust target wasm32-unknown-unknown is missing, and there is no rustup to add it"
    say "adding the Rust target wasm32-unknown-unknown"
    rustup target add wasm32-unknown-unknown >&2
  fi
}

need_lints() {
  need_rust
  local component
  for component in rustfmt clippy; do
    case $component in rustfmt) have cargo-fmt && continue ;; clippy) have cargo-clippy && continue ;; esac
    have rustup || fail "$component is missing, and there is no rustup to add it"
    say "adding the Rust component $component"
    rustup component add "$component" >&2
  done
}

# The glue that the compiler writes and the tool that reads it must be of exactly one version.
need_wasm_bindgen() {
  need_rust
  local wanted
  wanted=$(pinned wasm-bindgen)
  [ -n "$wanted" ] || fail "Cargo.toml does not pin wasm-bindgen to one version (wasm-bindgen = \"=X.Y.Z\")"
  if [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $wanted" ] && have wasm-bindgen-test-runner; then return; fi
  say "building wasm-bindgen-cli $wanted into .tools (a few minutes, once)"
  # A debug build takes a third of the time and is fast enough. Not --locked: its lock file may name yanked versions.
  cargo install wasm-bindgen-cli --version "$wanted" --debug --root .tools --target-dir target/tools --force >&2 ||
    fail "cannot build wasm-bindgen-cli; try: cargo install wasm-bindgen-cli --version $wanted"
  rm -rf target/tools
}

# The packages of one folder with a package.json, exactly as its lock file has them.
npm_packages() {
  local folder=$1 stamp=$1/node_modules/.installed
  have node || fail "Node.js is missing; install Node.js 20 or newer and try again"
  have npm || fail "npm is missing; install the package 'npm' and try again"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || fail "Node.js 20 or newer is needed, found $(node --version)"
  if [ -e "$stamp" ] && [ ! "$folder/package.json" -nt "$stamp" ] && [ ! "$folder/package-lock.json" -nt "$stamp" ]; then return; fi
  say "installing the npm packages of $folder"
  if [ -e "$folder/package-lock.json" ]; then
    # 'ci' refuses a lock file that does not go with package.json; while both are being edited 'install' mends it.
    if [ "${CI:-}" = true ]; then npm ci --prefix "$folder" >&2; else npm install --prefix "$folder" >&2; fi
  else
    npm install --prefix "$folder" >&2
  fi
  touch "$stamp"
}

need_chromium() {
  if [ -z "$(find_chromium)" ]; then system_package chromium chromium-browser; fi
  if [ -z "$(find_chromedriver)" ]; then system_package chromium-driver chromium-chromedriver; fi
  [ -n "$(find_chromium)" ] || fail "Chromium is missing; install the package 'chromium' or name the program in CHROMIUM"
  [ -n "$(find_chromedriver)" ] || fail "chromedriver is missing; install the package 'chromium-driver' or name the program in CHROMEDRIVER"
}

need_firefox() {
  if [ -z "$(find_firefox)" ]; then system_package firefox-esr firefox; fi
  [ -n "$(find_firefox)" ] || fail "Firefox is missing; install the package 'firefox-esr' or name the program in FIREFOX"
}

# The driver's package brings its small browser along, which needs a screen.
need_webkit() {
  if [ -z "$(find_webkit)" ]; then system_package webkit2gtk-driver; fi
  if [ -z "$(find_xvfb)" ]; then system_package xvfb; fi
  [ -n "$(find_webkit)" ] || fail "WebKitGTK's MiniBrowser is missing; install the package 'webkit2gtk-driver' or name the program in WEBKIT"
  [ -n "$(find_xvfb)" ] || fail "Xvfb is missing; install the package 'xvfb'"
}

# Firefox's driver is no package of Debian's.
need_geckodriver() {
  [ -z "$(find_geckodriver)" ] || return 0
  need_rust
  local version=0.37.1
  say "building geckodriver $version into .tools (three to eight minutes, once)"
  # A debug build takes a third of the time and is fast enough.
  cargo install --locked geckodriver --version "$version" --debug --root .tools --target-dir target/tools >&2 ||
    fail "cannot build geckodriver; try: cargo install --locked geckodriver --version $version, or name the program in GECKODRIVER"
  rm -rf target/tools
}

need_victoria_metrics() {
  if [ -z "$(find_victoria_metrics)" ]; then system_package victoria-metrics; fi
  [ -n "$(find_victoria_metrics)" ] || fail "VictoriaMetrics is missing; install the package 'victoria-metrics' or name the program in VICTORIA_METRICS"
}

need_prometheus() {
  if [ -z "$(find_prometheus)" ]; then system_package prometheus; fi
  [ -n "$(find_prometheus)" ] || fail "Prometheus is missing; install the package 'prometheus' or name the program in PROMETHEUS"
}

for tool in "$@"; do
  case $tool in
    rust) need_rust ;;
    lints) need_lints ;;
    wasm-bindgen) need_wasm_bindgen ;;
    npm) npm_packages www ;;
    npm-bench) npm_packages www/bench ;;
    npm-docs) npm_packages www/docs ;;
    npm-elsewhere) npm_packages www/test/elsewhere ;;
    chromium) need_chromium ;;
    firefox) need_firefox ;;
    geckodriver) need_geckodriver ;;
    webkit) need_webkit ;;
    prometheus) need_prometheus ;;
    victoria-metrics) need_victoria_metrics ;;
    tar) have tar || system_package tar ;;
    *) fail "need.sh does not know '$tool'" ;;
  esac
done
