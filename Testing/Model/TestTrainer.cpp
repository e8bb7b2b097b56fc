// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Images.h"
#include "Torch/Data/Patches.h"
#include "Torch/Losses/Objective.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include <unistd.h>

using namespace vae;

namespace
{

std::unique_ptr<Trainer> train(const Volume& v, const TrainOptions& o)
{
  std::unique_ptr<Trainer> trainer = std::make_unique<TorchTrainer>(std::vector<Volume>{ v }, o);
  while (!trainer->step().finished)
  {
  }
  return trainer;
}

std::string refusal(const Volume& v, const TrainOptions& o)
{
  try
  {
    TorchTrainer trainer({ v }, o);
  }
  catch (const std::invalid_argument& e)
  {
    return e.what();
  }
  return "accepted";
}

std::vector<float> weights(const Trainer& trainer)
{
  // Through the file: what a user would compare.
  const std::string path = (std::filesystem::temp_directory_path() /
    ("vae-weights-" + std::to_string(::getpid()) + ".safetensors"))
                             .string();
  trainer.model(test::ofWeights())->save(path);
  const auto model = TorchModel::load(path);
  std::filesystem::remove(path);
  const Latent latent = model->sample({ { 16, 16, 16 } }).latent;
  std::vector<float> out(16 * 16 * 16);
  Outputs outputs;
  outputs.probability = { test::output(out) };
  RunOptions run;
  run.precision = Precision::Float32;
  model->decode(latent, { 16, 16, 16 }, 0, outputs, run, {});
  return out;
}

double accuracy(const Model& model, const Volume& v)
{
  std::vector<std::uint8_t> out(static_cast<std::size_t>(voxels(v.dims)));
  Outputs outputs;
  outputs.values = { test::output(out) };
  model.decode(model.encode(v, {}, {}), v.dims, 0, outputs, {}, {});
  const auto* in = static_cast<const std::uint8_t*>(v.channels[0].data);
  double same = 0;
  for (std::size_t i = 0; i < out.size(); ++i)
  {
    same += out[i] == in[i];
  }
  return same / static_cast<double>(out.size());
}

} // namespace

TEST(Trainer, LearnsAndReportsARowAnEpoch)
{
  const Volume v = test::rockVolume(48, 1, 14);
  TrainOptions o = test::quickInFloat32(30);
  o.objective = "beta-VAE";
  o.parameters["Beta"] = 0.3;
  o.network.latentStride = 4;
  o.priorShare = 0;
  o.batchSize = 2;
  o.precision = Precision::Automatic;
  o.patchSize = 32; // most of a 16^3 patch is border, which the whole volume has little of
  const auto trainer = train(v, o);
  const ModelInfo& info = trainer->info();
  ASSERT_EQ(info.history.size(), 30u);
  const EpochRecord &first = info.history.front(), &last = info.history.back();
  EXPECT_EQ(last.step, 300);
  EXPECT_LT(last.loss, 0.6 * first.loss);
  EXPECT_LT(last.validationLoss, first.validationLoss);
  EXPECT_LT(last.learningRate, 0.1 * o.learningRate);
  EXPECT_GT(last.activeLatents, 0);
  EXPECT_GT(accuracy(*trainer->model(test::ofWeights()), v), 0.87); // 0.8 is grain everywhere
}

TEST(Trainer, ValidationLossIsThatOfTheObjectiveOnHeldOutPatches)
{
  // After one epoch, by hand: the schedule of the KL term is then not at its end, in training.
  const Volume v = test::rockVolume(32, 1, 7);
  for (const char* objective : { "VAE", "capacity-VAE", "Autoencoder" })
  {
    TrainOptions o = test::quickInFloat32(1);
    o.objective = objective;
    o.network.latentStride = 4;
    o.priorShare = 0;
    o.device = "cpu";
    const auto trainer = train(v, o);
    const auto model =
      std::dynamic_pointer_cast<const TorchModel>(trainer->model(test::ofWeights()));
    const ModelInfo& info = model->info();
    const PatchSampler patches({ v }, info, info.options);
    const c10::NoGradGuard guard;
    const at::Tensor x = patches.read(patches.heldOut());
    const Posterior q = model->network()->encode(x);
    const auto count = static_cast<double>(x.numel());
    at::Tensor z = q.mean;
    double expected = 0;
    if (std::string(objective) != "Autoencoder")
    {
      const at::Generator noise = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{ 1 });
      z = z + noiseLike(z, noise) * (0.5 * q.logVariance).exp();
      const auto batch = static_cast<double>(x.size(0));
      const double cells = static_cast<double>(q.mean.numel() / q.mean.size(1)) / batch,
                   kl = klDivergence(q).item<double>(); // nats a patch
      // -ELBO (Kingma and Welling 2014, Eq. 3), and Burgess et al. 2018, Eq. 8.
      expected = batch / count *
        (std::string(objective) == "VAE" ? kl : cells * 10 * std::abs(kl / cells - 25));
    }
    expected += bernoulliLoss(model->network()->decode(z), x).sum().item<double>() / count;
    EXPECT_NEAR(trainer->info().history.back().validationLoss, expected, 1e-4 * expected)
      << objective;
  }
}

// The first hundred steps are the wildest: with all weights at the same rate three of eight
// trainings had a loss above 2 nats a voxel on the way, and the mean of all at the end was 0.62,
// now 0.49.
TEST(Trainer, LearnsFromTheFirstSteps)
{
  constexpr int count = 4, steps = 100;
  const Volume v = test::rockVolume(96);
  double end = 0;
  TrainOptions o;
  o.timeBudget = 0;
  o.epochs = 250;
  o.device = test::device();
  for (o.seed = 1; o.seed <= count; ++o.seed)
  {
    TorchTrainer trainer({ v }, o);
    for (int i = 0; i < steps; ++i)
    {
      const double loss = trainer.step().loss;
      end += i >= steps - 20 ? loss / (20 * count) : 0;
    }
    EXPECT_TRUE(trainer.info().warning.empty()) << trainer.info().warning;
  }
  EXPECT_LT(end, 0.55);
}

TEST(Trainer, SameSeedSameModel)
{
  const Volume v = test::rockVolume(32);
  TrainOptions o = test::quickInFloat32(2);
  o.threads = 2; // who is first must not matter
  const auto first = weights(*train(v, o));
  EXPECT_EQ(first, weights(*train(v, o)));
  TrainOptions other = o;
  other.seed = 1;
  EXPECT_NE(first, weights(*train(v, other)));
}

TEST(Trainer, NeverSeesTheHeldOutSlab)
{
  // The same volume but for the slab: the same weights, another validation loss.
  std::vector<std::uint8_t> a = rock::cementedGrains({ 32, 0.2, 6, 1 });
  std::vector<std::uint8_t> b = a;
  for (std::size_t i = 24 * 32 * 32; i < b.size(); ++i)
  {
    b[i] = b[i] ? 0 : 255;
  }
  TrainOptions o = test::quickInFloat32(2);
  o.validationFraction = 0.25;
  TorchTrainer ta({ test::volume(a, { 32, 32, 32 }) }, o),
    tb({ test::volume(b, { 32, 32, 32 }) }, o);
  for (int i = 0; i < 20; ++i)
  {
    EXPECT_EQ(ta.step().loss, tb.step().loss);
  }
  EXPECT_NE(ta.info().history.back().validationLoss, tb.info().history.back().validationLoss);
}

TEST(Trainer, AnyTwoLabelsComeBack)
{
  std::vector<std::uint8_t> voxels = rock::cementedGrains({ 32, 0.5, 12, 1 });
  for (auto& v : voxels)
  {
    v = v ? 182 : 87;
  }
  const Volume v = test::volume(voxels, { 32, 32, 32 });
  TrainOptions o = test::quickInFloat32(60);
  o.objective = "beta-VAE";
  o.parameters["Beta"] = 0.1;
  const auto model = train(v, o)->model(test::ofWeights());
  EXPECT_EQ(model->info().likelihood, Likelihood::Bernoulli);
  std::vector<std::uint8_t> out(voxels.size());
  std::vector<float> probability(voxels.size());
  Outputs outputs;
  outputs.values = { test::output(out) };
  outputs.probability = { test::output(probability) };
  model->decode(model->encode(v, {}), v.dims, 0, outputs, {});
  double mean = 0;
  for (std::size_t i = 0; i < out.size(); ++i)
  {
    ASSERT_TRUE(out[i] == 87 || out[i] == 182);
    ASSERT_EQ(out[i] == 182, probability[i] > 0.5);
    mean += out[i];
  }
  EXPECT_GT(mean / static_cast<double>(out.size()), 88); // both occur
  EXPECT_LT(mean / static_cast<double>(out.size()), 181);
}

TEST(Trainer, GreyValuesComeBackInTheirUnits)
{
  const int n = 32;
  std::vector<float> values;
  for (int z = 0; z < n; ++z)
  {
    for (int y = 0; y < n; ++y)
    {
      for (int x = 0; x < n; ++x)
      {
        values.push_back(static_cast<float>(1000 + 50 * std::sin(0.3 * x) * std::cos(0.2 * y) + z));
      }
    }
  }
  const Volume v = test::volume(values, { n, n, n });
  TrainOptions o = test::quickInFloat32(40);
  o.patchSize = 32; // the whole volume, nothing held out: the same voxels in training and here
  o.validationFraction = 0;
  o.batchSize = 2;
  const auto trainer = train(v, o);
  const auto model = trainer->model(test::ofWeights());
  EXPECT_EQ(model->info().likelihood, Likelihood::Gaussian);
  std::vector<float> out(values.size());
  Outputs outputs;
  outputs.values = { test::output(out) };
  model->decode(model->encode(v, {}), v.dims, 0, outputs, {});
  double squares = 0;
  for (std::size_t i = 0; i < out.size(); ++i)
  {
    squares += std::pow(out[i] - values[i], 2);
    ASSERT_GE(out[i], 950 - 1e-3);
    ASSERT_LE(out[i], 1081 + 1e-3);
  }
  const double rms = std::sqrt(squares / static_cast<double>(out.size()));
  EXPECT_LT(rms, 18); // the data's own standard deviation is 27
  // The learned sigma is the error, in normalised units.
  const ChannelInfo& c = model->info().channels[0];
  EXPECT_NEAR(model->info().sigma[0] * c.scale / rms, 1, 0.5);
}

TEST(Trainer, TwoDimensionalImagesTrainATwoDimensionalNetwork)
{
  std::vector<std::uint8_t> rock = rock::cementedGrains({ 64, 0.3, 8, 1 });
  rock.resize(64 * 64);
  const Volume v = test::volume(rock, { 64, 64, 1 });
  const auto trainer = train(v, test::quickInFloat32(3));
  EXPECT_EQ(trainer->info().network.dimensions, 2);
  const auto model = trainer->model();
  EXPECT_EQ(model->encode(v, {}).dims, (Dims{ 8, 8, 1 }));
  const Latent drawn = model->sample({ { 80, 40, 1 }, 2 }).latent;
  EXPECT_EQ(drawn.dims, (Dims{ 14, 9, 1 }));
}

/// Each image is one block, so it has one latent cell, whose statistics say nothing of the others.
TEST(Trainer, LatentStatisticsAreOfAllImages)
{
  test::GaussianImages data({ 4, 1, 0.25, 0.25 });
  data.volumes.resize(300);
  TrainOptions o = test::quickInFloat32(20);
  o.network.architecture = Architecture::Dense;
  o.network.blockSize = 2;
  o.network.hiddenUnits = 0;
  o.network.latentChannels = 2;
  o.symmetry = Symmetry::None;
  o.batchSize = 64;
  o.klRamp = 0;
  o.learningRate = 0.01;
  TorchTrainer trainer(data.volumes, o);
  while (!trainer.step().finished)
  {
  }
  const auto model = trainer.model(test::ofWeights(), {});
  std::array<double, 2> sum{}, squares{}, posterior{};
  const auto n = static_cast<double>(data.volumes.size());
  for (const Volume& image : data.volumes)
  {
    const Latent latent = model->encode(image, {});
    ASSERT_EQ(latent.mean.size(), 2u);
    for (std::size_t c = 0; c < 2; ++c)
    {
      sum[c] += latent.mean[c] / n;
      squares[c] += latent.mean[c] * latent.mean[c] / n;
      posterior[c] += std::exp(latent.logVariance[c]) / n;
    }
  }
  const std::vector<LatentStatistics> statistics = model->latentStatistics();
  for (std::size_t c = 0; c < 2; ++c)
  {
    const double variance = squares[c] - sum[c] * sum[c];
    EXPECT_GT(variance, 0.5 * posterior[c]) << "this latent is in use";
    // Quantiles at 257 normal scores give the moments of 300 values to a few percent.
    const double stddev = std::sqrt(variance + posterior[c]);
    EXPECT_NEAR(statistics[c].mean, sum[c], 0.02 * stddev);
    EXPECT_NEAR(statistics[c].stddev / stddev, 1, 0.03);
    EXPECT_NEAR(statistics[c].posteriorStddev, std::sqrt(posterior[c]), 1e-3);
  }
  // A prior of them draws different ones.
  SampleRequest request;
  request.dims = { 2, 2, 1 };
  request.options.prior = Prior::RandomField;
  const Latent first = model->sample(request).latent;
  request.options.seed = 1;
  EXPECT_NE(model->sample(request).latent.mean, first.mean);
}

TEST(Trainer, SavedModelsGiveIdenticalOutput)
{
  const Volume v = test::rockVolume(32);
  TrainOptions o = test::quickInFloat32(2);
  o.network.latentStride = 4;
  o.priorShare = 0;
  const auto model = train(v, o)->model(); // with all that the end measures
  const std::string path = (std::filesystem::temp_directory_path() /
    ("vae-saved-" + std::to_string(::getpid()) + ".safetensors"))
                             .string();
  model->save(path);
  const std::shared_ptr<const Model> back = TorchModel::load(path);
  const Latent a = model->encode(v, {}), b = back->encode(v, {});
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.logVariance, b.logVariance);
  EXPECT_EQ(model->sample({ { 24, 24, 24 }, 1 }).latent.mean,
    back->sample({ { 24, 24, 24 }, 1 }).latent.mean);
  EXPECT_EQ(toJson(model->info()), toJson(back->info()));
  std::filesystem::remove(path);
}

TEST(Trainer, BadInputIsRefusedInOneSentence)
{
  const TrainOptions o = test::quickInFloat32(1);
  EXPECT_EQ(refusal(test::volume(std::vector<std::uint8_t>(512, 3), { 8, 8, 8 }), o),
    "Array 'v' is constant (3.000000 everywhere); there is nothing to learn");
  std::vector<float> nan(512);
  nan[1] = 1;
  nan[7] = std::nan("");
  EXPECT_EQ(refusal(test::volume(nan, { 8, 8, 8 }), o),
    "Array 'v' has 1 values that are NaN or infinite; training needs finite values everywhere");
  EXPECT_EQ(refusal(test::volume(std::vector<float>(64), { 64, 1, 1 }), o),
    "The input is 64 x 1 x 1 voxels; training needs at least two axes with more than one voxel");
  const Volume good = test::rockVolume(16);
  const auto with = [&](auto change)
  {
    TrainOptions changed = o;
    change(changed);
    return refusal(good, changed);
  };
  EXPECT_EQ(with([](TrainOptions& t) { t.learningRate = -1; }),
    "Learning Rate is -1; it must be in [1e-07, 1]");
  EXPECT_EQ(
    with([](TrainOptions& t) { t.batchSize = -1; }), "Batch Size is -1; it must be in [0, 4096]");
  EXPECT_EQ(with([](TrainOptions& t) { t.device = "gpu"; }),
    "Device is 'gpu'; it must be auto, cpu, cuda or cuda:N");
  EXPECT_EQ(with([](TrainOptions& t) { t.epochs = 0; }),
    "Time Budget and Epochs are both 0 (no limit); one of them must be set");
  EXPECT_EQ(with([](TrainOptions&) {}), "accepted");
}

TEST(Trainer, FingerprintFollowsDataAndOptions)
{
  const auto of = [](const std::vector<Volume>& volumes, const TrainOptions& o)
  { return fingerprint(volumes, summarise(volumes), o); };
  const Volume v = test::rockVolume(16);
  const std::string f = of({ v }, test::quickInFloat32(1));
  EXPECT_EQ(f, of({ test::rockVolume(16) }, test::quickInFloat32(1)));
  EXPECT_NE(f, of({ test::rockVolume(16, 2) }, test::quickInFloat32(1)));
  EXPECT_NE(f, of({ v, v }, test::quickInFloat32(1)));
  EXPECT_NE(f, of({ v }, test::quickInFloat32(2)));
  EXPECT_EQ(f, of({ v }, withLimitsOf(test::quickInFloat32(2), test::quickInFloat32(1))));
  Volume masked = v;
  masked.mask = v.channels[0];
  EXPECT_NE(f, of({ masked }, test::quickInFloat32(1)));
}
