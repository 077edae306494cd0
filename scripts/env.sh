# Where the tools are found; sourced by the other scripts, which first change to the project's top folder.
# CHROMIUM, CHROMEDRIVER, FIREFOX, GECKODRIVER, WEBKIT, VICTORIA_METRICS and PROMETHEUS name other programs than those of the system.

# Tools that need.sh builds for this project win over those of the machine.
PATH="$PWD/.tools/bin:$PATH:$HOME/.cargo/bin"
export PATH

# Prints the first of the given names that is a program; nothing when none is.
first_program() {
  local name
  for name in "$@"; do
    [ -n "$name" ] && command -v "$name" 2>/dev/null && return
  done
  true
}

find_chromium() { first_program "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; }
find_chromedriver() { first_program "${CHROMEDRIVER:-}" chromedriver /usr/lib/chromium-browser/chromedriver; }
find_firefox() { first_program "${FIREFOX:-}" firefox-esr firefox; }
find_geckodriver() { first_program "${GECKODRIVER:-}" geckodriver; }
# No command of the system: its folder is named after the machine.
find_webkit() { first_program "${WEBKIT:-}" /usr/lib/*/webkit2gtk-4.1/MiniBrowser /usr/libexec/webkit2gtk-4.1/MiniBrowser; }
find_xvfb() { first_program Xvfb; }
find_victoria_metrics() { first_program "${VICTORIA_METRICS:-}" victoria-metrics victoria-metrics-prod; }
find_prometheus() { first_program "${PROMETHEUS:-}" prometheus; }
