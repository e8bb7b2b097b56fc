// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Images.h"
#include "TestDevice.h"
#include "Torch/Losses/LatentDiagnostics.h"
#include "Torch/Losses/Objective.h"
#include "Torch/Training/TorchTrainer.h"
#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <numbers>
#include <regex>
#include <sstream>

using namespace vae;

namespace
{

at::Generator generator(std::uint64_t seed)
{
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

at::Tensor normal(at::IntArrayRef sizes, std::uint64_t seed)
{
  return at::randn(sizes, generator(seed), at::TensorOptions(at::kDouble));
}

/// A network that no test runs: 3 latent channels.
Network& idle(int codes = 0)
{
  static std::map<int, NetworkPtr> all;
  NetworkPtr& network = all[codes];
  if (!network)
  {
    NetworkOptions o;
    o.architecture = Architecture::Dense;
    o.dimensions = 2;
    o.blockSize = 4;
    o.hiddenUnits = 0;
    o.latentChannels = 3;
    o.codes = codes;
    network = makeNetwork(o);
  }
  return *network;
}

const ObservationModel& gaussian()
{
  static const auto observation = []
  {
    ModelInfo info;
    info.likelihood = Likelihood::Gaussian;
    info.channels.resize(1);
    info.sigma.assign(1, 0.5);
    return makeObservationModel(info, at::kCPU);
  }();
  return *observation;
}

std::unique_ptr<Objective> objective(const std::string& name, const Parameters& parameters = {})
{
  TrainOptions o;
  o.objective = name;
  o.parameters = parameters;
  return makeObjective(o);
}

/// What an objective makes of posteriors [batch, latent, cells...], of voxels that say z = 0.3.
Terms termsOf(Objective& goal, const at::Tensor& mean, const at::Tensor& logVariance,
  Network& network, const LossContext& with = { 1, 0, 1000, {} })
{
  const at::Generator noise = generator(11);
  Batch b;
  b.q = { mean.repeat_interleave(goal.samples(), 0),
    logVariance.repeat_interleave(goal.samples(), 0) };
  b.cells = static_cast<double>(mean.numel() / (mean.size(0) * mean.size(1)));
  b.z = goal.draw(b.q, network, noise);
  b.decoded = b.z;
  b.x = at::full_like(mean, 0.3);
  b.likelihood = (b.z - 0.3).square().flatten(1).sum(1) * 2;
  LossContext lossContext = with;
  lossContext.noise = noise;
  return goal.terms(b, gaussian(), network, lossContext);
}

double value(const at::Tensor& t) { return t.item<double>(); }

std::vector<std::string> names()
{
  std::vector<std::string> all;
  for (const auto& [name, kind] : objectives())
  {
    all.push_back(name);
  }
  return all;
}

class EachObjective : public testing::TestWithParam<std::string>
{
};

} // namespace

INSTANTIATE_TEST_SUITE_P(Objectives, EachObjective, testing::ValuesIn(names()),
  [](const auto& test) { return std::regex_replace(test.param, std::regex("-"), ""); });

TEST_P(EachObjective, GradientsAgreeWithFiniteDifferences)
{
  const auto goal = objective(GetParam());
  Network& network = idle(goal->codes() > 0 ? 5 : 0);
  network.to(at::kDouble);
  if (goal->codes() > 0)
  {
    GTEST_SKIP() << "straight-through gradients are not those of the loss; see VectorQuantisation";
  }
  const at::Tensor mean = 0.7 * normal({ 6, 3, 2, 2 }, 1);
  const at::Tensor logVariance = 0.4 * normal({ 6, 3, 2, 2 }, 2) - 1;
  at::Tensor m = mean.clone().requires_grad_(), v = logVariance.clone().requires_grad_();
  termsOf(*goal, m, v, network, { 0.8, 0.1, 1000, {} }).loss.backward();
  const auto numeric = [&](bool first, std::int64_t i)
  {
    const double h = 1e-6;
    double f[2];
    for (const int side : { 0, 1 })
    {
      at::Tensor a = mean.clone(), b = logVariance.clone();
      (first ? a : b).view(-1)[i] += side ? h : -h;
      f[side] = value(termsOf(*goal, a, b, network, { 0.8, 0.1, 1000, {} }).loss);
    }
    return (f[1] - f[0]) / (2 * h);
  };
  for (std::int64_t i = 0; i < mean.numel(); i += 5)
  {
    const double n = numeric(true, i);
    EXPECT_NEAR(value(m.grad().flatten()[i]), n, 1e-5 * std::max(1., std::abs(n)));
    if (v.grad().defined())
    {
      const double k = numeric(false, i);
      EXPECT_NEAR(value(v.grad().flatten()[i]), k, 1e-5 * std::max(1., std::abs(k)));
    }
  }
}

TEST_P(EachObjective, OverfitsEightPatchesAndRepeats)
{
  std::vector<Volume> volumes;
  for (std::uint64_t i = 0; i < 8; ++i)
  {
    rock::Options r;
    r.size = 16;
    r.radius = 4;
    r.seed = i + 1;
    std::vector<std::uint8_t> slice = rock::cementedGrains(r);
    slice.resize(256);
    slice[0] = 0; // two values in each
    slice[1] = 255;
    volumes.push_back(test::volume(slice, { 16, 16, 1 }));
  }
  TrainOptions o;
  o.objective = GetParam();
  o.network.architecture = Architecture::Dense;
  o.network.blockSize = 16;
  o.network.hiddenUnits = 128;
  o.batchSize = 8;
  o.timeBudget = 0;
  o.symmetry = Symmetry::None;
  o.validationFraction = 0;
  o.klRamp = 0.5;
  o.precision = Precision::Float32;
  o.threads = 1;
  o.device = test::device();
  const auto train = [&](int epochs)
  {
    o.epochs = epochs;
    TorchTrainer trainer(volumes, o);
    while (!trainer.step().finished)
    {
    }
    return trainer.model({}, {});
  };
  const auto model = train(60);
  double right = 0;
  for (const Volume& v : volumes)
  {
    std::vector<std::uint8_t> out(256);
    Outputs outputs;
    outputs.values = { test::output(out) };
    model->decode(model->encode(v, {}), v.dims, 0, outputs, {});
    for (std::size_t i = 0; i < 256; ++i)
    {
      right += out[i] == static_cast<const std::uint8_t*>(v.channels[0].data)[i];
    }
  }
  EXPECT_GT(right / (8 * 256), 0.97) << model->info().history.back().kl;
  for (const EpochRecord& row : model->info().history)
  {
    ASSERT_TRUE(std::isfinite(row.loss) && std::isfinite(row.kl));
  }
  const auto one = train(2), two = train(2);
  EXPECT_EQ(one->encode(volumes[0], {}).mean, two->encode(volumes[0], {}).mean);
}

TEST(Objectives, AreThoseThatTheXmlOffersWithTheSameParameters)
{
  std::ifstream file(VAE_TRAIN_XML);
  const std::string xml{ std::istreambuf_iterator<char>(file), {} };
  const auto begin = xml.find("<StringListDomain", xml.find("name=\"Objective\""));
  const std::string list = xml.substr(begin, xml.find("</StringListDomain>") - begin);
  std::set<std::string> offered;
  const std::regex entry("<String value=\"([^\"]+)\"");
  for (std::sregex_iterator i(list.begin(), list.end(), entry), end; i != end; ++i)
  {
    offered.insert((*i)[1]);
  }
  const auto all = names();
  EXPECT_EQ(offered, std::set<std::string>(all.begin(), all.end()));

  const auto within = [](const std::string& text, const std::string& attribute)
  {
    std::smatch found;
    return std::regex_search(text, found, std::regex(" " + attribute + "=\"([^\"]*)\""))
      ? found[1].str()
      : std::string();
  };
  std::map<std::string, std::string> properties; // of parameters
  const std::regex property("<(\\w+VectorProperty)[^>]*initial_string[^]*?</\\1>");
  for (std::sregex_iterator i(xml.begin(), xml.end(), property), end; i != end; ++i)
  {
    const std::string text = "\n " + i->str();
    EXPECT_EQ(within(text, "initial_string"), within(text, "name"));
    properties[within(text, "initial_string")] = text;
  }
  std::map<std::string, std::string> shown;
  for (const auto& [name, kind] : objectives())
  {
    for (const Parameter& p : kind.parameters)
    {
      ASSERT_TRUE(properties.count(p.name)) << p.name;
      const std::string& text = properties[p.name];
      EXPECT_EQ(std::stod(within(text, "default_values")), p.value) << p.name;
      shown[p.name] += (shown[p.name].empty() ? "" : " ") + name;
      if (text.find("RangeDomain") != std::string::npos)
      {
        const std::string range = text.substr(text.find("RangeDomain"));
        EXPECT_EQ(std::stod(within(range, "min")), p.low) << p.name;
        EXPECT_EQ(std::stod(within(range, "max")), p.high) << p.name;
      }
    }
  }
  for (const auto& [name, text] : properties)
  {
    const std::string& users = shown[name];
    const char* attribute = users.find(' ') == std::string::npos ? "value=\"" : "values=\"";
    EXPECT_NE(text.find("property=\"Objective\""), std::string::npos) << name;
    EXPECT_NE(text.find(attribute + users + '"'), std::string::npos)
      << name << " is a parameter of " << users << " and shown for others";
  }
}

TEST(Objectives, WithAKLTermShowItsOptions)
{
  std::ifstream file(VAE_TRAIN_XML);
  const std::string xml{ std::istreambuf_iterator<char>(file), {} };
  std::set<std::string> withKL, withFreeBits;
  for (const auto& [name, kind] : objectives())
  {
    if (kind.hasKL)
    {
      withKL.insert(name);
    }
    if (kind.hasFreeBits)
    {
      withFreeBits.insert(name);
    }
  }
  for (const std::string property : { "KLSchedule", "KLRamp", "FreeBits" })
  {
    const std::string values = "values=\"";
    const auto decorator = xml.find("property=\"Objective\"", xml.find("name=\"" + property + '"'));
    const auto begin = xml.find(values, decorator) + values.size();
    std::istringstream list(xml.substr(begin, xml.find('"', begin) - begin));
    const std::set<std::string> shown{ std::istream_iterator<std::string>(list), {} };
    EXPECT_EQ(shown, property == "FreeBits" ? withFreeBits : withKL) << property;
  }
}

TEST_P(EachObjective, ObeysFreeBitsOrIsNotOfferedThem)
{
  const bool offered = objectives().at(GetParam()).hasFreeBits;
  TrainOptions o;
  o.objective = GetParam();
  o.freeBits = 3;
  completeObjective(o);
  EXPECT_EQ(o.freeBits, offered ? 3 : 0);
  if (!offered)
  {
    return;
  }
  const auto goal = objective(GetParam());
  const at::Tensor mean = 0.1 * normal({ 4, 3, 2 }, 1), logVariance = at::zeros_like(mean);
  const auto loss = [&](double freeBits)
  { return value(termsOf(*goal, mean, logVariance, idle(), { 1, freeBits, 1000, {} }).loss); };
  EXPECT_GT(std::abs(loss(3) - loss(0)), 1);
}

TEST(Objectives, WhatIsWrongIsSaid)
{
  const auto message = [](const std::string& name, const Parameters& parameters)
  {
    try
    {
      objective(name, parameters);
    }
    catch (const std::invalid_argument& e)
    {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(message("beta-VAE", { { "Beta", -1 } }), "Beta is -1; it must be in [0, 1000]");
  EXPECT_EQ(message("beta-TC-VAE", { { "DimensionKLWeight", 1e9 } }),
    "Dimension KL Weight is 1000000000; it must be in [0, 1000]");
  EXPECT_EQ(
    message("gamma", {}).substr(0, 49), "Objective is 'gamma'; it must be one of Autoencod");
  EXPECT_EQ(message("VAE", { { "Beta", -1 } }), "") << "of another objective";
  // The weight of InfoVAE's discrepancy.
  EXPECT_EQ(message("InfoVAE", { { "Alpha", 0.25 }, { "Lambda", 0.5 } }),
    "Lambda is 0.5; with Alpha 0.25 it must be in [0.75, 10000], so that the weight of the maximum "
    "mean discrepancy, Alpha + Lambda - 1, is not negative");
  EXPECT_EQ(message("InfoVAE", { { "Alpha", 0.25 }, { "Lambda", 0.75 } }), "");
  EXPECT_EQ(message("InfoVAE", { { "Alpha", 1 }, { "Lambda", 0 } }), "");
  EXPECT_EQ(message("WAE-MMD", { { "Lambda", 0.5 } }), "");
}

TEST(Objectives, OnlyWhatIsUsedMakesADifference)
{
  TrainOptions a, b;
  b.parameters = { { "Beta", 7 }, { "Codes", 16 } };
  completeObjective(a);
  completeObjective(b);
  EXPECT_EQ(toText(a), toText(b));
  a.objective = b.objective = "beta-VAE";
  b.parameters["Beta"] = 7;
  completeObjective(a);
  completeObjective(b);
  EXPECT_EQ(a.parameters.at("Beta"), 4);
  EXPECT_NE(toText(a), toText(b));
}

TEST(IWAE, BoundRisesWithSamplesFromTheELBOToTheLikelihood)
{
  // p(z) = N(0, 1), p(x|z) = N(x; z, 1): log p(x) = log N(x; 0, 2). q = N(0.2, 0.8) is not right.
  const double x = 1.1, m = 0.2, v = 0.8;
  const auto bound = [&](int k)
  {
    const auto goal = objective("IWAE", { { "ImportanceSamples", k } });
    const std::int64_t batch = 40000;
    Batch b;
    b.q = { at::full({ batch * k, 1 }, m, at::kDouble),
      at::full({ batch * k, 1 }, std::log(v), at::kDouble) };
    b.z = m + std::sqrt(v) * normal({ batch * k, 1 }, 9);
    b.likelihood = 0.5 * (x - b.z).square().flatten() + 0.5 * std::log(2 * std::numbers::pi);
    return -value(goal->terms(b, gaussian(), idle(), {}).loss);
  };
  const double log2pi = std::log(2 * std::numbers::pi);
  const double elbo =
    -0.5 * log2pi - 0.5 * ((x - m) * (x - m) + v) - 0.5 * (m * m + v - std::log(v) - 1);
  const double likelihood = -0.5 * (log2pi + std::log(2.) + x * x / 2);
  const double one = bound(1), five = bound(5), fifty = bound(50);
  EXPECT_NEAR(one, elbo, 0.01);
  EXPECT_GT(five, one + 0.02);
  EXPECT_GT(fifty, five);
  EXPECT_NEAR(fifty, likelihood, 0.005);
}

TEST(Fisher, InformationEntropyPowerAndIndexOfThreeVariances)
{
  const at::Tensor variances = at::tensor({ 0.25, 1., 4. }, at::kDouble);
  const at::Tensor logVariance = variances.log().view({ 1, 3, 1 }).repeat({ 200000, 1, 1 });
  const at::Tensor mean = at::zeros_like(logVariance);
  const auto closed = objective("Fisher-VAE"),
             sampled = objective("Fisher-VAE", { { "FisherForm", 1 } });
  const Terms a = termsOf(*closed, mean, logVariance, idle());
  EXPECT_NEAR(value(a.measures.at("Fisher Information")), 1.75, 1e-9);
  EXPECT_NEAR(value(a.measures.at("Entropy Power")), 1, 1e-9);
  EXPECT_NEAR(value(a.measures.at("Fisher-Shannon Index")), 1.75, 1e-9);
  EXPECT_NEAR(value(a.measures.at("Data Fisher Information")), 4, 1e-6); // 1 / 0.5^2
  const Terms b = termsOf(*sampled, mean, logVariance, idle());
  EXPECT_NEAR(value(b.measures.at("Fisher Information")), 1.75, 0.02);
  // Isotropic: exactly 1, whatever the variance.
  const Terms c = termsOf(*closed, mean, at::full_like(logVariance, 0.7), idle());
  EXPECT_NEAR(value(c.measures.at("Fisher-Shannon Index")), 1, 1e-9);
  // L = -ELBO + 0.1 |J - 5|, one latent vector a patch.
  EXPECT_NEAR(value(a.loss), value(a.reconstruction + a.kl) + 0.1 * 3.25, 1e-9);
  const auto both = objective("Fisher-VAE", { { "DataFisherWeight", 0.5 }, { "DataFisher", 3 } });
  EXPECT_NEAR(
    value(termsOf(*both, mean, logVariance, idle()).loss), value(a.loss) + 0.5 * 3 * 1, 1e-5);
}

/// A linear VAE gives up a direction whose variance is below that of the likelihood (Lucas et al.
/// 2019): 1.9 and 1.5^2 here. With posteriors of variance s it is worth keeping from s 1.5^2 on,
/// and its means then have the variance sqrt(1.9 s) / 1.5 - s.
TEST(Fisher, KeepsLatentsAliveThatTheVAEGivesUp)
{
  const test::GaussianImages data({ 2, 2, 0.1, 0.1 });
  TrainOptions o;
  o.network.architecture = Architecture::Dense;
  o.network.blockSize = 2;
  o.network.hiddenUnits = 0;
  o.network.latentChannels = 2;
  o.scale = Scale::Fixed;
  o.fixedScale = 1.5;
  o.symmetry = Symmetry::None;
  o.validationFraction = 0;
  o.batchSize = 256;
  o.learningRate = 0.01;
  o.weightDecay = 0;
  o.timeBudget = 0;
  o.epochs = 60;
  o.precision = Precision::Float32;
  o.threads = 1;
  o.device = test::device();
  const auto last = [&]
  {
    TorchTrainer trainer(data.volumes, o);
    while (!trainer.step().finished)
    {
    }
    return trainer.info().history.back();
  };
  const EpochRecord plain = last();
  EXPECT_EQ(plain.activeLatents, 0);
  EXPECT_LT(plain.kl, 1e-3);
  o.objective = "Fisher-VAE";
  o.parameters = { { "LatentFisher", 5 }, { "LatentFisherWeight", 1 } };
  const EpochRecord fisher = last();
  EXPECT_EQ(fisher.activeLatents, 2);
  EXPECT_NEAR(fisher.measures.at("Fisher Information"), 5, 0.2);
  EXPECT_LT(fisher.reconstruction, plain.reconstruction - 0.01);
}

TEST(Capacity, HoldsTheDivergenceAtTheCapacityOfTheMoment)
{
  const auto goal = objective("capacity-VAE", { { "Capacity", 6 }, { "CapacityWeight", 2 } });
  const at::Tensor mean = at::full({ 5, 3, 4 }, 1., at::kDouble); // KL 1.5 a latent vector, 4 cells
  const Terms t = termsOf(*goal, mean, at::zeros_like(mean), idle(), { 0.5, 0, 1, {} });
  EXPECT_NEAR(value(t.kl), 6, 1e-12);
  EXPECT_NEAR(value(t.loss - t.reconstruction), 4 * 2 * std::abs(1.5 - 3), 1e-12);
}

TEST(FreeBits, ChannelsBelowThemCostTheSame)
{
  const at::Tensor mean = at::zeros({ 5, 3, 4 }, at::kDouble);
  mean.select(1, 2).fill_(2); // KL 2 nats there, none in the others
  const Posterior q{ mean, at::zeros_like(mean) };
  EXPECT_NEAR(value(klDivergence(q)), 4 * 2, 1e-12);
  EXPECT_NEAR(value(klDivergence(q, 0.5)), 4 * (2 + 0.5 + 0.5), 1e-12);
}

TEST(DIP, VanishesForTheIdentityAndCountsEachCovariance)
{
  // Four points with exactly unit variances, and covariance rho between the first two.
  const at::Tensor points =
    at::tensor({ 1., 1., 1., 1., -1., -1., -1., 1., -1., -1., -1., 1. }, at::kDouble)
      .view({ 4, 3, 1 });
  const at::Tensor narrow = at::full_like(points, -50.);
  const auto penalty = [&](const char* name, const at::Tensor& mean, const at::Tensor& logVariance)
  {
    const auto goal = objective(name, { { "OffDiagonalWeight", 3 }, { "DiagonalWeight", 7 } });
    const Terms t = termsOf(*goal, mean, logVariance, idle());
    return value(t.loss - t.reconstruction - t.kl);
  };
  EXPECT_NEAR(penalty("DIP-VAE-I", points, narrow), 0, 1e-9);
  EXPECT_NEAR(penalty("DIP-VAE-I", 2 * points, narrow), 7 * 3 * 9, 1e-9); // variances 4
  at::Tensor same = points.clone();
  same.select(1, 1).copy_(points.select(1, 0)); // covariance 1, twice in the matrix
  EXPECT_NEAR(penalty("DIP-VAE-I", same, narrow), 3 * 2, 1e-9);
  // II adds the mean variance: 1 + 1.
  EXPECT_NEAR(penalty("DIP-VAE-II", points, at::zeros_like(points)), 7 * 3, 1e-9);
}

TEST(VectorQuantisation, TakesTheNearestCodeAndPassesGradientsStraightThrough)
{
  const auto goal = objective("VQ-VAE", { { "Codes", 4 }, { "CommitmentWeight", 0.25 } });
  NetworkOptions o;
  o.architecture = Architecture::Dense;
  o.dimensions = 2;
  o.blockSize = 2;
  o.latentChannels = 2;
  o.codes = 4;
  const NetworkPtr network = makeNetwork(o);
  // Four clusters; after some batches the codes are their centres.
  const at::Tensor centres =
    at::tensor({ 0., 0., 4., 0., 0., 4., 4., 4. }, at::kFloat).view({ 4, 2 });
  const auto points = [&](std::uint64_t seed)
  {
    return (centres.repeat({ 50, 1 }) + 0.1 * normal({ 200, 2 }, seed).to(at::kFloat))
      .view({ 200, 2, 1, 1 });
  };
  const at::Generator noise = generator(1);
  Terms terms;
  at::Tensor mean;
  for (std::uint64_t i = 0; i < 600; ++i)
  {
    Batch b;
    mean = points(i).requires_grad_();
    b.q = { mean, at::zeros_like(mean) };
    b.z = goal->draw(b.q, *network, noise);
    b.likelihood = b.z.flatten(1).sum(1);
    terms = goal->terms(b, gaussian(), *network, { 1, 0, 1, noise });
  }
  EXPECT_NEAR(value(terms.measures.at("Perplexity")), 4, 1e-3);
  EXPECT_NEAR(value(terms.measures.at("Code Entropy")), std::log(4.), 1e-3);
  EXPECT_NEAR(value(terms.kl), std::log(4.), 1e-6) << "from a uniform prior, one cell a patch";
  const at::Tensor codes = network->quantise(centres.view({ 4, 2, 1, 1 })).view({ 4, 2 });
  EXPECT_LT(value((codes - centres).abs().max()), 0.05);
  terms.loss.backward();
  // d/dz of the likelihood passes as if z were the mean; the commitment adds 2 * 0.25 (mean -
  // code).
  const at::Tensor expected =
    (1 + 2 * 0.25 * (mean.detach() - network->quantise(mean.detach()))) / 200;
  EXPECT_LT(value((mean.grad() - expected).abs().max()), 1e-6);
}

TEST(Monitor, SeesCollapsedLatents)
{
  // Two channels that say something, one that does not.
  at::Tensor mean = normal({ 200, 3, 1, 1 }, 1).to(at::kFloat);
  mean.select(1, 2).fill_(0);
  at::Tensor logVariance = at::full_like(mean, std::log(0.05));
  logVariance.select(1, 2).fill_(0);
  EpochRecord row;
  measureLatents({ mean, logVariance }, true, row);
  EXPECT_EQ(row.activeLatents, 2);
  EXPECT_NEAR(row.klOfLatents[0], 0.5 * (1 + 0.05 - std::log(0.05) - 1), 0.15);
  EXPECT_NEAR(row.klOfLatents[2], 0, 1e-6);
  EXPECT_GT(row.mutualInformation, 2);
  EXPECT_LT(row.mutualInformation, std::log(200.));
  EXPECT_NEAR(row.mmd, 0, 0.1);
  measureLatents({ mean, logVariance }, false, row);
  EXPECT_TRUE(std::isnan(row.klOfLatents[0]) && std::isnan(row.mutualInformation));
}
