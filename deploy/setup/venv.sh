#!/bin/sh
# Usage: venv.sh runtime|dev [FOLDER]
#
# Makes FOLDER (default .venv) a virtual environment that holds this checkout and the packages of requirements/, each
# checked by its hash; does nothing, silently, where that is so already. Says each step in one line. What it cannot do
# it says in one message, with the command that helps, and exits with 1.
#
# State, all inside the environment: `.tocsin-made` says that it is ours to rebuild; `.tocsin-runtime` and `.tocsin-dev`
# hold the checksum of what was installed and are written last, so an interrupted run leaves none and is started anew.
set -eu

say() { printf 'tocsin: %s\n' "$*"; }
die() {
    printf 'tocsin: %s\n' "$*" >&2
    exit 1
}

case ${1:-} in
runtime | dev) level=$1 ;;
*) die "usage: venv.sh runtime|dev [FOLDER]" ;;
esac
venv=${2:-.venv}
cd "$(dirname "$0")/../.."
suitable='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

# The place belongs to the checksum: console scripts hold absolute paths, so a moved checkout needs a new environment.
checksum() { { cat requirements/build.txt "requirements/$1.txt" && pwd; } | cksum | tr ' ' '-'; }
project() { cksum <pyproject.toml | tr ' ' '-'; }
holds() { [ "$(cat "$venv/.tocsin-$1" 2>/dev/null)" = "$2" ]; }

# Isolated (-I), so that the checkout is found by what is installed and not by the folder we stand in. This also fails
# when the interpreter the environment was made with has been removed or replaced by another version.
runs() { "$venv/bin/python" -I -c 'import pip, tocsin_boot' 2>/dev/null; }
current() { holds "$1" "$(checksum "$1")" && runs; }

# Prints the first interpreter for which the Python program $1 succeeds.
interpreter() {
    for name in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        found=$(command -v "$name") || continue
        if "$found" -c "$1" 2>/dev/null; then
            printf '%s\n' "$found"
            return 0
        fi
    done
    return 1
}

install_python() {
    [ -z "${PYTHON:-}" ] || die "PYTHON=$PYTHON is no Python 3.11 or newer with its venv and ensurepip modules"
    if interpreter "$new_enough" >/dev/null; then
        missing="Python's venv module (Debian keeps it in a package of its own)"
    else
        missing="Python 3.11 or newer"
    fi
    if ! command -v apt-get >/dev/null; then
        die "$missing is missing: install Python 3.11 or newer with its venv module, then run this again"
    elif [ "$(id -u)" != 0 ]; then
        die "$missing is missing: run 'sudo apt-get install python3-venv', then this again"
    fi
    say "$missing is missing; installing the package python3-venv with apt-get" >&2
    {
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
    } </dev/null >&2 || die "apt-get could not install python3-venv (its own message is above)"
}

make_environment() {
    python=$(interpreter "$suitable") || {
        install_python
        python=$(interpreter "$suitable") ||
            die "this system's python3-venv is older than Python 3.11: install Python 3.11 or newer with its venv module"
    }
    say "making $venv with $python"
    { rm -rf "$venv" && mkdir -p "$venv"; } 2>/dev/null ||
        die "cannot write $venv: give it another place, as in: make test VENV=/tmp/tocsin-venv"
    : >"$venv/.tocsin-made"
    "$python" -m venv "$venv" || die "$python could not make $venv (its own message is above)"
}

install() { "$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check "$@" </dev/null; }

install_packages() {
    say "installing the packages of requirements/$level.txt, each checked by its hash"
    rm -f "$venv/.tocsin-runtime" "$venv/.tocsin-dev"
    install --require-hashes -r requirements/build.txt -r "requirements/$level.txt" ||
        die "the packages could not be installed (pip's own message is above): is the package index reachable?"
}

install_project() {
    say "installing tocsin from this folder, as an editable install"
    rm -f "$venv/.tocsin-project"
    install --no-deps --no-build-isolation --editable . || die "tocsin could not be installed (pip's own message is above)"
    project >"$venv/.tocsin-project"
}

[ -e "$venv/.tocsin-made" ] || [ ! -e "$venv" ] ||
    die "$venv was made by somebody else and stays as it is; name another, as in: make test VENV=build/venv"

# The development packages are the runtime packages and more, at the same versions.
if ! current dev && { [ "$level" = dev ] || ! current runtime; }; then
    current runtime || make_environment
    install_packages
    install_project
    checksum "$level" >"$venv/.tocsin-$level"
elif ! holds project "$(project)"; then
    install_project
fi
