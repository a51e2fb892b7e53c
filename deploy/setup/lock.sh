#!/bin/sh
# Usage: lock.sh PYTHON [--upgrade]
#
# Pins every package, for every supported Python, with the hashes of all its files: requirements/runtime.txt (what runs),
# dev.txt (that and what tests it) and build.txt (what builds it). Versions move only where pyproject.toml asks for it,
# or with --upgrade. Neither an index nor a path of this machine gets into the files.
set -eu

python=${1:?usage: lock.sh PYTHON [--upgrade]}
upgrade=${2:-}
cd "$(dirname "$0")/../.."
command -v uv >/dev/null || "$python" -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'
PATH=$(dirname "$python"):$PATH

compile() {
    uv pip compile --quiet --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-header \
        --python-version 3.11 ${upgrade:+"$upgrade"} "$@"
}

compile pyproject.toml --output-file requirements/runtime.txt
compile pyproject.toml --extra dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
"$python" -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' |
    compile - --no-annotate --constraint requirements/dev.txt --output-file requirements/build.txt

if grep -nE 'file:|https?:|^--|^-[a-z] |^/' requirements/*.txt; then
    echo "tocsin: the lines above name this machine or an index; nothing but names, versions and hashes belongs there" >&2
    exit 1
fi
