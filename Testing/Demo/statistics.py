# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""Measure a volume, compare it with a reference, write tables as CSV and a picture of the charts.

    ./dev run pvpython Testing/Demo/statistics.py VOLUME [--reference VOLUME] [--output DIR]
        [--block-size VOXELS] [--permeability] [--metres-per-unit 1e-6]

tables(proxy) is what a script needs: every table of Microstructure Statistics as a dictionary of numpy
arrays.
"""
import argparse
import csv
import os
import sys
import time

import numpy
from paraview import servermanager
from paraview.simple import *
from vtkmodules.util.numpy_support import vtk_to_numpy

PORTS = ("Two-Point", "Two-Point Cluster", "Lineal Path", "Chords", "Pore Sizes", "Slices",
         "Local Porosity", "Cell Sizes", "Thresholds", "Measures")


def say(text):
    os.write(1, f"[statistics] {text}\n".encode())


def tables(proxy):
    """{port: {column: numpy array}}; the columns of text are lists."""
    proxy.UpdatePipeline()
    result = {}
    for i, port in enumerate(PORTS):
        table = servermanager.Fetch(proxy, idx=i)
        columns = {}
        for c in range(table.GetNumberOfColumns()):
            column = table.GetColumn(c)
            columns[column.GetName()] = (
                [column.GetValue(r) for r in range(column.GetNumberOfValues())]
                if column.IsA("vtkStringArray") else vtk_to_numpy(column))
        result[port] = columns
    return result


def write_csv(columns, path):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values()))


BLUE, ORANGE = (0.12, 0.35, 0.65), (0.85, 0.37, 0.05)


def chart(proxy, port, columns, title, bottom, compared, most=None, legend=False):
    """Curves of the volume (blue) and the reference (orange), with their bands (mean of the blocks plus
    and minus a standard deviation) in thin lines."""
    view = CreateView("XYChartView")
    shown = Show(OutputPort(proxy, PORTS.index(port)), view, "XYChartRepresentation")
    table = servermanager.Fetch(proxy, idx=PORTS.index(port))
    shown.UseIndexForXAxis = 0
    shown.XArrayName = table.GetColumnName(0)
    visible, labels, colours, thick, styles = [], [], [], [], []

    def add(name, label, colour, width, style="1"):
        if table.GetColumnByName(name) is None:
            return
        visible.append(name)
        labels.extend([name, label])
        colours.extend([name, *(str(v) for v in colour)])
        thick.extend([name, str(width)])
        styles.extend([name, style])

    for name in columns:
        for suffix, colour, who in (("", BLUE, "volume"), (" (reference)", ORANGE, "reference")):
            add(name + suffix, who if compared else name, colour, 3)
            add(f"{name} blocks low{suffix}", "blocks - s.d.", colour, 1, "2")
            add(f"{name} blocks high{suffix}", "blocks + s.d.", colour, 1, "2")
    shown.SeriesVisibility = visible
    shown.SeriesLabel = labels
    shown.SeriesColor = colours
    shown.SeriesLineThickness = thick
    shown.SeriesLineStyle = styles
    view.ChartTitle = title
    view.ChartTitleFontSize = 12
    view.BottomAxisTitle = bottom
    view.BottomAxisTitleFontSize = 11
    view.BottomAxisLabelFontSize = view.LeftAxisLabelFontSize = 10
    view.LegendFontSize = 10
    view.ShowLegend = int(legend)
    highest = max(numpy.nanmax(vtk_to_numpy(table.GetColumnByName(n))) for n in visible)
    view.LeftAxisUseCustomRange = 1
    view.LeftAxisRangeMinimum = 0
    view.LeftAxisRangeMaximum = 1.05 * highest
    if most:
        view.BottomAxisUseCustomRange = 1
        view.BottomAxisRangeMinimum = 0
        view.BottomAxisRangeMaximum = most
    return view


def scores_text(measures, score):
    lines = ["Score: 1 = blocks vary like", "those of the reference", "",
             f"{'ALL MEASURES':31}{score:6.2f}", ""]
    groups = {}
    for group, value in zip(measures["Group"], measures["Score"]):
        if group and numpy.isfinite(value):
            groups.setdefault(group, []).append(value)
    lines += [f"{group[:30]:31}{numpy.mean(values):6.2f}" for group, values in groups.items()]
    return "\n".join(lines)


def picture(proxy, data, compared, output):
    layout = CreateLayout("statistics")
    layout.SetSize(1800, 1100)
    lag = "distance"
    end = float(data["Two-Point"]["Lag"][-1]) * 0.6
    views = [
        chart(proxy, "Two-Point", ["S2 mean of axes"] if not compared else ["S2 x"],
              "Two-point probability S2", lag, compared, end, True),
        chart(proxy, "Two-Point Cluster", ["C2 x"], "Two-point cluster function C2", lag, compared, end),
        chart(proxy, "Lineal Path", ["L x"], "Lineal path L", lag, compared, end),
        chart(proxy, "Chords", ["Chord density x"], "Chord length density", "length", compared, end),
        chart(proxy, "Pore Sizes", ["Volume density (local thickness)"], "Pore size density",
              "diameter", compared),
        chart(proxy, "Local Porosity", ["Density mu"], "Local porosity distribution", "porosity",
              compared, 0.6),
        chart(proxy, "Cell Sizes", ["Percolating fraction p all axes"],
              "Fraction of cells that percolate", "edge of the cell", compared),
    ]
    text = CreateView("RenderView")
    text.UseColorPaletteForBackground = 0
    text.Background = [1, 1, 1]
    text.OrientationAxesVisibility = 0
    words = Text(Text=scores_text(data["Measures"], float(servermanager.Fetch(proxy, idx=9)
                 .GetFieldData().GetArray("Score").GetValue(0))) if compared else proxy.Summary)
    shown = Show(words, text)
    shown.Color = [0, 0, 0]
    shown.FontFamily = "Courier"
    shown.FontSize = 9 if compared else 14
    shown.WindowLocation = "Upper Left Corner"
    shown.Justification = "Left"
    views.append(text)
    # Two rows of four.
    layout.AssignView(0, views[0])
    below = layout.SplitVertical(0, 0.5)
    for first, row in ((layout.GetViewLocation(views[0]), views[:4]), (below + 1, views[4:])):
        cell = first
        for i, view in enumerate(row):
            if view is not views[0]:
                layout.AssignView(cell, view)
            if i + 1 < len(row):
                cell = layout.SplitHorizontal(layout.GetViewLocation(view), 1 / (len(row) - i)) + 1
    for view in views:
        Render(view)
    SaveScreenshot(output, layout, ImageResolution=[1800, 1100])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("volume")
    parser.add_argument("--reference")
    parser.add_argument("--output", default="vae-statistics")
    parser.add_argument("--block-size", type=int, default=0)
    parser.add_argument("--permeability", action="store_true")
    parser.add_argument("--metres-per-unit", type=float, default=1e-6)
    args = parser.parse_args()
    os.makedirs(args.output, exist_ok=True)

    def opened(path):
        volume = OpenDataFile(os.path.abspath(path))
        if volume is None:
            sys.exit(f"[statistics] error: ParaView cannot open {path}")
        volume.UpdatePipeline()
        return volume

    volume = opened(args.volume)
    reference = opened(args.reference) if args.reference else None
    began = time.time()
    statistics = MicrostructureStatistics(Input=volume, Reference=reference,
                                          BlockSize=args.block_size)
    data = tables(statistics)
    statistics.UpdatePropertyInformation()
    say(f"measured in {time.time() - began:.1f} s")
    if not data["Measures"]:
        sys.exit("[statistics] error: the measurement failed")
    print(statistics.Summary)
    for port, columns in data.items():
        if columns:
            write_csv(columns, os.path.join(args.output, port.lower().replace(" ", "_") + ".csv"))
    picture(statistics, data, reference is not None,
            os.path.abspath(os.path.join(args.output, "statistics.png")))
    if args.permeability:
        began = time.time()
        flow = MicrostructurePermeability(Input=volume, SpacingInMetres=args.metres_per_unit)
        flow.UpdatePipeline()
        flow.UpdatePropertyInformation()
        say(f"permeability in {time.time() - began:.1f} s")
        print(flow.Summary)
        SaveData(os.path.abspath(os.path.join(args.output, "convergence.csv")),
                 proxy=OutputPort(flow, 1))
    say(f"made {', '.join(sorted(os.listdir(args.output)))} in {os.path.abspath(args.output)}")


if __name__ == "__main__":
    main()
