#!/bin/sh
# Make .venv, or leave it alone where it is up to date:  tools/venv.sh [EXTRA]
# Only tell whether it is (exit code 3: it is not):        tools/venv.sh --check
# .venv/stamp holds the hash of all that decides its content, and the extras; it is written last, so that an
# interrupted installation is never taken for a finished one. One made with extras serves without them too.
set -eu
cd "$(dirname "$0")/.."
extra=${1:-}
check=
if [ "$extra" = --check ]; then extra='' check=1; fi

fits='import sys; sys.exit(sys.version_info < (3, 11))'
for python in python3 python3.14 python3.13 python3.12 python3.11 none; do
    if "$python" -c "$fits" 2>/dev/null; then break; fi
done
if [ "$python" = none ]; then
    echo "trikv: needs Python 3.11 or later: apt-get install -y python3 python3-venv" >&2
    exit 1
fi

hash=$("$python" -c 'import hashlib, pathlib, platform, shutil
text = "".join(pathlib.Path(name).read_text() for name in (
    "pyproject.toml", "constraints.txt", "setup.py", "trikv/machine/_runs.c"))
text += str(bool(shutil.which("cc") or shutil.which("gcc")))  # one that came later builds the part in C
print(hashlib.sha256((text + platform.python_version()).encode()).hexdigest())')
stamp=$(cat .venv/stamp 2>/dev/null || true)
if [ "$stamp" = "$hash $extra" ]; then exit 0; fi
case $stamp in "$hash "*) if [ -z "$extra" ]; then exit 0; fi ;; esac
if [ -n "$check" ]; then exit 3; fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "trikv: $python cannot make virtual environments: apt-get install -y python$version-venv" >&2
    exit 1
fi
echo "trikv: making .venv with $("$python" --version); this takes a minute" >&2
rm -f trikv/machine/_runs*.so # one that cannot be built again must not stay as it was
"$python" -m venv --clear .venv
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
    --editable ".${extra:+[$extra]}"; then
    echo "trikv: the packages could not be installed (above is why); start again when they can" >&2
    exit 1
fi
if ! .venv/bin/python -c 'import trikv.machine._runs' 2>/dev/null; then
    echo "trikv: without its part in C, which needs a compiler and Python's headers: all works, writes are slower" >&2
fi
echo "$hash $extra" >.venv/stamp
