#!/usr/bin/env bash
# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Run a command on a virtual display of its own:
#
#   bash Testing/screen.sh COMMAND...
#
# VAE_SCREEN is its size and depth. Xvfb itself looks for a free display number. xvfb-run only looks
# for lock files, so it takes the number of a server that is just ending, or of one in another
# container of the same host. Without -noreset a server starts anew when its last client leaves, and
# refuses the next one while it does; ParaView opens and closes a connection before its window's.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: screen.sh COMMAND..." >&2; exit 2; }
folder=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait || true
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

mkfifo "$folder/display"
exec 7<>"$folder/display"
Xvfb -displayfd 7 -screen 0 "${VAE_SCREEN:-1920x1200x24}" -nolisten tcp -noreset \
  >"$folder/Xvfb.log" 2>&1 &
server=$!
number=
read -r -t 60 -u 7 number || true
[ -n "$number" ] || { echo "Xvfb did not start:" >&2; cat "$folder/Xvfb.log" >&2; exit 1; }
DISPLAY=:$number "$@" 7>&-
