#!/bin/sh
# Make .venv, or leave it alone where it is up to date:  tools/venv.sh [EXTRA]
# Only tell whether it is (exit code 3: it is not):        tools/venv.sh --check
# This finds a Python; tools/make_venv.py does the rest, and tells how. One made with extras serves without them too.
set -eu
unset CDPATH # with it 'cd' may go elsewhere, and prints where to
self=$(readlink -f -- "$0")
cd -P -- "${self%/*}/.."
extra=${1:-}
check=
if [ "$extra" = --check ]; then extra='' check=1; fi

# Its own Python decides whether .venv serves, whatever comes first in PATH now.
own=.venv/bin/python
if "$own" -I tools/make_venv.py check "$extra" 2>/dev/null; then exit 0; fi
if [ -n "$check" ]; then exit 3; fi

fits='import sys; sys.exit(sys.version_info < (3, 11))'
for python in python3 python3.13 python3.12 python3.11 python3.14 "$own" none; do
    if "$python" -c "$fits" 2>/dev/null; then break; fi
done
if [ "$python" = none ]; then
    echo "trikv: needs Python 3.11 or later: apt-get install -y python3 python3-venv" >&2
    exit 1
fi
exec "$python" -I tools/make_venv.py make "$python" "$extra"
