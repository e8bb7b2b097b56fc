// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "vtkVAETrain.h"

#include "vtkDataArray.h"
#include "vtkDataArraySelection.h"
#include "vtkImageData.h"
#include "vtkNew.h"
#include "vtkVAEBridge.h"
#include "vtkVAETrainingInput.h"

#include "Presets.h"
#include "Session.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

//----------------------------------------------------------------------------
struct vtkVAETrain::Internals
{
  vae::TrainOptions Options;
  vae::SessionOptions Driving;
  vae::PresetOptions Chosen; // the last that were set: only to refuse what is none
  vtkMTimeType Told = 0;     // of the last refusal of these
  vtkNew<vtkDataArraySelection> AdditionalArrays;
  std::unique_ptr<vae::Session> Session;

  // What the session was started with: options as text, the arrays and when they were modified.
  using Key = std::pair<std::string, vtkVAETrainingInput::Arrays>;
  Key Started;
  bool Again = false; // train although nothing has changed

  // Time steps of the input, and how far RequestData has come through them.
  std::vector<double> TimeSteps;
  std::size_t TimeIndex = 0;
  std::vector<vae::Volume> Volumes;
  Key Looked;

  // Live: a window has asked, when it was given a model, and the modification that was only that.
  bool Polled = false;
  std::chrono::steady_clock::time_point Delivered{};
  bool Measuring = false; // the cost of the last delivery is still to be known
  vtkMTimeType Refreshed = 0;

  std::atomic<double> DeviceSpeed{ 0 };
  vae::Background Measurement;

  /// The options with the channels and dimensions of the input, where those can be known.
  vae::TrainOptions Planned(vtkVAETrain* self) const
  {
    vae::TrainOptions options = this->Options;
    if (vtkImageData* image = Image(self))
    {
      const vae::Dims d = Dims(self);
      options.network.dimensions =
        std::count_if(d.begin(), d.end(), [](std::int64_t n) { return n > 1; }) == 2 ? 2 : 3;
      vtkDataArray* array =
        vtkVAEBridge::NamesRows(self) ? nullptr : self->GetInputArrayToProcess(0, image);
      if (array)
      {
        options.network.channels = array->GetNumberOfComponents();
      }
    }
    return options;
  }

  /// The input, where it is one image, else null.
  static vtkImageData* Image(vtkVAETrain* self)
  {
    return self->GetNumberOfInputConnections(0) > 0
      ? vtkImageData::SafeDownCast(self->GetInputDataObject(0, 0))
      : nullptr;
  }
  static vae::Dims Dims(vtkVAETrain* self)
  {
    int d[3] = { 0, 0, 0 };
    if (vtkImageData* image = Image(self))
    {
      image->GetDimensions(d);
    }
    return { d[0], d[1], d[2] };
  }

  /// Whether the session is, or has done, the training that these ask for.
  /// \param data set where it had to be summarised to know
  bool IsSame(const Key& key, const std::vector<vae::Volume>& volumes,
    const std::shared_ptr<const vae::Model>& initial,
    std::shared_ptr<const vae::DataSet>& data) const;

  /// Train in this thread, with progress and abort of the filter.
  void Run(vtkVAETrain* self);

  vae::Status Status() const { return this->Session ? this->Session->status() : vae::Status(); }
};
