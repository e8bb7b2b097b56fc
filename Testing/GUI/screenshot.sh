#!/usr/bin/env bash
# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Train, reconstruct and generate from the menus of the real ParaView window, check the results and
# take pictures. CTest runs it; by hand:
#
#   ./dev run bash Testing/GUI/screenshot.sh OUTPUT.png [VOLUME]
#
# writes OUTPUT.png (the end), OUTPUT-menu.png, OUTPUT-train.png, OUTPUT-reconstruct.png and
# OUTPUT.log. Without VOLUME it takes a Wavelet. VAE_GUI_SECONDS: seconds to train (3).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
case "${1:-}" in ?*.png) ;; *) fail "usage: screenshot.sh OUTPUT.png [VOLUME]" ;; esac
[ -e "${PV_PLUGIN_PATH:-}/VAEPlugin.so" ] || fail "PV_PLUGIN_PATH is not the folder of VAEPlugin.so"

mkdir -p "$(dirname "$1")"
picture=$(cd "$(dirname "$1")" && pwd -P)/$(basename "$1")
log=${picture%.png}.log
rm -f "$picture" "${picture%.png}"-{menu,train,reconstruct}.png "$log"
volume=${2:+$(realpath -e "$2")}

# A home of its own: no settings, macros or window layout of the user's.
home=$(mktemp -d "${picture%.png}.XXXXXX")
started=()
finish() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait || true
  rm -rf "$home"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# Xvfb looks for a free display number itself and tells it.
mkfifo "$home/display"
exec 7<>"$home/display"
Xvfb -displayfd 7 -screen 0 1600x1000x24 -nolisten tcp >"$home/Xvfb.log" 2>&1 &
started+=($!)
read -r -t 30 display <&7 || { cat "$home/Xvfb.log" >&2; fail "Xvfb does not start"; }
exec 7>&-

# Menus and focus need a window manager; this one makes every main window as large as the screen.
cat >"$home/openbox.xml" <<'XML'
<openbox_config xmlns="http://openbox.org/3.4/rc"><applications>
  <application type="normal"><decor>no</decor><maximized>yes</maximized></application>
</applications></openbox_config>
XML
export HOME=$home XDG_CONFIG_HOME=$home/config XDG_CACHE_HOME=$home/cache XDG_DATA_HOME=$home/data
export DISPLAY=:$display QT_QPA_PLATFORM=xcb LIBGL_ALWAYS_SOFTWARE=1 GALLIUM_DRIVER=llvmpipe
export QT_FONT_DPI=78 # smaller letters: the property panel shows its widgets whole
unset XAUTHORITY
openbox --sm-disable --config-file "$home/openbox.xml" >"$home/openbox.log" 2>&1 &
started+=($!)

# --dr: else the modal Welcome dialog waits for an answer. The macros are the steps in Python.
export PV_MACRO_PATH=$here/macros VAE_GUI_PICTURE=$picture VAE_GUI_VOLUME=$volume
status=0
timeout -k 5 240 "${VAE_PARAVIEW:-paraview}" --dr --exit \
  --test-script="$here/filters_from_the_menu.xml" >"$log" 2>&1 &
started+=($!)
wait $! || status=$?
cat "$log"

[ $status = 0 ] || fail "ParaView ended with $status"
if grep -nE 'ERR\||WARN\||critical:|Traceback|[Ee]rror:' "$log"; then fail "ParaView reports errors"; fi
grep -q '^VAE GUI: every check passed' "$log" || fail "the checks did not run to their end"
for step in "" -menu -train -reconstruct; do
  file=${picture%.png}$step.png
  [ -s "$file" ] || fail "no picture $file"
  colours=$(identify -format %k "$file")
  # An empty screen has one colour, ParaView's window some thousands.
  [ "$colours" -ge 1000 ] || fail "$file is blank: it has $colours colours"
  echo "$file: $colours colours"
done
