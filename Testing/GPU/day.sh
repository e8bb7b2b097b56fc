#!/usr/bin/env bash
# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# All that a GPU has to show, in at most nine minutes: README.md beside this. Each step has a time
# limit, each result is a line of results.jsonl at once, and a step that fails does not stop the rest.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
tree=$(cd "$here/../.." && pwd -P)

usage() {
  cat <<'HELP'
usage: day.sh [--programs FOLDER] [--device cuda] [--output FOLDER] [--seconds 540] [--tiny]
       day.sh --pack BUILD FOLDER

  --programs  where vae_bench and TestModel are; default: bin, in the tree that this script is in
  --device    cpu, cuda or cuda:N
  --output    where results.jsonl, results.md and logs go; default gpu-day
  --seconds   of all; a step for which none are left is skipped
  --tiny      all steps at sizes for a test on a CPU, without limits of their own
  --preload   a library that is loaded before the programs' own: Testing/PretendedCuda's
  --python    a Python that has PyTorch; default python3
  --pack      copy this script and what it needs from a build folder to FOLDER, programs stripped
HELP
}

pack() { # build folder
  local build=$1 to=$2 file
  for file in Testing/GPU/day.sh Testing/GPU/results.py Testing/Benchmarks/peer.py Testing/Python/torch_layers.py; do
    mkdir -p "$to/$(dirname "$file")" && cp "$tree/$file" "$to/$file" || return 1
  done
  mkdir -p "$to/bin"
  for file in vae_bench TestModel; do
    strip -o "$to/bin/$file" "$build/bin/$file" || return 1
  done
  du -sh "$to"
}

programs=$tree/bin device=cuda output=gpu-day seconds=540 tiny="" preload="" python=python3
while [ $# -gt 0 ]; do
  case "$1" in
    --programs) programs=${2:?}; shift 2 ;;
    --device) device=${2:?}; shift 2 ;;
    --output) output=${2:?}; shift 2 ;;
    --seconds) seconds=${2:?}; shift 2 ;;
    --preload) preload=${2:?}; shift 2 ;;
    --python) python=${2:?}; shift 2 ;;
    --tiny) tiny=1; shift ;;
    --pack) pack "${2:?}" "${3:?}"; exit ;;
    *) usage >&2; exit 2 ;;
  esac
done
[ -x "$programs/vae_bench" ] || { echo "there is no vae_bench in $programs" >&2; exit 2; }
mkdir -p "$output/logs" || exit 2
results=$output/results.jsonl
: >"$results"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---------------------------------------------------------------- steps

quoted() { tr -d '\000-\037\\' | tr '"' "'" | cut -c1-400; }

# name, most seconds, command: each line of JSON that it prints is a result of this step.
step() {
  local name=$1 limit=$2 left=$((seconds - SECONDS)) status why="" log code begin=$SECONDS
  shift 2
  log=$output/logs/$(tr -c 'A-Za-z0-9.\n' '-' <<<"$name").log
  if [ "$left" -lt 2 ]; then
    status=skipped why="no time is left"
  else
    [ "$limit" -le "$left" ] && [ -z "$tiny" ] || limit=$left
    timeout -k 3 "$limit" "$@" 2>"$log" | while IFS= read -r line; do
      case "$line" in
        '{'*'}') printf '{"step": "%s", "result": %s}\n' "$name" "$line" >>"$results" ;;
        *) printf '%s\n' "$line" >>"$log" ;;
      esac
    done
    code=${PIPESTATUS[0]}
    case $code in
      0) status='done' ;;
      77) status=skipped why="it is not there" ;;
      124|137) status=failed why="it took more than $limit s" ;;
      *) status=failed why=$({ grep '^vae_bench: ' "$log" || tail -n 1 "$log"; } | head -n 1 | quoted)
        why=${why:-it ended with $code} ;;
    esac
  fi
  printf '{"step": "%s", "status": "%s", "seconds": %d, "why": "%s"}\n' \
    "$name" "$status" $((SECONDS - begin)) "$why" >>"$results"
  printf '%4d s  %-7s  %s  %s\n' "$SECONDS" "$status" "$name" "$why"
}

# Our programs, with the LibTorch of Python's torch where that which they were linked with is not here.
launch=(env ${preload:+LD_PRELOAD="$preload"})
if ldd "$programs/vae_bench" | grep -q 'libtorch.*not found'; then
  launch+=(LD_LIBRARY_PATH="$("$python" -c 'import os, torch; print(os.path.join(torch.__path__[0], "lib"))')")
fi
bench() { # name, most seconds, arguments of vae_bench
  local name=$1 limit=$2
  shift 2
  step "$name" "$limit" "${launch[@]}" "$programs/vae_bench" "$@"
}
peer() { # name, most seconds, arguments
  local name=$1 limit=$2
  shift 2
  step "$name" "$limit" "$python" "$tree/Testing/Benchmarks/peer.py" "$@"
}

export VAE_BENCH_DEVICE=$device
export TORCHINDUCTOR_CACHE_DIR=$work/inductor TRITON_CACHE_DIR=$work/triton
cores=$(nproc)
model=$work/model.safetensors
if [ -n "$tiny" ]; then
  export VAE_BENCH_SECONDS=0.05 VAE_BENCH_PRECISION=float32 OMP_NUM_THREADS=2
  volume=64 steps=20 edges="16 24 32" tile=64 memory=128 counts=16 shards=2
  shapes="8/16/1 8/16/2 16/16/2" trained=8/16/2 some='--gtest_filter=TileSize.*:ForEachTile.*:Blocks.*'
else
  export VAE_BENCH_SECONDS=2
  volume=128 steps=50 edges="256 512 1024" tile=1024 memory=512 counts=100 shards=$cores
  # What the CPU has; what layers of twice the width make of it; what a GPU is to have.
  shapes="32/48/2 64/64/4 64/64/16" trained=32/48/2 some="--gtest_filter=-Objectives.AreThoseThatTheXml*"
fi

# ---------------------------------------------------------------- what is done

step "machine" 60 "$python" "$here/results.py" machine
bench "library" 60 describe

# The tests, in shards, beside the compilation of what is measured later.
tests() {
  local i shape pids=() limit=110 left=$((seconds - SECONDS))
  [ $limit -le $left ] && [ -z "$tiny" ] || limit=$left
  rm -f "$output"/logs/tests-*.log
  if [ -x "$programs/TestModel" ]; then
    for ((i = 0; i < shards; ++i)); do
      GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$i VAE_TEST_DEVICE=$device OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive \
        timeout -k 3 $limit "${launch[@]}" "$programs/TestModel" --gtest_color=no "$some" \
        >"$output/logs/tests-$i.log" 2>&1 &
      pids+=($!)
    done
  fi
  if [ "$device" != cpu ]; then
    for shape in $shapes; do
      VAE_BENCH_SECONDS=0 timeout -k 3 $limit "$python" "$tree/Testing/Benchmarks/peer.py" train compiled $volume "$shape" \
        >/dev/null 2>&1 &
      pids+=($!)
    done
  fi
  [ ${#pids[@]} = 0 ] || wait "${pids[@]}"
}
tests
step "tests" 20 "$python" "$here/results.py" tests "$output"/logs/tests-*.log

bench "check train" 60 check train "$model" $volume $trained $steps
bench "check graph" 40 check graph "$model" $volume $trained $steps
bench "check cpu" 40 check cpu "$model" $volume
bench "check thread" 30 check thread "$model" $volume
bench "check counts" 30 check counts "$model" $counts
bench "check memory" 40 check memory "$model" $memory
bench "check tiles" 50 check tiles "$model" $tile

for shape in $shapes; do
  bench "train $shape" 25 train $volume "$shape"
  VAE_CUDA_GRAPHS=1 bench "train $shape graph" 25 train $volume "$shape"
  for how in default tuned compiled; do
    peer "train $shape PyTorch $how" 40 train $how $volume "$shape"
  done
done

for edge in $edges; do
  bench "generate $edge learned" 80 stages "$edge" learned "$model"
done
bench "profile train" 30 profile train "$model" $volume $trained
bench "profile generate" 30 profile generate "$model" "${edges%% *}"
for edge in $edges; do
  bench "generate $edge random" 60 stages "$edge" random "$model"
done

"$python" "$here/results.py" tables "$results" >"$output/results.md"
status=$?
echo "wrote $output/results.md"
exit $status
