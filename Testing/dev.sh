#!/usr/bin/env bash
# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# What ./dev does around the environment, without one and without the network: bubblewrap, apt and
# dpkg are programs of this test that write down how they were called.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/checks.sh"
source=${1:-$(dirname "$here")}
work=$(mktemp -d)
trap 'rm -rf "$work" "$named"' EXIT
named=$(mktemp -u "${TMPDIR:-/tmp}/vae-dev-XXXXXX")

mkdir -p "$work/tree" "$work/programs" "$work/cache"
cp "$source/dev" "$source/platforms.sh" "$work/tree"
program() { # name, its body
  printf '#!/usr/bin/env bash\n%s\n' "$2" >"$work/programs/$1"
  chmod +x "$work/programs/$1"
}
program bwrap "echo \"\$*\" >>'$work/bwrap.log'
case \"\$*\" in *'--build'*) [ ! -e '$work/slow' ] || { touch '$work/building'; cat '$work/slow'; } ;; esac"
program apt-get "echo \"\$*\" >>'$work/apt.log'"
program dpkg-query 'exit 1'
program id 'echo 0'
unset XDG_CACHE_HOME VAE_SUITE VAE_PRESET VAE_TORCH_WHEEL VAE_HOME DISPLAY XAUTHORITY
export PATH=$work/programs:$PATH XDG_CACHE_HOME=$work/cache VAE_DEV_ENV=root
dev() { (cd "$work/tree" && ./dev "$@") >"$work/out.log" 2>&1; }
# An environment that is there: its name carries the package list's fingerprint.
. "$work/tree/platforms.sh"
root=$work/cache/vae-paraview/trixie-$( { vae_packages trixie; vae_mend_command ""; } | cksum | cut -d' ' -f1)
mkdir -p "$root"
touch "$root/.complete"

# What a command writes to the temporary folder, or to a home folder, is not lost.
dev run true --output "$named"
check "a new folder below the temporary folder lies in the host's" \
  has "$work/bwrap.log" "--bind $(dirname "$named") $(dirname "$named")"
HOME=/root
dev run true "--output=/root/new" || true
if [ -d /root ]; then
  check "a new file in a home folder lies in the host's" has "$work/bwrap.log" "--bind /root /root"
fi
dev run true /usr/share/new
check "the environment's own folders are never bound over" lacks "$work/bwrap.log" "--bind /usr"

# One build at a time in one folder.
mkfifo "$work/slow"
(cd "$work/tree" && ./dev build) >"$work/first.log" 2>&1 &
first=$!
until [ -e "$work/building" ]; do kill -0 $first; sleep 0.05; done
(cd "$work/tree" && ./dev build) >"$work/second.log" 2>&1 &
second=$!
until has "$work/second.log" "another ./dev builds in" || ! kill -0 $second 2>/dev/null; do sleep 0.05; done
check "the second build of a folder waits, and says so" has "$work/second.log" "waiting for it"
builds=$(grep -c -- --build "$work/bwrap.log")
mv "$work/slow" "$work/let"
echo >"$work/let"
wait $first
wait $second
check "and builds then" [ "$(grep -c -- --build "$work/bwrap.log")" -gt "$builds" ]

# What cannot be written is named, with a cure.
dev clean
mkdir -p "$work/other"
cp "$source/dev" "$source/platforms.sh" "$work/other"
touch "$work/other/build" # a file: nobody can make a folder there, root included
(cd "$work/other" && ./dev build) >"$work/out.log" 2>&1 && status=0 || status=$?
check "a tree that cannot be written to ends ./dev" [ "$status" = 1 ]
check "with one sentence" [ "$(wc -l <"$work/out.log")" = 1 ]
check "that names the folder and the cure" has "$work/out.log" \
  "error: cannot write to $work/other/build; copy the sources to a folder that you may write to"
touch "$work/file"
XDG_CACHE_HOME=$work/file dev build && status=0 || status=$?
check "a cache that cannot be written to ends ./dev" [ "$status" = 1 ]
check "with the cure" has "$work/out.log" \
  "error: cannot write to $work/file/vae-paraview; set XDG_CACHE_HOME to a folder that you may write to"

# The host's own apt is used as the host has set it.
VAE_DEV_ENV=native dev build || true
check "packages are asked for" has "$work/apt.log" "install -q -y --no-install-recommends"
check "the host's apt accepts no expired list" lacks "$work/apt.log" "Check-Valid-Until"
exit $failed
