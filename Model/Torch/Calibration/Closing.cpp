// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Closing.h"

#include "Torch/Inference/Tiles.h"
#include "Torch/Runtime/Room.h"

#include <cctype>
#include <limits>

namespace vae
{
namespace
{

/// "A, b and c"
std::string list(const std::vector<std::string>& names)
{
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
  {
    text += (i == 0 ? "" : i + 1 < names.size() ? ", " : " and ") + names[i];
  }
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string reasonOf(const std::exception& e)
{
  const std::string text = e.what();
  return dynamic_cast<const Stopped*>(&e) ? "the training was stopped"
    : isOutOfMemory(e)                    ? "there was not enough memory"
                                          : text.substr(0, text.find('\n'));
}

} // namespace

Closing::Closing(std::function<double()> left, const Monitor& monitor, int count)
  : Left(std::move(left))
  , Outer(monitor)
  , Count(count)
{
}

double Closing::Turn::left() const
{
  return this->limited() ? this->All.Left() - this->End : std::numeric_limits<double>::infinity();
}

Monitor Closing::Turn::monitor() const
{
  Monitor inner;
  inner.stop = this->All.Outer.stop;
  inner.progress = [this, all = this->left()](double fraction)
  {
    this->All.Outer.report(static_cast<double>(this->All.Done) / this->All.Count);
    constexpr double slack = 1.5;
    const double left = this->left();
    if (left < 0 || (fraction > 0 && (all - left) / fraction > slack * all))
    {
      throw OutOfTime();
    }
  };
  return inner;
}

void Closing::Turn::smaller(const std::exception& why) { this->Smaller = reasonOf(why); }

void Closing::measure(const char* what, double share, const std::function<void(Turn&)>& work)
{
  const double left = this->Left ? this->Left() : 0;
  Turn turn(*this, (1 - share) * left);
  try
  {
    if (this->Done > 0)
    {
      turn.monitor().progress(0);
    }
    work(turn);
    if (!turn.Smaller.empty())
    {
      this->Less[turn.Smaller].emplace_back(what);
    }
  }
  catch (const std::exception& e)
  {
    this->Without[reasonOf(e)].emplace_back(what);
  }
  ++this->Done;
}

std::string Closing::told() const
{
  std::string text;
  for (const bool less : { false, true })
  {
    for (const auto& [reason, names] : less ? this->Less : this->Without)
    {
      text += (text.empty() ? "" : " ") + list(names) + (names.size() > 1 ? " were" : " was") +
        (less ? " measured less exactly: " : " not measured: ") + reason + ".";
    }
  }
  return text;
}

} // namespace vae
