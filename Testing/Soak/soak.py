# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""./dev soak HOURS: ParaView's window and a pvserver with its client do what work.py does, for hours.
Prints resident memory, threads and descriptors of each each minute, and fails where they grow. A window's
memory also grows by what ParaView and OpenGL keep of each filter that was shown and deleted. So a second
window, the control, uses ParaView's own filters only; the first one may not grow by much more a round."""
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
MOST_OF_CONTROL = 1.5  # what the window may grow by in a round, over what the control grows by in one
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


def slope(values, places):
    """The median of the slopes of all pairs (Theil and Sen)."""
    pairs = [(b - a) / (y - x) for i, (x, a) in enumerate(zip(places, values))
             for y, b in zip(places[i + 1:], values[i + 1:]) if y > x]
    return statistics.median(pairs)


def rounds(name):
    try:
        with open(os.path.join(folder, name, f"{name}.rounds"), encoding="ascii") as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):  # none yet; being written
        return 0


def kept(rows):
    """The first quarter of the time does not count."""
    return rows[len(rows) // 4:]


def grown(name, rows, control):
    """Sentences about what grows. control: memory and rounds of the window without the plugin, or None."""
    found = []
    *columns, done = zip(*kept(rows))
    minutes = range(len(done))
    for what, values, allowed in zip(("resident memory (MiB)", "threads", "descriptors"), columns,
                                     (0.02 * statistics.median(columns[0]), 1, 1)):
        growth, unit = 60 * slope(values, minutes), "an hour"
        if control and values is columns[0]:
            growth, unit = slope(values, done), "a round"
            allowed = MOST_OF_CONTROL * max(slope(*control), 0)
        else:
            # What a slope so robust may be by the scatter of the values alone.
            noise = 60 * 2 * statistics.median(abs(v - statistics.median(values)) for v in values) / len(values)
            allowed = max(allowed, noise)
        print(f"{name}: {what} grow by {growth:+.2f} {unit}, at most {allowed:.2f} are allowed")
        if growth > allowed:
            found.append(f"{name}: {what} grow by {growth:.2f} {unit}, more than {allowed:.2f}")
    return found


def main():
    if 60 * arguments.hours < 8:
        sys.exit("soak needs 8 minutes (0.14 hours) at least, for a slope")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    watched = {"server": [], "window": [], "control": []}
    start("server", "pvserver", f"--server-port={port}")
    time.sleep(5)
    start("client", "pvpython", os.path.join(HERE, "work.py"), VAE_SOAK_PORT=str(port),
          VAE_SCRATCH=os.path.join(folder, "server"))
    start("window", "paraview", "--dr", "--script=" + os.path.join(HERE, "work.py"))
    start("control", "paraview", "--dr", "--script=" + os.path.join(HERE, "work.py"), VAE_SOAK_CONTROL="1",
          PV_PLUGIN_PATH="")
    begin = time.time()
    problems = []
    while time.time() - begin < 3600 * arguments.hours and not problems:
        time.sleep(60)
        for name, process in started.items():
            if process.poll() is not None:
                problems.append(f"{name} has ended with {process.returncode}; see {folder}/{name}.log")
            elif name in watched:
                watched[name].append((*of(process), rounds(name)))
                memory, threads, descriptors, done = watched[name][-1]
                print(f"{(time.time() - begin) / 60:6.0f} min  {name:7}  {memory:7.0f} MiB  {threads:3} threads"
                      f"  {descriptors:3} descriptors  {done:5} rounds", flush=True)
    if not problems:
        for name in watched:
            if rounds(name) == 0:
                problems.append(f"{name} has done no round; see {folder}/{name}.log")
    if not problems:
        memory, _, _, done = zip(*kept(watched["control"]))
        for name in ("server", "window"):
            problems += grown(name, watched[name], (memory, done) if name == "window" else None)
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
