# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Microstructure Statistics beside PoreSpy, on the same volume, one after the other.

    python3 Testing/Benchmarks/porespy_statistics.py VOLUME.mhd [--size 256] [--repeat 3]

Run it by a Python that has porespy (and is not pvpython: each has its own packages); it calls
./dev run pvpython itself. VOLUME.mhd: MetaImage of one byte a voxel, 0 is the pore. --size takes that
many voxels along each axis from the origin. Times are the best of --repeat; the machine must be idle.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
OFF = {"Radial": 0, "Cluster": 0, "PoreSize": 0, "LocalPercolation": 0}
RUNS = {"lines": OFF, "lines and radial S2": {**OFF, "Radial": 1},
        "lines and pore sizes": {**OFF, "PoreSize": 1}, "everything but transport": {}}


def ours(path, repeat):
    """In pvpython: the times of four settings, and the curves."""
    import resource

    from paraview import servermanager
    from paraview.simple import MicrostructureStatistics, OpenDataFile
    from vtkmodules.util.numpy_support import vtk_to_numpy

    volume = OpenDataFile(path)
    volume.UpdatePipeline()
    warm = MicrostructureStatistics(Input=volume, MaximumLag=8, **{**OFF, "Radial": 1})
    warm.UpdatePipeline()  # LibTorch is opened at first use
    result = {"seconds": {}}
    for name, options in RUNS.items():
        best = float("inf")
        for i in range(repeat):
            filter = MicrostructureStatistics(Input=volume, **options)
            began = time.time()
            filter.UpdatePipeline()
            best = min(best, time.time() - began)
        result["seconds"][name] = best
    for port, column in ((0, "Lag"), (0, "S2 radial"), (0, "S2 x"), (2, "L x"), (4, "Diameter"),
                         (4, "Volume density (local thickness)")):
        table = servermanager.Fetch(filter, idx=port)
        result[column] = list(vtk_to_numpy(table.GetColumnByName(column)))
    fields = servermanager.Fetch(filter, idx=9).GetFieldData()
    for name in ("Porosity", "Mean Chord (Interior, x)", "Mean Pore Diameter (Local Thickness)"):
        result[name] = fields.GetArray(name).GetValue(0)
    result["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return result


def read(path):
    import numpy

    with open(path, encoding="utf-8") as file:
        head = dict(re.match(r"(\w+)\s*=\s*(.*)", line).groups() for line in file if "=" in line)
    data = os.path.join(os.path.dirname(path), head["ElementDataFile"].strip())
    with open(data, "rb") as file:
        raw = file.read()
    if head.get("CompressedData", "").strip() == "True":
        raw = zlib.decompress(raw)
    dims = [int(n) for n in head["DimSize"].split()]
    return numpy.frombuffer(raw, numpy.uint8).reshape(dims[::-1])


def porespy(pore, repeat):
    import numpy
    import porespy as ps

    ps.settings.tqdm["disable"] = True
    result = {"seconds": {}, "version": ps.__version__}

    def timed(name, call):
        best = float("inf")
        for _ in range(repeat):
            began = time.time()
            value = call()
            best = min(best, time.time() - began)
        result["seconds"][name] = best
        return value

    # Axis 2 of [z, y, x] is our x. Its numba functions are compiled before they are timed.
    small = pore[:48, :48, :48]
    ps.filters.local_thickness(small, smooth=False)
    correlation = timed("two_point_correlation",
                        lambda: ps.metrics.two_point_correlation(pore, bins=numpy.arange(0, 102)))
    result["distance"] = list(map(float, correlation.bin_centers))
    result["probability"] = list(map(float, correlation.probability_scaled))
    path = timed("lineal path, 1 axis",
                 lambda: ps.filters.distance_transform_lin(pore, axis=2, mode="forward"))
    # A voxel whose distance from where its run began is more than r ends a segment of r steps.
    result["L"] = [float(numpy.mean(path[:, :, r:] > r)) for r in range(0, 41, 5)]

    def chords():
        image = ps.filters.apply_chords(pore, axis=2, spacing=1, trim_edges=True)
        counts = ps.metrics.chord_counts(image)  # of every other row along y and z
        ps.metrics.chord_length_distribution(image, bins=numpy.arange(1, 100))
        return counts

    result["chord"] = float(numpy.mean(timed("chords, 1 axis", chords)))

    def sizes():
        thickness = ps.filters.local_thickness(pore, smooth=False)
        ps.metrics.pore_size_distribution(thickness, bins=numpy.arange(0, 40), log=False)
        return thickness

    thickness = timed("local thickness and pore sizes", sizes)
    # PoreSpy rounds radii down to whole voxels, ours are exact: half a voxel between the means.
    result["diameter"] = float(2 * thickness[pore].mean())
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("volume")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--ours", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.ours:
        with open(args.ours, "w", encoding="utf-8") as file:
            json.dump(ours(args.volume, args.repeat), file)
        return
    import numpy

    n = args.size
    voxels = numpy.ascontiguousarray(read(args.volume)[:n, :n, :n])
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as folder:
        voxels.tofile(os.path.join(folder, "volume.raw"))
        header = os.path.join(folder, "volume.mhd")
        with open(header, "w", encoding="utf-8") as file:
            file.write("ObjectType = Image\nNDims = 3\nElementSpacing = 1 1 1\n"
                       f"DimSize = {' '.join(map(str, voxels.shape[::-1]))}\n"
                       "ElementType = MET_UCHAR\nElementDataFile = volume.raw\n")
        out = os.path.join(folder, "ours.json")
        dev = os.path.join(HERE, "..", "..", "dev")
        subprocess.run([dev, *os.environ.get("VAE_DEV_OPTIONS", "").split(), "run", "pvpython",
                        os.path.abspath(__file__), header, "--repeat", str(args.repeat), "--ours", out],
                       check=True, stdout=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as file:
            mine = json.load(file)
    theirs = porespy(voxels == 0, args.repeat)
    print(f"{'x'.join(map(str, voxels.shape[::-1]))} voxels, load {os.getloadavg()[0]:.2f}, "
          f"PoreSpy {theirs['version']}")
    for who, result in (("ours", mine), ("PoreSpy", theirs)):
        for name, seconds in result["seconds"].items():
            print(f"{who:8} {name:34} {seconds:8.2f} s")
    total = sum(theirs["seconds"].values())
    print(f"PoreSpy together {total:.2f} s, {total / mine['seconds']['everything but transport']:.1f} "
          f"times everything of ours; peak memory of ours {mine['memory']:.2f} GiB")
    print("values, ours and PoreSpy's:")
    distance, probability = theirs["distance"], theirs["probability"]
    for r in (2, 5, 10, 20, 50):
        print(f"  S2({r})  {mine['S2 radial'][r]:.6f}  {numpy.interp(r, distance, probability):.6f}")
    for i, value in enumerate(theirs["L"]):
        print(f"  L({5 * i})  {mine['L x'][5 * i]:.6f}  {value:.6f}")
    print(f"  mean chord x  {mine['Mean Chord (Interior, x)']:.4f}  {theirs['chord']:.4f}")
    print(f"  mean pore diameter  {mine['Mean Pore Diameter (Local Thickness)']:.4f}  "
          f"{theirs['diameter']:.4f}")


if __name__ == "__main__":
    main()
