// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Mask.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <initializer_list>
#include <map>
#include <numeric>

namespace vae::statistics
{
AutomaticPhase automaticPhase(const std::string& array, const std::vector<double>& fractions)
{
  if (fractions.size() == 2)
  {
    std::string name = array;
    std::ranges::transform(
      name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto has = [&](std::initializer_list<const char*> words)
    {
      return std::ranges::any_of(
        words, [&](const char* word) { return name.find(word) != std::string::npos; });
    };
    const bool pore = has({ "pore", "void" }), solid = has({ "solid", "grain", "matrix" });
    if (pore != solid)
    {
      return { pore ? 1u : 0u,
        pore ? "the larger value, because the array is named after the pore"
             : "the smaller value, because the array is named after the solid" };
    }
  }
  return { static_cast<std::size_t>(std::ranges::min_element(fractions) - fractions.begin()),
    fractions.size() == 2 ? "the rarer of two values" : "the rarest value" };
}

PhaseChoice choosePhase(
  const Channel& channel, const ChannelSummary& summary, Phase phase, double value)
{
  PhaseChoice choice{ phase, value, channel.array, {} };
  switch (phase)
  {
    case Phase::Automatic:
    {
      if (summary.values.size() != 2)
      {
        throw std::invalid_argument("Phase is Automatic, which needs an array of exactly two "
                                    "values, but '" +
          channel.array + "' has " +
          (summary.values.size() == 1
              ? "only one"
              : "more (" + inWords(summary.minimum) + " to " + inWords(summary.maximum) + ")") +
          "; choose Label, Below or At Or Above and set Value");
      }
      const AutomaticPhase automatic = automaticPhase(channel.array, summary.fractions);
      choice.phase = Phase::Label;
      choice.value = summary.values[automatic.index];
      choice.text += " = " + inWords(choice.value);
      choice.why = automatic.why;
      break;
    }
    case Phase::Label:
      choice.text += " = " + inWords(value);
      break;
    case Phase::Below:
      choice.text += " < " + inWords(value);
      break;
    case Phase::AtOrAbove:
      choice.text += " >= " + inWords(value);
      break;
  }
  return choice;
}

Mask maskOf(const Volume& volume, const PhaseChoice& choice, const Work& work)
{
  Mask mask;
  mask.dims = volume.dims;
  mask.spacing = volume.spacing;
  for (double& h : mask.spacing)
  {
    h = h < 0 ? -h : h;
  }
  mask.data.resize(static_cast<std::size_t>(mask.count()));
  const Channel& channel = volume.channels.at(0);
  dispatch(channel.type, [&](auto t)
  {
    using T = decltype(t);
    const T* in = static_cast<const T*>(channel.data);
    work.forRanges(mask.count(), [&](std::int64_t begin, std::int64_t end, int)
    {
      const auto fill = [&](auto test)
      {
        for (std::int64_t i = begin; i < end; ++i)
        {
          mask.data[static_cast<std::size_t>(i)] =
            test(static_cast<double>(in[i * channel.stride])) ? 1 : 0;
        }
      };
      const double v = choice.value;
      switch (choice.phase)
      {
        case Phase::Below:
          fill([v](double x) { return x < v; });
          break;
        case Phase::AtOrAbove:
          fill([v](double x) { return x >= v; });
          break;
        default:
          fill([v](double x) { return x == v; });
      }
    });
  });
  return mask;
}

std::vector<std::pair<double, double>> phaseFractions(const Volume& volume, const Work& work)
{
  constexpr std::size_t Most = 64;
  const Channel& channel = volume.channels.at(0);
  std::mutex mutex;
  std::map<double, std::int64_t> numbers;
  std::atomic<bool> many{ false };
  dispatch(channel.type, [&](auto t)
  {
    using T = decltype(t);
    const T* data = static_cast<const T*>(channel.data);
    work.forRanges(voxels(volume.dims), [&](std::int64_t begin, std::int64_t end, int)
    {
      std::map<T, std::int64_t> mine;
      T last{};
      std::int64_t* number = nullptr;
      for (std::int64_t i = begin; i < end && !many; ++i)
      {
        const T v = data[i * channel.stride];
        if (v != v)
        {
          continue;
        }
        if (!number || v != last)
        {
          number = &mine[v];
          last = v;
          many = many || mine.size() > Most;
        }
        ++*number;
      }
      const std::lock_guard lock(mutex);
      for (const auto& [value, n] : mine)
      {
        numbers[static_cast<double>(value)] += n;
      }
    });
  });
  std::vector<std::pair<double, double>> fractions;
  for (const auto& [value, n] : numbers)
  {
    fractions.emplace_back(
      value, static_cast<double>(n) / static_cast<double>(voxels(volume.dims)));
  }
  return many || fractions.size() > Most ? decltype(fractions){} : fractions;
}

Mask boxOf(const Mask& mask, const Dims& origin, const Dims& dims)
{
  Mask box;
  box.dims = dims;
  box.spacing = mask.spacing;
  box.data.resize(static_cast<std::size_t>(box.count()));
  for (std::int64_t z = 0; z < dims[2]; ++z)
  {
    for (std::int64_t y = 0; y < dims[1]; ++y)
    {
      std::memcpy(box.row(y, z), mask.row(origin[1] + y, origin[2] + z) + origin[0],
        static_cast<std::size_t>(dims[0]));
    }
  }
  return box;
}

std::int64_t volumeOf(const Mask& mask, const Work& work)
{
  std::atomic<std::int64_t> sum{ 0 };
  work.forRanges(mask.count(), [&](std::int64_t begin, std::int64_t end, int)
  {
    sum += std::accumulate(mask.data.begin() + begin, mask.data.begin() + end, std::int64_t{ 0 });
  });
  return sum;
}

std::vector<int> axesOf(const Dims& dims)
{
  std::vector<int> axes;
  for (int a = 0; a < 3; ++a)
  {
    if (dims[static_cast<std::size_t>(a)] > 1)
    {
      axes.push_back(a);
    }
  }
  return axes;
}

std::int64_t smallestSide(const Dims& dims)
{
  std::int64_t side = 0;
  for (const int a : axesOf(dims))
  {
    const std::int64_t n = dims[static_cast<std::size_t>(a)];
    side = side == 0 ? n : std::min(side, n);
  }
  return std::max<std::int64_t>(side, 1);
}

} // namespace vae::statistics
