#!/bin/sh
# Usage: prometheus.sh FOLDER
#
# Prints the path of a Prometheus that runs here: the one on PATH, else the distribution's own package unpacked below
# FOLDER. Nothing is installed: apt keeps its lists and its cache in FOLDER too, so no root is needed, no service is
# started and the system stays as it was. What it does goes to standard error; failing is one message and status 1.
set -eu

folder=${1:?usage: prometheus.sh FOLDER}
say() { printf 'tocsin: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}
remedy="install Prometheus (prometheus.io/download, or your system's package) so that 'prometheus' is on PATH, then run this again"

runs() { "$1" --version >/dev/null 2>&1; }
answer() {
    printf '%s\n' "$1"
    exit 0
}

if onpath=$(command -v prometheus) && runs "$onpath"; then answer "$onpath"; fi
unpacked=$folder/usr/bin/prometheus
if runs "$unpacked"; then answer "$unpacked"; fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    die "no Prometheus here, and no apt-get and dpkg-deb to fetch one with: $remedy"

# Everything happens in a folder of this run and is renamed at its end, so an interrupted run leaves nothing half-made.
part=$folder.$$
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM
rm -rf "$folder"
mkdir -p "$part/lists/partial" "$part/cache/archives/partial" "$part/unpacked" 2>/dev/null || die "cannot write $part: $remedy"
part=$(cd "$part" && pwd)

# The user that apt lowers itself to may not read our folder; we are either no root anyway or want no such user.
fetch() {
    (cd "$part" && apt-get -qq -o Dir::Cache="$part/cache" -o APT::Sandbox::User="$(id -un)" "$@" </dev/null >&2)
}
fetch_fresh() { fetch -o Dir::State::Lists="$part/lists" "$@"; }

say "no Prometheus on PATH; fetching the distribution's package into $folder (nothing is installed)"
# The system's own package lists may be missing or old; only then are fresh ones fetched, beside them.
if ! fetch download prometheus 2>/dev/null; then
    say "asking the distribution for its current package lists"
    fetch_fresh update || true
    fetch_fresh download prometheus || die "the package 'prometheus' could not be fetched (apt's own message is above): $remedy"
fi
dpkg-deb -x "$part"/prometheus_*.deb "$part/unpacked" || die "the package 'prometheus' could not be unpacked: $remedy"
runs "$part/unpacked/usr/bin/prometheus" || die "the distribution's Prometheus does not run here: $remedy"
mv "$part/unpacked" "$folder"
answer "$unpacked"
