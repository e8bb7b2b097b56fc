// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Mask.h"
#include "Radial.h"

// All measures of a volume as tables and named numbers, and the comparison of two volumes.
namespace vae::statistics
{

/// What a number is in: the unit of the spacing to this power.
enum class Unit
{
  PerVolume = -3,
  PerArea = -2,
  PerLength = -1,
  None = 0,
  Length = 1,
  Area = 2
};

struct Column
{
  std::string name;
  std::vector<double> values = {};
  /// What the curve is where a volume has no value: 0 for a density, 1 for a cumulative
  /// distribution, NaN for what is then unknown.
  double beyond;
  /// Curves of one measure are compared together; empty: not compared.
  std::string measure = {};
  Unit unit = Unit::None;
};

/// A table for a line chart: the first column is the abscissa.
struct Table
{
  std::string name;
  std::vector<Column> columns;
};

/// The tables of a report, in this order.
enum class Curves
{
  TwoPoint,      ///< Lag; S2, variogram
  Cluster,       ///< Lag; C2
  LinealPath,    ///< Length; L
  Chords,        ///< Length; densities
  PoreSizes,     ///< Diameter; density, cumulative
  Slices,        ///< Position; porosity of slices
  LocalPorosity, ///< Porosity; mu and lambda of cells of one size
  CellSizes,     ///< Edge; mean and scatter of the porosity of cells, total percolation
  Thresholds,    ///< Threshold; Minkowski functionals (grey data)
  Number
};
inline constexpr std::size_t CurvesNumber = static_cast<std::size_t>(Curves::Number);

struct TableInfo
{
  const char* name;
  const char* abscissa; ///< name of the first column
  Unit unit;            ///< of the abscissa
};
const TableInfo& infoOf(Curves curves);

struct Scalar
{
  std::string name; ///< with the estimator where there is more than one
  double value;
  /// Numbers of one measure, by different estimators or along different axes, are compared
  /// together; empty: not compared, because it depends on the size of the volume.
  std::string measure;
  Unit unit = Unit::None;
};

struct Report
{
  std::array<Table, CurvesNumber> tables; ///< empty ones were not asked for
  std::vector<Scalar> scalars;
  /// \throws std::out_of_range
  double operator[](const std::string& scalar) const;
};

/// Computes S2 over the distance; not set: the column is left out.
using Radial =
  std::function<RadialS2(const Mask&, std::int64_t maximumLag, bool periodic, const Monitor&)>;

/// \throws std::invalid_argument naming the option that does not fit, its value and its range
void check(const StatisticsOptions& options, const Dims& dims);

/// Measure one phase by all families (Family.h). \throws std::invalid_argument, Stopped
Report measure(
  const Mask& mask, const StatisticsOptions& options, const Radial& radial, const Monitor& monitor);

/// Minkowski functionals and components of the voxels below each of `options.thresholds` values
/// spread evenly between the smallest and the largest one of grey data.
Table measureThresholds(const Volume& volume, const ChannelSummary& summary,
  const StatisticsOptions& options, const Work& work);

struct Interval
{
  double low = std::numeric_limits<double>::quiet_NaN(), high = low; ///< NaN: not known
};

/// One measure of two volumes. What has no meaning is NaN.
struct MeasureComparison
{
  std::string name;
  std::string measure;                    ///< that it belongs to
  double value = 0, mean = 0, stddev = 0; ///< of the volume; mean and scatter over its blocks
  double reference = 0, referenceMean = 0, referenceStddev = 0;
  /// |value - reference| / |reference|; of a curve the sum of the differences over the sum.
  double relativeError = 0;
  /// Of the normal distributions that fit the blocks' values (of a curve: mean over its abscissae;
  /// of a density: of the two distributions). 0 equal, 1 disjoint.
  double hellinger = 0;
  /// 1 + D / E|Y-Y'|, with the energy distance D = 2 E|X-Y| - E|X-X'| - E|Y-Y'| of blocks X of the
  /// volume and Y of the reference (Szekely and Rizzo 2013). 1: equal distributions; larger for any
  /// other, also for blocks that vary too little. Its unit is the mean difference of two blocks of
  /// the reference. A curve's is the sum over its abscissae. A volume scores 1 - 2 / n against
  /// itself, because its n blocks then are on both sides.
  double score = 0;
  /// 95 %, of 400 draws of the blocks (BlockBootstrap); NaN where the correlation is so long that
  /// no two blocks are independent.
  Interval scoreInterval = {};
};

struct ComparisonReport
{
  Report report;    ///< of the volume: columns and, beside each, those of the blocks (" mean",
                    ///< " low", " high": mean -+ standard deviation) and of the reference
  Report reference; ///< of the reference alone
  std::vector<MeasureComparison> comparisons; ///< empty without a reference
  double score = 0; ///< mean of the measures' scores, each a mean of its own
  Interval scoreInterval;
  std::int64_t blocks = 0, referenceBlocks = 0;
};

/// Measure a volume, its blocks of options.blockSize voxels, and a reference in the same way.
/// \param reference may be null
ComparisonReport measureAgainst(const Mask& mask, const Mask* reference,
  const StatisticsOptions& options, const Radial& radial, const Monitor& monitor);

} // namespace vae::statistics
