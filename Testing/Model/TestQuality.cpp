// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// How like two volumes are, against loops that follow the definitions.
#include "Statistics/Quality.h"
#include "Volumes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace vae;
using namespace vae::statistics;

namespace
{

struct Pair
{
  Dims dims;
  std::vector<float> before, after;
  std::vector<std::uint8_t> ghosts;
  Volume a, b, g;

  explicit Pair(const Dims& d) : dims(d)
  {
    std::mt19937 random(4);
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < voxels(d); ++i)
    {
      this->before.push_back(10 + 3 * normal(random));
      this->after.push_back(i % 5 ? this->before.back() + normal(random) : this->before.back());
      this->ghosts.push_back(i % 11 == 0);
    }
    this->a = test::volume(this->before, d);
    this->b = test::volume(this->after, d);
    this->g = test::volume(this->ghosts, d);
  }
  Comparison comparison() const
  {
    Comparison what;
    what.before = this->a.channels[0];
    what.after = this->b.channels[0];
    what.range = 20;
    what.ssim = true;
    return what;
  }
  /// The definition, window by window.
  double similarity(bool skipGhosts) const
  {
    Dims w;
    for (std::size_t i = 0; i < 3; ++i)
    {
      w[i] = std::min<std::int64_t>(7, this->dims[i]);
    }
    double sum = 0;
    std::int64_t windows = 0;
    const auto at = [&](std::int64_t x, std::int64_t y, std::int64_t z)
    { return static_cast<std::size_t>((z * this->dims[1] + y) * this->dims[0] + x); };
    for (std::int64_t z = 0; z + w[2] <= this->dims[2]; ++z)
      for (std::int64_t y = 0; y + w[1] <= this->dims[1]; ++y)
        for (std::int64_t x = 0; x + w[0] <= this->dims[0]; ++x)
        {
          if (skipGhosts && this->ghosts[at(x + w[0] / 2, y + w[1] / 2, z + w[2] / 2)])
          {
            continue;
          }
          std::vector<double> p, q;
          for (std::int64_t k = 0; k < w[2]; ++k)
            for (std::int64_t j = 0; j < w[1]; ++j)
              for (std::int64_t i = 0; i < w[0]; ++i)
              {
                p.push_back(this->before[at(x + i, y + j, z + k)]);
                q.push_back(this->after[at(x + i, y + j, z + k)]);
              }
          const auto n = static_cast<double>(p.size());
          double mp = 0, mq = 0, vp = 0, vq = 0, c = 0;
          for (std::size_t i = 0; i < p.size(); ++i)
          {
            mp += p[i] / n;
            mq += q[i] / n;
          }
          for (std::size_t i = 0; i < p.size(); ++i)
          {
            vp += (p[i] - mp) * (p[i] - mp) / (n - 1);
            vq += (q[i] - mq) * (q[i] - mq) / (n - 1);
            c += (p[i] - mp) * (q[i] - mq) / (n - 1);
          }
          const double c1 = 0.04, c2 = 0.36; // (0.01 * 20)^2, (0.03 * 20)^2
          sum += (2 * mp * mq + c1) * (2 * c + c2) / ((mp * mp + mq * mq + c1) * (vp + vq + c2));
          ++windows;
        }
    return sum / static_cast<double>(windows);
  }
};

} // namespace

TEST(Quality, IsThatOfTheDefinitions)
{
  for (const Dims& dims : { Dims{ 41, 19, 38 }, Dims{ 50, 1, 44 }, Dims{ 5, 12, 9 } })
  {
    const Pair pair(dims);
    std::vector<float> error(pair.before.size()), absolute(error.size());
    for (const bool skip : { false, true })
    {
      Comparison what = pair.comparison();
      what.error = test::output(error);
      what.absolute = test::output(absolute);
      if (skip)
      {
        what.ghosts = pair.g.channels[0];
      }
      const Quality quality = compare(what, dims, Work(2));
      double squares = 0, equal = 0, counted = 0;
      for (std::size_t i = 0; i < error.size(); ++i)
      {
        const double d = static_cast<double>(pair.after[i]) - static_cast<double>(pair.before[i]);
        ASSERT_FLOAT_EQ(error[i], static_cast<float>(d));
        ASSERT_FLOAT_EQ(absolute[i], static_cast<float>(std::abs(d)));
        const bool counts = !skip || !pair.ghosts[i];
        squares += counts ? d * d : 0;
        equal += counts && d == 0;
        counted += counts;
      }
      EXPECT_DOUBLE_EQ(quality.equal, equal / counted);
      EXPECT_NEAR(quality.psnr, 10 * std::log10(400 * counted / squares), 1e-9);
      EXPECT_NEAR(quality.ssim, pair.similarity(skip), 1e-10) << toString(dims);
      EXPECT_LT(quality.ssim, 0.99);
    }
  }
}

TEST(Quality, OfEqualVolumesIsPerfect)
{
  const Pair pair({ 20, 20, 20 });
  Comparison what = pair.comparison();
  what.after = what.before;
  const Quality quality = compare(what, pair.dims, Work());
  EXPECT_EQ(quality.equal, 1);
  EXPECT_TRUE(std::isinf(quality.psnr));
  EXPECT_NEAR(quality.ssim, 1, 1e-12);
}

TEST(Quality, BytesAreComparedLikeOtherNumbers)
{
  const Dims dims{ 31, 29, 23 }; // no whole number of pieces
  std::mt19937 random(6);
  std::vector<std::uint8_t> before, after;
  std::vector<std::int16_t> wideBefore, wideAfter;
  for (std::int64_t i = 0; i < voxels(dims); ++i)
  {
    before.push_back(static_cast<std::uint8_t>(random()));
    after.push_back(i % 3 ? static_cast<std::uint8_t>(random()) : before.back());
    wideBefore.push_back(before.back());
    wideAfter.push_back(after.back());
  }
  const auto compared = [&](const Volume& a, const Volume& b, std::vector<float>& error)
  {
    Comparison what;
    what.before = a.channels[0];
    what.after = b.channels[0];
    what.range = 255;
    error.resize(before.size());
    what.error = test::output(error);
    const Quality with = compare(what, dims, Work(2));
    what.error = {};
    const Quality without = compare(what, dims, Work(2));
    EXPECT_EQ(with.equal, without.equal);
    EXPECT_EQ(with.psnr, without.psnr);
    return with;
  };
  std::vector<float> error, wideError;
  const Quality bytes = compared(test::volume(before, dims), test::volume(after, dims), error);
  const Quality wide =
    compared(test::volume(wideBefore, dims), test::volume(wideAfter, dims), wideError);
  EXPECT_EQ(bytes.equal, wide.equal);
  EXPECT_NEAR(bytes.equal, 1. / 3 + 2. / 3 / 256, 0.01);
  EXPECT_DOUBLE_EQ(bytes.psnr, wide.psnr);
  EXPECT_EQ(error, wideError);
}
