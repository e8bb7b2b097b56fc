// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Distances.h"

#include "Family.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>

namespace vae::statistics
{
namespace
{

constexpr int Divisions = 199, Directions = 64;
constexpr std::size_t FewestRows = 4;
constexpr std::int64_t MostBlocks = 128;

/// Of all rows of both samples, the first sample's first, in its standard deviations.
Features standardised(const Features& first, const Features& second)
{
  Features all(first.size() + second.size());
  for (std::size_t f = 0; !first.empty() && f < first.front().size(); ++f)
  {
    double sum = 0, squares = 0, n = 0;
    for (const auto& row : first)
    {
      if (std::isfinite(row[f]))
      {
        sum += row[f];
        squares += row[f] * row[f];
        ++n;
      }
    }
    const double mean = sum / n, variance = squares / n - mean * mean;
    if (!(variance > 1e-12 * mean * mean) || n < 2)
    {
      continue;
    }
    for (std::size_t i = 0; i < all.size(); ++i)
    {
      const double v = i < first.size() ? first[i][f] : second[i - first.size()][f];
      all[i].push_back(std::isfinite(v) ? (v - mean) / std::sqrt(variance) : 0);
    }
  }
  return all;
}

/// A distance of the rows whose sign is positive from those whose sign is negative. Features of
/// sign 0 have no part.
using Signs = std::vector<int>;

class KernelDistance
{
public:
  explicit KernelDistance(const Features& rows) : Number(rows.size()), Kernel(Number * Number)
  {
    std::vector<double> apart;
    for (std::size_t i = 0; i < this->Number; ++i)
    {
      for (std::size_t j = 0; j < i; ++j)
      {
        double square = 0;
        for (std::size_t f = 0; f < rows[i].size(); ++f)
        {
          square += (rows[i][f] - rows[j][f]) * (rows[i][f] - rows[j][f]);
        }
        this->Kernel[i * this->Number + j] = square;
        apart.push_back(square);
      }
    }
    const auto middle = apart.begin() + static_cast<std::ptrdiff_t>(apart.size() / 2);
    std::nth_element(apart.begin(), middle, apart.end());
    const double width = 2 * std::max(*middle, 1e-300);
    for (std::size_t i = 0; i < this->Number; ++i)
    {
      for (std::size_t j = 0; j < i; ++j)
      {
        double& k = this->Kernel[i * this->Number + j];
        k = std::exp(-k / width);
      }
    }
  }

  double operator()(const Signs& signs) const
  {
    double first = 0, second = 0, across = 0;
    for (std::size_t i = 0; i < this->Number; ++i)
    {
      for (std::size_t j = 0; j < i; ++j)
      {
        const double k = this->Kernel[i * this->Number + j];
        const int product = signs[i] * signs[j];
        across += product < 0 ? k : 0;
        (signs[i] > 0 ? first : second) += product > 0 ? k : 0;
      }
    }
    const auto n = static_cast<double>(std::count(signs.begin(), signs.end(), 1)),
               m = static_cast<double>(std::count(signs.begin(), signs.end(), -1));
    return 2 * first / (n * (n - 1)) + 2 * second / (m * (m - 1)) - 2 * across / (n * m);
  }

private:
  std::size_t Number;
  std::vector<double> Kernel; ///< below the diagonal
};

class SlicedDistance
{
public:
  SlicedDistance(const Features& rows, std::mt19937_64& random)
  {
    std::normal_distribution<double> normal;
    for (int d = 0; d < Directions; ++d)
    {
      std::vector<double> direction(rows.front().size());
      double square = 0;
      for (double& v : direction)
      {
        v = normal(random);
        square += v * v;
      }
      std::vector<std::pair<double, std::size_t>>& sorted = this->Sorted.emplace_back();
      for (std::size_t i = 0; i < rows.size(); ++i)
      {
        sorted.emplace_back(
          std::inner_product(direction.begin(), direction.end(), rows[i].begin(), 0.) /
            std::sqrt(square),
          i);
      }
      std::sort(sorted.begin(), sorted.end());
    }
  }

  /// The area between the two distribution functions, mean over the directions.
  double operator()(const Signs& signs) const
  {
    const auto n = static_cast<double>(std::count(signs.begin(), signs.end(), 1)),
               m = static_cast<double>(std::count(signs.begin(), signs.end(), -1));
    double sum = 0;
    for (const auto& sorted : this->Sorted)
    {
      double difference = 0, before = sorted.front().first;
      for (const auto& [at, row] : sorted)
      {
        sum += std::abs(difference) * (at - before);
        before = at;
        difference += signs[row] > 0 ? 1 / n : signs[row] < 0 ? -1 / m : 0;
      }
    }
    return sum / static_cast<double>(this->Sorted.size());
  }

private:
  std::vector<std::vector<std::pair<double, std::size_t>>> Sorted; ///< of each direction
};

template <typename F>
Distance distanceOf(const std::string& name, const F& distance, const Signs& signs,
  std::mt19937_64 random, const Work& work)
{
  Signs halves = signs;
  int half = 1;
  for (int& sign : halves)
  {
    sign = sign > 0 ? half : 0;
    half = sign == 0 ? half : -half;
  }
  Distance d{ name, distance(signs), distance(halves), 0 };
  std::vector<Signs> divisions;
  Signs shuffled = signs;
  for (int i = 0; i < Divisions; ++i)
  {
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    divisions.push_back(shuffled);
  }
  std::atomic<int> asFar{ 0 };
  work.forEach(Divisions,
    [&](std::int64_t i) { asFar += distance(divisions[static_cast<std::size_t>(i)]) >= d.value; });
  d.pValue = (1. + asFar) / (1. + Divisions);
  return d;
}

/// Each measure that is a number: the mean of its estimators and axes.
std::vector<std::pair<std::string, double>> numbersOf(const Report& report)
{
  std::vector<std::pair<std::string, double>> numbers;
  std::map<std::string, std::size_t> place;
  std::vector<double> count;
  for (const Scalar& s : report.scalars)
  {
    if (s.measure.empty())
    {
      continue;
    }
    const auto [at, isNew] = place.emplace(s.measure, numbers.size());
    if (isNew)
    {
      numbers.emplace_back(s.measure, 0.);
      count.push_back(0);
    }
    numbers[at->second].second += s.value;
    ++count[at->second];
  }
  for (std::size_t i = 0; i < numbers.size(); ++i)
  {
    numbers[i].second /= count[i];
  }
  return numbers;
}

/// Which voxels are measured.
std::vector<PhaseChoice> phasesOf(const std::vector<Volume>& volumes)
{
  std::set<double> values;
  double sum = 0;
  bool few = true;
  for (const std::vector<ChannelSummary>& volume : summarise(volumes))
  {
    const ChannelSummary& s = volume.front();
    values.insert(s.values.begin(), s.values.end());
    few = few && !s.values.empty();
    sum += s.mean;
  }
  const bool whole =
    std::all_of(values.begin(), values.end(), [](double v) { return v == std::nearbyint(v); });
  std::vector<PhaseChoice> phases;
  if (few && (values.size() <= 2 || (values.size() <= MostPhases && whole)))
  {
    for (const double v : values)
    {
      phases.push_back({ Phase::Label, v, inWords(v), "" });
    }
    phases.resize(phases.size() == 2 ? 1 : phases.size()); // the other says the same
  }
  else
  {
    phases.push_back({ Phase::Below, sum / static_cast<double>(volumes.size()), "", "" });
  }
  return phases;
}

Features featuresOf(const std::vector<Volume>& volumes, const std::vector<PhaseChoice>& phases,
  const Dims& block, const Work& work)
{
  const auto numberIn = [&](const Dims& dims)
  { return Dims{ dims[0] / block[0], dims[1] / block[1], dims[2] / block[2] }; };
  std::int64_t all = 0;
  for (const Volume& v : volumes)
  {
    all += voxels(numberIn(v.dims));
  }
  const std::int64_t wanted = std::min(MostBlocks, all);
  StatisticsOptions options;
  options.radial = options.cluster = options.localPercolation = false;
  Features features;
  std::int64_t before = 0; // blocks of the volumes that are done
  for (const Volume& v : volumes)
  {
    const Dims n = numberIn(v.dims);
    const std::size_t first = features.size();
    std::vector<Dims> origins;
    for (std::int64_t i = 0; i < voxels(n); ++i)
    {
      const std::int64_t number = before + i;
      if (number * wanted / all == (number + 1) * wanted / all)
      {
        continue;
      }
      const Dims at{ i % n[0], i / n[0] % n[1], i / n[0] / n[1] };
      origins.push_back(
        { at[0] * v.dims[0] / n[0], at[1] * v.dims[1] / n[1], at[2] * v.dims[2] / n[2] });
    }
    features.resize(first + origins.size());
    for (const PhaseChoice& phase : phases)
    {
      const Mask mask = maskOf(v, phase, work.quiet());
      work.quiet().forEach(static_cast<std::int64_t>(origins.size()), [&](std::int64_t i)
      {
        const auto at = static_cast<std::size_t>(i);
        const Report report =
          measureAll(boxOf(mask, origins[at], block), options, {}, Extent::Block, work.alone());
        for (const auto& [name, value] : numbersOf(report))
        {
          features[first + at].push_back(value);
        }
      });
    }
    before += voxels(n);
    work.report(static_cast<double>(before) / static_cast<double>(all));
  }
  return features;
}

} // namespace

std::vector<Distance> distances(
  const Features& first, const Features& second, std::uint64_t seed, const Work& work)
{
  const std::string kernel = "Maximum Mean Discrepancy", sliced = "Sliced Wasserstein Distance";
  const Features rows = standardised(first, second);
  if (std::min(first.size(), second.size()) < FewestRows || rows.empty() || rows.front().empty())
  {
    return { { kernel, Unknown, Unknown, Unknown }, { sliced, Unknown, Unknown, Unknown } };
  }
  Signs signs(rows.size(), -1);
  std::fill_n(signs.begin(), first.size(), 1);
  std::mt19937_64 random(seed);
  const SlicedDistance bySlices(rows, random);
  const Distance one = distanceOf(kernel, KernelDistance(rows), signs, random, work.part(0, 0.8));
  return { one, distanceOf(sliced, bySlices, signs, random, work.part(0.8, 1)) };
}

std::vector<Distance> blockDistances(const std::vector<Volume>& first,
  const std::vector<Volume>& second, const Dims& block, std::uint64_t seed, const Work& work)
{
  const std::vector<PhaseChoice> phases = phasesOf(first);
  const Features one = featuresOf(first, phases, block, work.part(0, 0.45)),
                 other = featuresOf(second, phases, block, work.part(0.45, 0.9));
  return distances(one, other, seed, work.part(0.9, 1));
}

} // namespace vae::statistics
