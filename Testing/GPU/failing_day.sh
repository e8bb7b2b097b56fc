#!/usr/bin/env bash
# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# failing_day.sh [PYTHON]: what day.sh makes of programs that fail, crash and hang, by programs of this test
# that do so. The rest goes on, results are kept, and what failed is named.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$here/../checks.sh"

cat >"$work/vae_bench" <<'PROGRAM'
#!/usr/bin/env bash
case "$*" in
  "check cpu "*) echo 'vae_bench: Device is "odd"' >&2; exit 1 ;;
  "check thread "*) kill -SEGV $$ ;;
  "check "*) echo "{\"check\": \"$2\", \"passed\": true}" ;;
  train*) echo 'a warning'; echo '{"voxels_a_second": 2e6, "step_ms": 4, "first_step_ms": 9}'; sleep 1000 ;;
  *) echo '{"there": 1}' ;;
esac
PROGRAM
cat >"$work/TestModel" <<'PROGRAM'
#!/usr/bin/env bash
echo '[ RUN      ] A.Passes'; echo '[       OK ] A.Passes (1 ms)'; echo '[ RUN      ] A.Second'
[ "$GTEST_SHARD_INDEX" = 0 ] || { echo 'Aborted'; exit 134; }
echo '[  FAILED  ] A.Second (1 ms)'; echo '[  FAILED  ] 1 test, listed below:'; echo '[  FAILED  ] A.Second'; exit 1
PROGRAM
chmod +x "$work/vae_bench" "$work/TestModel"
status=0
"$here/day.sh" --tiny --device cpu --programs "$work" --python "${1:-python3}" --output "$work" --seconds 45 \
  >"$work/out.log" 2>&1 || status=$?
check "a step that failed is seen in the exit status" [ $status = 1 ]
check "its sentence is kept" has "$work/results.jsonl" '"step": "check cpu", "status": "failed"'
check "without what JSON does not allow" has "$work/results.jsonl" "\"why\": \"vae_bench: Device is 'odd'\""
check "a crash is a failure" has "$work/results.jsonl" '"step": "check thread", "status": "failed"'
check "and the next check is done" has "$work/results.jsonl" '"step": "check counts", "status": "done"'
check "a number that came before the time was up is kept" has "$work/results.jsonl" \
  '{"step": "train 8/16/1", "result": {"voxels_a_second": 2e6'
check "the time's end is said" has "$work/results.jsonl" '"why": "it took more than'
check "what came too late is skipped" has "$work/results.jsonl" '"why": "no time is left"'
check "a test that failed, and the one that a program ended in, are named" has "$work/results.md" \
  '| 2 | 1 | 0 | A.Second | A.Second: Aborted |'
check "the table has the numbers" has "$work/results.md" '| 8/16/1 | 2 | 4 | 9 |'
check "what failed is named at the end" has "$work/out.log" "check cpu: failed, vae_bench: Device is 'odd'"
exit $failed
