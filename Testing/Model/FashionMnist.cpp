// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// fashion_mnist TRAIN TEST dense|vector STEPS SEED: trains on raw bytes (0 or 1) of 28 x 28 images
// with the plugin's trainer and prints the evidence lower bound of the test images, nats an image.
// What Testing/Python/fashion_mnist.py compares with PyTorch.
#include "Torch/Training/TorchTrainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <cstdio>
#include <fstream>
#include <iterator>

using namespace vae;

namespace
{

constexpr std::int64_t Edge = 28, Pixels = Edge * Edge;

std::vector<std::uint8_t> bytesOf(const char* path)
{
  std::ifstream file(path, std::ios::binary);
  return { std::istreambuf_iterator<char>(file), {} };
}

std::vector<Volume> volumesOf(const std::vector<std::uint8_t>& bytes)
{
  std::vector<Volume> volumes(bytes.size() / Pixels);
  for (std::size_t i = 0; i < volumes.size(); ++i)
  {
    volumes[i].dims = { Edge, Edge, 1 };
    Channel& c = volumes[i].channels.emplace_back();
    c.data = bytes.data() + i * Pixels;
    c.type = ScalarType::UInt8;
    c.array = "image";
  }
  return volumes;
}

} // namespace

int main(int argc, char** argv)
{
  if (argc != 6)
  {
    return 2;
  }
  const std::vector<std::uint8_t> train = bytesOf(argv[1]), test = bytesOf(argv[2]);
  TrainOptions o;
  o.network.architecture =
    std::string(argv[3]) == "dense" ? Architecture::Dense : Architecture::Vector;
  o.network.blockSize = Edge;
  o.network.latentChannels = 20;
  o.batchSize = 128;
  o.learningRate = 1e-3;
  o.klRamp = 0;
  o.symmetry = Symmetry::None;
  o.validationFraction = 0;
  o.timeBudget = 0;
  o.stepsPerEpoch = 100;
  o.epochs = std::stoi(argv[4]) / o.stepsPerEpoch;
  o.seed = std::stoi(argv[5]);
  o.precision = Precision::Float32;
  TorchTrainer trainer(volumesOf(train), o);
  while (!trainer.step().finished)
  {
  }
  const auto model = std::dynamic_pointer_cast<const TorchModel>(trainer.model({}, {}));
  const NetworkPtr& network = model->network();
  const auto observation = makeObservationModel(model->info(), at::kCPU);
  const NetworkOptions& n = model->info().network;
  const std::vector<Volume> volumes = volumesOf(test);
  const Frame frame(volumes[0].dims, volumes[0].spacing, n);

  const c10::NoGradGuard guard;
  const at::Generator noise = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{ 99 });
  double sum = 0;
  constexpr std::size_t batch = 1000;
  constexpr int samples = 5;
  for (std::size_t first = 0; first < volumes.size(); first += batch)
  {
    at::Tensor x = emptyFolded(batch, frame, { 1, Edge, Edge }, 1);
    for (std::size_t i = 0; i < batch; ++i)
    {
      readFolded(volumes[first + i], frame, model->info().channels, { {}, { 1, Edge, Edge } }, {},
        x.mutable_data_ptr<float>() + i * Pixels);
    }
    const Posterior q = network->encode(x);
    sum -= klDivergence(q).item<double>() * batch;
    for (int s = 0; s < samples; ++s)
    {
      const at::Tensor z = q.mean + noiseLike(q.mean, noise) * (0.5 * q.logVariance).exp();
      sum -= observation->loss(network->decode(z), x, false).sum().item<double>() / samples;
    }
  }
  std::printf("%.4f\n", sum / static_cast<double>(volumes.size()));
  return 0;
}
