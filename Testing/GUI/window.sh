#!/usr/bin/env bash
# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Run a test in the real ParaView window under Xvfb: Testing/GUI/TEST/play.xml, by ParaView's own
# playback, with the other files of that folder as macros, or TEST/script.py. CTest does it; by hand:
#
#   ./dev run bash Testing/GUI/window.sh TEST FOLDER [VOLUME]
#
# The pictures it takes, and window.log, come into FOLDER. Without VOLUME tests take a small one.
# VAE_GUI_SECONDS: seconds to train. VAE_EVENT_LOOP_WATCH: library of EventLoopWatch.cpp.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
[ $# -ge 2 ] && [ -d "$here/$1" ] || fail "usage: window.sh TEST FOLDER [VOLUME]"
[ -e "${PV_PLUGIN_PATH:-}/VAEPlugin.so" ] || fail "PV_PLUGIN_PATH is not the folder of VAEPlugin.so"
if [ -z "${VAE_GUI_DISPLAY:-}" ]; then # this script again, on a display of its own
  VAE_GUI_DISPLAY=own VAE_SCREEN=1600x1000x24 exec bash "$here/../screen.sh" \
    bash "${BASH_SOURCE[0]}" "$@"
fi
play=$here/$1
mkdir -p "$2"
folder=$(cd "$2" && pwd -P)
rm -f "$folder"/*.png "$folder"/*.safetensors "$folder"/*.txt "$folder"/*.pvsm
log=$folder/window.log
volume=${3:+$(realpath -e "$3")}

# A home of its own: no settings, macros or window layout of the user's.
home=$(mktemp -d "$folder/home.XXXXXX")
started=()
finish() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait || true
  rm -rf "$home"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# Menus and focus need a window manager; this one makes every main window as large as the screen.
cat >"$home/openbox.xml" <<'XML'
<openbox_config xmlns="http://openbox.org/3.4/rc"><applications>
  <application type="normal"><decor>no</decor><maximized>yes</maximized></application>
</applications></openbox_config>
XML
export HOME=$home XDG_CONFIG_HOME=$home/config XDG_CACHE_HOME=$home/cache XDG_DATA_HOME=$home/data
export QT_QPA_PLATFORM=xcb LIBGL_ALWAYS_SOFTWARE=1 GALLIUM_DRIVER=llvmpipe
export QT_FONT_DPI=78 # smaller letters: the property panel shows its widgets whole
unset XAUTHORITY
openbox --sm-disable --config-file "$home/openbox.xml" >"$home/openbox.log" 2>&1 &
started+=($!)

# --dr: else the modal Welcome dialog waits for an answer. The macros are the steps in Python.
export PV_MACRO_PATH=$play VAE_GUI_FOLDER=$folder VAE_GUI_VOLUME=$volume
if [ -e "$play/play.xml" ]; then
  arguments=(--dr --exit --test-script="$play/play.xml")
else
  arguments=(--dr --script="$play/script.py")
fi
[ -z "${VAE_GUI_SERVER:-}" ] || arguments+=(--server-url="$VAE_GUI_SERVER")
status=0
LD_PRELOAD=${VAE_EVENT_LOOP_WATCH:-} timeout -k 5 "${VAE_GUI_TIMEOUT:-240}" \
  "${VAE_PARAVIEW:-paraview}" "${arguments[@]}" >"$log" 2>&1 &
started+=($!)
wait $! || status=$?
cat "$log"

[ $status = 0 ] || fail "ParaView ended with $status"
if grep -nE 'ERR\||WARN\||critical:|Traceback|[Ee]rror:' "$log"; then fail "ParaView reports errors"; fi
grep -q '^VAE GUI: every check passed' "$log" || fail "the checks did not run to their end"
pictures=0
for file in "$folder"/*.png; do
  [ -s "$file" ] || fail "no picture $file"
  colours=$(identify -format %k "$file")
  # An empty screen has one colour, ParaView's window some thousands.
  [ "$colours" -ge 1000 ] || fail "$file is blank: it has $colours colours"
  echo "$file: $colours colours"
  pictures=$((pictures + 1))
done
[ $pictures -gt 0 ] || fail "no picture was taken"
