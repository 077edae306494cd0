#!/usr/bin/env bash
# Serves the built page on this machine: scripts/demo.sh PORT
set -euo pipefail
cd "$(dirname "$0")/.."
port=${1:-8080}
echo
echo "  Sandglass is at http://localhost:$port with its documentation behind 'Docs' (Ctrl+C ends it)"
echo
# --strictPort: a taken port is an error that is seen, not another address than the one printed above.
# --logLevel warn: Vite would print http://127.0.0.1 as well, which is another origin to a browser, with other databases.
cd www && exec node_modules/.bin/vite preview --host 127.0.0.1 --port "$port" --strictPort --logLevel warn
