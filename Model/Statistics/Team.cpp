// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Team.h"

#include <exception>

namespace vae::statistics
{

Team::~Team()
{
  {
    const std::lock_guard lock(this->Mutex);
    this->Ending = true;
  }
  this->Wake.notify_all();
}

void Team::grow(int helpers)
{
  try
  {
    while (static_cast<int>(this->Helpers.size()) < helpers)
    {
      this->Helpers.emplace_back([this] { this->help(); });
    }
  }
  catch (const std::exception&) // no room for one more: the others do its work
  {
  }
}

void Team::help()
{
  std::unique_lock lock(this->Mutex);
  while (true)
  {
    this->Wake.wait(lock, [this] { return this->Next < this->Number || this->Ending; });
    if (this->Ending)
    {
      return;
    }
    const int i = this->Next++;
    ++this->Running;
    const std::function<void(int)>& f = *this->Job;
    lock.unlock();
    f(i);
    lock.lock();
    if (--this->Running == 0)
    {
      this->Finished.notify_one();
    }
  }
}

void Team::run(int number, const std::function<void(int)>& f)
{
  if (number < 2 || this->Busy.exchange(true))
  {
    for (int i = 0; i < number; ++i)
    {
      f(i);
    }
    return;
  }
  {
    const std::lock_guard lock(this->Mutex);
    this->grow(number - 1);
    this->Job = &f;
    this->Next = 1;
    this->Number = number;
  }
  this->Wake.notify_all();
  f(0);
  std::unique_lock lock(this->Mutex);
  while (this->Next < this->Number)
  {
    const int i = this->Next++;
    lock.unlock();
    f(i);
    lock.lock();
  }
  this->Finished.wait(lock, [this] { return this->Running == 0; });
  this->Busy = false;
}

} // namespace vae::statistics
