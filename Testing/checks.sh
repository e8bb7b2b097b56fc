# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# For tests in bash, which source it, and end with `exit $failed`.
failed=0
check() { # sentence command...
  local what=$1
  shift
  if "$@"; then echo "ok      $what"; else echo "FAILED  $what"; failed=1; fi
}
has() { grep -qF -- "$2" "$1"; } # file, text
lacks() { ! has "$1" "$2"; }
