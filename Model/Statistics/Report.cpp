// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Report.h"

#include "Measures.h"

namespace vae::statistics
{

const TableInfo& infoOf(Curves curves)
{
  static constexpr std::array<TableInfo, CurvesNumber> infos{ {
    { "Two-Point", "Lag", Unit::Length },
    { "Two-Point Cluster", "Lag", Unit::Length },
    { "Lineal Path", "Length", Unit::Length },
    { "Chords", "Length", Unit::Length },
    { "Pore Sizes", "Diameter", Unit::Length },
    { "Slices", "Position", Unit::Length },
    { "Local Porosity", "Porosity", Unit::None },
    { "Cell Sizes", "Edge", Unit::Length },
    { "Thresholds", "Threshold", Unit::None },
  } };
  return infos.at(static_cast<std::size_t>(curves));
}

double Report::operator[](const std::string& scalar) const
{
  for (const Scalar& s : this->scalars)
  {
    if (s.name == scalar)
    {
      return s.value;
    }
  }
  throw std::out_of_range("no scalar '" + scalar + "'");
}

void check(const StatisticsOptions& o, const Dims& dims)
{
  const std::int64_t side = smallestSide(dims);
  if (voxels(dims) < 1 || side < 4)
  {
    throw std::invalid_argument(
      "The input has " + toString(dims) + " voxels; sides longer than 1 must be at least 4");
  }
  vae::check(o);
  require("Maximum Lag", o.maximumLag, 0, static_cast<double>(side - 1));
  if (o.periodic && o.maximumLag > side / 2)
  {
    throw std::invalid_argument(
      outOfRange("Maximum Lag", o.maximumLag, 0, side / 2) + " for periodic data");
  }
  if (o.blockSize != 0 && (o.blockSize < 8 || o.blockSize > side))
  {
    throw std::invalid_argument(outOfRange("Block Size", o.blockSize, 8, side) + ", or 0");
  }
}

Report measureAll(const Mask& mask, const StatisticsOptions& options, const Radial& radial,
  Extent extent, const Work& work)
{
  constexpr double Shared = 0.28; // what the subject itself takes
  double whole = Shared;
  for (const Family* family : Families)
  {
    whole += family->share;
  }
  const Subject subject(mask, options, radial, extent, work.part(0, Shared / whole));
  Report report;
  Collector add(report);
  double done = Shared;
  for (const Family* family : Families)
  {
    const double next = done + family->share;
    family->measure(subject, add, work.part(done / whole, next / whole));
    done = next;
  }
  for (Table& table : report.tables)
  {
    if (!table.columns.empty())
    {
      square(table);
    }
  }
  work.report(1);
  return report;
}

Report measure(
  const Mask& mask, const StatisticsOptions& options, const Radial& radial, const Monitor& monitor)
{
  check(options, mask.dims);
  return measureAll(mask, options, radial, Extent::Volume, Work(options.threads, monitor));
}

} // namespace vae::statistics
