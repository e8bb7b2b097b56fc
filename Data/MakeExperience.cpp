// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Makes weights that have seen many microstructures, which trainings may start from: first those of
// the network, then those of the learned prior over the latent fields of that network. Volumes are
// made as it goes on, from a seed; none comes from elsewhere. Ctrl-C or SIGTERM writes what has
// been learned; the same command goes on there, and with more minutes further.
#include "Microstructures.h"
#include "Source/JsonText.h"
#include "Torch/Data/TrainingData.h"
#include "Torch/Training/StateJson.h"
#include "Torch/Training/TorchTrainer.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <functional>
#include <map>

using namespace vae;

namespace
{

constexpr int NetworkEdge = 96, PriorEdge = 160;            // voxels of a volume
constexpr std::int64_t StepsAVolume = 40, FieldsEvery = 20; // steps, until another volume is made
constexpr std::size_t Fields = 48;                          // latent fields of the prior at a time
constexpr double CheckpointSeconds = 180;
// Numbers of volumes: the network's from 0 on.
constexpr std::int64_t FirstOfPrior = std::int64_t{ 1 } << 40, FirstOfTest = FirstOfPrior * 2;

std::atomic<bool> stopAsked = false;

/// While volumes are made before the first step there is nothing to write. \throws Stopped
void mayGoOn()
{
  if (stopAsked)
  {
    throw Stopped();
  }
}

double now()
{
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void say(const std::string& text)
{
  std::puts(text.c_str());
  std::fflush(stdout);
}

struct Arguments
{
  std::string output, device = "cpu", command;
  double networkMinutes = 60, priorMinutes = 60;
  std::int64_t seed = 1;
  int threads = 0, volumes = 96;

  std::string checkpoint() const
  {
    return std::filesystem::path(this->output).replace_extension().string() +
      ".checkpoint.safetensors";
  }
};

Arguments argumentsOf(int argc, char** argv)
{
  Arguments a;
  a.command = "vae_make_experience";
  const std::map<std::string, std::function<void(const char*)>> options{
    { "--network-minutes", [&](const char* text) { a.networkMinutes = std::atof(text); } },
    { "--prior-minutes", [&](const char* text) { a.priorMinutes = std::atof(text); } },
    { "--seed", [&](const char* text) { a.seed = std::atoll(text); } },
    { "--threads", [&](const char* text) { a.threads = std::atoi(text); } },
    { "--volumes", [&](const char* text) { a.volumes = std::atoi(text); } },
    { "--device", [&](const char* text) { a.device = text; } },
  };
  for (int i = 1; i < argc; ++i)
  {
    const std::string word = argv[i];
    const auto option = options.find(word);
    if (option != options.end() && i + 1 < argc)
    {
      option->second(argv[++i]);
      a.command += ' ' + word + ' ' + argv[i];
    }
    else if (word.starts_with("--") || !a.output.empty())
    {
      throw std::invalid_argument("cannot use " + word);
    }
    else
    {
      a.output = word;
    }
  }
  if (a.output.empty() || !(a.networkMinutes > 0) || !(a.priorMinutes >= 0) || a.volumes < 1)
  {
    throw std::invalid_argument("a file, minutes above 0 and at least one volume are needed");
  }
  return a;
}

rock::Voxels voxelsOf(const Arguments& a, std::int64_t number, int edge)
{
  const std::uint64_t seed =
    static_cast<std::uint64_t>(a.seed) * 0x9e3779b97f4a7c15 + static_cast<std::uint64_t>(number);
  return rock::make(rock::randomMicrostructure(seed), edge);
}

Volume volumeOf(std::shared_ptr<const rock::Voxels> voxels, int edge)
{
  Volume volume;
  volume.dims = { edge, edge, edge };
  Channel& channel = volume.channels.emplace_back();
  channel.data = voxels->data();
  channel.owner = std::move(voxels);
  channel.type = ScalarType::UInt8;
  channel.array = "microstructure";
  return volume;
}

/// Volumes that a training reads patches from; one after the other is made anew, in its place.
class Pool
{
public:
  /// \param made so many have been made before
  Pool(const Arguments& a, std::int64_t made)
    : Given(a)
    , Made(std::max<std::int64_t>(made, a.volumes))
  {
    this->All.resize(static_cast<std::size_t>(a.volumes));
    for (std::int64_t n = this->Made - a.volumes; n < this->Made; ++n)
    {
      mayGoOn();
      auto voxels = std::make_shared<rock::Voxels>(voxelsOf(a, n, NetworkEdge));
      this->All[static_cast<std::size_t>(n % a.volumes)] = std::move(voxels);
    }
  }

  void renew()
  {
    rock::Voxels& voxels = *this->All[static_cast<std::size_t>(this->Made % this->Given.volumes)];
    const rock::Voxels next = voxelsOf(this->Given, this->Made++, NetworkEdge);
    std::copy(next.begin(), next.end(), voxels.begin()); // patches are read from where they are
  }

  std::vector<Volume> volumes() const
  {
    std::vector<Volume> volumes;
    for (const auto& voxels : this->All)
    {
      volumes.push_back(volumeOf(voxels, NetworkEdge));
    }
    return volumes;
  }
  std::int64_t made() const { return this->Made; }

private:
  const Arguments& Given;
  std::int64_t Made;
  std::vector<std::shared_ptr<rock::Voxels>> All;
};

/// Fraction of voxels that are rebuilt right, in microstructures that no training sees.
double accuracyOf(const Arguments& a, const TorchModel& model)
{
  constexpr int tests = 8, edge = 64;
  double sum = 0;
  for (int i = 0; i < tests; ++i)
  {
    const auto voxels = std::make_shared<const rock::Voxels>(voxelsOf(a, FirstOfTest + i, edge));
    rock::Voxels rebuilt(voxels->size());
    ReconstructOutputs outputs;
    OutputChannel& labels = outputs.values.emplace_back();
    labels.data = rebuilt.data();
    labels.type = ScalarType::UInt8;
    RunOptions run;
    run.device = a.device;
    run.threads = a.threads;
    model.reconstruct(volumeOf(voxels, edge), ReconstructOptions(), outputs, run, {});
    std::size_t right = 0;
    for (std::size_t v = 0; v < rebuilt.size(); ++v)
    {
      right += rebuilt[v] == (*voxels)[v];
    }
    sum += static_cast<double>(right) / static_cast<double>(rebuilt.size());
  }
  return sum / tests;
}

/// The checkpoint, and what others start from.
void write(const Arguments& a, const TorchModel& model, const std::string& seen)
{
  model.save(a.checkpoint());
  ModelInfo info = model.info();
  info.producer = std::format("{}, by {}: {}", info.producer, a.command, seen);
  TorchModel(info, model.network(), model.calibration()).saveInHalf(a.output);
  std::ifstream file(a.output, std::ios::binary);
  const std::string bytes{ std::istreambuf_iterator<char>(file), {} };
  say(std::format("{}: {:.1f} MB, hash {}; {}; {:.4f} of the voxels of other volumes right",
    a.output, static_cast<double>(bytes.size()) / 1e6, hashOf(bytes), seen, accuracyOf(a, model)));
}

TrainOptions optionsOf(const Arguments& a)
{
  TrainOptions o; // else the defaults: their network is what is wanted
  o.timeBudget = 60 * a.networkMinutes;
  o.priorShare = 0;
  o.validationFraction = 0;
  o.stepsPerEpoch = 200;
  o.batchSize = 4; // of more materials
  o.symmetry = Symmetry::Cube;
  o.seed = a.seed;
  o.threads = a.threads;
  o.device = a.device;
  completeOptions(o);
  return o;
}

std::shared_ptr<const TorchModel> trainNetwork(
  const Arguments& a, const std::shared_ptr<const TorchModel>& from)
{
  const std::int64_t before =
    from && !from->info().history.empty() ? from->info().history.back().step : 0;
  say("Making volumes.");
  Pool pool(a, a.volumes + before / StepsAVolume);
  const auto data = std::make_shared<DataSet>(pool.volumes());
  data->hash = hashOf("microstructures " + std::to_string(a.seed)); // they change, it goes on
  const TrainingStart start(data, optionsOf(a), from);
  if (start.over)
  {
    return from;
  }
  TorchTrainer trainer(start);
  const auto model = [&]
  {
    return std::dynamic_pointer_cast<const TorchModel>(trainer.model(
      { .statisticsVoxels = ModelRequest::Nothing, .trainingState = true, .stopped = true }, {}));
  };
  double saved = now();
  bool goesOn = trainer.info().ending == Ending::None;
  while (goesOn)
  {
    const StepRecord r = trainer.step();
    goesOn = !r.finished && !stopAsked;
    if (r.step % StepsAVolume == 0)
    {
      pool.renew();
    }
    if (r.epochEnded)
    {
      const EpochRecord& row = trainer.info().history.back();
      say(std::format(
        "network: {:.1f} min, step {}, loss {:.4f} nats a voxel, KL {:.4f}, {:.2f} million "
        "voxels/s",
        r.seconds / 60, r.step, row.loss, row.kl, row.voxelsPerSecond / 1e6));
    }
    if (!goesOn || now() - saved > CheckpointSeconds)
    {
      write(a, *model(), std::format("{} volumes in {} steps", pool.made(), r.step));
      saved = now();
    }
  }
  return model();
}

/// Trains the prior of a network that does not change.
class PriorTraining
{
public:
  PriorTraining(const Arguments& a, const TorchModel& model)
    : Given(a)
    , Info(model.info())
    , Place(chooseDevice(a.device, Precision::Automatic, a.threads))
    , Net(copyOf(*model.network(), model.info().network))
    , Seen(makeObservationModel(model.info(), Place.device))
  {
    this->Net->to(this->Place.device);
    const auto& state = model.trainingState();
    const bool begun = this->Info.priorSteps > 0 && state;
    const Json json = begun ? parseJson(state->json) : Json::object();
    const StateReader reader(json, TensorReader(begun ? state->tensors : State()));
    this->Made = begun ? reader.count("made") : static_cast<std::int64_t>(Fields);
    this->Spent = begun ? reader.seconds("seconds") : 0;
    say("Making volumes.");
    PriorData all;
    for (std::size_t i = 0; i < Fields; ++i)
    {
      mayGoOn();
      // The newest of each place.
      const auto place = static_cast<std::int64_t>(i), count = static_cast<std::int64_t>(Fields);
      PriorData one = this->fieldOf(place + (this->Made - 1 - place) / count * count);
      all.fields.push_back(one.fields.front());
      all.trends.push_back(one.trends.front());
      if (i == 0)
      {
        all.mean = one.mean;
        all.scale = one.scale;
        all.trendScale = one.trendScale;
        all.localMean = one.localMean;
      }
    }
    this->Training = std::make_unique<PriorTrainer>(
      std::move(all), this->Info, this->Place, PriorTrainer::randomOf(this->Info));
    if (begun)
    {
      reader.load("prior", this->Training->tensors());
      this->Training->restore(reader.count("steps"), reader);
    }
  }

  void run()
  {
    const double budget = 60 * this->Given.priorMinutes, carried = this->Spent, begin = now();
    double saved = begin, loss = 0;
    std::int64_t losses = 0;
    const KeptMemory memory;
    for (bool goesOn = carried < budget; goesOn;)
    {
      {
        const KeptMemory::Use use(memory);
        loss += this->Training->step(std::min(1., this->Spent / budget), this->Place);
        ++losses;
      }
      const std::int64_t steps = this->Training->steps();
      if (steps % FieldsEvery == 0)
      {
        const auto place = static_cast<std::size_t>(this->Made) % Fields;
        this->Training->replace(place, this->fieldOf(this->Made++));
      }
      this->Spent = carried + now() - begin;
      goesOn = this->Spent < budget && !stopAsked;
      if (losses == 100)
      {
        say(std::format("prior: {:.1f} min, step {}, loss {:.4f}", this->Spent / 60, steps,
          loss / static_cast<double>(losses)));
        loss = 0;
        losses = 0;
      }
      if (!goesOn || now() - saved > CheckpointSeconds)
      {
        const auto trained = this->model();
        write(this->Given, *trained,
          std::format("network of step {}; prior of {} volumes in {} steps",
            this->Info.history.empty() ? 0 : this->Info.history.back().step, this->Made, steps));
        saved = now();
      }
    }
  }

private:
  /// Normalised by its own statistics, as a training on one volume has it.
  PriorData fieldOf(std::int64_t number)
  {
    const auto voxels =
      std::make_shared<const rock::Voxels>(voxelsOf(this->Given, FirstOfPrior + number, PriorEdge));
    const TrainingSet set(
      std::make_shared<const DataSet>(std::vector{ volumeOf(voxels, PriorEdge) }), this->Info);
    std::mt19937_64 random(static_cast<std::uint64_t>(number));
    return priorDataOf(set, this->Info, *this->Net, *this->Seen, this->Place, random,
      [](std::int64_t) { return false; });
  }

  std::shared_ptr<const TorchModel> model()
  {
    StateWriter state;
    state.store("prior", this->Training->tensors());
    state.json["steps"] = this->Training->steps();
    state.json["seconds"] = this->Spent;
    state.json["made"] = this->Made;
    this->Training->store(state);
    ModelInfo info = this->Info;
    info.priorSteps = this->Training->steps();
    info.ending = Ending::Stopped;
    Calibration calibration;
    calibration.learned = this->Training->prior();
    return std::make_shared<const TorchModel>(std::move(info), this->Net, std::move(calibration),
      std::make_shared<const TrainingState>(TrainingState{ dumpJson(state.json), state.tensors }));
  }

  const Arguments& Given;
  ModelInfo Info;
  ComputeDevice Place;
  NetworkPtr Net;
  std::unique_ptr<ObservationModel> Seen;
  std::unique_ptr<PriorTrainer> Training;
  std::int64_t Made = 0;
  double Spent = 0; ///< seconds
};

} // namespace

int main(int argc, char** argv)
{
  try
  {
    const Arguments a = argumentsOf(argc, argv);
    std::signal(SIGINT, [](int) { stopAsked = true; });
    std::signal(SIGTERM, [](int) { stopAsked = true; });
    std::shared_ptr<const TorchModel> model;
    if (std::filesystem::exists(a.checkpoint()))
    {
      model = TorchModel::load(a.checkpoint());
      say("Going on from " + a.checkpoint());
    }
    if (!model || model->info().priorSteps == 0)
    {
      model = trainNetwork(a, model);
    }
    if (!stopAsked && a.priorMinutes > 0)
    {
      PriorTraining(a, *model).run();
    }
    return 0;
  }
  catch (const Stopped&)
  {
    return 0;
  }
  catch (const std::exception& e)
  {
    std::fprintf(stderr,
      "vae_make_experience: %s\nusage: vae_make_experience OUTPUT.safetensors [--network-minutes "
      "60] "
      "[--prior-minutes 60] [--seed 1] [--threads 0] [--volumes 96] [--device cpu]\n",
      e.what());
    return 2;
  }
}
