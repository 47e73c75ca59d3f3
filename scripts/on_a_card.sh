#!/bin/sh
# Measure everything that only a card can tell, in under eight minutes: see benchmarks/card/__main__.py, or --help.
# $PYTHON is the interpreter; by default .venv/bin/python where there is one, else python3.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    [ ! -x "$root/.venv/bin/python" ] || PYTHON=$root/.venv/bin/python
fi
export PYTHONPATH="$root/benchmarks:$root${PYTHONPATH:+:$PYTHONPATH}"
exec "$PYTHON" -m card "$@"
