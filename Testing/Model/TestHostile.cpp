// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Model files that lie, loaded and used: each is refused, or does no harm. VAE_HOSTILE is how many,
// VAE_HOSTILE_SEED which, VAE_FUZZ_SECONDS how long bytes are changed at random.
#include "HostileModels.h"
#include "LatentMath.h"
#include "PhaseFraction.h"
#include "TestDevice.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <unistd.h>

using namespace vae;
using test::HostileFile;
using test::HostileModels;

namespace
{

int fromEnvironment(const char* name, int otherwise)
{
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

/// A volume that a model may be used on, of whatever channels it says it was trained on.
struct Data
{
  Volume volume;
  std::vector<std::vector<std::byte>> arrays;

  explicit Data(const ModelInfo& info)
  {
    const bool flat = info.network.dimensions == 2;
    this->volume.dims = flat ? Dims{ 13, 18, 1 } : Dims{ 13, 18, 9 };
    const auto count = static_cast<std::size_t>(voxels(this->volume.dims));
    this->volume.mask.type = ScalarType::UInt8;
    std::vector<std::byte>& mask = this->arrays.emplace_back(count, std::byte(1));
    std::fill(mask.begin(), mask.begin() + static_cast<std::ptrdiff_t>(count / 3), std::byte(0));
    this->volume.mask.data = mask.data();
    std::mt19937 random(1);
    for (const ChannelInfo& c : info.channels)
    {
      Channel& channel = this->volume.channels.emplace_back();
      channel.type = c.type;
      channel.array = c.array;
      const std::size_t size = dispatch(c.type, [](auto t) { return sizeof t; });
      std::vector<std::byte>& array = this->arrays.emplace_back(count * size);
      std::generate(array.begin(), array.end(), [&] { return static_cast<std::byte>(random()); });
      for (std::size_t i = 0; i < count && !c.phases.empty(); ++i) // other labels are refused
      {
        dispatch(c.type, [&](auto t)
        {
          t = static_cast<decltype(t)>(c.phases[random() % c.phases.size()]);
          std::memcpy(array.data() + i * size, &t, size);
        });
      }
      channel.data = array.data();
    }
  }
};

/// Arrays for all that a model can write.
struct Results
{
  ReconstructOutputs all;

  explicit Results(const ModelInfo& info, const Dims& dims) : Count(voxels(dims))
  {
    for (const ChannelInfo& c : info.channels)
    {
      this->all.values.push_back(this->array(c.type));
      for (auto* list : { &this->all.stddev, &this->all.entropy, &this->all.exceedance })
      {
        list->push_back(this->array(ScalarType::Float32));
      }
    }
    const std::size_t phases = info.likelihood == Likelihood::Categorical
      ? info.channels[0].phases.size()
      : info.likelihood == Likelihood::Bernoulli ? info.channels.size()
                                                 : 0;
    for (std::size_t i = 0; i < phases; ++i)
    {
      this->all.probability.push_back(this->array(ScalarType::Float32));
    }
  }
  OutputChannel array(ScalarType type)
  {
    auto& bytes = this->Arrays.emplace_back(
      static_cast<std::size_t>(this->Count) * dispatch(type, [](auto t) { return sizeof t; }));
    OutputChannel out;
    out.data = bytes.data();
    out.type = type;
    return out;
  }

private:
  std::int64_t Count;
  std::vector<std::vector<std::byte>> Arrays;
};

/// Everything that the filters do with a model. What is refused is refused by an exception.
int use(const std::shared_ptr<const TorchModel>& torch, const Volume& trained)
{
  const std::shared_ptr<const Model> model = torch;
  int refused = 0;
  const auto attempt = [&](const auto& part)
  {
    try
    {
      part();
    }
    catch (const std::exception&)
    {
      ++refused;
    }
  };
  const ModelInfo& info = model->info();
  Data data(info);
  const Dims dims = data.volume.dims;
  RunOptions run;
  run.device = test::device();
  run.threads = 1;
  const std::vector<LatentStatistics> statistics = model->latentStatistics();
  Latent latent;
  attempt([&]
  {
    latent = model->encode(data.volume, run);
    const std::vector<double> offsets(statistics.size(), 0.5);
    slerp(latent, shifted(latent, offsets, statistics), 0.3, statistics);
    slerp(meanField(latent.dims, statistics), latent, 0.3, statistics);
  });
  attempt([&]
  {
    Results out(info, dims);
    out.all.anomaly = out.array(ScalarType::Float32);
    out.all.cellAnomalyPercentile = out.array(ScalarType::Float32);
    ReconstructOptions options;
    options.samples = 2;
    model->reconstruct(data.volume, options, out.all, run);
  });
  for (const Prior prior : { Prior::Normal, Prior::RandomField, Prior::Learned })
  {
    GenerateOptions options;
    options.prior = prior;
    const int margin = model->margin();
    attempt([&]
    {
      Results out(info, dims);
      out.all.texture = Texture{};
      model->sampleAndDecode({ dims, margin, options }, out.all, run);
    });
  }
  attempt([&]
  {
    const LatentSample given = model->sample({ {}, model->margin(), {}, {}, &data.volume }, run);
    Results out(info, dims);
    out.all.thresholds = given.thresholds;
    for (std::size_t phase = 0; info.hasPhases() && phase < info.channels[0].phases.size(); ++phase)
    {
      PhaseFraction fraction(info, static_cast<int>(phase), dims);
      fraction.ask(out.all);
      model->decode(given.latent, dims, model->margin(), out.all, run);
      fraction.set(trainingFraction(info, static_cast<int>(phase)));
    }
  });
  attempt([&] { model->memoryPlan({ 100, 100, info.network.dimensions == 2 ? 1 : 100 }, run); });
  attempt([&] // go on, or fine-tune
  {
    if (!torch->trainingState())
    {
      return;
    }
    TrainOptions options = info.options;
    options.device = test::device();
    options.threads = 1;
    options.epochs = 3;
    TorchTrainer trainer({ trained }, options, torch);
    for (int i = 0; i < 2 && trainer.info().ending == Ending::None; ++i)
    {
      trainer.step();
    }
  });
  return refused;
}

#ifdef __SANITIZE_ADDRESS__ // which sees most
constexpr int FuzzSeconds = 60;
#else
constexpr int FuzzSeconds = 5;
#endif

/// What is under way, for whoever looks at a crash.
char underWay[1000];

extern "C" void tellAndDie(int signal)
{
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, underWay, std::strlen(underWay));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

} // namespace

TEST_F(HostileModels, AreRefusedOrUsed)
{
#ifndef __SANITIZE_ADDRESS__
  for (const int signal : { SIGSEGV, SIGABRT, SIGFPE, SIGBUS })
  {
    std::signal(signal, tellAndDie);
  }
#endif
  const std::vector<Good> good = this->goodModels();
  for (const Good& g : good) // as they are, all of them is accepted
  {
    const int without =
      g.path.ends_with("field") || g.path.ends_with("grey") ? 0 : 1; // learned prior
    EXPECT_EQ(use(TorchModel::load(g.path), g.trained), without) << g.path;
  }
  const int count = fromEnvironment("VAE_HOSTILE", 300),
            seed = fromEnvironment("VAE_HOSTILE_SEED", 1);
  int refused = 0, slow = 0;
  for (int i = 0; i < count; ++i)
  {
    std::mt19937 random(static_cast<unsigned>(seed * 1000003 + i));
    const Good& from = good[random() % good.size()];
    HostileFile file(from.path);
    std::string what = from.path.substr(from.path.rfind('/') + 1) + ": ";
    for (unsigned lies = random() % 4 ? 1 : 2 + random() % 2; lies > 0; --lies)
    {
      what += file.change(random) + "; ";
    }
    std::snprintf(underWay, sizeof underWay, "hostile model %d: %s\n", i, what.c_str());
    this->write(file.bytes());
    const auto begin = std::chrono::steady_clock::now();
    try
    {
      use(TorchModel::load(this->Path), from.trained);
    }
    catch (const std::runtime_error& e)
    {
      ++refused;
      EXPECT_EQ(std::string(e.what()).find(this->Path), 0u) << e.what();
    }
    const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (seconds > 1)
    {
      ++slow;
      std::printf("%.1f s: %s", seconds, underWay);
    }
  }
  std::printf("%d models: %d refused, %d used, %d of them for more than a second\n", count, refused,
    count - refused, slow);
  EXPECT_GT(refused, count / 4);
  EXPECT_LT(refused, count);
}

/// A learned prior's rows go on from the network's last one.
TEST_F(HostileModels, CannotBeGoneOnFromWithoutTheirHistory)
{
  const Volume volume = pattern<std::uint8_t>({ 32, 32, 32 }, 2);
  TrainOptions o = small(Architecture::Field);
  o.priorShare = 0.5;
  {
    TorchTrainer trainer({ volume }, o, nullptr);
    while (!trainer.step().prior)
    {
    }
    trainer.model({ true, ModelRequest::Nothing, true, true }, {})->save(this->Path);
  }
  EXPECT_NO_THROW(TorchTrainer({ volume }, o, TorchModel::load(this->Path)));
  HostileFile file(this->Path);
  file.set("/history", "[]");
  this->write(file.bytes());
  EXPECT_THROW(TorchTrainer({ volume }, o, TorchModel::load(this->Path)), std::invalid_argument);
}

/// Two arrays of several phases, each whole by itself: there are too few values a voxel for both.
TEST_F(HostileModels, OfSeveralPhasesHaveOneArray)
{
  const std::vector<Good> good = this->goodModels();
  const auto phases =
    std::ranges::find_if(good, [](const Good& g) { return g.path.ends_with("phases"); });
  ASSERT_NE(phases, good.end());
  HostileFile file(phases->path);
  const std::string channel =
    R"({"array": "v", "component": 0, "components": 1, "fractions": [0.3359375, 0.3359375, 0.328125],
      "maximum": 2, "mean": 0.9921875, "minimum": 0, "offset": 0, "phases": [0, 1, 2], "residual": 0,
      "scale": 2, "type": "uint8"})";
  file.set("/channels", "[" + channel + ", " + channel + "]");
  this->write(file.bytes());
  EXPECT_THROW(TorchModel::load(this->Path), std::runtime_error);
  file.set("/channels", "[" + channel + "]");
  this->write(file.bytes());
  EXPECT_NO_THROW(TorchModel::load(this->Path));
}

/// Bytes changed at random, of good models: what CI can afford of a fuzzer.
TEST_F(HostileModels, SurviveChangedBytes)
{
  const std::vector<Good> good = this->goodModels();
  std::mt19937 random(static_cast<unsigned>(fromEnvironment("VAE_HOSTILE_SEED", 1)));
  const auto end = std::chrono::steady_clock::now() +
    std::chrono::seconds(fromEnvironment("VAE_FUZZ_SECONDS", FuzzSeconds));
  int runs = 0, accepted = 0;
  while (runs < 100 || std::chrono::steady_clock::now() < end)
  {
    const Good& from = good[random() % good.size()];
    std::string bytes = HostileFile(from.path).bytes();
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    for (unsigned n = 1 + random() % 8; n > 0; --n)
    {
      // Mostly of the header, and there mostly digits.
      const std::size_t at = random() % (random() % 4 ? header + 8 : bytes.size());
      const bool digit = at >= 8 && bytes[at] >= '0' && bytes[at] <= '9';
      bytes[at] = static_cast<char>(digit && random() % 4 ? '0' + random() % 10 : random());
    }
    bytes.resize(random() % 50 ? bytes.size() : random() % bytes.size());
    this->write(bytes);
    std::snprintf(underWay, sizeof underWay, "run %d\n", runs++);
    try
    {
      const auto model = TorchModel::load(this->Path);
      ++accepted;
      use(model, from.trained);
    }
    catch (const std::runtime_error&)
    {
    }
  }
  std::printf("%d files, %d accepted\n", runs, accepted);
  EXPECT_GT(accepted, 0);
}
