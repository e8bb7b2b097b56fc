// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What VAE Reconstruct gives beside the values: against second ways to compute it.
#include "RandomModel.h"
#include "TestDevice.h"
#include "Torch/Grid/Noise.h"
#include "Torch/Inference/Reconstruction.h"
#include "Torch/Training/TorchTrainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numbers>
#include <numeric>

#include <unistd.h>

using namespace vae;
using test::noise;
using test::randomModel;

namespace
{

using Floats = std::vector<float>;

Volume labels(const Dims& dims)
{
  const Floats values = noise(voxels(dims));
  std::vector<std::uint8_t> phases;
  std::ranges::transform(values, std::back_inserter(phases), [](float v) { return v > 0; });
  return test::volume(phases, dims);
}

RunOptions exact(double budget = 1e6)
{
  RunOptions run;
  run.precision = Precision::Float32;
  run.memoryBudget = budget;
  return run;
}

/// Every output, for a model of one channel.
struct All
{
  Floats value, probability, stddev, entropy, exceedance, anomaly, percentile, cell, cellPercentile;
  ReconstructOutputs outputs;

  explicit All(const Dims& dims)
  {
    const auto make = [&](Floats& values)
    {
      values.assign(static_cast<std::size_t>(voxels(dims)), -1.f);
      return test::output(values);
    };
    this->outputs.values = { make(this->value) };
    this->outputs.probability = { make(this->probability) };
    this->outputs.stddev = { make(this->stddev) };
    this->outputs.entropy = { make(this->entropy) };
    this->outputs.exceedance = { make(this->exceedance) };
    this->outputs.anomaly = make(this->anomaly);
    this->outputs.anomalyPercentile = make(this->percentile);
    this->outputs.cellAnomaly = make(this->cell);
    this->outputs.cellAnomalyPercentile = make(this->cellPercentile);
  }
  All(const All&) = delete;
};

double largest(const Floats& a, const Floats& b)
{
  double d = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
  {
    d = std::max<double>(d, std::abs(a[i] - b[i]));
  }
  return d;
}

} // namespace

TEST(Reconstruction, IsEncodeThenDecode)
{
  const Dims dims{ 97, 131, 64 };
  const Volume volume = labels(dims);
  const auto model = randomModel(volume, 3, 1, 8, Likelihood::Bernoulli);
  All once(dims);
  model->reconstruct(volume, {}, once.outputs, exact(), {});
  Floats value(once.value.size()), probability(value.size());
  Outputs outputs;
  outputs.values = { test::output(value) };
  outputs.probability = { test::output(probability) };
  model->decode(model->encode(volume, exact(), {}), dims, 0, outputs, exact(), {});
  EXPECT_EQ(once.value, value);
  EXPECT_EQ(once.probability, probability);
  const double upper = std::accumulate(value.begin(), value.end(), 0.) / 813248;
  EXPECT_GT(upper, 0.01) << "a network that gives one phase would pass anything";
  EXPECT_LT(upper, 0.99);
}

TEST(Reconstruction, EveryOutputIsTheSameInTiles)
{
  for (const Likelihood likelihood : { Likelihood::Bernoulli, Likelihood::Gaussian })
  {
    const Dims dims{ 97, 131, 97 };
    const Volume volume =
      likelihood == Likelihood::Bernoulli ? labels(dims) : test::volume(noise(voxels(dims)), dims);
    const auto model = randomModel(volume, 3, 1, 8, likelihood);
    ReconstructOptions options;
    options.samples = 2;
    options.anomalyMeasure = AnomalyMeasure::Product;
    All whole(dims), tiled(dims);
    std::vector<double> tiles;
    Monitor monitor;
    monitor.progress = [&](double f) { tiles.push_back(f); };
    model->reconstruct(volume, options, whole.outputs, exact(), {});
    model->reconstruct(volume, options, tiled.outputs, exact(15), monitor);
    EXPECT_GT(tiles.size(), 8u) << "the budget gave one tile only";
    if (likelihood == Likelihood::Bernoulli)
    {
      EXPECT_EQ(whole.value, tiled.value) << "labels are identical";
      EXPECT_LT(largest(whole.probability, tiled.probability), 1e-5);
    }
    EXPECT_LT(largest(whole.value, tiled.value), 1e-5);
    EXPECT_LT(largest(whole.stddev, tiled.stddev), 1e-5);
    EXPECT_LT(largest(whole.entropy, tiled.entropy), 1e-5);
    EXPECT_LT(largest(whole.exceedance, tiled.exceedance), 1e-5);
    EXPECT_LT(largest(whole.anomaly, tiled.anomaly), 1e-5);
    EXPECT_LT(largest(whole.cell, tiled.cell), 1e-5);
    for (const float v : whole.anomaly)
    {
      ASSERT_GE(v, 0);
    }
  }
}

TEST(Reconstruction, SamplesAreThoseOfThePosterior)
{
  // Every sample decoded by itself, and the definitions.
  const Dims dims{ 24, 17, 30 };
  const auto n = static_cast<std::size_t>(voxels(dims));
  for (const Likelihood likelihood :
    { Likelihood::Bernoulli, Likelihood::Gaussian, Likelihood::Laplace })
  {
    const bool two = likelihood == Likelihood::Bernoulli;
    const Volume volume = two ? labels(dims) : test::volume(noise(voxels(dims)), dims);
    const auto model = randomModel(volume, 3, 1, 8, likelihood);
    ReconstructOptions options;
    options.samples = 5;
    options.seed = 11;
    options.threshold = 0.1;
    All got(dims);
    model->reconstruct(volume, options, got.outputs, exact(), {});

    Latent latent = model->encode(volume, exact(), {});
    const Latent posterior = latent;
    const Index3 cells{ latent.dims[2], latent.dims[1], latent.dims[0] };
    std::vector<Floats> samples;
    for (int k = 0; k < options.samples; ++k)
    {
      const at::Tensor eps = gridNoise({ { 0, 0, 0 }, cells }, cells, 3, options.seed, k);
      for (std::size_t i = 0; i < latent.mean.size(); ++i)
      {
        latent.mean[i] = posterior.mean[i] +
          std::exp(0.5f * posterior.logVariance[i]) * eps.const_data_ptr<float>()[i];
      }
      samples.emplace_back(n);
      Outputs outputs;
      (two ? outputs.probability : outputs.values).push_back(test::output(samples.back()));
      model->decode(latent, dims, 0, outputs, exact(), {});
    }
    double spread = 0;
    for (std::size_t i = 0; i < n; ++i)
    {
      double mean = 0, variance = 0, above = 0;
      for (const Floats& s : samples)
      {
        mean += s[i] / 5.;
        const double t = options.threshold - s[i]; // the width of the likelihood is 1
        above += (two                                     ? s[i]
                     : likelihood == Likelihood::Gaussian ? 0.5 * std::erfc(t / std::sqrt(2.))
                     : t > 0                              ? 0.5 * std::exp(-t)
                                                          : 1 - 0.5 * std::exp(t)) /
          5.;
      }
      for (const Floats& s : samples)
      {
        variance += (s[i] - mean) * (s[i] - mean) / 4;
      }
      spread = std::max(spread, variance);
      const double noisy = variance + (likelihood == Likelihood::Laplace ? 2 : 1);
      ASSERT_NEAR(got.stddev[i], std::sqrt(two ? variance : noisy), 2e-4);
      ASSERT_NEAR(got.entropy[i],
        two ? -mean * std::log(mean) - (1 - mean) * std::log(1 - mean)
            : 0.5 * std::log(2 * M_PI * M_E * noisy),
        1e-4);
      ASSERT_NEAR(got.exceedance[i], above, 1e-5);
    }
    EXPECT_GT(spread, 1e-5);
  }
}

TEST(Reconstruction, APosteriorSampleIsMuPlusSigmaEps)
{
  const Dims dims{ 24, 17, 30 };
  for (const Likelihood likelihood : { Likelihood::Bernoulli, Likelihood::Gaussian })
  {
    const bool two = likelihood == Likelihood::Bernoulli;
    const Volume volume = two ? labels(dims) : test::volume(noise(voxels(dims)), dims);
    const auto model = randomModel(volume, 3, 1, 8, likelihood);
    ReconstructOptions options;
    options.samples = 2;
    options.seed = 11;
    options.realization = 3;
    const auto made = [&](double budget = 1e6)
    {
      All all(dims);
      model->reconstruct(volume, options, all.outputs, exact(budget), {});
      return std::pair{ two ? all.probability : all.value, all.anomaly };
    };
    const auto [mean, anomaly] = made();
    options.reconstructFrom = ReconstructFrom::PosteriorSample;
    const auto [sample, anomalyBeside] = made();
    EXPECT_EQ(anomalyBeside, anomaly) << "anomalies are those of the mean";
    EXPECT_GT(largest(sample, mean), 1e-3);
    EXPECT_LT(largest(sample, made(1).first), 1e-5) << "the same in tiles";

    Latent latent = model->encode(volume, exact(), {});
    const Index3 cells{ latent.dims[2], latent.dims[1], latent.dims[0] };
    const at::Tensor eps = gridNoise({ { 0, 0, 0 }, cells }, cells, 3, 11, 3);
    for (std::size_t i = 0; i < latent.mean.size(); ++i)
    {
      latent.mean[i] += std::exp(0.5f * latent.logVariance[i]) * eps.const_data_ptr<float>()[i];
    }
    Floats expected(sample.size());
    Outputs outputs;
    (two ? outputs.probability : outputs.values).push_back(test::output(expected));
    model->decode(latent, dims, 0, outputs, exact(), {});
    EXPECT_LT(largest(sample, expected), 1e-4);

    options.realization = 4;
    EXPECT_GT(largest(sample, made().first), 1e-3) << "another realization";
    options.realization = 3;
    options.seed = 12;
    EXPECT_GT(largest(sample, made().first), 1e-3) << "another seed";
    options.seed = 11;
    EXPECT_EQ(sample, made().first);

    ModelInfo info = model->info();
    info.options.objective = "Autoencoder";
    const TorchModel plain(info, model->network());
    Floats values(sample.size());
    ReconstructOutputs wanted;
    wanted.values = { test::output(values) };
    try
    {
      plain.reconstruct(volume, options, wanted, exact(), {});
      FAIL() << "an autoencoder has no sigma";
    }
    catch (const std::invalid_argument& e)
    {
      EXPECT_STREQ(e.what(),
        "This model (Autoencoder) has one value for each latent attribute, not a distribution to "
        "draw a sample from; choose Posterior Mean for Reconstruct From");
    }
  }
}

TEST(Reconstruction, ErrorOfTheSamplesFallsAsOneOverTheirRoot)
{
  const Dims dims{ 24, 24, 24 };
  const Volume volume = labels(dims);
  const auto model = randomModel(volume, 3, 1, 8, Likelihood::Bernoulli);
  const auto mean = [&](int samples, int seed)
  {
    Floats values(static_cast<std::size_t>(voxels(dims)));
    ReconstructOutputs outputs;
    outputs.exceedance = { test::output(values) };
    ReconstructOptions options;
    options.samples = samples;
    options.seed = seed;
    options.threshold = 0.5;
    model->reconstruct(volume, options, outputs, exact(), {});
    return values;
  };
  const Floats truth = mean(2048, 99);
  std::vector<double> errors;
  for (const int samples : { 4, 16, 64 })
  {
    double squares = 0;
    for (int seed = 0; seed < 8; ++seed)
    {
      const Floats estimate = mean(samples, seed);
      for (std::size_t i = 0; i < truth.size(); ++i)
      {
        squares += std::pow(estimate[i] - truth[i], 2) / static_cast<double>(8 * truth.size());
      }
    }
    errors.push_back(std::sqrt(squares));
  }
  std::cout << "root mean squared error with 4, 16, 64 samples: " << errors[0] << " " << errors[1]
            << " " << errors[2] << "\n";
  EXPECT_NEAR(errors[0] / errors[1], 2, 0.3);
  EXPECT_NEAR(errors[1] / errors[2], 2, 0.3);
}

TEST(GridNoise, IsNormalAndKnowsNoTiles)
{
  const Index3 cells{ 20, 30, 40 };
  const at::Tensor all = gridNoise({ { 0, 0, 0 }, cells }, cells, 4, 3, 7);
  EXPECT_NEAR(all.mean().item<double>(), 0, 0.02);
  EXPECT_NEAR(all.var().item<double>(), 1, 0.03);
  EXPECT_NEAR(all.pow(4).mean().item<double>(), 3, 0.2);
  const auto product = [](const at::Tensor& a, const at::Tensor& b)
  { return (a * b).mean().item<double>(); };
  EXPECT_NEAR(product(all.narrow(4, 0, 39), all.narrow(4, 1, 39)), 0, 0.02); // neighbours
  EXPECT_NEAR(product(all.narrow(1, 0, 3), all.narrow(1, 1, 3)), 0, 0.02);   // channels
  EXPECT_NEAR(product(all, gridNoise({ { 0, 0, 0 }, cells }, cells, 4, 3, 8)), 0, 0.02);
  EXPECT_NEAR(product(all, gridNoise({ { 0, 0, 0 }, cells }, cells, 4, 4, 7)), 0, 0.02);
  // A reference in integers without a sign: the numbers of a seed are the same for ever.
  const auto scramble = [](std::uint64_t x)
  {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
  };
  for (const std::int64_t place : { 0, 5, 777, 95999 }) // of [4, 20, 30, 40]
  {
    const std::uint64_t a =
      scramble(scramble(scramble(3) + 7) ^ scramble(static_cast<std::uint64_t>(place)));
    const double u = (static_cast<double>(a >> 11) + 0.5) * 0x1p-53,
                 v = static_cast<double>(scramble(a) >> 11) * 0x1p-53;
    EXPECT_NEAR(all.flatten()[place].item<double>(),
      std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v), 1e-6);
  }
  const Box box{ { 3, 11, 5 }, { 9, 4, 30 } };
  EXPECT_TRUE(at::equal(gridNoise(box, cells, 4, 3, 7), slice(all, box.origin, box.size)));
}

TEST(Reconstruction, StrengthMixesInputAndReconstruction)
{
  const Dims dims{ 24, 17, 30 };
  const Volume grey = test::volume(noise(voxels(dims)), dims);
  const auto* in = static_cast<const float*>(grey.channels[0].data);
  const auto model = randomModel(grey, 3, 1);
  const auto with = [&](double strength)
  {
    All all(dims);
    ReconstructOptions options;
    options.strength = strength;
    options.samples = 2;
    model->reconstruct(grey, options, all.outputs, exact(), {});
    return all.value;
  };
  const Floats full = with(1), half = with(0.5), none = with(0);
  for (std::size_t i = 0; i < full.size(); ++i)
  {
    ASSERT_NEAR(none[i], in[i], 1e-5);
    ASSERT_NEAR(half[i], 0.5f * (in[i] + full[i]), 1e-5);
  }

  // Phases: a label changes where the strength times the other's probability is above a half.
  const Volume two = labels(dims);
  const auto* label = static_cast<const std::uint8_t*>(two.channels[0].data);
  const auto phases = randomModel(two, 3, 1, 8, Likelihood::Bernoulli);
  All plain(dims), mixed(dims);
  ReconstructOptions options;
  options.samples = 2;
  phases->reconstruct(two, options, plain.outputs, exact(), {});
  options.strength = 0.96;
  phases->reconstruct(two, options, mixed.outputs, exact(), {});
  int changed = 0, kept = 0;
  for (std::size_t i = 0; i < plain.value.size(); ++i)
  {
    const double other = label[i] ? 1 - plain.probability[i] : plain.probability[i];
    if (std::abs(0.96 * other - 0.5) > 1e-4)
    {
      ASSERT_EQ(mixed.value[i] != static_cast<float>(label[i]), 0.96 * other > 0.5) << i;
    }
    changed += mixed.value[i] != static_cast<float>(label[i]);
    kept += mixed.value[i] != plain.value[i];
  }
  EXPECT_GT(changed, 0);
  EXPECT_GT(kept, 0);

  options.strength = 1.5;
  EXPECT_THROW(
    phases->reconstruct(two, options, plain.outputs, exact(), {}), std::invalid_argument);
  options.strength = 1;
  options.samples = 1;
  EXPECT_THROW(
    phases->reconstruct(two, options, plain.outputs, exact(), {}), std::invalid_argument);
}

TEST(AnomalyScale, GivesPercentiles)
{
  const at::Tensor scores = at::randn({ 100000 }).abs();
  AnomalyScale scale;
  for (const auto m :
    { AnomalyMeasure::ReconstructionError, AnomalyMeasure::KLDivergence, AnomalyMeasure::Product })
  {
    scale.add(m, { scores * (1 + static_cast<int>(m)), scores.narrow(0, 0, 1000) });
  }
  scale.finish();
  const State state = scale.state();
  const AnomalyScale loaded = AnomalyScale::fromState(TensorReader(state));
  const at::Tensor some = at::tensor({ 0.f, 0.67449f, 1.95996f, 3.29053f, 100.f });
  const at::Tensor p = loaded.percentiles(AnomalyMeasure::KLDivergence, { some * 2, some }).voxels;
  const double expected[5] = { 0, 50, 95, 99.9, 100 }, tolerance[5] = { 0.01, 0.6, 0.3, 0.03, 0 };
  for (int i = 0; i < 5; ++i)
  {
    EXPECT_NEAR(p[i].item<double>(), expected[i], tolerance[i]) << i;
  }
  const State other{ { "quantiles", at::zeros({ 3, 2, 5 }) } };
  EXPECT_THROW(AnomalyScale::fromState(TensorReader(other)), std::runtime_error);
}

TEST(Anomaly, APlantedDefectRanksFirst)
{
  // A rock with a ball of noise in it, one cell and a half wide, trained on as it is, as a user
  // would.
  constexpr std::int64_t n = 48;
  const Dims dims{ n, n, n };
  Volume volume = test::rockVolume(n, 1, 6);
  auto* voxel = static_cast<std::uint8_t*>(const_cast<void*>(volume.channels[0].data));
  std::mt19937 random(1);
  const double centre[3] = { 25.5, 18.5, 30.5 };
  std::vector<bool> planted(static_cast<std::size_t>(voxels(dims)));
  for (std::int64_t i = 0; i < voxels(dims); ++i)
  {
    const double x = static_cast<double>(i % n) - centre[0],
                 y = static_cast<double>(i / n % n) - centre[1],
                 z = static_cast<double>(i / n / n) - centre[2];
    if (x * x + y * y + z * z < 9)
    {
      planted[static_cast<std::size_t>(i)] = true;
      voxel[i] = random() % 2 ? 255 : 0;
    }
  }
  TrainOptions options;
  options.timeBudget = 0;
  options.priorShare = 0;
  options.epochs = 20;
  options.stepsPerEpoch = 20;
  options.network.width = 16;
  options.network.latentStride = 4;
  options.patchSize = 16;
  options.batchSize = 4;
  options.validationFraction = 0;
  options.device = test::device();
  options.threads = 1;
  options.parameters["KLWeight"] = 0.5;
  TorchTrainer trainer({ volume }, options);
  while (!trainer.step().finished)
  {
  }
  // Through a file: the distribution of scores is part of it.
  const std::string path = (std::filesystem::temp_directory_path() /
    ("vae-anomaly-" + std::to_string(::getpid()) + ".safetensors"))
                             .string();
  trainer.model({}, {})->save(path);
  const auto model = TorchModel::load(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(model->hasAnomalyScale());

  for (const AnomalyMeasure measure :
    { AnomalyMeasure::ReconstructionError, AnomalyMeasure::KLDivergence, AnomalyMeasure::Product })
  {
    ReconstructOptions choice;
    choice.anomalyMeasure = measure;
    choice.samples = 2;
    All all(dims);
    model->reconstruct(volume, choice, all.outputs, {}, {});
    double inside = 0, best = 0, percentile = 0;
    for (std::size_t i = 0; i < planted.size(); ++i)
    {
      (planted[i] ? inside : best) = std::max<double>(planted[i] ? inside : best, all.cell[i]);
      percentile = planted[i] ? std::max<double>(percentile, all.cellPercentile[i]) : percentile;
    }
    double above = 0, mean = 0;
    for (std::size_t i = 0; i < planted.size(); ++i)
    {
      above += all.cell[i] > inside;
      mean += all.percentile[i] / static_cast<double>(planted.size());
    }
    std::cout << "measure " << static_cast<int>(measure) << ": best cell of the defect " << inside
              << ", outside " << best << ", fraction above it "
              << above / static_cast<double>(planted.size()) << ", its percentile " << percentile
              << ", mean percentile of voxels " << mean << "\n";
    if (measure == AnomalyMeasure::ReconstructionError)
    {
      EXPECT_LT(above / static_cast<double>(planted.size()), 0.001);
      EXPECT_GT(percentile, 99.9);
    }
    EXPECT_NEAR(mean, 50, 5); // it is the training volume
  }
}
