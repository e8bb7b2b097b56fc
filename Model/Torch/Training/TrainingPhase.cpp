// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TrainingPhase.h"

namespace vae
{

void TrainingContext::leavePriorOut(const std::string& why)
{
  this->clock.setPriorShare(0);
  this->info.priorSteps = 0;
  this->priorLeftOut = why;
  this->info.leftOut = "No prior was learned: " + why + ".";
}

void TrainingContext::stepped(std::chrono::steady_clock::time_point begin, double voxels)
{
  if (this->threads)
  {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    this->threads->took(seconds.count(), voxels);
    this->place.threads = this->threads->chosen();
  }
}

} // namespace vae
