// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "PhaseFraction.h"

#include "Check.h"
#include "Quantile.h"
#include "Statistics/Mask.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numeric>

namespace vae
{
namespace
{

constexpr int Block = 32; // voxels over which a local fraction is counted
constexpr int Rounds = 4; // of levelling; see there

/// One axis, cut into blocks of about equal size; what is between their middles.
struct Axis
{
  std::int64_t blocks;
  std::vector<std::int64_t> begin;  ///< of each block, and the end
  std::vector<std::int64_t> before; ///< of each voxel: the block whose middle is before it
  std::vector<float> weight;        ///< of the block after that one

  Axis(std::int64_t n, int block) : blocks(std::max<std::int64_t>(1, (n + block / 2) / block))
  {
    for (std::int64_t b = 0; b <= this->blocks; ++b)
    {
      this->begin.push_back(n * b / this->blocks);
    }
    for (std::int64_t i = 0; i < n; ++i)
    {
      const double size = static_cast<double>(n) / static_cast<double>(this->blocks);
      const double at = std::clamp(
        (static_cast<double>(i) + 0.5) / size - 0.5, 0., static_cast<double>(this->blocks - 1));
      const auto low =
        std::min(static_cast<std::int64_t>(at), std::max<std::int64_t>(this->blocks - 2, 0));
      this->before.push_back(low);
      this->weight.push_back(static_cast<float>(at - static_cast<double>(low)));
    }
  }
  std::int64_t after(std::int64_t i) const
  {
    return std::min(this->before[static_cast<std::size_t>(i)] + 1, this->blocks - 1);
  }
};

struct Blocks
{
  Axis x, y, z;

  std::int64_t count() const { return this->x.blocks * this->y.blocks * this->z.blocks; }

  /// Voxels along x of a block.
  std::int64_t rowOf(std::int64_t block) const
  {
    const std::int64_t* begin = &this->x.begin[static_cast<std::size_t>(block % this->x.blocks)];
    return begin[1] - begin[0];
  }

  /// f(x, y, z) of the first voxel of each row along x of a block.
  template <typename F>
  void forRows(std::int64_t block, F&& f) const
  {
    const auto xb = static_cast<std::size_t>(block % this->x.blocks);
    const auto yb = static_cast<std::size_t>(block / this->x.blocks % this->y.blocks);
    const auto zb = static_cast<std::size_t>(block / this->x.blocks / this->y.blocks);
    for (std::int64_t k = this->z.begin[zb]; k < this->z.begin[zb + 1]; ++k)
    {
      for (std::int64_t j = this->y.begin[yb]; j < this->y.begin[yb + 1]; ++j)
      {
        f(this->x.begin[xb], j, k);
      }
    }
  }

  /// A row along x, from a voxel on, of a field with one value at the middle of each block.
  void interpolate(const std::vector<float>& field, std::int64_t first, std::int64_t row,
    std::int64_t slice, std::span<float> out) const
  {
    const float wy = this->y.weight[static_cast<std::size_t>(row)];
    const float wz = this->z.weight[static_cast<std::size_t>(slice)];
    const std::int64_t ys[2] = { this->y.before[static_cast<std::size_t>(row)],
      this->y.after(row) };
    const std::int64_t zs[2] = { this->z.before[static_cast<std::size_t>(slice)],
      this->z.after(slice) };
    const auto along = [&](std::int64_t bx)
    {
      const auto at = [&](int a, int b)
      {
        return field[static_cast<std::size_t>(
          (zs[b] * this->y.blocks + ys[a]) * this->x.blocks + bx)];
      };
      return (1 - wz) * ((1 - wy) * at(0, 0) + wy * at(1, 0)) +
        wz * ((1 - wy) * at(0, 1) + wy * at(1, 1));
    };
    std::int64_t low = -1;
    float from = 0, to = 0;
    for (std::size_t i = 0; i < out.size(); ++i)
    {
      const std::int64_t voxel = first + static_cast<std::int64_t>(i);
      if (const std::int64_t b = this->x.before[static_cast<std::size_t>(voxel)]; b != low)
      {
        low = b;
        from = along(b);
        to = along(this->x.after(voxel));
      }
      const float w = this->x.weight[static_cast<std::size_t>(voxel)];
      out[i] = (1 - w) * from + w * to;
    }
  }
};

/// Between the last of the `fraction` largest values and the next one; beyond all of them, by one,
/// where it is 0 or 1.
float threshold(std::vector<float>& values, double fraction)
{
  const auto n = static_cast<std::int64_t>(values.size());
  const auto above =
    std::clamp<std::int64_t>(std::llround(fraction * static_cast<double>(n)), 0, n);
  if (above == 0)
  {
    return *std::max_element(values.begin(), values.end()) + 1;
  }
  if (above == n)
  {
    return *std::min_element(values.begin(), values.end()) - 1;
  }
  const auto next = values.begin() + above;
  std::nth_element(values.begin(), next, values.end(), std::greater<>());
  return (*std::min_element(values.begin(), next) + *next) / 2;
}

} // namespace

int phaseOf(const ModelInfo& info, const std::string& label)
{
  if (!info.hasPhases())
  {
    throw std::invalid_argument("Fraction Mode needs data with phases; this model's '" +
      info.channels[0].array + "' has grey values");
  }
  const ChannelInfo& c = info.channels[0];
  if (label == "Automatic" || label == "auto")
  {
    return static_cast<int>(statistics::automaticPhase(c.array, c.fractions).index);
  }
  char* end = nullptr;
  const double value = std::strtod(label.c_str(), &end);
  const auto found = std::find(c.phases.begin(), c.phases.end(), value);
  if (label.empty() || *end || found == c.phases.end())
  {
    std::string known;
    for (const double phase : c.phases)
    {
      known += inWords(phase) + ", ";
    }
    throw std::invalid_argument(
      "Phase is '" + label + "'; this model knows " + known + "and Automatic");
  }
  return static_cast<int>(found - c.phases.begin());
}

double trainingFraction(const ModelInfo& info, int phase)
{
  return info.channels[0].fractions[static_cast<std::size_t>(phase)];
}

//----------------------------------------------------------------------------
PhaseFraction::PhaseFraction(const ModelInfo& info, int phase, const Dims& dims)
  : Size(dims)
  , Count(voxels(dims))
  , Phase(phase)
  , Label(info.channels[0].phases[static_cast<std::size_t>(phase)])
  , LogOdds(std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(this->Count)))
{
}

void PhaseFraction::ask(Outputs& outputs)
{
  this->Labels = outputs.values[0];
  outputs.phase = this->Phase;
  outputs.logOdds = {};
  outputs.logOdds.data = this->LogOdds.get();
}

void PhaseFraction::set(const Rows& fraction, const statistics::Work& work)
{
  this->set(levelLocally(this->values(), this->Size, fraction, Block, work.part(0, 0.9)),
    work.part(0.9, 1));
}

void PhaseFraction::set(double fraction, const statistics::Work& work)
{
  const TopK cut(this->values(), std::llround(fraction * static_cast<double>(this->Count)), work);
  dispatch(this->Labels.type, [&](auto t)
  {
    using T = decltype(t);
    T* const all = static_cast<T*>(this->Labels.data);
    const T label = static_cast<T>(this->Label);
    cut.forParts(work, [&](std::size_t begin, std::size_t end, TopK::Cut isLarge)
    {
      T* to = all + static_cast<std::ptrdiff_t>(begin) * this->Labels.stride;
      for (const float value : this->values().subspan(begin, end - begin))
      {
        *to = isLarge(value) ? label : *to;
        to += this->Labels.stride;
      }
    });
  });
}

//----------------------------------------------------------------------------
double levelLocally(std::span<float> values, const Dims& dims, const Rows& wanted, int block,
  const statistics::Work& work)
{
  const Blocks blocks{ { dims[0], block }, { dims[1], block }, { dims[2], block } };
  const auto rowAt = [&](std::int64_t x, std::int64_t y, std::int64_t z, std::size_t n)
  { return values.subspan(static_cast<std::size_t>((z * dims[1] + y) * dims[0] + x), n); };

  std::vector<double> sums(static_cast<std::size_t>(blocks.count())), fractions(sums.size());
  work.part(0, 0.2).forEach(blocks.count(), [&](std::int64_t b)
  {
    std::vector<double> row(static_cast<std::size_t>(blocks.rowOf(b)));
    double sum = 0, number = 0;
    blocks.forRows(b, [&](std::int64_t x, std::int64_t y, std::int64_t z)
    {
      wanted(x, y, z, row);
      sum = std::accumulate(row.begin(), row.end(), sum);
      number += static_cast<double>(row.size());
    });
    sums[static_cast<std::size_t>(b)] = sum;
    fractions[static_cast<std::size_t>(b)] = sum / number;
  });

  // A threshold for each block, and then again for what is left, because between the middles of
  // two blocks the thresholds of both count.
  std::vector<float> thresholds(fractions.size(), 0), steps(fractions.size());
  for (int round = 0; round < Rounds; ++round)
  {
    const auto part = work.part(0.2 + 0.7 * round / Rounds, 0.2 + 0.7 * (round + 1) / Rounds);
    part.forEach(blocks.count(), [&](std::int64_t b)
    {
      std::vector<float> inside, row(static_cast<std::size_t>(blocks.rowOf(b)));
      blocks.forRows(b, [&](std::int64_t x, std::int64_t y, std::int64_t z)
      {
        blocks.interpolate(thresholds, x, y, z, row);
        const auto from = rowAt(x, y, z, row.size());
        std::transform(
          from.begin(), from.end(), row.begin(), std::back_inserter(inside), std::minus<>());
      });
      const auto at = static_cast<std::size_t>(b);
      steps[at] = threshold(inside, fractions[at]);
    });
    std::transform(
      steps.begin(), steps.end(), thresholds.begin(), thresholds.begin(), std::plus<>());
  }

  work.part(0.9, 1).forEach(blocks.count(), [&](std::int64_t b)
  {
    std::vector<float> row(static_cast<std::size_t>(blocks.rowOf(b)));
    blocks.forRows(b, [&](std::int64_t x, std::int64_t y, std::int64_t z)
    {
      blocks.interpolate(thresholds, x, y, z, row);
      const auto to = rowAt(x, y, z, row.size());
      std::transform(to.begin(), to.end(), row.begin(), to.begin(), std::minus<>());
    });
  });
  return std::accumulate(sums.begin(), sums.end(), 0.) / static_cast<double>(values.size());
}

} // namespace vae
