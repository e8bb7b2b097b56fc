// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Images.h"
#include "Torch/Data/TrainingData.h"
#include "Torch/Losses/Likelihood.h"
#include "Torch/Networks/Networks.h"
#include "Torch/Training/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/jit/api/module.h>

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numbers>

using namespace vae;

namespace
{

ModelInfo infoOf(Likelihood likelihood, Scale scale = Scale::Analytic, double sigma = 1)
{
  ModelInfo info;
  info.likelihood = likelihood;
  info.options.scale = scale;
  info.channels.resize(1);
  info.sigma.assign(1, sigma);
  return info;
}

std::shared_ptr<const Model> train(const std::vector<Volume>& volumes, const TrainOptions& o)
{
  TorchTrainer trainer(volumes, o);
  while (!trainer.step().finished)
  {
  }
  return trainer.model(test::ofWeights(), {});
}

/// Three nested shells, labelled 2, 5 and 9.
std::vector<std::int16_t> shells(int n)
{
  std::vector<std::int16_t> v;
  for (int i = 0; i < n * n * n; ++i)
  {
    const double x = i % n - n / 2., y = i / n % n - n / 2., z = i / n / n - n / 2.;
    const double r = std::sqrt(x * x + y * y + z * z) / n;
    v.push_back(r < 0.25 ? 9 : r < 0.42 ? 5 : 2);
  }
  return v;
}

std::string refusal(const Volume& volume, const TrainOptions& options)
{
  try
  {
    TorchTrainer trainer({ volume }, options);
  }
  catch (const std::invalid_argument& e)
  {
    return e.what();
  }
  return {};
}

} // namespace

TEST(Likelihood, LaplaceHasItsClosedForm)
{
  const at::Tensor x = at::zeros({ 1, 8, 2 }), y = at::full({ 1, 8, 2 }, 0.5);
  const at::Tensor width = at::full({ 1 }, 0.25);
  EXPECT_NEAR(laplaceLoss(y, x, width).item<double>(), 16 * (2 + std::log(0.5)), 1e-4);
  // Least where the width is the mean absolute deviation.
  EXPECT_LT(
    laplaceLoss(y, x, 2 * width).item<double>(), laplaceLoss(y, x, 2.1 * width).item<double>());
  EXPECT_LT(
    laplaceLoss(y, x, 2 * width).item<double>(), laplaceLoss(y, x, 1.9 * width).item<double>());
}

TEST(Likelihood, DrawnValuesHaveItsDistribution)
{
  // P(|x| > t) of a Laplace distribution of standard deviation s is exp(-sqrt(2) t / s), of a
  // normal one erfc(t / (sqrt(2) s)).
  constexpr std::int64_t n = 200000;
  constexpr double s = 0.3;
  const at::Tensor noise = at::randn({ 1, 1, n }, at::make_generator<at::CPUGeneratorImpl>(4));
  for (const Likelihood likelihood : { Likelihood::Laplace, Likelihood::Gaussian })
  {
    ModelInfo info = infoOf(likelihood);
    info.channels[0].residual = s;
    const at::Tensor x =
      makeObservationModel(info, at::kCPU)->drawn(at::full({ 1, 1, n }, 2.), noise) - 2;
    EXPECT_NEAR(x.std().item<double>(), s, 0.01 * s);
    EXPECT_NEAR(x.mean().item<double>(), 0, 4 * s / std::sqrt(n));
    for (const double t : { 0.1, 0.3, 0.9, 1.5 })
    {
      const double p = likelihood == Likelihood::Laplace ? std::exp(-std::numbers::sqrt2 * t / s)
                                                         : std::erfc(t / (std::numbers::sqrt2 * s));
      EXPECT_NEAR((x.abs() > t).to(at::kDouble).mean().item<double>(), p,
        4 * std::sqrt(p * (1 - p) / n) + 1e-6)
        << name(likelihood) << ' ' << t;
    }
  }
}

TEST(Likelihood, CategoricalOfTwoIsBernoulli)
{
  const at::Tensor logit = at::tensor({ -1.2, 0.3, 2. }).view({ 1, 1, 3 });
  const at::Tensor x = at::tensor({ 0., 1., 0. }).view({ 1, 1, 3 });
  const at::Tensor both = at::stack({ at::zeros_like(logit), logit }, 1);
  EXPECT_NEAR(
    categoricalLoss(both, x).item<double>(), bernoulliLoss(logit, x).item<double>(), 1e-6);
}

TEST(Likelihood, LogOddsAreThoseOfProbabilities)
{
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(2);
  ModelInfo info;
  info.channels.resize(1);
  for (const int phases : { 2, 3, 5 })
  {
    info.likelihood = phases == 2 ? Likelihood::Bernoulli : Likelihood::Categorical;
    info.channels[0].phases.resize(static_cast<std::size_t>(phases));
    const auto observation = makeObservationModel(info, at::kCPU);
    // [batch, phases * values, cells]
    const at::Tensor decoded =
      at::randn({ 1, (phases == 2 ? 1 : phases) * 4, 3, 3, 3 }, generator) * 2;
    const at::Tensor p = observation->probabilities(decoded);
    const at::Tensor likeliest = observation->value(decoded);
    for (std::int64_t k = 0; k < phases; ++k)
    {
      const at::Tensor mine = p.select(1, k).to(at::kDouble);
      EXPECT_LT(
        (observation->logOdds(decoded, k) - (mine / (1 - mine)).log()).abs().max().item<double>(),
        1e-3);
      const at::Tensor others = observation->others(decoded, k);
      EXPECT_EQ(others.sizes(), likeliest.sizes());
      EXPECT_FALSE((others == k).any().item<bool>());
      // Where another phase is the likeliest of all, it is so among the others.
      EXPECT_TRUE(((others == likeliest) == (likeliest != k)).all().item<bool>());
      const at::Tensor best =
        at::where(at::arange(phases).view({ 1, phases, 1, 1, 1, 1 }) == k, 0., p).argmax(1);
      EXPECT_TRUE((others == best).all().item<bool>());
    }
  }
}

TEST(Likelihood, ThresholdsMoveTheOddsOfTheirOwnChannel)
{
  ModelInfo info;
  info.channels.resize(2);
  info.likelihood = Likelihood::Bernoulli;
  const auto observation = makeObservationModel(info, at::kCPU);
  // [batch, channels * values, cells]
  const at::Tensor decoded =
    at::randn({ 1, 2 * 4, 3, 3, 3 }, at::make_generator<at::CPUGeneratorImpl>(2));
  const auto moved = [&](const std::vector<double>& thresholds, std::int64_t channel)
  {
    const at::Tensor change =
      observation->logOdds(observation->withThresholds(decoded, thresholds), 0) -
      observation->logOdds(decoded, 0);
    const at::Tensor mine = change.narrow(1, 4 * channel, 4);
    EXPECT_LT((mine - mine.mean()).abs().max().item<double>(), 1e-6);
    return mine.mean().item<double>();
  };
  EXPECT_NEAR(moved({ 0.5, -2 }, 0), -0.5, 1e-6);
  EXPECT_NEAR(moved({ 0.5, -2 }, 1), 2, 1e-6);
  EXPECT_EQ(moved({}, 0), 0);
  EXPECT_NEAR(moved({ 0.5 }, 1), -0.5, 1e-6) << "older files have one for all channels";
}

TEST(Likelihood, WidthsFollowAreLearntOrStay)
{
  const at::Tensor x = at::zeros({ 2, 64, 4 }), y = at::full({ 2, 64, 4 }, 0.3);
  const auto analytic = makeObservationModel(infoOf(Likelihood::Gaussian), at::kCPU);
  analytic->loss(y, x, true);
  EXPECT_NEAR(analytic->scales()[0], 0.3, 1e-5);
  analytic->loss(2 * y, x, false);
  EXPECT_NEAR(analytic->scales()[0], 0.3, 1e-5) << "held-out data moves nothing";
  const auto laplace = makeObservationModel(infoOf(Likelihood::Laplace), at::kCPU);
  laplace->loss(y, x, true);
  EXPECT_NEAR(laplace->scales()[0], 0.3, 1e-5);

  const auto fixed =
    makeObservationModel(infoOf(Likelihood::Gaussian, Scale::Fixed, 0.1), at::kCPU);
  const double per = fixed->loss(y, x, true)[0].item<double>() / 256;
  EXPECT_NEAR(per, 0.5 * 9 + std::log(0.1) + 0.5 * std::log(2 * std::numbers::pi), 1e-4);
  EXPECT_EQ(fixed->parameters(), 0u);

  const auto learned =
    makeObservationModel(infoOf(Likelihood::Gaussian, Scale::Learned, 0.2), at::kCPU);
  EXPECT_NEAR(learned->scales()[0], 0.2, 1e-5);
  ASSERT_EQ(learned->parameters(), 1u);
  learned->loss(y, x, true).sum().backward();
  EXPECT_LT(learned->tensors()[0].grad().item<double>(), 0)
    << "0.2 is too narrow for errors of 0.3";
}

TEST(Likelihood, LabelsComeBackWithAProbabilityOfEach)
{
  const int n = 32;
  const Volume v = test::volume(shells(n), { n, n, n });
  TrainOptions o = test::quickInFloat32(15);
  o.objective = "Autoencoder";
  o.validationFraction = 0;
  o.patchSize = 32;
  o.batchSize = 1;
  const auto model = train({ v }, o);
  const ModelInfo& info = model->info();
  EXPECT_EQ(info.likelihood, Likelihood::Categorical);
  EXPECT_EQ(
    info.likelihoodReason, "'v' holds 3 different whole numbers, treated as labels of phases");
  EXPECT_EQ(info.channels[0].phases, (std::vector<double>{ 2, 5, 9 }));
  std::vector<std::int16_t> out(shells(n).size());
  std::vector<float> p[3];
  Outputs outputs;
  outputs.values = { test::output(out) };
  for (auto& list : p)
  {
    list.resize(out.size());
    outputs.probability.push_back(test::output(list));
  }
  model->decode(model->encode(v, {}), v.dims, 0, outputs, {});
  const std::vector<std::int16_t> truth = shells(n);
  double right = 0;
  for (std::size_t i = 0; i < out.size(); ++i)
  {
    right += out[i] == truth[i];
    ASSERT_TRUE(out[i] == 2 || out[i] == 5 || out[i] == 9) << out[i];
    ASSERT_NEAR(p[0][i] + p[1][i] + p[2][i], 1, 1e-5);
    // Its label is the likeliest (or one of them).
    const auto& chosen = p[out[i] == 2 ? 0 : out[i] == 5 ? 1 : 2];
    ASSERT_GE(chosen[i], std::max({ p[0][i], p[1][i], p[2][i] }) - 1e-6);
  }
  EXPECT_GT(right / static_cast<double>(out.size()), 0.9);
}

TEST(Likelihood, AutomaticSaysWhy)
{
  const auto reason = [](const Volume& v)
  {
    const ModelInfo info = describeTraining({ { v } }, TrainOptions());
    return std::string(name(info.likelihood)) + ": " + info.likelihoodReason;
  };
  std::vector<float> ramp(512);
  std::vector<float> halves(512);
  std::vector<std::uint8_t> two(512, 7);
  for (std::size_t i = 0; i < 512; ++i)
  {
    ramp[i] = static_cast<float>(i);
    halves[i] = 0.5f * static_cast<float>(i % 3);
  }
  two[3] = 9;
  EXPECT_EQ(
    reason(test::volume(two, { 8, 8, 8 })), "bernoulli: every channel holds exactly two values");
  EXPECT_EQ(
    reason(test::volume(ramp, { 8, 8, 8 })), "gaussian: 'v' holds more than 16 different values");
  EXPECT_EQ(reason(test::volume(halves, { 8, 8, 8 })), "gaussian: 'v' holds 3 different values");

  TrainOptions o;
  o.likelihood = Likelihood::Bernoulli;
  EXPECT_EQ(refusal(test::volume(ramp, { 8, 8, 8 }), o),
    "Likelihood is Bernoulli, but the data ('v') has more than two values; choose another, or "
    "Automatic");
  o.likelihood = Likelihood::Categorical;
  EXPECT_EQ(refusal(test::volume(ramp, { 8, 8, 8 }), o),
    "Likelihood is Categorical, but 'v' has more than 16 different values");
}

/// The trainer itself finds the optimum of a linear VAE, which is known: that of probabilistic
/// principal component analysis (Tipping and Bishop 1999; Lucas et al. 2019).
TEST(Likelihood, ALinearVAEIsProbabilisticPCA)
{
  const test::GaussianImages data({ 4, 1, 0.25, 0.25 });
  const std::vector<Volume>& volumes = data.volumes;
  const at::Tensor& images = data.images;
  const std::int64_t n = images.size(0);
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{ 1 });
  const double best = -0.5 *
    (4 * std::log(2 * std::numbers::pi) + std::log(4.) + std::log(1.) + 2 * std::log(0.25) + 4);
  ASSERT_NEAR(best, -4.982607, 1e-6);

  for (const Scale scale : { Scale::Analytic, Scale::Learned })
  {
    TrainOptions o;
    o.network.architecture = Architecture::Dense;
    o.network.blockSize = 2;
    o.network.hiddenUnits = 0;
    o.network.latentChannels = 2;
    o.scale = scale;
    o.symmetry = Symmetry::None;
    o.validationFraction = 0;
    o.batchSize = 256;
    o.learningRate = 0.01;
    o.weightDecay = 0;
    o.timeBudget = 0;
    o.epochs = 100;
    o.klRamp = 0;
    o.precision = Precision::Float32;
    o.threads = 1;
    o.device = test::device();
    TorchTrainer trainer(volumes, o);
    while (!trainer.step().finished)
    {
    }
    const ModelInfo& info = trainer.info();
    const auto model = std::dynamic_pointer_cast<const TorchModel>(trainer.model({}, {}));
    const double sigma = model->info().sigma[0] * info.channels[0].scale;
    EXPECT_NEAR(sigma * sigma, 0.25, 0.01);

    // The bound over all images with a sample each, in the data's units.
    const c10::NoGradGuard guard;
    const at::Tensor x = ((images - info.channels[0].offset) / info.channels[0].scale)
                           .to(at::kFloat)
                           .view({ n, 1, 2, 2 });
    const Posterior q = model->network()->encode(x);
    const auto observation = makeObservationModel(model->info(), at::kCPU);
    double loss = 0;
    constexpr int samples = 200;
    for (int i = 0; i < samples; ++i)
    {
      const at::Tensor z = q.mean + noiseLike(q.mean, generator) * (0.5 * q.logVariance).exp();
      loss +=
        observation->loss(model->network()->decode(z), x, false).mean().item<double>() / samples;
    }
    const double elbo =
      -loss - klDivergence(q).item<double>() - 4 * std::log(info.channels[0].scale);
    EXPECT_NEAR(elbo, best, 0.01) << name(Likelihood::Gaussian) << static_cast<int>(scale);
    EXPECT_LT(elbo, best + 0.003);
  }
}

TEST(Networks, BlocksAreCutAndJoined)
{
  const at::Tensor whole = at::arange(2 * 3 * 8 * 12 * 4).view({ 2, 3, 8, 12, 4 });
  const at::Tensor blocks = cutBlocks(whole, 4);
  EXPECT_EQ(blocks.sizes().vec(), (std::vector<std::int64_t>{ 2 * 2 * 3 * 1, 3, 4, 4, 4 }));
  EXPECT_TRUE(at::equal(joinBlocks(blocks, { 2, 2, 3, 1 }), whole));
  EXPECT_TRUE(at::equal(blocks[4], whole[0].slice(1, 4, 8).slice(2, 4, 8)));
  const at::Tensor vectors = at::arange(12 * 5).view({ 12, 5 });
  EXPECT_TRUE(at::equal(
    joinBlocks(vectors, { 2, 2, 3, 1 })[1].select(1, 1).select(1, 2).select(1, 0), vectors[11]));
}

TEST(Networks, ABlockIsCodedAloneWhereverItLies)
{
  for (const Architecture architecture : { Architecture::Vector, Architecture::Dense })
  {
    TrainOptions o = test::quickInFloat32(1);
    o.network.architecture = architecture;
    o.network.blockSize = 16;
    o.network.hiddenUnits = 30;
    const Volume v = test::rockVolume(40); // 3 blocks along each axis, the last partly reflected
    const auto model = train({ v }, o);
    RunOptions whole, tiled;
    whole.precision = tiled.precision = Precision::Float32;
    tiled.memoryBudget = 1;
    const Latent a = model->encode(v, whole), b = model->encode(v, tiled);
    EXPECT_EQ(a.dims, (Dims{ 3, 3, 3 }));
    double difference = 0;
    for (std::size_t i = 0; i < a.mean.size(); ++i)
    {
      difference = std::max<double>(difference, std::abs(a.mean[i] - b.mean[i]));
    }
    EXPECT_LT(difference, 1e-5);
    // The first block on its own.
    std::vector<std::uint8_t> first;
    const auto* data = static_cast<const std::uint8_t*>(v.channels[0].data);
    for (int i = 0; i < 16 * 16 * 16; ++i)
    {
      first.push_back(data[(i / 256 * 40 + i / 16 % 16) * 40 + i % 16]);
    }
    const Latent one = model->encode(test::volume(first, { 16, 16, 16 }), whole);
    for (std::size_t c = 0; c < 4; ++c)
    {
      EXPECT_NEAR(one.mean[c], a.mean[c * 27], 1e-5);
    }
    EXPECT_EQ(model->decodeHalo(), 0);
    std::vector<std::uint8_t> out(40 * 40 * 40);
    Outputs outputs;
    outputs.values = { test::output(out) };
    GenerateOptions generate;
    model->sampleAndDecode({ { 40, 40, 40 }, 0, generate }, outputs, whole);
  }
}

namespace
{

/// A linear TorchScript encoder and decoder of 8 x 8 blocks with 2 latents.
void writeScripts(const std::string& encoder, const std::string& decoder)
{
  torch::jit::Module e("encoder"), d("decoder");
  e.register_parameter("weight", at::randn({ 4, 64 }) * 0.1, false);
  e.define("def forward(self, x):\n  return torch.matmul(x.flatten(1), self.weight.t())\n");
  d.register_parameter("weight", at::randn({ 64, 2 }) * 0.1, false);
  d.define(
    "def forward(self, z):\n  return torch.matmul(z, self.weight.t()).view([-1, 1, 8, 8])\n");
  e.save(encoder);
  d.save(decoder);
}

} // namespace

TEST(Networks, TorchScriptIsTrainedAndRefusedUnlessAllowed)
{
  const std::string folder = testing::TempDir();
  TrainOptions o = test::quickInFloat32(3);
  o.network.architecture = Architecture::TorchScript;
  o.network.blockSize = 8;
  o.network.latentChannels = 2;
  o.network.encoderFile = folder + "vae_encoder.pt";
  o.network.decoderFile = folder + "vae_decoder.pt";
  o.validationFraction = 0;
  writeScripts(o.network.encoderFile, o.network.decoderFile);
  const Volume v = test::volume([]
  {
    std::vector<float> r(64 * 64);
    for (std::size_t i = 0; i < r.size(); ++i)
    {
      r[i] = std::sin(0.1f * static_cast<float>(i));
    }
    return r;
  }(), { 64, 64, 1 });
  EXPECT_EQ(
    refusal(v, o).substr(0, 58), "Network is TorchScript, but Allow TorchScript is off; swit");
  o.allowTorchScript = true;
  const auto model = train({ v }, o);
  EXPECT_LT(model->info().history.back().loss, model->info().history.front().loss);
  EXPECT_EQ(model->info().parameters, 4 * 64 + 64 * 2);
  const std::string file = folder + "vae_script.safetensors";
  model->save(file);
  // The file is enough, and says nothing of where the scripts were.
  std::filesystem::remove(o.network.encoderFile);
  std::filesystem::remove(o.network.decoderFile);
  const auto back = TorchModel::load(file, { .allowTorchScript = true });
  EXPECT_EQ(back->encode(v, {}, {}).mean, model->encode(v, {}).mean)
    << "the trained weights are in the model file, not those of the scripts";
  EXPECT_EQ(toJson(back->info()).find("vae_encoder.pt"), std::string::npos);
  back->save(file); // and so on
  EXPECT_NO_THROW(TorchModel::load(file, { .allowTorchScript = true }));
  try
  {
    TorchModel::load(file);
    FAIL() << "TorchScript ran without leave";
  }
  catch (const std::runtime_error& e)
  {
    EXPECT_NE(std::string(e.what()).find("Allow TorchScript is off"), std::string::npos)
      << e.what();
  }
  writeScripts(o.network.encoderFile, o.network.decoderFile);

  TrainOptions wrong = o;
  wrong.network.latentChannels = 3;
  EXPECT_EQ(
    refusal(v, wrong), "Encoder File: the module gives [1, 4] for one block; it must give [1, 6]");
  wrong = o;
  wrong.network.decoderFile = folder + "absent.pt";
  EXPECT_NE(refusal(v, wrong).find("Decoder File is '" + folder +
              "absent.pt', which is not a "
              "TorchScript module"),
    std::string::npos)
    << refusal(v, wrong);
}
