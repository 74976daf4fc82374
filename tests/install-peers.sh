#!/bin/sh
# Install the programs that the tests talk to: Chromium, stock restic, Ceph's S3 gateway,
# unpackers of zips, and shells.
# Where that is not possible it says so, and the tests that need them are skipped with the reason.
set -eu

missing=""
add() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
add restic restic
add chromium chromium
add unzip unzip
add 7z p7zip-full
add bsdtar libarchive-tools
add radosgw radosgw
add ceph-mon ceph-mon
add ceph-osd ceph-osd
add ceph ceph-common
add zsh zsh
add fish fish
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed, and this machine has no apt-get:$missing" >&2
    exit 0
fi
sudo=""
if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "Not installed, for it needs root. Run: sudo apt-get install$missing" >&2
        exit 0
    fi
    sudo="sudo -n"
fi
echo "Installing$missing"
$sudo apt-get update -qq
# One at a time: one package that cannot be had must not keep the others away.
for package in $missing; do
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$package" \
        >/dev/null || echo "Could not install $package" >&2
done
