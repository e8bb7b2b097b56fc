// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Values drawn from p(x|z) with noise that neighbouring voxels share.
#include "RandomModel.h"
#include "Torch/Grid/Noise.h"
#include "Torch/Inference/Texture.h"
#include "Torch/Inference/Tiles.h"
#include "Torch/Losses/Variogram.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>

using namespace vae;

namespace
{

ModelInfo infoOf(Likelihood likelihood, int phases = 0)
{
  ModelInfo info;
  info.likelihood = likelihood;
  info.channels.resize(1);
  info.channels[0].residual = 0.5;
  info.sigma = { 1 };
  for (int i = 0; i < phases; ++i)
  {
    info.channels[0].phases.push_back(i);
    info.channels[0].fractions.push_back(1. / phases);
  }
  return info;
}

/// Decoder values that are the same in each of many voxels, [1, values, n].
at::Tensor everywhere(const std::vector<float>& values, std::int64_t n)
{
  return at::tensor(values).view({ 1, -1, 1 }).repeat({ 1, 1, n });
}

at::Tensor noiseLike(const at::Tensor& like)
{
  const Index3 grid{ 1, 1, like.size(2) };
  return gridNoise({ {}, grid }, grid, like.size(1), 5, 0).view(like.sizes());
}

constexpr std::int64_t Many = 400000;
constexpr double Four = 4 / 632.; // standard errors of a fraction of one half

Frame frameOf(const Dims& dims, int dimensions = 3)
{
  NetworkOptions network;
  network.dimensions = dimensions;
  return { dims, { 1, 1, 1 }, network };
}

/// Correlation of noise at a lag along the last axis, [z, y, x].
double correlation(const at::Tensor& t, std::int64_t axis, std::int64_t lag)
{
  const std::int64_t n = t.size(axis) - lag;
  return (t.narrow(axis, 0, n) * t.narrow(axis, lag, n)).mean().item<double>();
}

/// As it lies in the volume, [z, y, x], of one channel.
at::Tensor written(const at::Tensor& folded, const Frame& frame)
{
  at::Tensor out = at::empty({ frame.size[0], frame.size[1], frame.size[2] });
  const at::Tensor last = folded.contiguous(
    folded.dim() == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast);
  const Box box{ {}, frame.size };
  OutputChannel channel;
  channel.data = out.mutable_data_ptr<float>();
  channel.type = ScalarType::Float32;
  writeFolded(last.const_data_ptr<float>(), box, box, frame, 1, 0, {}, Decode::Plain, channel);
  return out;
}

} // namespace

TEST(Drawn, TwoPhasesComeWithTheirProbability)
{
  const auto seen = makeObservationModel(infoOf(Likelihood::Bernoulli, 2), at::kCPU);
  for (const float logit : { -4.f, -1.f, 0.f, 2.f })
  {
    const at::Tensor decoded = everywhere({ logit }, Many);
    const at::Tensor x = seen->value(seen->drawn(decoded, noiseLike(decoded)));
    EXPECT_NEAR(x.mean().item<double>(), 1 / (1 + std::exp(-logit)), Four / 2) << logit;
  }
}

TEST(Drawn, ManyPhasesComeWithTheirProbabilities)
{
  const auto seen = makeObservationModel(infoOf(Likelihood::Categorical, 3), at::kCPU);
  const at::Tensor decoded = everywhere({ 0.f, 1.f, -2.f }, Many);
  const at::Tensor p = seen->probabilities(decoded).select(3, 0).flatten();
  const at::Tensor x = seen->value(seen->drawn(decoded, noiseLike(decoded)));
  for (int phase = 0; phase < 3; ++phase)
  {
    EXPECT_NEAR(x.eq(phase).to(at::kDouble).mean().item<double>(), p[phase].item<float>(), Four / 2)
      << phase;
  }
}

TEST(Drawn, GreyValuesScatterAsTheResidualsDid)
{
  for (const Likelihood likelihood : { Likelihood::Gaussian, Likelihood::Laplace })
  {
    const auto seen = makeObservationModel(infoOf(likelihood), at::kCPU);
    const at::Tensor decoded = everywhere({ 3.f }, Many);
    const at::Tensor x = seen->value(seen->drawn(decoded, noiseLike(decoded)));
    EXPECT_NEAR(x.mean().item<double>(), 3, Four / 2);
    EXPECT_NEAR(x.std().item<double>(), 0.5, Four / 2);
  }
}

TEST(TextureNoise, IsNormalAndAsWideAsItSays)
{
  const Frame frame = frameOf({ 128, 112, 96 });
  const double width = 1.5;
  const at::Tensor e =
    written(textureNoise({ {}, frame.cells() }, frame, { width, 0 }, 1, { 3, 1, {} }), frame);
  EXPECT_NEAR(e.mean().item<double>(), 0, 0.03);
  EXPECT_NEAR(e.std().item<double>(), 1, 0.02);
  for (std::int64_t axis = 0; axis < 3; ++axis)
  {
    for (const std::int64_t lag : { 1, 2, 4 })
    {
      // A Gaussian with itself: one that is wider by the square root of two.
      EXPECT_NEAR(correlation(e, axis, lag), std::exp(-0.25 * lag * lag / (width * width)), 0.03)
        << "axis " << axis << ", lag " << lag;
    }
  }
}

TEST(TextureNoise, DoesNotDependOnTheBoxes)
{
  for (const int dimensions : { 2, 3 })
  {
    const Frame frame = frameOf({ 40, 48, dimensions == 2 ? 1 : 56 }, dimensions);
    for (const bool periodic : { false, true })
    {
      const Texture texture{ 7, 2, { periodic, false, periodic } };
      const Index3 cells = frame.cells();
      const at::Tensor all = textureNoise({ {}, cells }, frame, { 0.9, 0.2 }, 2, texture);
      const Box box{ { cells[0] - 1, 2, 1 }, { 1, 3, 4 } };
      const at::Tensor part = textureNoise(box, frame, { 0.9, 0.2 }, 2, texture);
      at::Tensor same = fromNetworkShape(all);
      for (int a = 0; a < 3; ++a)
      {
        const std::int64_t k = frame.cell[a] / frame.fold[a];
        same = same.narrow(a + 2, box.origin[a] * k, box.size[a] * k);
      }
      EXPECT_LT((fromNetworkShape(part) - same).abs().max().item<float>(), 1e-5)
        << dimensions << "-D, periodic " << periodic;
    }
  }
}

TEST(TextureNoise, ItsEndFitsItsBeginningWherePeriodic)
{
  const Frame frame = frameOf({ 32, 32, 64 });
  const at::Tensor e = written(
    textureNoise({ {}, frame.cells() }, frame, { 2, 0 }, 1, { 3, 1, { true, false, true } }),
    frame);
  const auto step = [&](std::int64_t axis, std::int64_t from, std::int64_t to)
  { return (e.select(axis, from) - e.select(axis, to)).square().mean().item<double>(); };
  const double usual = 2 - 2 * std::exp(-0.25 / 4);
  EXPECT_LT(step(2, 31, 0), 1.5 * usual);
  EXPECT_LT(step(0, 63, 0), 1.5 * usual);
  EXPECT_GT(step(1, 31, 0), 5 * usual) << "not along y";
}

TEST(FitTexture, FindsTheWidthThatTheDataWereDrawnWith)
{
  const auto seen = makeObservationModel(infoOf(Likelihood::Bernoulli, 2), at::kCPU);
  const Frame frame = frameOf({ 96, 96, 96 });
  const Box all{ {}, frame.cells() };
  const at::Tensor decoded = 3 * textureNoise(all, frame, { 5, 0 }, 1, { 1, 0, {} }) - 1;
  for (const double width : { 0.6, 1., 2. })
  {
    const at::Tensor x =
      seen->value(seen->drawn(decoded, textureNoise(all, frame, { width, 0 }, 1, { 2, 0, {} })));
    EXPECT_NEAR(fitTexture(decoded, x, frame, *seen, true) / width, 1, 0.1) << width;
  }
  // Data that are smoother than what is likeliest need none.
  const at::Tensor smooth = decoded.gt(100).to(at::kFloat);
  EXPECT_EQ(fitTexture(decoded, smooth, frame, *seen, true), 0);
}

TEST(TextureNoise, HasTheWhitePartItSays)
{
  const Frame frame = frameOf({ 96, 96, 96 });
  const Box all{ {}, frame.cells() };
  const auto at = [&](double white)
  { return written(textureNoise(all, frame, { 1.5, white }, 1, { 3, 1, {} }), frame); };
  const at::Tensor smooth = at(0), mixed = at(0.2);
  EXPECT_NEAR(mixed.std().item<double>(), 1, 0.02);
  for (std::int64_t axis = 0; axis < 3; ++axis)
  {
    EXPECT_NEAR(correlation(mixed, axis, 1), 0.8 * correlation(smooth, axis, 1), 0.01);
  }
}

TEST(FitTexture, FindsTheWidthAndTheWhitePartThatTheDataWereDrawnWith)
{
  const auto seen = makeObservationModel(infoOf(Likelihood::Bernoulli, 2), at::kCPU);
  const Frame frame = frameOf({ 112, 112, 112 });
  const Box all{ {}, frame.cells() };
  std::vector<at::Tensor> decoded;
  for (const int i : { 0, 1 })
  {
    decoded.push_back(3 * textureNoise(all, frame, { 5, 0 }, 1, { 1, i, {} }) - 1);
  }
  for (const double width : { 0.8, 1.2 })
  {
    for (const double white : { 0., 0.15 })
    {
      SurfaceMeasure wanted;
      for (std::size_t i = 0; i < decoded.size(); ++i)
      {
        const at::Tensor noise =
          textureNoise(all, frame, { width, white }, 1, { 2, static_cast<std::int64_t>(i), {} });
        const at::Tensor x = seen->value(seen->drawn(decoded[i], noise));
        wanted.faces += variogram(x, frame, true, 1) / 2;
        wanted.euler += eulerDensity(x, frame) / 2;
      }
      const NoiseShape found = fitTexture(decoded, wanted, 1, frame, *seen);
      EXPECT_NEAR(found.width / width, 1, 0.1) << width << ", " << white;
      EXPECT_NEAR(found.white, white, 0.04) << width;
    }
  }
}
