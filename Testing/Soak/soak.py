# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""./dev soak HOURS: ParaView's window and a pvserver with its client do what work.py does, for hours.
Prints resident memory, threads and descriptors of each each minute, and fails where they grow."""
import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser()
parser.add_argument("hours", type=float)
parser.add_argument("--build", required=True, help="the build folder")
parser.add_argument("--plugin", required=True, help="VAEPlugin.so")
arguments = parser.parse_args()
folder = os.path.join(arguments.build, "soak")
shutil.rmtree(folder, ignore_errors=True)
started = {}


def start(name, *command, **environment):
    scratch = os.path.join(folder, name)
    os.makedirs(scratch)
    with open(os.path.join(folder, name + ".log"), "wb") as log:
        started[name] = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "LIBGL_ALWAYS_SOFTWARE": "1", "VAE_SCRATCH": scratch, "HOME": scratch,
                 "VAE_PLUGIN": arguments.plugin, "PV_PLUGIN_PATH": os.path.dirname(arguments.plugin),
                 **environment})


def of(process):
    """Resident MiB, threads, descriptors."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    return (int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]),
            len(os.listdir(f"/proc/{process.pid}/fd")))


def slope(values):
    """An hour's growth: the median of those of all pairs (Theil and Sen)."""
    pairs = [(b - a) / (j - i) for i, a in enumerate(values) for j, b in enumerate(values) if i < j]
    return 60 * statistics.median(pairs)


def rounds(name):
    try:
        with open(os.path.join(folder, name, f"{name}.rounds"), encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return "0"


def grown(name, rows):
    """Sentences about what grows. The first quarter of the time does not count."""
    kept = rows[len(rows) // 4:]
    found = []
    for what, values, allowed in zip(("resident memory (MiB)", "threads", "descriptors"), zip(*kept),
                                     (0.02 * statistics.median(r[0] for r in kept), 1, 1)):
        growth = slope(values)
        # What a slope so robust may be by the scatter of the values alone.
        noise = 60 * 2 * statistics.median(abs(v - statistics.median(values)) for v in values) / len(values)
        print(f"{name}: {what} grow by {growth:+.2f} an hour")
        if growth > max(allowed, noise):
            found.append(f"{name}: {what} grow by {growth:.2f} an hour, more than {max(allowed, noise):.2f}")
    return found


def main():
    if 60 * arguments.hours < 8:
        sys.exit("soak needs 8 minutes (0.14 hours) at least, for a slope")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    watched = {"server": [], "window": []}
    start("server", "pvserver", f"--server-port={port}")
    time.sleep(5)
    start("client", "pvpython", os.path.join(HERE, "work.py"), VAE_SOAK_PORT=str(port),
          VAE_SCRATCH=os.path.join(folder, "server"))
    start("window", "paraview", "--dr", "--script=" + os.path.join(HERE, "work.py"))
    begin = time.time()
    problems = []
    while time.time() - begin < 3600 * arguments.hours and not problems:
        time.sleep(60)
        for name, process in started.items():
            if process.poll() is not None:
                problems.append(f"{name} has ended with {process.returncode}; see {folder}/{name}.log")
            elif name in watched:
                watched[name].append(of(process))
                memory, threads, descriptors = watched[name][-1]
                print(f"{(time.time() - begin) / 60:6.0f} min  {name:6}  {memory:7.0f} MiB  {threads:3} threads"
                      f"  {descriptors:3} descriptors  {rounds(name):>5} rounds", flush=True)
    if not problems:
        for name, rows in watched.items():
            problems += grown(name, rows)
            if rounds(name) == "0":
                problems.append(f"{name} has done no round; see {folder}/{name}.log")
    for problem in problems:
        print("FAILED:", problem)
    sys.exit(bool(problems))


try:
    main()
finally:
    for process in started.values():
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
