#!/bin/sh
# Install the programs that the tests talk to: Chromium, stock restic, Ceph's S3 gateway, Azurite,
# the AWS command line, unpackers of zips, shells, and programs that mount.
# Where that is not possible it says so, and the tests that need them are skipped with the reason.
set -eu

# Newer versions of restic, beside the system's own, in a directory of this person's.
peers="${HOME:-/root}/.cache/jupyter-storage-peers"
newer_restic() { # the suite of Debian
    [ -x "$peers/restic-$1" ] && return
    private=$(mktemp -d)
    mkdir -p "$private/lists/partial" "$private/archives/partial" "$private/parts" "$peers"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keyring] http://deb.debian.org/debian $1 main" >"$private/sources.list"
    : >"$private/status"
    # With lists, sources and packages of its own, apt neither reads nor changes the system's.
    set -- "$1" -qq -o "Dir::Etc::SourceList=$private/sources.list" \
        -o "Dir::Etc::SourceParts=$private/parts" -o "Dir::State::Lists=$private/lists" \
        -o "Dir::State::status=$private/status" -o "Dir::Cache=$private" \
        -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=0 \
        -o Acquire::http::Timeout=20
    suite=$1
    shift
    if (cd "$private" && timeout 120 apt-get "$@" update && timeout 120 apt-get "$@" download restic &&
        dpkg -x restic_*.deb unpacked && unpacked/usr/bin/restic version) >"$private/log" 2>&1; then
        mv "$private/unpacked/usr/bin/restic" "$peers/restic-$suite"
    else
        echo "Could not fetch restic of Debian's $suite: $(tail -1 "$private/log")" >&2
    fi
    rm -rf "$private"
}
if command -v apt-get >/dev/null 2>&1 && [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
    newer_restic trixie
    newer_restic sid
fi

# Azurite, Microsoft's emulator of Azure's blob storage, by the environment's own Node.js. A date
# keeps what it needs the same, too.
azurite="$peers/azurite"
if [ ! -e "$azurite/node_modules/azurite/package.json" ]; then
    if command -v npm >/dev/null 2>&1; then
        rm -rf "$azurite.new"
        mkdir -p "$azurite.new"
        if log=$(timeout 300 npm install --prefix "$azurite.new" --before=2026-09-01 --ignore-scripts \
            --omit=dev --no-audit --no-fund --silent azurite@3.37.0 2>&1); then
            rm -rf "$azurite"
            mv "$azurite.new" "$azurite"
        else
            echo "Could not install Azurite: $(echo "$log" | tail -1)" >&2
            rm -rf "$azurite.new"
        fi
    else
        echo "Could not install Azurite: there is no npm" >&2
    fi
fi

# Amazon's own command, a second client of S3. What it needs must not mix with this environment.
aws="$peers/awscli"
if [ ! -x "$aws/bin/aws" ]; then
    rm -rf "$aws"
    mkdir -p "$peers"
    if log=$(python3 -m venv "$aws" && timeout 300 "$aws/bin/pip" install -q awscli==1.45.11 2>&1); then :; else
        echo "Could not install the AWS command line: $(echo "$log" | tail -1)" >&2
        rm -rf "$aws"
    fi
fi

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
add fusermount3 fuse3
add rclone rclone
add s3fs s3fs
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
