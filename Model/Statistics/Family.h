// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Components.h"
#include "Minkowski.h"
#include "Report.h"

// What a family of measures is made of. A family is one file in Measures/, named in the list of
// Model/CMakeLists.txt, whose order is that of the report:
//
//   const Family measures::Name{ .share = 0.05,
//     .measure = [](const Subject& s, Collector& add, const Work& work) {
//       add.scalar({ "Name of the Number", Unit::PerLength }, value);
//       add.curve({ Curves::TwoPoint, "Name of the curve" }, values);
//     } };
namespace vae::statistics
{

inline constexpr double Unknown = std::numeric_limits<double>::quiet_NaN();
inline const std::array<std::string, 3> AxisName{ "x", "y", "z" };

/// Whether a whole volume is measured or one of its blocks, which leaves out what takes long or
/// means nothing in a part.
enum class Extent
{
  Volume,
  Block
};

/// The phase that is measured, and what several families need of it.
class Subject
{
public:
  Subject(const Mask& mask, const StatisticsOptions& options, const Radial& radial, Extent extent,
    const Work& work);

  const Mask& mask;
  const StatisticsOptions& options;
  const Radial& radial; ///< may be empty
  const Extent extent;

  const std::vector<int> axes; ///< with more than one voxel
  const double unit;           ///< the smallest spacing: the step of all curves over a length
  const double voxel;          ///< volume of a voxel
  const double total;          ///< number of voxels
  const std::int64_t lags;     ///< the largest lag in voxels
  const std::int64_t pores;    ///< voxels of the phase
  const double porosity;
  const std::array<std::vector<double>, 3> profiles; ///< porosity of the slices along each axis
  const PairCounts pairs;
  const Runs runs;
  const Configurations configurations;
  const Minkowski minkowski;
  const Components components;
  /// Slope of S2 at lag 0, mean of the axes: over one lag, and by least squares over lags 0 to 4
  /// with the value at 0 held (Mosser, Dubrule and Blunt 2017).
  double slopeAtLag1 = 0, slopeFitted = 0;

  double volume() const { return this->total * this->voxel; }
  /// " (6)": the connectivity, as part of a name
  std::string kind() const;

  /// For each axis curve(axis, lag in voxels) for lags 0 to `lags`, read at multiples of `unit`.
  template <typename Curve>
  std::vector<std::vector<double>> overLags(Curve&& curve) const;
};

/// Whether a number is compared with the reference's and counts in the score.
enum class Verdict
{
  Counts,
  Shown ///< it depends on the size of the volume
};

/// Takes what families measure into a report.
class Collector
{
public:
  explicit Collector(Report& report) : To(report) {}

  /// Its measure is the name without the axis and the estimator.
  struct Number
  {
    std::string name; ///< with the estimator in brackets where there is more than one
    Unit unit = Unit::None;
    Verdict verdict = Verdict::Counts;
  };
  void scalar(const Number& number, double value);

  struct Curve
  {
    Curves table;
    std::string name;
    Unit unit = Unit::None;
    double beyond = Unknown;  ///< see Column
    std::string measure = {}; ///< see Column
  };
  void curve(const Curve& curve, std::vector<double> values);
  /// A curve for each axis, and their mean without a measure.
  void curves(
    const Curve& curve, const Subject& subject, const std::vector<std::vector<double>>& values);

  /// The longest one that is given to a table stays.
  void abscissa(Curves table, std::vector<double> values);

private:
  Table& at(Curves table);
  Report& To;
};

/// Measures that are made of the same counts.
struct Family
{
  double share; ///< of the time that all families take, for the progress
  void (*measure)(const Subject& subject, Collector& add, const Work& work);
};

/// Measure a phase by all families.
Report measureAll(const Mask& mask, const StatisticsOptions& options, const Radial& radial,
  Extent extent, const Work& work);

/// The largest lag in voxels: as asked for, or half the smallest side and at most 100.
std::int64_t lagsOf(const StatisticsOptions& options, const Dims& dims);

/// "Block Size is 7; it must be in [8, 32]"
std::string outOfRange(const char* name, std::int64_t value, std::int64_t low, std::int64_t high);

/// Columns of equal length, as long as the abscissa.
void square(Table& table);

/// 0, unit, 2 unit, ...
std::vector<double> multiples(std::size_t number, double unit);

/// A curve known at 0, step, 2 step, ... read at 0, unit, 2 unit, ...: as it is where they agree.
std::vector<double> resample(const std::vector<double>& curve, double step, double unit);

/// Mean of the axes' curves, where all are known.
std::vector<double> meanOf(const std::vector<std::vector<double>>& curves);

template <typename Curve>
std::vector<std::vector<double>> Subject::overLags(Curve&& curve) const
{
  std::vector<std::vector<double>> values;
  for (const int axis : this->axes)
  {
    std::vector<double> v;
    for (std::int64_t r = 0; r <= this->lags; ++r)
    {
      v.push_back(curve(static_cast<std::size_t>(axis), r));
    }
    values.push_back(resample(v, this->mask.spacing[static_cast<std::size_t>(axis)], this->unit));
  }
  return values;
}

} // namespace vae::statistics
