// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

namespace test
{

/// Mutual information gap (Chen et al. 2018, Eq. 6): for each factor the difference of the largest
/// two mutual informations with a code, over the factor's entropy; their mean, 0..1. Codes are
/// discretised in 20 bins over their range. `codes[j][i]` and `factors[k][i]` are of sample i.
inline double mutualInformationGap(
  const std::vector<std::vector<float>>& codes, const std::vector<std::vector<int>>& factors)
{
  constexpr int bins = 20;
  const auto entropy = [](const std::vector<int>& values)
  {
    std::map<int, double> counts;
    for (const int v : values)
    {
      ++counts[v];
    }
    double h = 0;
    for (const auto& [value, n] : counts)
    {
      const double p = n / static_cast<double>(values.size());
      h -= p * std::log(p);
    }
    return h;
  };
  std::vector<std::vector<int>> discrete;
  for (const std::vector<float>& code : codes)
  {
    const auto [low, high] = std::minmax_element(code.begin(), code.end());
    std::vector<int>& d = discrete.emplace_back();
    for (const float v : code)
    {
      d.push_back(*high > *low
          ? std::min(bins - 1, static_cast<int>((v - *low) / (*high - *low) * bins))
          : 0);
    }
  }
  double sum = 0;
  for (const std::vector<int>& factor : factors)
  {
    const double h = entropy(factor);
    std::vector<double> shared{ 0, 0 };
    for (const std::vector<int>& code : discrete)
    {
      std::vector<int> both;
      for (std::size_t i = 0; i < code.size(); ++i)
      {
        both.push_back(factor[i] * bins + code[i]);
      }
      shared.push_back(h + entropy(code) - entropy(both));
    }
    std::sort(shared.rbegin(), shared.rend());
    sum += (shared[0] - shared[1]) / h;
  }
  return sum / static_cast<double>(factors.size());
}

/// Binary images of 32 x 32 with known factors, made in the manner of dSprites (Matthey et al.
/// 2017): shape (square, ellipse, heart), scale, orientation, position along x and y.
struct Sprites
{
  static constexpr int Edge = 32;
  std::vector<std::uint8_t> pixels; ///< image after image
  std::vector<std::vector<int>> factors{ 5 };

  Sprites()
  {
    constexpr int scales = 4, turns = 6, places = 12;
    for (int shape = 0; shape < 3; ++shape)
    {
      for (int i = 0; i < scales * turns * places * places; ++i)
      {
        const int scale = i / (turns * places * places), turn = i / (places * places) % turns;
        const int x = i / places % places, y = i % places;
        this->draw(shape, 4 + scale, turn * 3.14159265 / 2 / turns * (shape == 2 ? 4 : 1),
          8 + x * 16. / (places - 1), 8 + y * 16. / (places - 1));
        const int values[] = { shape, scale, turn, x, y };
        for (std::size_t k = 0; k < 5; ++k)
        {
          this->factors[k].push_back(values[k]);
        }
      }
    }
  }

private:
  void draw(int shape, double size, double angle, double cx, double cy)
  {
    for (int j = 0; j < Edge; ++j)
    {
      for (int i = 0; i < Edge; ++i)
      {
        const double dx = (i + 0.5 - cx) / size, dy = (j + 0.5 - cy) / size;
        const double u = dx * std::cos(angle) + dy * std::sin(angle);
        const double v = dy * std::cos(angle) - dx * std::sin(angle);
        const double heart = u * u + std::pow(1.2 * v - 0.6 * std::sqrt(std::abs(u)), 2);
        const bool inside = shape == 0 ? std::max(std::abs(u), std::abs(v)) < 0.8
          : shape == 1                 ? u * u + 3 * v * v < 1
                                       : heart < 0.8;
        this->pixels.push_back(inside);
      }
    }
  }
};

} // namespace test
