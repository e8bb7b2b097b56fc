// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Stationarity.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <limits>
#include <random>

namespace vae::statistics
{
namespace
{

constexpr double None = std::numeric_limits<double>::quiet_NaN();
constexpr double Alike = 0.1;      ///< correlation, see correlationLengths()
constexpr int Exchanges = 999;     ///< random ones, see stationarity()
constexpr double Relevant = 0.25;  ///< change of a mean, of its level
constexpr std::size_t Fewest = 12; ///< blocks that tell something

std::int64_t indexOf(const Dims& at, const Dims& dims)
{
  return (at[2] * dims[1] + at[1]) * dims[0] + at[0];
}

Dims placeOf(std::int64_t index, const Dims& dims)
{
  return { index % dims[0], index / dims[0] % dims[1], index / dims[0] / dims[1] };
}

/// `out.size()` values from a voxel on, `step` voxels apart; NaN where there are none.
void readLine(const Quantity& q, std::int64_t first, std::int64_t step, std::vector<double>& out)
{
  dispatch(q.channel.type, [&](auto t)
  {
    const auto* data = static_cast<const decltype(t)*>(q.channel.data);
    for (std::size_t i = 0; i < out.size(); ++i)
    {
      const std::int64_t at = first + static_cast<std::int64_t>(i) * step;
      const auto v = static_cast<double>(data[at * q.channel.stride]);
      out[i] = std::isfinite(v) ? (v - q.offset) / q.scale : None;
    }
  });
  if (!q.mask.data)
  {
    return;
  }
  dispatch(q.mask.type, [&](auto t)
  {
    const auto* data = static_cast<const decltype(t)*>(q.mask.data);
    for (std::size_t i = 0; i < out.size(); ++i)
    {
      const std::int64_t at = first + static_cast<std::int64_t>(i) * step;
      out[i] = data[at * q.mask.stride] == decltype(t){} ? None : out[i];
    }
  });
}

struct Sum
{
  double sum = 0, number = 0;
  void add(double v)
  {
    this->sum += std::isfinite(v) ? v : 0;
    this->number += std::isfinite(v);
  }
  double mean() const { return this->number > 0 ? this->sum / this->number : None; }
};

/// row(values, place of the first, axis) of a box, a few of its rows if it has many.
template <typename Row>
void forRows(const Quantity& q, const Dims& origin, const Dims& size, std::int64_t rows, Row&& row)
{
  std::size_t along = 0;
  while (along < 2 && q.dims[along] == 1)
  {
    ++along;
  }
  const std::size_t b = (along + 1) % 3, c = (along + 2) % 3;
  Dims step{ 1, 1, 1 };
  for (std::size_t a = 0; a < along; ++a)
  {
    step[along] *= q.dims[a];
  }
  step[b] = std::max<std::int64_t>(1, size[b] / rows);
  step[c] = std::max<std::int64_t>(1, size[c] / rows);
  std::vector<double> values(static_cast<std::size_t>(size[along]));
  for (std::int64_t j = 0; j < size[c]; j += step[c])
  {
    for (std::int64_t i = 0; i < size[b]; i += step[b])
    {
      Dims at = origin;
      at[b] += i;
      at[c] += j;
      readLine(q, indexOf(at, q.dims), step[along], values);
      row(values, at, along);
    }
  }
}

/// Boxes in rows along each axis.
struct Boxes
{
  Dims number{ 1, 1, 1 }, size{ 1, 1, 1 }, pitch{ 1, 1, 1 }, first{ 0, 0, 0 };

  Dims origin(std::int64_t i) const
  {
    const Dims at = placeOf(i, this->number);
    Dims origin;
    for (std::size_t a = 0; a < 3; ++a)
    {
      origin[a] = this->first[a] + at[a] * this->pitch[a];
    }
    return origin;
  }
};

/// Half of the side along each axis; what is left at the end belongs to none.
Boxes halves(const Dims& dims)
{
  Boxes boxes;
  for (std::size_t a = 0; a < 3; ++a)
  {
    boxes.number[a] = dims[a] >= 16 ? 2 : 1;
    boxes.size[a] = boxes.pitch[a] = dims[a] / boxes.number[a];
  }
  return boxes;
}

/// A straight fit to the values of a box: what is left has no trend.
class Fit
{
public:
  Fit(const Quantity& q, const Dims& origin, const Dims& size)
  {
    Sum sum;
    std::array<Sum, 3> places, squares, products;
    forRows(q, origin, size, 8, [&](const std::vector<double>& row, Dims at, std::size_t along)
    {
      for (const double v : row)
      {
        sum.add(v);
        for (std::size_t a = 0; a < 3 && std::isfinite(v); ++a)
        {
          const auto x = static_cast<double>(at[a] - origin[a]);
          places[a].add(x);
          squares[a].add(x * x);
          products[a].add(x * v);
        }
        ++at[along];
      }
    });
    this->Mean = sum.mean();
    for (std::size_t a = 0; a < 3; ++a)
    {
      const double x = places[a].mean(), variance = squares[a].mean() - x * x;
      this->Middle[a] = static_cast<double>(origin[a]) + x;
      this->Slope[a] = variance > 0 ? (products[a].mean() - x * this->Mean) / variance : 0;
    }
  }
  double at(const Dims& place) const
  {
    double value = this->Mean;
    for (std::size_t a = 0; a < 3; ++a)
    {
      value += this->Slope[a] * (static_cast<double>(place[a]) - this->Middle[a]);
    }
    return value;
  }

private:
  double Mean = 0;
  std::array<double, 3> Middle{}, Slope{};
};

/// Correlation about the fits to the halves, for lags 0, 1, ... of up to a half of them.
std::vector<double> correlation(
  const Quantity& q, std::size_t axis, const Boxes& boxes, const std::vector<Fit>& fits)
{
  constexpr std::int64_t Lines = 16; // along each of the other axes
  const std::size_t b = (axis + 1) % 3, c = (axis + 2) % 3;
  const std::int64_t window = boxes.size[axis];
  std::int64_t step = 1;
  for (std::size_t a = 0; a < axis; ++a)
  {
    step *= q.dims[a];
  }
  std::vector<Sum> products(static_cast<std::size_t>(window / 2) + 1);
  std::vector<double> values(static_cast<std::size_t>(window));
  for (std::int64_t i = 0; i < voxels(boxes.number); ++i)
  {
    const std::int64_t nb = std::max<std::int64_t>(
                         1, std::min(boxes.size[b], Lines / boxes.number[b])),
                       nc = std::max<std::int64_t>(
                         1, std::min(boxes.size[c], Lines / boxes.number[c]));
    for (std::int64_t line = 0; line < nb * nc; ++line)
    {
      Dims at = boxes.origin(i);
      at[b] += (2 * (line % nb) + 1) * boxes.size[b] / (2 * nb);
      at[c] += (2 * (line / nb) + 1) * boxes.size[c] / (2 * nc);
      readLine(q, indexOf(at, q.dims), step, values);
      for (double& v : values)
      {
        v -= fits[static_cast<std::size_t>(i)].at(at);
        ++at[axis];
      }
      for (std::size_t r = 0; r < products.size(); ++r)
      {
        for (std::size_t x = 0; x + r < values.size(); ++x)
        {
          products[r].add(values[x] * values[x + r]);
        }
      }
    }
  }
  std::vector<double> result;
  for (const Sum& s : products)
  {
    result.push_back(s.mean() / products[0].mean());
  }
  return result;
}

/// A number of each block; NaN where it has too few values.
struct Blocks
{
  Dims number;
  std::vector<double> values;
};

struct Tests
{
  double trend = 0;               ///< sum of the squared correlations with the coordinates
  double moran = 0;               ///< Moran's I of neighbours that share a face
  std::array<double, 3> change{}; ///< of the straight fit, from the first block to the last
  double stddev = 0;
};

/// What the tests compare, for values in any order.
class Statistics
{
public:
  explicit Statistics(const Blocks& blocks)
  {
    std::vector<int> index(blocks.values.size(), -1);
    for (std::size_t i = 0; i < blocks.values.size(); ++i)
    {
      if (std::isfinite(blocks.values[i]))
      {
        index[i] = static_cast<int>(this->Places.size());
        this->Places.push_back(placeOf(static_cast<std::int64_t>(i), blocks.number));
        this->Values.push_back(blocks.values[i]);
      }
    }
    for (std::size_t i = 0; i < index.size(); ++i)
    {
      const Dims at = placeOf(static_cast<std::int64_t>(i), blocks.number);
      for (std::size_t a = 0; a < 3; ++a)
      {
        Dims next = at;
        ++next[a];
        const int j = next[a] < blocks.number[a]
          ? index[static_cast<std::size_t>(indexOf(next, blocks.number))]
          : -1;
        if (index[i] >= 0 && j >= 0)
        {
          this->Neighbours.emplace_back(index[i], j);
        }
      }
    }
    for (std::size_t a = 0; a < 3; ++a)
    {
      Sum mean;
      for (const Dims& p : this->Places)
      {
        mean.add(static_cast<double>(p[a]));
      }
      for (const Dims& p : this->Places)
      {
        this->Squares[a] += std::pow(static_cast<double>(p[a]) - mean.mean(), 2);
      }
      this->Middle[a] = mean.mean();
      this->Steps[a] = static_cast<double>(blocks.number[a] - 1);
    }
  }

  const std::vector<double>& values() const { return this->Values; }

  Tests of(const std::vector<double>& values) const
  {
    Sum mean;
    for (const double v : values)
    {
      mean.add(v);
    }
    double squares = 0, products = 0;
    std::array<double, 3> along{};
    for (std::size_t i = 0; i < values.size(); ++i)
    {
      const double d = values[i] - mean.mean();
      squares += d * d;
      for (std::size_t a = 0; a < 3; ++a)
      {
        along[a] += d * (static_cast<double>(this->Places[i][a]) - this->Middle[a]);
      }
    }
    for (const auto& [i, j] : this->Neighbours)
    {
      products += (values[static_cast<std::size_t>(i)] - mean.mean()) *
        (values[static_cast<std::size_t>(j)] - mean.mean());
    }
    Tests t;
    const auto n = static_cast<double>(values.size());
    for (std::size_t a = 0; a < 3 && squares > 0; ++a)
    {
      if (this->Squares[a] > 0)
      {
        t.trend += along[a] * along[a] / (this->Squares[a] * squares);
        t.change[a] = along[a] / this->Squares[a] * this->Steps[a];
      }
    }
    if (squares > 0 && !this->Neighbours.empty())
    {
      t.moran = n / static_cast<double>(this->Neighbours.size()) * products / squares;
    }
    t.stddev = std::sqrt(squares / n);
    return t;
  }

private:
  std::vector<Dims> Places;
  std::vector<double> Values;
  std::vector<std::pair<int, int>> Neighbours;
  std::array<double, 3> Middle{}, Squares{}, Steps{};
};

/// What is wrong with the blocks' values, in words, or nothing.
std::string judge(const Blocks& blocks, const std::string& what, double level)
{
  const Statistics statistics(blocks);
  if (statistics.values().size() < Fewest)
  {
    return {};
  }
  const Tests found = statistics.of(statistics.values());
  bool trend = true, regions = true;
  std::vector<double> exchanged = statistics.values();
  std::mt19937_64 random(1);
  for (int i = 0; i < Exchanges && (trend || regions); ++i)
  {
    for (std::size_t k = exchanged.size() - 1; k > 0; --k)
    {
      std::swap(exchanged[k], exchanged[random() % (k + 1)]);
    }
    const Tests t = statistics.of(exchanged);
    trend = trend && found.trend > t.trend;
    regions = regions && found.moran > t.moran;
  }
  const auto along = static_cast<std::size_t>(
    std::ranges::max_element(found.change, {}, [](double v) { return std::abs(v); }) -
    found.change.begin());
  const double change = found.change[along],
               middle = [&]
  {
    Sum mean;
    for (const double v : statistics.values())
    {
      mean.add(v);
    }
    return mean.mean();
  }();
  if (trend && std::abs(change) > Relevant * level)
  {
    return std::format("The {} changes along {}, from about {:.3g} to {:.3g}.", what, "xyz"[along],
      middle - change / 2, middle + change / 2);
  }
  // Of two regions of equal size the standard deviation is half the difference.
  const double difference = 2 * found.stddev * std::sqrt(std::max(0., found.moran));
  if (regions && difference > Relevant * level)
  {
    return std::format(
      "The {} differs between regions of the volume, by about {:.3g} around {:.3g}.", what,
      difference, middle);
  }
  return {};
}

/// Boxes with gaps of one and a half correlation lengths, and at least as wide. Along an axis where
/// the length is not known there is one.
Boxes apart(const Dims& dims, const Dims& lengths)
{
  const std::int64_t most = axesOf(dims).size() > 2 ? 4 : 8; // few, so that gaps take little
  Boxes boxes;
  for (std::size_t a = 0; a < 3; ++a)
  {
    boxes.size[a] = boxes.pitch[a] = dims[a];
    if (lengths[a] == 0)
    {
      continue;
    }
    const std::int64_t gap = (3 * lengths[a] + 1) / 2;
    boxes.number[a] = std::min(most, (dims[a] + gap) / (2 * gap));
    boxes.pitch[a] = (dims[a] + gap) / boxes.number[a];
    boxes.size[a] = boxes.pitch[a] - gap;
    boxes.first[a] = (dims[a] + gap - boxes.number[a] * boxes.pitch[a]) / 2;
  }
  return boxes;
}

} // namespace

Quantity quantityOf(const Mask& mask, const std::string& phase)
{
  Quantity q;
  q.dims = mask.dims;
  q.channel.data = mask.data.data();
  q.channel.type = ScalarType::UInt8;
  q.mean = "fraction of " + phase;
  q.roughness = "surface of " + phase;
  const double fraction = static_cast<double>(volumeOf(mask)) /
    static_cast<double>(std::max<std::int64_t>(1, mask.count()));
  q.level = std::min(fraction, 1 - fraction);
  return q;
}

Quantity quantityOf(const Volume& volume, std::size_t channel, const ChannelSummary& summary)
{
  Quantity q;
  q.dims = volume.dims;
  q.channel = volume.channels[channel];
  q.mask = volume.mask;
  q.level = summary.stddev;
  q.mean = "mean of '" + q.channel.array + "'";
  q.roughness = "roughness of '" + q.channel.array + "'";
  if (summary.values.size() == 2)
  {
    const PhaseChoice choice = choosePhase(q.channel, summary, Phase::Automatic, 0);
    q.offset = choice.value == summary.values[0] ? summary.values[1] : summary.values[0];
    q.scale = choice.value - q.offset;
    q.mean = "fraction of " + choice.text;
    q.roughness = "surface of " + choice.text;
    q.level = std::min(summary.fractions[0], summary.fractions[1]);
  }
  return q;
}

Dims correlationLengths(const Quantity& q, const Work& work)
{
  const Boxes boxes = halves(q.dims);
  std::vector<Fit> fits;
  for (std::int64_t i = 0; i < voxels(boxes.number); ++i)
  {
    fits.emplace_back(q, boxes.origin(i), boxes.size);
  }
  Dims lengths{ 0, 0, 0 };
  work.forEach(3, [&](std::int64_t axis)
  {
    const auto a = static_cast<std::size_t>(axis);
    if (boxes.number[a] == 1)
    {
      return;
    }
    const std::vector<double> rho = correlation(q, a, boxes, fits);
    // What is left at long lags is of regions, not of the texture.
    Sum far;
    for (std::size_t r = rho.size() / 2; r < rho.size(); ++r)
    {
      far.add(rho[r]);
    }
    const double level = far.mean() + Alike * (1 - far.mean());
    std::int64_t length = static_cast<std::int64_t>(rho.size());
    while (length > 0 && !(rho[static_cast<std::size_t>(length - 1)] > level))
    {
      --length;
    }
    lengths[a] = length <= q.dims[a] / 8 ? length : 0;
  });
  return lengths;
}

Stationarity stationarity(const Quantity& q, const Work& work)
{
  Stationarity result;
  const Boxes boxes = apart(q.dims, correlationLengths(q, work.part(0, 0.4)));
  const auto number = static_cast<std::size_t>(voxels(boxes.number));
  result.judged = number >= Fewest;
  if (!result.judged)
  {
    return result;
  }
  Blocks means{ boxes.number, std::vector<double>(number, None) }, steps = means;
  work.part(0.4, 1).forEach(static_cast<std::int64_t>(number), [&](std::int64_t i)
  {
    Sum mean, step;
    double all = 0;
    forRows(q, boxes.origin(i), boxes.size, 32,
      [&](const std::vector<double>& row, const Dims&, std::size_t)
    {
      for (std::size_t x = 0; x < row.size(); ++x)
      {
        mean.add(row[x]);
        step.add(x > 0 ? std::abs(row[x] - row[x - 1]) : None);
      }
      all += static_cast<double>(row.size());
    });
    if (2 * mean.number > all)
    {
      means.values[static_cast<std::size_t>(i)] = mean.mean();
      steps.values[static_cast<std::size_t>(i)] = step.mean();
    }
  });
  Sum step;
  for (const double v : steps.values)
  {
    step.add(v);
  }
  for (const std::string& sentence :
    { judge(means, q.mean, q.level), judge(steps, q.roughness, step.mean()) })
  {
    result.warning += (result.warning.empty() || sentence.empty() ? "" : " ") + sentence;
  }
  if (!result.warning.empty())
  {
    result.warning +=
      " The volume is not one stationary material: its mean numbers describe no part "
      "of it, and a model mixes the parts. Take one part (a mask, or Extract "
      "Subset), or give VAE Generate a Trend Map.";
  }
  return result;
}

std::string stationarityWarning(const std::vector<Volume>& volumes,
  const std::vector<std::vector<ChannelSummary>>& summaries, const Work& work)
{
  constexpr std::size_t most = 4; // more would take of a training's time
  for (std::size_t v = 0; v < std::min(most, volumes.size()); ++v)
  {
    for (std::size_t c = 0; c < volumes[v].channels.size(); ++c)
    {
      std::string warning = stationarity(quantityOf(volumes[v], c, summaries[v][c]), work).warning;
      if (!warning.empty())
      {
        return warning;
      }
    }
  }
  return {};
}

} // namespace vae::statistics
