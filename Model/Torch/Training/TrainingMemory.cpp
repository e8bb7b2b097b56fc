// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What a training does where there is too little memory for it, before it starts or on the way.
#include "TorchTrainer.h"

#include "Plan.h"
#include "Source/Memory.h"
#include "Torch/Runtime/Room.h"

#include <string>

namespace vae
{
namespace
{

constexpr const char* Sign = "There was not enough memory for step ";
constexpr const char* Cure = "choose a smaller Patch Size, Batch Size or Width";

} // namespace

void TorchTrainer::checkMemory() const
{
  if (!this->Where.device.is_cpu()) // LibTorch says so itself, and nothing below it breaks
  {
    return;
  }
  const Plan plan = planOf(this->Info.options, this->Where.compute == at::kBFloat16 ? 2 : 4);
  checkFree("this training (the model " + mebibytes(plan.modelMemory) + ", a batch " +
      mebibytes(plan.batchMemory) + ")",
    plan.modelMemory + plan.batchMemory + RoomForKernels, std::string("; ") + Cure);
}

StepRecord TorchTrainer::step()
{
  if (this->Info.ending != Ending::None)
  {
    throw std::logic_error("the training has finished");
  }
  const KeptMemory::Use use(this->Memory);
  if (this->Choice)
  {
    this->Where.threads = this->Choice->threads();
  }
  try
  {
    if (this->Where.device.is_cpu())
    {
      reserve(RoomForKernels); // the rest of a step is of memory that says so where it ends
    }
    const StepRecord record =
      this->NetworkEnding == Ending::None ? this->networkStep() : this->priorStep();
    if (record.epochEnded && this->Info.warning.rfind(Sign, 0) == 0) // there is enough again
    {
      this->Info.warning.clear();
    }
    return record;
  }
  catch (const std::exception& e)
  {
    if (!isOutOfMemory(e))
    {
      throw;
    }
    const std::int64_t step = this->Step + (this->Prior ? this->Prior->steps() : 0) + 1;
    this->recover();
    const std::string what = Sign + std::to_string(step) + " of the training (" +
      mebibytes(freeMemory()) + " are free without it)";
    if (!this->Info.history.empty())
    {
      this->Info.warning = what + "; it ended with what it had learned until then.";
    }
    throw OutOfMemory(what + "; " + Cure + ".");
  }
}

void TorchTrainer::recover()
{
  if (this->NetworkEnding == Ending::None)
  {
    this->putBack();
  }
  KeptMemory::giveBackAll();
}

} // namespace vae
