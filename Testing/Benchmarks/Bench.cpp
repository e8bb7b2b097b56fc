// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// vae_bench CASE [EDGE ...]: one measurement of the library without ParaView, as JSON on a line.
// On the device that VAE_BENCH_DEVICE names, the CPU unless told; with VAE_BENCH_PRECISION=float32
// in that instead of what suits the device, with VAE_BENCH_THREADS on as many. What bench.py puts
// beside PyTorch. Volumes are periodic copies of a made rock, so that any size is there at once;
// the network is the default one, or the one of twice its width.
#include "Rock.h"
#include "Source/Memory.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Networks/Layers.h"
#include "Torch/Runtime/Device.h"
#include "Torch/Training/TorchTrainer.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include <unistd.h>

using namespace vae;

namespace
{

constexpr std::int64_t Period = 64;
constexpr double Patience = 6; // seconds a measurement takes, or one call

std::string device()
{
  const char* named = std::getenv("VAE_BENCH_DEVICE");
  return named && *named ? named : "cpu";
}

Precision precision()
{
  const char* named = std::getenv("VAE_BENCH_PRECISION");
  return named && std::string(named) == "float32" ? Precision::Float32 : Precision::Automatic;
}

int threads() // 0: what is fastest
{
  const char* named = std::getenv("VAE_BENCH_THREADS");
  return named ? std::atoi(named) : 0;
}

/// Not before it is computed: a GPU only notes down what it is to do.
void await(const at::Tensor& t) { t.flatten()[0].item<float>(); }

double now()
{
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Median seconds of a call, after one that warms up; that one's seconds.
struct Timing
{
  double median = 0, first = 0;
};
Timing timed(const std::function<void()>& work, double patience = Patience)
{
  Timing t;
  double begin = now();
  work();
  t.first = now() - begin;
  std::vector<double> all;
  const double end = now() + patience;
  do
  {
    begin = now();
    work();
    all.push_back(now() - begin);
  } while (now() < end);
  std::nth_element(
    all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2), all.end());
  t.median = all[all.size() / 2];
  return t;
}

std::vector<std::uint8_t> rockOf(std::int64_t edge)
{
  const rock::Voxels unit = rock::cementedGrains({ static_cast<int>(Period), 0.2, 8, 1 });
  std::vector<std::uint8_t> all(static_cast<std::size_t>(edge * edge * edge));
  for (std::int64_t z = 0, i = 0; z < edge; ++z)
  {
    for (std::int64_t y = 0; y < edge; ++y)
    {
      for (std::int64_t x = 0; x < edge; ++x, ++i)
      {
        const std::int64_t at = (z % Period * Period + y % Period) * Period + x % Period;
        all[static_cast<std::size_t>(i)] = unit[static_cast<std::size_t>(at)];
      }
    }
  }
  return all;
}

Volume volumeOf(const std::vector<std::uint8_t>& voxels, std::int64_t edge)
{
  Volume v;
  v.dims = { edge, edge, edge };
  Channel& c = v.channels.emplace_back();
  c.data = voxels.data();
  c.type = ScalarType::UInt8;
  c.array = "rock";
  return v;
}

TrainOptions options(bool wide = false)
{
  TrainOptions o;
  if (wide) // and patches to match, so that layers rule and not what is between them
  {
    o.network.width = 64;
    o.patchSize = 64;
    o.batchSize = 4;
  }
  o.timeBudget = 0;
  o.epochs = 100000;
  o.priorShare = 0;
  o.validationFraction = 0; // what the others do not do either
  o.device = device();
  o.precision = precision();
  o.threads = threads();
  return o;
}

double peakGiB()
{
  double kib = 0;
  if (std::FILE* status = std::fopen("/proc/self/status", "r"))
  {
    char line[200];
    while (std::fgets(line, sizeof line, status))
    {
      std::sscanf(line, "VmHWM: %lf", &kib);
    }
    std::fclose(status);
  }
  return kib / 1048576;
}

void train(std::int64_t edge, bool wide)
{
  const std::vector<std::uint8_t> voxels = rockOf(edge);
  const TrainOptions o = options(wide);
  TorchTrainer trainer({ volumeOf(voxels, edge) }, o);
  const auto each = static_cast<double>(o.batch()) * std::pow(o.patch(), 3);
  const Timing t = timed([&] { trainer.step(); }, 2 * Patience);
  std::printf("{\"voxels_a_second\": %.0f, \"first_step_ms\": %.1f, \"step_ms\": %.1f}\n",
    each / t.median, 1e3 * t.first, 1e3 * t.median);
}

/// Steps a second of a whole training of so many seconds, from its first step on.
void paced(std::int64_t edge, double seconds, int mostThreads)
{
  const std::vector<std::uint8_t> voxels = rockOf(edge);
  TorchTrainer trainer({ volumeOf(voxels, edge) }, options());
  trainer.limitThreads(mostThreads);
  std::vector<double> steps;
  const double begin = now();
  double last = begin;
  do
  {
    trainer.step();
    steps.push_back(now() - last);
    last = now();
  } while (last < begin + seconds);
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  const auto count = static_cast<double>(steps.size());
  std::nth_element(steps.begin(), middle, steps.end());
  std::printf("{\"steps_a_second\": %.2f, \"median_step_ms\": %.1f}\n", count / (last - begin),
    1e3 * *middle);
}

std::shared_ptr<const Model> modelOf(const Volume& v, bool wide = false)
{
  TrainOptions o = options(wide);
  o.epochs = 1;
  o.priorShare = 0.5;
  TorchTrainer trainer({ v }, o);
  while (!trainer.step().finished)
  {
  }
  return trainer.model({ true, 1 << 20 }, {});
}

void infer(std::int64_t edge, bool wide)
{
  const std::vector<std::uint8_t> small = rockOf(128), voxels = rockOf(edge);
  const auto model = modelOf(volumeOf(small, 128), wide);
  const Volume v = volumeOf(voxels, edge);
  std::vector<std::uint8_t> labels(voxels.size());
  RunOptions run;
  run.device = device();
  run.precision = precision();
  run.threads = threads();
  ReconstructOutputs outputs;
  OutputChannel& to = outputs.values.emplace_back();
  to.data = labels.data();
  to.type = ScalarType::UInt8;
  Latent latent;
  const auto n = static_cast<double>(voxels.size());
  const double encode = n / timed([&] { latent = model->encode(v, run); }).median;
  const double decode = n / timed([&] { model->decode(latent, v.dims, 0, outputs, run); }).median;
  const double rebuilt =
    n / timed([&] { model->reconstruct(v, ReconstructOptions(), outputs, run); }).median;
  GenerateOptions generate;
  const int margin = model->margin();
  const auto generated = [&](Prior prior)
  {
    generate.prior = prior;
    return n /
      timed([&] { model->sampleAndDecode({ v.dims, margin, generate }, outputs, run); }).median;
  };
  const double field = generated(Prior::RandomField), learned = generated(Prior::Learned);
  std::printf(
    "{\"encode\": %.0f, \"decode\": %.0f, \"reconstruct\": %.0f, \"generate_random_field\": "
    "%.0f, \"generate_learned\": %.0f, \"peak_gib\": %.3f}\n",
    encode, decode, rebuilt, field, learned, peakGiB());
}

void file()
{
  const std::vector<std::uint8_t> voxels = rockOf(128);
  const auto model = modelOf(volumeOf(voxels, 128));
  const std::string path = (std::filesystem::temp_directory_path() /
    ("vae-bench-" + std::to_string(::getpid()) + ".safetensors"))
                             .string();
  const double save = timed([&] { model->save(path); }, 2).median;
  const double load = timed([&] { TorchModel::load(path); }, 2).median;
  std::printf("{\"save_ms\": %.1f, \"load_ms\": %.1f, \"mib\": %.1f}\n", 1e3 * save, 1e3 * load,
    static_cast<double>(std::filesystem::file_size(path)) / 1048576);
  std::filesystem::remove(path);
}

/// Floating point operations a second of bfloat16: a matrix product, and a convolution of 64
/// channels.
void roofline()
{
  const ComputeDevice place = chooseDevice(device(), precision(), 0);
  const RunScope scope(place, place.device.is_cuda()); // where cuDNN tries all its algorithms
  const c10::InferenceMode inference;
  // What fills it.
  const std::int64_t edge = place.device.is_cuda() ? 8192 : 2048, batch = edge / 1024;
  const auto made = [&](at::IntArrayRef sizes)
  { return at::rand(sizes).to(place.device, at::kBFloat16); };
  const auto cells = [&](at::IntArrayRef sizes)
  { return made(sizes).contiguous(at::MemoryFormat::ChannelsLast3d); };
  const at::Tensor a = made({ edge, edge }), b = a.clone();
  const double matrix =
    2 * std::pow(static_cast<double>(edge), 3) / timed([&] { await(at::matmul(a, b)); }, 3).median;
  const at::Tensor x = cells({ batch, 64, 24, 24, 24 }), w = cells({ 64, 64, 3, 3, 3 });
  const std::array<std::int64_t, 3> one{ 1, 1, 1 };
  const double convolution = 2. * static_cast<double>(batch) * std::pow(24., 3) * 64 * 64 * 27 /
    timed([&] { await(at::conv3d(x, w, {}, one, one)); }, 3).median;
  std::printf(
    "{\"matrix_gflops\": %.0f, \"convolution_gflops\": %.0f}\n", matrix / 1e9, convolution / 1e9);
}

/// The convolutions of a network, alone, forward, at the size of a training step.
void layers(bool wide)
{
  const TrainOptions o = options(wide);
  const ComputeDevice place = chooseDevice(device(), precision(), 0);
  const RunScope scope(place, place.device.is_cuda());
  const c10::InferenceMode inference;
  const std::int64_t fine = o.patch() / o.network.fold();
  const int width = o.network.width, folded = 64, latent = o.network.latentChannels;
  struct Layer
  {
    const char* name;
    int in, out, kernel;
    bool transposed;
    std::int64_t cells; ///< along each axis, of the input
    int times;          ///< in the network
  };
  std::printf("[");
  bool first = true;
  for (const Layer& l : { Layer{ "stem", folded, width, 3, false, fine, 1 },
         Layer{ "residual, fine", width, width, 3, false, fine, 6 },
         Layer{ "down", width, 2 * width, 2, false, fine, 1 },
         Layer{ "residual, coarse", 2 * width, 2 * width, 3, false, fine / 2, 4 },
         Layer{ "head", 2 * width, 2 * latent, 3, false, fine / 2, 1 },
         Layer{ "foot", latent, 2 * width, 3, false, fine / 2, 1 },
         Layer{ "up", 2 * width, width, 2, true, fine / 2, 1 },
         Layer{ "out", width, folded, 3, false, fine, 1 } })
  {
    Conv layer(3, l.in, l.out, l.kernel, l.transposed);
    layer->to(place.device);
    const at::Tensor x = at::rand({ o.batch(), l.in, l.cells, l.cells, l.cells })
                           .to(place.device, at::kBFloat16)
                           .contiguous(at::MemoryFormat::ChannelsLast3d);
    const double seconds = timed([&] { await(layer->forward(x)); }, 1).median;
    // Of a transposed kernel of 2 each input cell gives 8 outputs; of a strided one 8 give 1.
    const double cells = std::pow(static_cast<double>(l.cells), 3) * static_cast<double>(o.batch());
    const double taps = l.kernel == 3 ? 27 : l.transposed ? 8 : 1;
    const double flops = 2. * cells * taps * l.in * l.out;
    std::printf(
      "%s{\"layer\": \"%s\", \"times\": %d, \"ms\": %.3f, \"gflop\": %.4f, \"gflops\": %.0f}",
      first ? "" : ", ", l.name, l.times, 1e3 * seconds, flops / 1e9, flops / seconds / 1e9);
    first = false;
  }
  std::printf("]\n");
}

} // namespace

int main(int argc, char** argv)
{
  const std::string what = argc > 1 ? argv[1] : "";
  const std::int64_t edge = argc > 2 ? std::atol(argv[2]) : 128;
  const bool wide = argc > 3 && std::string(argv[3]) == "wide";
  if (what == "train")
  {
    train(edge, wide);
  }
  else if (what == "paced")
  {
    paced(edge, argc > 3 ? std::atof(argv[3]) : 20, argc > 4 ? std::atoi(argv[4]) : 0);
  }
  else if (what == "infer")
  {
    infer(edge, wide);
  }
  else if (what == "file")
  {
    file();
  }
  else if (what == "roofline")
  {
    roofline();
  }
  else if (what == "layers")
  {
    layers(wide);
  }
  else
  {
    std::fprintf(stderr,
      "vae_bench train|infer|layers [EDGE [wide]], paced [EDGE [SECONDS [THREADS]]], file, "
      "roofline\n");
    return 2;
  }
  return 0;
}
