// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// vae_bench CASE [ARGUMENTS]: one measurement or check of the library without ParaView. Each result
// is JSON on a line of its own. What bench.py puts beside PyTorch, and what Testing/GPU/day.sh
// runs. Bench.h has the variables that say where. A SHAPE is WIDTH/PATCH/BATCH, 32/48/2 unless
// told.
#include "Bench.h"

#include "Generator.h"
#include "Torch/Inference/FieldDecoder.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Networks/Layers.h"
#include "Torch/Training/TorchTrainer.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>

#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <unistd.h>

using namespace vae;
using namespace bench;

namespace
{

using Arguments = std::vector<std::string>;

std::string argument(const Arguments& all, std::size_t i, const std::string& unless)
{
  return i < all.size() ? all[i] : unless;
}
std::int64_t edgeOf(const Arguments& all) { return std::atol(argument(all, 0, "128").c_str()); }
Shape shapeOf(const Arguments& all, std::size_t i)
{
  return i < all.size() ? bench::shapeOf(all[i]) : Shape{};
}

/// Not before it is computed: a GPU only notes down what it is to do.
void await(const at::Tensor& t) { t.flatten()[0].item<float>(); }

void describe(const Arguments&)
{
  const ComputeDevice place = chooseDevice(device(), precision(), threads());
  Json line{ { "libtorch", TORCH_VERSION }, { "place", place.reason } };
  if (!place.device.is_cpu())
  {
    at::empty({ 1 }, place.device);
    const std::optional<double> left = freeMemoryOf(place.device);
    line["free_gib"] = left.value_or(0) / 1073741824;
  }
  print(line);
}

/// train [EDGE [SHAPE]]
void train(const Arguments& all)
{
  const std::int64_t edge = edgeOf(all);
  const std::vector<std::uint8_t> voxels = rockOf(edge);
  const TrainOptions o = options(shapeOf(all, 1));
  TorchTrainer trainer({ volumeOf(voxels, edge) }, o);
  const auto each = static_cast<double>(o.batch()) * std::pow(o.patch(), 3);
  const Timing t = timed([&] { trainer.step(); }, 2 * patience());
  print({ { "voxels_a_second", std::round(each / t.median) }, { "first_step_ms", 1e3 * t.first },
    { "step_ms", 1e3 * t.median }, { "place", trainer.info().device } });
}

/// paced [EDGE [SECONDS [THREADS]]]: steps a second of a whole training, from its first step on.
void paced(const Arguments& all)
{
  const std::int64_t edge = edgeOf(all);
  const double seconds = std::atof(argument(all, 1, "20").c_str());
  const std::vector<std::uint8_t> voxels = rockOf(edge);
  TorchTrainer trainer({ volumeOf(voxels, edge) }, options());
  trainer.limitThreads(std::atoi(argument(all, 2, "0").c_str()));
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
  print({ { "steps_a_second", count / (last - begin) }, { "median_step_ms", 1e3 * *middle } });
}

std::shared_ptr<const TorchModel> quickModel(const Shape& shape)
{
  const std::vector<std::uint8_t> small = rockOf(128);
  TrainOptions o = options(shape);
  o.epochs = 1;
  o.priorShare = 0.5;
  return modelOf(volumeOf(small, 128), o);
}

GenerateRequest requestOf(std::int64_t edge, Prior prior)
{
  GenerateRequest request; // else as VAE Generate has it: with texture
  request.dims = { edge, edge, edge };
  request.options.prior = prior;
  return request;
}

/// infer [EDGE [SHAPE]]
void infer(const Arguments& all)
{
  const std::int64_t edge = edgeOf(all);
  const std::vector<std::uint8_t> voxels = rockOf(edge);
  const auto model = quickModel(shapeOf(all, 1));
  const Volume v = volumeOf(voxels, edge);
  std::vector<std::uint8_t> labels(voxels.size());
  ReconstructOutputs outputs;
  outputs.values = { labelsTo(labels) };
  Latent latent;
  const auto rate = [n = static_cast<double>(voxels.size())](const std::function<void()>& work)
  { return std::round(n / timed(work).median); };
  const auto generated = [&](Prior prior)
  {
    const Generator generator(*model);
    return rate([&] { generator.generate(requestOf(edge, prior), outputs, run()); });
  };
  Json line;
  line["encode"] = rate([&] { latent = model->encode(v, run(), {}); });
  line["decode"] = rate([&] { model->decode(latent, v.dims, 0, outputs, run()); });
  line["reconstruct"] =
    rate([&] { model->reconstruct(v, ReconstructOptions(), outputs, run(), {}); });
  line["generate_random_field"] = generated(Prior::RandomField);
  line["generate_learned"] = generated(Prior::Learned);
  line["peak_gib"] = peakGiB();
  print(line);
}

/// stages EDGE learned|random MODEL: what a generation is made of, each as soon as it is known; as
/// VAE Generate has it. Before them a small one warms up.
void stages(const Arguments& all)
{
  const std::int64_t edge = edgeOf(all);
  const Prior prior = argument(all, 1, "") == "random" ? Prior::RandomField : Prior::Learned;
  const auto model = TorchModel::load(argument(all, 2, ""));
  const Generator generator(*model);
  const GenerateRequest request = requestOf(edge, prior);
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(edge * edge * edge));
  Outputs outputs;
  outputs.values = { labelsTo(labels) };
  generator.generate(requestOf(std::min<std::int64_t>(edge, 64), prior), outputs, run());

  const auto stage = [&](const char* name, const std::function<void()>& work)
  {
    const Timing t = timedCold(work);
    print({ { "stage", name }, { "seconds", t.median }, { "first_seconds", t.first },
      { "voxels_a_second", std::round(static_cast<double>(labels.size()) / t.median) } });
  };
  stage("all", [&] { generator.generate(request, outputs, run()); });
  const SampleRequest wanted{ request.dims, model->margin(), request.options };
  TorchModel::Drawn drawn;
  stage("draw", [&] { drawn = model->draw(wanted, run(), {}); });
  const RunOptions where = run();
  if (!drawn.fractions.empty())
  {
    stage("threshold", [&]
    {
      FieldDecoder decoder(
        model->info(), model->network(), drawn.latent, wanted.dims, wanted.margin, where);
      drawn.thresholds = thresholdsFor(decoder, drawn.fractions, {});
    });
  }
  outputs.thresholds = drawn.thresholds;
  stage("decode", [&] { model->decode(drawn.latent, wanted.dims, wanted.margin, outputs, where); });
  if (prior == Prior::Learned)
  {
    outputs.texture.emplace();
    stage("decode with texture",
      [&] { model->decode(drawn.latent, wanted.dims, wanted.margin, outputs, where); });
  }
  print({ { "stage", "memory" }, { "peak_gib", peakGiB() },
    { "plan", model->memoryPlan(wanted.dims, where) } });
}

void file(const Arguments&)
{
  const auto model = quickModel({});
  const std::string path = (std::filesystem::temp_directory_path() /
    ("vae-bench-" + std::to_string(::getpid()) + ".safetensors"))
                             .string();
  const double seconds = patience() / 3;
  const double save = timed([&] { model->save(path); }, seconds).median;
  const double load = timed([&] { TorchModel::load(path); }, seconds).median;
  print({ { "save_ms", 1e3 * save }, { "load_ms", 1e3 * load },
    { "mib", static_cast<double>(std::filesystem::file_size(path)) / 1048576 } });
  std::filesystem::remove(path);
}

/// Floating point operations a second of bfloat16: a matrix product, and a convolution of 64
/// channels.
void roofline(const Arguments&)
{
  const ComputeDevice place = chooseDevice(device(), precision(), 0);
  const RunScope scope(place, place.device.is_cuda()); // where cuDNN tries all its algorithms
  const c10::InferenceMode inference;
  // What fills it.
  const std::int64_t edge = place.device.is_cuda() ? 8192 : 2048, batch = edge / 1024;
  const double seconds = patience() / 2;
  const auto made = [&](at::IntArrayRef sizes)
  { return at::rand(sizes).to(place.device, at::kBFloat16); };
  const auto cells = [&](at::IntArrayRef sizes)
  { return made(sizes).contiguous(at::MemoryFormat::ChannelsLast3d); };
  const at::Tensor a = made({ edge, edge }), b = a.clone();
  const double matrix = 2 * std::pow(static_cast<double>(edge), 3) /
    timed([&] { await(at::matmul(a, b)); }, seconds).median;
  const at::Tensor x = cells({ batch, 64, 24, 24, 24 }), w = cells({ 64, 64, 3, 3, 3 });
  const std::array<std::int64_t, 3> one{ 1, 1, 1 };
  const double convolution = 2. * static_cast<double>(batch) * std::pow(24., 3) * 64 * 64 * 27 /
    timed([&] { await(at::conv3d(x, w, {}, one, one)); }, seconds).median;
  print({ { "matrix_gflops", std::round(matrix / 1e9) },
    { "convolution_gflops", std::round(convolution / 1e9) } });
}

/// layers [EDGE [SHAPE]]: the convolutions of a network, alone, forward, at the size of a training
/// step.
void layers(const Arguments& all)
{
  const TrainOptions o = options(shapeOf(all, 1));
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
  Json found = Json::array();
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
    const double seconds = timed([&] { await(layer->forward(x)); }, patience() / 6).median;
    // Of a transposed kernel of 2 each input cell gives 8 outputs; of a strided one 8 give 1.
    const double cells = std::pow(static_cast<double>(l.cells), 3) * static_cast<double>(o.batch());
    const double taps = l.kernel == 3 ? 27 : l.transposed ? 8 : 1;
    const double flops = 2. * cells * taps * l.in * l.out;
    found.push_back({ { "layer", l.name }, { "times", l.times }, { "ms", 1e3 * seconds },
      { "gflop", flops / 1e9 }, { "gflops", std::round(flops / seconds / 1e9) } });
  }
  print(found);
}

} // namespace

int main(int argc, char** argv)
{
  const std::map<std::string, void (*)(const Arguments&)> cases{ { "describe", describe },
    { "train", train }, { "paced", paced }, { "infer", infer }, { "stages", stages },
    { "file", file }, { "roofline", roofline }, { "layers", layers }, { "profile", bench::profile },
    { "closing", bench::closing } };
  const Arguments all(argv + std::min(argc, 2), argv + argc);
  const std::string what = argc > 1 ? argv[1] : "";
  const auto found = cases.find(what);
  if (found == cases.end() && what != "check")
  {
    std::fprintf(stderr,
      "vae_bench train|infer|layers [EDGE [SHAPE]], paced [EDGE [SECONDS [THREADS]]], file, "
      "roofline, describe,\n  stages EDGE learned|random MODEL, profile train|generate MODEL EDGE "
      "[SHAPE],\n  closing EDGE STEPS SECONDS [PRIORSHARE],\n  check "
      "train|graph|cpu|thread|tiles|memory|counts MODEL EDGE [SHAPE [STEPS]]\n");
    return 2;
  }
  try
  {
    if (what == "check")
    {
      return bench::check(all) ? 0 : 1;
    }
    found->second(all);
    return 0;
  }
  catch (const std::exception& e)
  {
    std::fprintf(stderr, "vae_bench: %s\n", e.what());
    return 1;
  }
}
