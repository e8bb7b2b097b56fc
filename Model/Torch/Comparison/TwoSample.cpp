// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TwoSample.h"

#include "BlockClassifier.h"
#include "Check.h"
#include "Torch/Data/TrainingData.h"

#include <algorithm>
#include <format>
#include <numeric>

namespace vae
{
namespace
{

constexpr std::int64_t EnoughBlocks = 128; // tested, of each input: .03 of standard error at chance
constexpr int RowSteps = 5;                // of the history

using Counts = std::vector<std::int64_t>;

/// Units to learn from, and those that are tested.
Counts split(std::int64_t units)
{
  const std::int64_t training = std::max<std::int64_t>(1, units / 3);
  return { training, units - training };
}

/// \throws std::invalid_argument unless the candidate has what the real input has
void checkAlike(const TwoSampleInput& input, const ModelInfo& info)
{
  if (input.candidate.empty())
  {
    throw std::invalid_argument("The candidate is empty (it has no volume)");
  }
  const Volume& real = input.real.front();
  for (const Volume& v : input.candidate)
  {
    if (v.channels.size() != real.channels.size())
    {
      throw std::invalid_argument(
        std::format("The candidate has {} channel(s) (components of arrays), the real input {}; "
                    "they must have the same",
          v.channels.size(), real.channels.size()));
    }
    const auto axes = std::count_if(v.dims.begin(), v.dims.end(), [](auto n) { return n > 1; });
    if (axes != info.network.dimensions)
    {
      throw std::invalid_argument(std::format(
        "The candidate is {}-D ({} voxels), the real input {}-D; they must be of one kind", axes,
        toString(v.dims), info.network.dimensions));
    }
    for (std::size_t a = 0; a < 3; ++a)
    {
      if (v.dims[a] > 1 && real.dims[a] > 1 &&
        std::abs(v.spacing[a] - real.spacing[a]) > 1e-3 * std::abs(real.spacing[a]))
      {
        throw std::invalid_argument(
          std::format("The candidate's spacing along {} is {} and the real input's {}; they must "
                      "be equal",
            "xyz"[a], inWords(v.spacing[a]), inWords(real.spacing[a])));
      }
    }
  }
  for (const std::vector<ChannelSummary>& volume : summarise(input.candidate))
  {
    for (std::size_t c = 0; c < info.channels.size(); ++c)
    {
      const ChannelSummary& s = volume[c];
      const ChannelInfo& channel = info.channels[c];
      if (s.notFinite > 0)
      {
        throw std::invalid_argument(
          std::format("The candidate's array '{}' has {} values that are NaN or infinite; they "
                      "must be finite",
            input.candidate[0].channels[c].array, s.notFinite));
      }
      const auto& phases = channel.phases;
      if (!phases.empty() && s.values.empty())
      {
        throw std::invalid_argument(
          std::format("The candidate's array has more than {} different values, but the real "
                      "input's '{}' has {} phases",
            MostPhases, channel.array, phases.size()));
      }
      for (const double v : phases.empty() ? std::vector<double>() : s.values)
      {
        if (!std::binary_search(phases.begin(), phases.end(), v))
        {
          throw std::invalid_argument(
            std::format("The candidate has the value {}, which the real input's '{}' does not "
                        "have; both must have the same phases",
              inWords(v), channel.array));
        }
      }
    }
  }
}

/// What blocks are turned by, in words.
std::string turnedBy(const AugmentationSymmetry& s, const std::string& reason)
{
  const bool exchanges = s.kind != std::array{ 0, 1, 2 };
  return std::string(!s.flips ? "Blocks are not mirrored"
             : s.together     ? "Blocks are mirrored along all axes at once"
                              : "Blocks are mirrored along each axis") +
    (exchanges ? ", and axes are exchanged" : ", axes are not exchanged") + " (" + reason + ")";
}

/// Both inputs, ready to be cut.
class Comparison
{
public:
  Comparison(const TwoSampleInput& input, const TwoSampleOptions& options);

  TwoSampleResult run(const ComputeDevice& place, const Monitor& monitor) const;

private:
  struct Training
  {
    std::array<Part, 4> parts; ///< of the first class to learn from, tested; of the second one
    bool control = false;
  };

  Index3 blockOf(std::int64_t edge) const;
  std::int64_t tested(const std::vector<Frame>& frames, std::int64_t edge) const;
  void chooseBlock();
  void requireRoom(const char* name, const std::vector<Frame>& frames) const;
  std::vector<Part> halves(const std::vector<Frame>& frames) const;
  std::vector<Training> trainings(std::string& note) const;
  TwoSources sourcesOf(const Training& training) const;
  void takeTested(const BlockClassifier& classifier, const TwoSources& sources,
    std::array<ClassCount, 2>& counts, TwoSampleResult* result) const;
  void takeSurest(
    const BlockClassifier& classifier, const TwoSources& sources, TwoSampleResult& result) const;

  const TwoSampleInput& Input;
  const TwoSampleOptions& Options;
  ModelInfo Info;
  std::vector<Frame> Real, Candidate;
  BlockRecipe Recipe;
};

Comparison::Comparison(const TwoSampleInput& input, const TwoSampleOptions& options)
  : Input(input)
  , Options(options)
{
  TrainOptions training;
  training.symmetry = options.symmetry;
  this->Info = describeTraining(input.real, training);
  checkAlike(input, this->Info);
  this->Real = framesOf(input.real, this->Info.network);
  this->Candidate = framesOf(input.candidate, this->Info.network);
  this->chooseBlock();
  this->Recipe.channels = this->Info.channels;
  for (ChannelInfo& c : this->Recipe.channels)
  {
    if (c.phases.size() == 2) // as grey values
    {
      c.offset = c.mean;
      c.scale = (c.maximum - c.minimum) * std::sqrt(c.fractions[0] * c.fractions[1]);
      c.phases.clear();
    }
  }
  this->Recipe.dimensions = this->Info.network.dimensions;
  this->Recipe.symmetry = this->Info.augmentation;
  this->Recipe.steps = options.steps;
}

Index3 Comparison::blockOf(std::int64_t edge) const
{
  return { this->Info.network.dimensions == 3 ? edge : 1, edge, edge };
}

/// How many blocks of an input would be tested; 0: it is too small.
std::int64_t Comparison::tested(const std::vector<Frame>& frames, std::int64_t edge) const
{
  const Partition partition(frames, this->blockOf(edge));
  const int axis = partition.longestAxis(2);
  const std::int64_t units = partition.units(2, axis);
  if (units < 2)
  {
    return 0;
  }
  return static_cast<std::int64_t>(
    blocksOf(partition.cut(split(units), axis)[1], this->blockOf(edge)).size());
}

void Comparison::chooseBlock()
{
  auto edge = static_cast<std::int64_t>(this->Options.blockSize);
  if (this->Options.blockSize == BlockEdge::Automatic)
  {
    constexpr std::int64_t large = 64, small = 32;
    edge = std::min(this->tested(this->Real, large), this->tested(this->Candidate, large)) >=
        EnoughBlocks
      ? large
      : small;
  }
  this->Recipe.block = this->blockOf(edge);
  this->requireRoom("real input", this->Real);
  this->requireRoom("candidate", this->Candidate);
}

void Comparison::requireRoom(const char* name, const std::vector<Frame>& frames) const
{
  const std::int64_t edge = this->Recipe.block[2];
  if (this->tested(frames, edge) > 0)
  {
    return;
  }
  const Frame& first = frames.front();
  Dims dims{};
  for (int a = 0; a < 3; ++a)
  {
    dims[first.axis[a]] = first.size[a];
  }
  throw std::invalid_argument(std::format(
    "The {} is too small ({} voxels{}): it must hold two blocks of {} voxels side by side, one to "
    "learn from and one to be tested; {}give larger or more volumes",
    name, toString(dims),
    frames.size() > 1 ? std::format(" and {} more", frames.size() - 1) : std::string(), edge,
    edge > 16 ? "choose a smaller Block Size, or " : ""));
}

/// Of an input, those to learn from and those that are tested.
std::vector<Part> Comparison::halves(const std::vector<Frame>& frames) const
{
  const Partition partition(frames, this->Recipe.block);
  const int axis = partition.longestAxis(2);
  return partition.cut(split(partition.units(2, axis)), axis);
}

/// The test, then the control's.
std::vector<Comparison::Training> Comparison::trainings(std::string& note) const
{
  const std::vector<Part> real = this->halves(this->Real), other = this->halves(this->Candidate);
  std::vector<Training> all{ { { real[0], real[1], other[0], other[1] } } };
  if (!this->Options.control)
  {
    return all;
  }
  constexpr std::size_t parts = 4;
  const Partition partition(this->Real, this->Recipe.block);
  std::int64_t most = 0;
  for (int axis = 0; axis < 3; ++axis)
  {
    const std::int64_t units = this->Recipe.block[axis] > 1 ? partition.units(parts, axis) : 0;
    most = std::max(most, units);
    // Whole volumes are the same along every axis.
    if (units < static_cast<std::int64_t>(parts) || (partition.byVolume(parts) && all.size() > 1))
    {
      continue;
    }
    // The parts to learn from lie at both ends.
    const Counts one = split(units / 2), two = split(units - units / 2);
    const std::vector<Part> cut = partition.cut({ one[0], one[1], two[1], two[0] }, axis);
    all.push_back({ { cut[0], cut[1], cut[3], cut[2] }, true });
  }
  if (all.size() == 1)
  {
    note = std::format(
      "There is no control: the real input has {} blocks of {} voxels side by side, and the "
      "control needs 4, to learn from and to test in each of two halves.",
      most, this->Recipe.block[2]);
  }
  return all;
}

TwoSources Comparison::sourcesOf(const Training& training) const
{
  const auto& [first, firstTested, second, secondTested] = training.parts;
  const Index3& block = this->Recipe.block;
  const auto& volumes = training.control ? this->Input.real : this->Input.candidate;
  const auto& frames = training.control ? this->Real : this->Candidate;
  return { BlockSource{ this->Input.real, this->Real, first, blocksOf(firstTested, block) },
    BlockSource{ volumes, frames, second, blocksOf(secondTested, block) } };
}

Dims inVolume(const Index3& along, const Frame& frame)
{
  Dims dims{};
  for (int a = 0; a < 3; ++a)
  {
    dims[frame.axis[a]] = along[a];
  }
  return dims;
}

/// \param result receives the blocks; null: they are only counted
void Comparison::takeTested(const BlockClassifier& classifier, const TwoSources& sources,
  std::array<ClassCount, 2>& counts, TwoSampleResult* result) const
{
  for (std::size_t c = 0; c < 2; ++c)
  {
    const std::vector<double> logits = classifier.logits(sources[c]);
    for (std::size_t i = 0; i < logits.size(); ++i)
    {
      const auto& [volume, box] = sources[c].tested[i];
      TestedBlock block;
      block.candidate = c == 1;
      block.volume = volume;
      block.origin = inVolume(box.origin, sources[c].frames[volume]);
      block.logit = logits[i];
      ++counts[c].tested;
      counts[c].right += block.right();
      if (result)
      {
        result->tested.push_back(block);
      }
    }
  }
}

void Comparison::takeSurest(
  const BlockClassifier& classifier, const TwoSources& sources, TwoSampleResult& result) const
{
  std::vector<std::size_t> order(result.tested.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
    [&](std::size_t a, std::size_t b) { return result.tested[a].logit > result.tested[b].logit; });
  const std::size_t each =
    std::min(static_cast<std::size_t>(this->Options.surestBlocks), order.size() / 2);
  std::vector<std::size_t> chosen(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(each));
  chosen.insert(chosen.end(), order.rbegin(), order.rbegin() + static_cast<std::ptrdiff_t>(each));
  for (const std::size_t i : chosen)
  {
    SureBlock& block = result.surest.emplace_back();
    static_cast<TestedBlock&>(block) = result.tested[i];
    const std::size_t ofReal = sources[0].tested.size();
    const std::size_t c = block.candidate ? 1 : 0;
    block.saliency = classifier.saliency(sources[c], sources[c].tested[i - c * ofReal]);
  }
}

TwoSampleResult Comparison::run(const ComputeDevice& place, const Monitor& monitor) const
{
  TwoSampleResult result;
  result.blockDims = inVolume(this->Recipe.block, this->Real.front());
  result.symmetry = turnedBy(this->Info.augmentation, this->Info.symmetryReason);
  const std::vector<Training> all = this->trainings(result.note);
  const auto trainings = static_cast<double>(all.size());
  std::vector<std::array<ClassCount, 2>> counts, controls;
  for (std::size_t i = 0; i < all.size(); ++i)
  {
    const Monitor part =
      monitor.part(static_cast<double>(i) / trainings, static_cast<double>(i + 1) / trainings);
    const bool control = all[i].control;
    const TwoSources sources = this->sourcesOf(all[i]);
    const auto seed = static_cast<std::uint64_t>(this->Options.seed) * 4 + i;
    BlockClassifier classifier(this->Recipe, place, seed);
    result.parameters = classifier.parameters();
    double loss = 0, right = 0, steps = 0;
    classifier.train(sources, [&](int step, double stepLoss, double stepRight)
    {
      part.report(0.95 * step / this->Options.steps);
      loss += stepLoss;
      right += stepRight;
      ++steps;
      if (step % RowSteps != 0 && step != this->Options.steps)
      {
        return;
      }
      const auto row = static_cast<std::size_t>((step - 1) / RowSteps);
      result.history.resize(std::max(result.history.size(), row + 1));
      TwoSampleRecord& r = result.history[row];
      r.step = step;
      const double share = control ? 1 / (trainings - 1) : 1;
      double& meanLoss = control ? r.controlLoss : r.loss;
      double& meanRight = control ? r.controlAccuracy : r.accuracy;
      const bool first = i < 2;
      meanLoss = (first ? 0 : meanLoss) + share * loss / steps;
      meanRight = (first ? 0 : meanRight) + share * right / steps;
      loss = right = steps = 0;
    });
    std::array<ClassCount, 2> counted{};
    this->takeTested(classifier, sources, counted, control ? nullptr : &result);
    if (control)
    {
      controls.push_back(counted);
      result.controls.push_back(
        accuracyOf({ counted }, counted[0].tested + counted[1].tested).value);
    }
    else
    {
      counts.push_back(counted);
      this->takeSurest(classifier, sources, result);
    }
    part.report(1);
  }
  result.accuracy = accuracyOf(counts, static_cast<std::int64_t>(result.tested.size()));
  result.control = accuracyOf(controls, Partition(this->Real, this->Recipe.block).blocks());
  return result;
}

} // namespace

TwoSampleResult twoSampleTest(const TwoSampleInput& input, const TwoSampleOptions& options,
  const RunOptions& run, const Monitor& monitor)
{
  check(options);
  check(run);
  const Comparison comparison(input, options);
  const CudaCacheReleaser returned;
  const ComputeDevice place = chooseDevice(run.device, Precision::Float32, run.threads);
  bool fellBack = false;
  TwoSampleResult result = onDeviceOrCpu(place, run.threads, fellBack,
    [&](const ComputeDevice& at) { return comparison.run(at, monitor); });
  if (fellBack)
  {
    result.note += (result.note.empty() ? "" : " ") +
      std::string("The classifier was trained on the CPU: ") + place.device.str() +
      " has too little free memory.";
  }
  return result;
}

} // namespace vae
