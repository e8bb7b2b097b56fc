// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Model files that lie, loaded and used: each is refused, or does no harm. VAE_HOSTILE is how many,
// VAE_HOSTILE_SEED which, VAE_FUZZ_SECONDS how long bytes are changed at random.
#include "HostileFile.h"
#include "LatentMath.h"
#include "PhaseFraction.h"
#include "Torch/TorchTrainer.h"
#include "Training.h"
#include "Volumes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

using namespace vae;
using test::HostileFile;

namespace
{

/// Files that are opened meanwhile, by whatever this process does.
std::vector<std::string>* opened = nullptr;

void tell(const char* path)
{
  if (opened && path)
  {
    opened->push_back(path);
  }
}

template <typename F>
F* original(const char* name)
{
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

mode_t modeOf(int flags, va_list more)
{
  return flags & (O_CREAT | O_TMPFILE) ? static_cast<mode_t>(va_arg(more, int)) : 0;
}

} // namespace

// These stand before the C library's for the C++ library and LibTorch too.
extern "C"
{
  FILE* fopen(const char* path, const char* mode)
  {
    tell(path);
    return original<FILE*(const char*, const char*)>("fopen")(path, mode);
  }
  FILE* fopen64(const char* path, const char* mode)
  {
    tell(path);
    return original<FILE*(const char*, const char*)>("fopen64")(path, mode);
  }
  int open(const char* path, int flags, ...)
  {
    va_list more;
    va_start(more, flags);
    const mode_t mode = modeOf(flags, more);
    va_end(more);
    tell(path);
    return original<int(const char*, int, ...)>("open")(path, flags, mode);
  }
  int open64(const char* path, int flags, ...)
  {
    va_list more;
    va_start(more, flags);
    const mode_t mode = modeOf(flags, more);
    va_end(more);
    tell(path);
    return original<int(const char*, int, ...)>("open64")(path, flags, mode);
  }
  int openat(int folder, const char* path, int flags, ...)
  {
    va_list more;
    va_start(more, flags);
    const mode_t mode = modeOf(flags, more);
    va_end(more);
    tell(path);
    return original<int(int, const char*, int, ...)>("openat")(folder, path, flags, mode);
  }
}

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
  run.device = "cpu";
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
      model->decode(model->sample(dims, margin, options, {}, run), dims, margin, out.all, run);
    });
  }
  attempt([&]
  {
    GenerateOptions options;
    const Latent given = model->sampleGiven(data.volume, model->margin(), options, run);
    Results out(info, dims);
    for (std::size_t phase = 0; info.hasPhases() && phase < info.channels[0].phases.size(); ++phase)
    {
      PhaseFraction fraction(info, static_cast<int>(phase), dims);
      fraction.ask(out.all);
      model->decode(given, dims, model->margin(), out.all, run);
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
    options.device = "cpu";
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

/// Good models of all kinds, small enough to be used ten thousand times.
class HostileModels : public testing::Test
{
protected:
  struct Good
  {
    std::string path;
    Volume trained;
  };

  void SetUp() override
  {
    this->Folder =
      std::filesystem::temp_directory_path() / ("vae-hostile-" + std::to_string(::getpid()));
    std::filesystem::create_directories(this->Folder);
    this->Path = (this->Folder / "model.safetensors").string();
  }
  void TearDown() override { std::filesystem::remove_all(this->Folder); }

  template <typename T>
  static Volume pattern(const Dims& dims, int values)
  {
    std::vector<T> v(static_cast<std::size_t>(voxels(dims)));
    for (std::size_t i = 0; i < v.size(); ++i)
    {
      v[i] = static_cast<T>(i * 7 % 101 % static_cast<std::size_t>(values));
    }
    return test::volume(std::move(v), dims);
  }

  /// Of a small network that is trained for two steps.
  static TrainOptions small(Architecture architecture)
  {
    TrainOptions o = test::quickInFloat32(1);
    o.threads = 1;
    o.stepsPerEpoch = 2;
    o.batchSize = 1;
    o.network.architecture = architecture;
    o.network.width = 8;
    o.network.latentChannels = 2;
    o.network.latentStride = 4;
    o.network.blockSize = 8;
    o.network.hiddenUnits = 8;
    o.priorShare = 0;
    return o;
  }

  Good train(const std::string& name, Architecture architecture, const Volume& volume, int prior)
  {
    const TrainOptions o = small(architecture);
    TorchTrainer trainer({ volume }, o, nullptr);
    while (trainer.info().ending == Ending::None)
    {
      trainer.step();
    }
    const Good good{ (this->Folder / name).string(), volume };
    const auto model = std::dynamic_pointer_cast<TorchModel>(
      std::const_pointer_cast<Model>(trainer.model({ true, 0, true, false }, {})));
    if (prior > 0)
    {
      const at::Generator random = at::make_generator<at::CPUGeneratorImpl>(5);
      auto learned = std::make_shared<LearnedPrior>(prior, 2, 8);
      learned->Net->initialise(random);
      const at::Tensor local = at::rand({ 1, prior == 3 ? 8 : 1, 8, 8 }, random);
      learned->Told = learned->Local = LatentField::fit(local);
      model->setLearnedPrior(learned);
    }
    model->save(good.path);
    return good;
  }

  std::vector<Good> goodModels()
  {
    return { this->train("field", Architecture::Field, pattern<std::uint8_t>({ 16, 16, 16 }, 2), 3),
      this->train("grey", Architecture::Field, pattern<float>({ 16, 24, 1 }, 101), 2),
      this->train("phases", Architecture::Vector, pattern<std::uint8_t>({ 16, 24, 1 }, 3), 0),
      this->train("dense", Architecture::Dense, pattern<std::int16_t>({ 16, 16, 1 }, 101), 0) };
  }

  void write(const std::string& bytes) const
  {
    std::ofstream(this->Path, std::ios::binary) << bytes;
  }
  std::string refusal(const LoadOptions& options = {}) const
  {
    try
    {
      TorchModel::load(this->Path, options);
    }
    catch (const std::runtime_error& e)
    {
      return e.what();
    }
    return {};
  }

  std::filesystem::path Folder;
  std::string Path;
};

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

namespace
{

/// A line of /proc/self/status, bytes.
double memory(const std::string& name)
{
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
  {
    if (line.starts_with(name))
    {
      return 1024 * std::stod(line.substr(name.size() + 1));
    }
  }
  return 0;
}

} // namespace

TEST_F(HostileModels, NameNoFileThatIsOpened)
{
  const Good good =
    this->train("dense", Architecture::Dense, pattern<std::int16_t>({ 16, 16, 1 }, 101), 0);
  const std::string decoy = (this->Folder / "decoy.pt").string();
  for (const bool allowed : { false, true })
  {
    for (const std::string& path : { decoy, std::string("relative.pt") })
    {
      HostileFile file(good.path);
      for (const char* network : { "/network/", "/options/network/" })
      {
        file.set(std::string(network) + "architecture", "\"torchscript\"");
        file.set(std::string(network) + "encoder_file", '"' + path + '"');
        file.set(std::string(network) + "decoder_file", '"' + path + '"');
      }
      this->write(file.bytes());
      std::ofstream(decoy) << "not even a script";
      std::vector<std::string> paths;
      opened = &paths;
      const std::string why = this->refusal({ .allowTorchScript = allowed });
      opened = nullptr;
      EXPECT_EQ(paths, std::vector<std::string>{ this->Path });
      EXPECT_NE(
        why.find(allowed ? "\"torchscript.encoder\" is missing" : "Allow TorchScript is off"),
        std::string::npos)
        << why;
    }
  }
  std::vector<std::string> paths; // nor has a good one to
  opened = &paths;
  TorchModel::load(good.path);
  opened = nullptr;
  EXPECT_EQ(paths, std::vector<std::string>{ good.path });
}

/// Headers that once did harm, or might; of each the tensors are as many bytes 0 as it says.
TEST_F(HostileModels, OfTheCorpusAreRefused)
{
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(VAE_CORPUS))
  {
    std::ifstream in(entry.path(), std::ios::binary);
    std::string header{ std::istreambuf_iterator<char>(in), {} };
    header.erase(header.find_last_not_of('\n') + 1);
    const std::uint64_t length = header.size();
    std::size_t body = 0;
    if (const auto json = nlohmann::json::parse(header, nullptr, false); json.is_object())
    {
      for (const auto& [name, tensor] : json.items())
      {
        if (name != "__metadata__" && tensor.is_object() && tensor.contains("data_offsets"))
        {
          body = std::max(body, tensor["data_offsets"].back().get<std::size_t>());
        }
      }
    }
    this->write(std::string(reinterpret_cast<const char*>(&length), sizeof length) + header +
      std::string(std::min<std::size_t>(body, 4096), '\0'));
    const std::string why = this->refusal();
    EXPECT_EQ(why.find(this->Path + ": is "), 0u) << entry.path() << ": " << why;
    EXPECT_EQ(why.find('\n'), std::string::npos) << entry.path() << ": " << why;
    ++count;
  }
  EXPECT_GE(count, 40);
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

TEST_F(HostileModels, TakeLittleMemoryToRefuse)
{
  const Good good =
    this->train("field", Architecture::Field, pattern<std::uint8_t>({ 16, 16, 16 }, 2), 3);
  TorchModel::load(good.path);
  std::vector<std::string> files;
  { // a network of 34 GB
    HostileFile file(good.path);
    for (const char* network : { "/network/", "/options/network/" })
    {
      file.set(std::string(network) + "width", "512");
      file.set(std::string(network) + "blocks", "8");
      file.set(std::string(network) + "latent_stride", "32");
    }
    files.push_back(file.bytes());
  }
  { // a prior of 130 GB
    HostileFile file(good.path);
    file.remove("prior.learned.");
    file.add("prior.learned.network.in.bias", { 4096 });
    files.push_back(file.bytes());
  }
  const auto withHeader = [&](const std::string& header)
  {
    const std::uint64_t length = header.size();
    files.push_back(std::string(reinterpret_cast<const char*>(&length), sizeof length) + header);
  };
  const auto filled = [](std::string header, const auto& more)
  {
    for (int i = 0; header.size() < 15'900'000; ++i)
    {
      header += more(i);
    }
    return header;
  };
  const auto metadata = [](const std::string& model)
  {
    return nlohmann::json{
      { "__metadata__", { { "format", "vae-paraview-5" }, { "model", model } } }
    }.dump();
  };
  const auto numbers = [&] { return filled("[0", [](int) { return ",0"; }) + "]"; };
  const auto keys = [&]
  { return filled("{\"a\":0", [](int i) { return ",\"" + std::to_string(i) + "\":0"; }) + "}"; };
  withHeader(numbers());
  withHeader(keys());
  withHeader(filled("{\"a\":[0", [](int) { return ",[[]]"; }) + "]}");
  withHeader(metadata(numbers()));
  withHeader(filled("{\"a\":\"", [](int) { return "\\u0000"; }) + "\"}");
  withHeader(filled("{\"a\":{\"dtype\":\"F32\",\"shape\":[0", [](int) { return ",0"; })
               .substr(0, 1'900'000) +
    "],\"data_offsets\":[0,0]}}");
  withHeader(std::string(20'000'000, ' '));
  for (std::size_t i = 0; i < files.size(); ++i)
  {
    this->write(files[i]);
    std::ofstream("/proc/self/clear_refs") << 5; // the peak is now
    const double before = memory("VmRSS");
    EXPECT_NE(this->refusal(), "") << i;
    const double peak = memory("VmHWM");
    EXPECT_GT(peak, 0);
#ifndef __SANITIZE_ADDRESS__ // which keeps what was freed
    EXPECT_LT(peak - before, 2. * static_cast<double>(files[i].size()) + 256e6) << i;
#endif
  }
}
