// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Verdict.h"

#include "Model.h"
#include "TimePlan.h"

#include <algorithm>
#include <format>

namespace vae
{
namespace
{

/// What a score of this verdict stands for.
Likeness likenessOf(const Verdict& v, double score)
{
  const double passes =
    std::isnan(v.control) ? Verdict::Passes : std::max(Verdict::Passes, v.control);
  return std::isnan(score)                      ? Likeness::Unknown
    : score <= passes                           ? Likeness::Passes
    : score <= std::max(Verdict::Close, passes) ? Likeness::Close
                                                : Likeness::Apart;
}

double lossOf(const EpochRecord& row)
{
  return std::isnan(row.validationLoss) ? row.loss : row.validationLoss;
}

/// Rows of the network, before those of the prior.
std::vector<EpochRecord> networkRows(const ModelInfo& info)
{
  std::vector<EpochRecord> rows;
  std::copy_if(info.history.begin(), info.history.end(), std::back_inserter(rows),
    [](const EpochRecord& row) { return std::isnan(row.priorLoss); });
  return rows;
}

/// "about 4 minutes"
std::string about(double seconds)
{
  const double minutes = seconds / 60;
  return minutes < 1.5
    ? "about a minute"
    : std::format("about {:.0f} minutes", minutes < 10 ? minutes : std::round(minutes / 5) * 5);
}

/// Whether the loss of the last quarter of the rows is lower than that of the quarter before by
/// more than a hundredth of what the training has gained since its first quarter.
bool stillFalls(const std::vector<EpochRecord>& rows)
{
  const std::size_t quarter = rows.size() / 4;
  if (quarter == 0)
  {
    return true;
  }
  const auto mean = [&](std::size_t begin)
  {
    double sum = 0;
    for (std::size_t i = begin; i < begin + quarter; ++i)
    {
      sum += lossOf(rows[i]);
    }
    return sum / static_cast<double>(quarter);
  };
  const double first = mean(0), third = mean(rows.size() - 2 * quarter),
               last = mean(rows.size() - quarter);
  return third - last > 0.01 * std::abs(first - last);
}

std::string helpForDecoder(const ModelInfo& info)
{
  const std::vector<EpochRecord> rows = networkRows(info);
  std::string text =
    std::format("The decoder is the limit: rebuilt blocks score {:.2f}. ", info.verdict.rebuilt);
  const bool validated = !rows.empty() && !std::isnan(rows.back().validationLoss);
  if (validated && rows.size() >= 8 &&
    static_cast<std::size_t>(std::max(info.bestEpoch, 0)) < rows.size() / 2)
  {
    return text +
      std::format("Too little data: the validation loss has not improved since epoch {} of {}; "
                  "train on a larger volume, or choose a smaller Width.",
        info.bestEpoch, rows.size());
  }
  if (stillFalls(rows) && !rows.empty())
  {
    const double seconds = rows.back().seconds / (1 - std::min(info.options.priorShare, 0.9));
    return text + "More network time helps: its loss still falls; train " + about(seconds) +
      " more.";
  }
  return text +
    "Its loss no longer falls: choose a larger Width, more Latent Channels, or a smaller "
    "Latent Stride.";
}

std::string helpForPrior(const ModelInfo& info)
{
  const Verdict& v = info.verdict;
  std::string text = std::isnan(v.rebuilt)
    ? ""
    : std::format("The prior is the limit: rebuilt blocks score {:.2f}. ", v.rebuilt);
  if (v.prior != Prior::Learned)
  {
    return text +
      (info.priorSteps >= fewestPriorSteps(info.priorStarted)
          ? "Too little data: the learned prior varies too little to be used, as one of a single "
            "object does; train on a larger volume."
          : "No learned prior is used: train longer, with a Prior Share above 0.");
  }
  const std::int64_t wanted = std::max(EnoughPriorSteps, 2 * info.priorSteps);
  text += std::format("The prior has had {} steps; ", info.priorSteps);
  const auto first = std::find_if(info.history.begin(), info.history.end(),
    [](const EpochRecord& row) { return !std::isnan(row.priorLoss); });
  if (first == info.history.end() || first->step >= info.history.back().step)
  {
    return text + "train longer.";
  }
  const EpochRecord& last = info.history.back();
  const double each =
    (last.seconds - first->seconds) / static_cast<double>(last.step - first->step);
  const double seconds =
    each * static_cast<double>(wanted - info.priorSteps) / std::max(info.options.priorShare, 0.1);
  return text + "train " + about(seconds) + " more.";
}

} // namespace

Likeness likenessOf(const Verdict& verdict) { return likenessOf(verdict, verdict.generated); }

std::string verdictInWords(const ModelInfo& info)
{
  const Verdict& v = info.verdict;
  const Likeness likeness = likenessOf(v);
  if (likeness == Likeness::Unknown)
  {
    return v.without.empty() ? "" : "There is no verdict: " + v.without + ".";
  }
  std::string text = std::format("What the model draws {} (score {:.2f}; 1 is alike, up to {} is "
                                 "within the scatter of real blocks).",
    likeness == Likeness::Passes    ? "passes for the training volume"
      : likeness == Likeness::Close ? "is close to the training volume"
                                    : "can be told from the training volume at a glance",
    v.generated, Verdict::Passes);
  if (likeness != Likeness::Passes)
  {
    const Likeness rebuilt = likenessOf(v, v.rebuilt);
    text += " " +
      (rebuilt == Likeness::Close || rebuilt == Likeness::Apart ? helpForDecoder(info)
                                                                : helpForPrior(info));
  }
  if (v.control > Verdict::Passes)
  {
    text +=
      std::format(" Parts of the training volume differ, too: real blocks score {:.2f} beside "
                  "those that were held out.",
        v.control);
  }
  return text;
}

std::string verdictInWords(const ModelInfo& info, Prior drawnFrom)
{
  const std::string text = verdictInWords(info);
  if (text.empty())
  {
    return "There is no verdict: this model was not judged.";
  }
  return info.verdict.judged() && drawnFrom != info.verdict.prior
    ? std::format("There is no verdict on the prior '{}'. Of the prior '{}': {}", name(drawnFrom),
        name(info.verdict.prior), text)
    : text;
}

} // namespace vae
