// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAELatentWalk.h"

#include "Check.h"
#include "LatentMath.h"
#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkVAEBridge.h"
#include "vtkVAEForecast.h"
#include "vtkVAELatentImage.h"
#include "vtkVAEModel.h"

#include <algorithm>
#include <numeric>

vtkStandardNewMacro(vtkVAELatentWalk);

struct vtkVAELatentWalk::Options : vae::WalkOptions
{
  vtkVAELatentImage::Start Ends[2];

  /// Whether an end, 0 or 1, is a volume.
  bool IsVolume(int which) const
  {
    return which == 0 ? this->start == vae::LatentSource::Volume
                      : this->end == vae::LatentSource::Volume && this->walk != vae::Walk::Traverse;
  }
};

//----------------------------------------------------------------------------
vtkVAELatentWalk::vtkVAELatentWalk() : Internal(std::make_unique<Options>())
{
  this->SetNumberOfInputPorts(3);
}

vtkVAELatentWalk::~vtkVAELatentWalk() = default;

//----------------------------------------------------------------------------
void vtkVAELatentWalk::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "Walk: " << this->GetWalk() << "\n";
  os << indent << "Steps: " << this->GetSteps() << "\n";
  os << indent << "Channel: " << this->GetChannel() << "\n";
  os << indent << "Range: " << this->GetRange() << "\n";
  os << indent << "Start: " << this->GetStart() << "\n";
  os << indent << "End: " << this->GetEnd() << "\n";
  os << indent << "StartSeed: " << this->GetStartSeed() << "\n";
  os << indent << "EndSeed: " << this->GetEndSeed() << "\n";
  os << indent << "Dimensions: " << this->Dimensions[0] << " x " << this->Dimensions[1] << " x "
     << this->Dimensions[2] << "\n";
  os << indent << "ComputeProbability: " << this->ComputeProbability << "\n";
}

//----------------------------------------------------------------------------
vtkVAEOptionMacro(vtkVAELatentWalk, Walk, int, walk);
vtkVAEOptionMacro(vtkVAELatentWalk, Steps, int, steps);
vtkVAEOptionMacro(vtkVAELatentWalk, Channel, int, channel);
vtkVAEOptionMacro(vtkVAELatentWalk, Range, double, range);
vtkVAEOptionMacro(vtkVAELatentWalk, Start, int, start);
vtkVAEOptionMacro(vtkVAELatentWalk, End, int, end);
vtkVAEOptionMacro(vtkVAELatentWalk, StartSeed, int, startSeed);
vtkVAEOptionMacro(vtkVAELatentWalk, EndSeed, int, endSeed);

//----------------------------------------------------------------------------
void vtkVAELatentWalk::Check() const
{
  this->Superclass::Check();
  vae::requireDimensions(this->Dimensions);
  vae::check(*this->Internal);
}

//----------------------------------------------------------------------------
int vtkVAELatentWalk::FillInputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), port == 0 ? "vtkTable" : "vtkImageData");
  if (port > 0)
  {
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAELatentWalk::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkInformation* out = outputVector->GetInformationObject(0);
  vtkVAELatentImage::Grid grid;
  if (const vae::ModelInfo* info = vtkVAEForecast::Model(inputVector[0]))
  {
    grid = vtkVAELatentImage::Grid::New(*info, this->Dimensions);
    for (const int which : { 1, 0 })
    {
      vtkInformation* volume = inputVector[1 + which]->GetInformationObject(0);
      if (this->Internal->IsVolume(which) && volume)
      {
        grid = vtkVAELatentImage::Grid::Of(volume, info->cellData);
      }
    }
  }
  grid.ApplyTo(out);
  std::vector<double> times(static_cast<std::size_t>(this->GetSteps()));
  std::iota(times.begin(), times.end(), 0.);
  out->Set(
    vtkStreamingDemandDrivenPipeline::TIME_STEPS(), times.data(), static_cast<int>(times.size()));
  const double range[2] = { times.front(), times.back() };
  out->Set(vtkStreamingDemandDrivenPipeline::TIME_RANGE(), range, 2);
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAELatentWalk::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  for (const int port : { 1, 2 })
  {
    if (vtkInformation* volume = inputVector[port]->GetInformationObject(0))
    {
      vtkVAEBridge::RequestWholeExtent(volume);
      vtkVAEBridge::RequestFirstTimeStep(volume); // the time that is asked for is the walk's own
    }
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAELatentWalk::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkInformation* out = outputVector->GetInformationObject(0);
  vtkImageData* output = vtkImageData::GetData(outputVector);
  try
  {
    vtkDataObject* object = vtkDataObject::GetData(inputVector[0]);
    const vae::Model& model = vtkVAEBridge::ModelOf(object);
    const auto shared = vtkVAEModel::SafeDownCast(object)->GetModel();
    this->Last = nullptr; // its memory is needed
    const vae::ModelInfo& info = model.info();
    Options& o = *this->Internal;
    const bool traverse = o.walk == vae::Walk::Traverse;
    if (traverse && (o.channel < 0 || o.channel >= info.latentChannels()))
    {
      throw std::invalid_argument("Channel is " + std::to_string(o.channel) +
        "; this model has the channels 0 to " + std::to_string(info.latentChannels() - 1));
    }

    double time = 0;
    if (out->Has(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP()))
    {
      time = out->Get(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP());
    }
    time = vtkVAEBridge::Within(time, 0., o.steps - 1.);
    const double s = time / (o.steps - 1);

    vtkImageData* volumes[2] = { vtkImageData::GetData(inputVector[1]),
      vtkImageData::GetData(inputVector[2]) };
    vtkVAELatentImage::Grid grid = vtkVAELatentImage::Grid::New(info, this->Dimensions);
    // A margin of latent cells all round, decoded and thrown away: no border in the result.
    int margin = model.margin();
    const char* names[2] = { "Start Volume", "End Volume" };
    for (const int which : { 1, 0 })
    {
      if (o.IsVolume(which))
      {
        grid = vtkVAELatentImage::GridOf(volumes[which], info, names[which]);
        margin = 0; // the border is the volume's own
      }
    }
    // Both ends are kept.
    const int fields = traverse ? 2 : 3;
    vae::requireMemory("The output of " + vae::toString(grid.Dims()) + " voxels",
      vtkVAELatentImage::VolumeBytes(grid.Dims(), info, this->ComputeProbability) +
        fields * vae::latentBytes(grid.Dims(), margin, info));
    vtkVAEBridge::Progress encoding(this, 0, 0.5), decoding(this, 0.5, 1);
    const std::vector<vae::LatentStatistics> statistics = model.latentStatistics();
    const vae::LatentSample& start = o.Ends[0].Get(
      shared, o.start, o.startSeed, grid, margin, volumes[0], this->Run(), encoding.Monitor());
    vae::LatentSample at{ {}, start.thresholds };
    double position = s;
    if (traverse)
    {
      position = (2 * s - 1) * o.range;
      std::vector<double> offsets(static_cast<std::size_t>(o.channel) + 1);
      offsets.back() = position;
      at.latent = vae::shifted(start.latent, offsets, statistics);
    }
    else
    {
      const vae::LatentSample& end = o.Ends[1].Get(
        shared, o.end, o.endSeed, grid, margin, volumes[1], this->Run(), encoding.Monitor());
      at.latent = o.walk == vae::Walk::Linear ? vae::lerp(start.latent, end.latent, s)
                                              : vae::slerp(start.latent, end.latent, s, statistics);
      at.thresholds = vae::lerp(start.thresholds, end.thresholds, s);
    }
    this->PlanMemory(model, grid.Dims());
    vtkVAELatentImage::Decode(
      output, grid, model, at, margin, this->ComputeProbability, this->Run(), decoding.Monitor());
    vtkNew<vtkDoubleArray> walked;
    walked->SetName("Walk Position");
    walked->InsertNextValue(position);
    output->GetFieldData()->AddArray(walked);
    output->GetInformation()->Set(vtkDataObject::DATA_TIME_STEP(), time);
    this->Last = vtkSmartPointer<vtkImageData>::New();
    this->Last->ShallowCopy(output);
    return 1;
  }
  catch (const vtkVAEBridge::Pending&)
  {
    // A training has begun anew: what the one before it gave stays in view until it has a model.
    if (this->Last)
    {
      output->ShallowCopy(this->Last);
    }
    return 1;
  }
  vtkVAECatchMacro
}
