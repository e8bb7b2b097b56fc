// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Background.h"

#include <cstdlib>
#include <set>

namespace vae
{
namespace
{

std::mutex RegistryMutex;

std::set<Background*>& registry()
{
  static auto* all = new std::set<Background*>; // outlives every destructor
  return *all;
}

void stopAll()
{
  const std::lock_guard lock(RegistryMutex);
  for (Background* b : registry())
  {
    b->stop();
  }
  for (Background* b : registry())
  {
    b->wait();
  }
}

} // namespace

void Background::stopAllAtExit() { std::atexit(stopAll); }

Background::~Background()
{
  this->stop();
  this->wait();
  const std::lock_guard lock(RegistryMutex);
  registry().erase(this);
}

void Background::start(std::function<void(std::stop_token)> work)
{
  static std::once_flag once;
  std::call_once(once, stopAllAtExit);
  {
    const std::lock_guard lock(RegistryMutex);
    registry().insert(this);
  }
  this->stop();
  const std::lock_guard lock(this->Mutex);
  if (this->Thread.joinable())
  {
    this->Thread.join();
  }
  this->Stop = std::stop_source();
  this->Thread = std::thread(std::move(work), this->Stop.get_token());
}

void Background::stop() { this->Stop.request_stop(); }

void Background::wait()
{
  const std::lock_guard lock(this->Mutex);
  if (this->Thread.joinable())
  {
    this->Thread.join();
  }
}

} // namespace vae
