// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEReconstruct.h"

#include "Check.h"
#include "Statistics/Quality.h"

#include "vtkCellData.h"
#include "vtkDataArray.h"
#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkPointData.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkVAEBridge.h"
#include "vtkVAELatentImage.h"
#include "vtkWeakPointer.h"

#include <algorithm>

vtkStandardNewMacro(vtkVAEReconstruct);

//----------------------------------------------------------------------------
struct vtkVAEReconstruct::Internals
{
  vae::ReconstructOptions Options;

  /// What was made of an image, of which a pipeline of blocks or time steps has many: without the
  /// arrays of the image itself, which may go.
  struct Made
  {
    vtkWeakPointer<vtkDataArray> Of;
    std::vector<vtkSmartPointer<vtkDataArray>> Arrays;
    std::vector<vtkSmartPointer<vtkDataArray>> Fields;
    bool CellData;
  };
  std::vector<Made> Kept;

  /// What was made of an array, and no longer what was made of arrays that are gone.
  std::vector<Made>::iterator Find(vtkDataArray* of)
  {
    std::erase_if(this->Kept, [](const Made& made) { return !made.Of; });
    return std::ranges::find(this->Kept, of, [](const Made& made) { return made.Of.Get(); });
  }
};

//----------------------------------------------------------------------------
vtkVAEReconstruct::vtkVAEReconstruct() : Internal(std::make_unique<Internals>())
{
  this->SetNumberOfInputPorts(2);
}

vtkVAEReconstruct::~vtkVAEReconstruct() = default;

//----------------------------------------------------------------------------
// Properties are the fields of vae::ReconstructOptions.
vtkVAEOptionMacro(vtkVAEReconstruct, Strength, double, Options.strength);
vtkVAEOptionMacro(vtkVAEReconstruct, Samples, int, Options.samples);
vtkVAEOptionMacro(vtkVAEReconstruct, Seed, int, Options.seed);
vtkVAEOptionMacro(vtkVAEReconstruct, Threshold, double, Options.threshold);
vtkVAEOptionMacro(vtkVAEReconstruct, AnomalyMeasure, int, Options.anomalyMeasure);

//----------------------------------------------------------------------------
void vtkVAEReconstruct::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "Strength: " << this->GetStrength() << "\n";
  os << indent << "Samples: " << this->GetSamples() << "\n";
  os << indent << "Seed: " << this->GetSeed() << "\n";
  os << indent << "Threshold: " << this->GetThreshold() << "\n";
  os << indent << "AnomalyMeasure: " << this->GetAnomalyMeasure() << "\n";
  os << indent << "ComputeError: " << this->ComputeError << "\n";
  os << indent << "ComputeAbsoluteError: " << this->ComputeAbsoluteError << "\n";
  os << indent << "ComputeProbability: " << this->ComputeProbability << "\n";
  os << indent << "ComputeStandardDeviation: " << this->ComputeStandardDeviation << "\n";
  os << indent << "ComputeEntropy: " << this->ComputeEntropy << "\n";
  os << indent << "ComputeExceedance: " << this->ComputeExceedance << "\n";
  os << indent << "ComputeAnomaly: " << this->ComputeAnomaly << "\n";
  os << indent << "ComputeCellAnomaly: " << this->ComputeCellAnomaly << "\n";
  os << indent << "ComputeSSIM: " << this->ComputeSSIM << "\n";
}

//----------------------------------------------------------------------------
void vtkVAEReconstruct::Check() const
{
  this->Superclass::Check();
  vae::check(this->Internal->Options);
}

//----------------------------------------------------------------------------
int vtkVAEReconstruct::FillInputPortInformation(int port, vtkInformation* info)
{
  // Port 0 requires image data; ImageOf reports other grids in our own words.
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), port == 0 ? "vtkDataSet" : "vtkTable");
  if (port == 1)
  {
    // Optional, so that our own message reports a missing model.
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEReconstruct::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkInformation* in = inputVector[0]->GetInformationObject(0);
  vtkInformation* out = outputVector->GetInformationObject(0);
  if (in->Has(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT()))
  {
    out->CopyEntry(in, vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT());
  }
  else // no image: the pipeline must get as far as RequestData
  {
    const int none[6] = { 0, -1, 0, -1, 0, -1 };
    out->Set(vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT(), none, 6);
  }
  out->CopyEntry(in, vtkDataObject::SPACING());
  out->CopyEntry(in, vtkDataObject::ORIGIN());
  out->CopyEntry(in, vtkDataObject::DIRECTION());
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEReconstruct::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  vtkVAEBridge::RequestWholeExtent(inputVector[0]->GetInformationObject(0));
  return 1;
}

namespace
{

/// Range of the training data of an array of the model.
double RangeOf(const vae::ModelInfo& info, const std::string& array)
{
  double low = 0, high = 0;
  bool first = true;
  for (const vae::ChannelInfo& c : info.channels)
  {
    if (c.array == array)
    {
      low = first ? c.minimum : std::min(low, c.minimum);
      high = first ? c.maximum : std::max(high, c.maximum);
      first = false;
    }
  }
  return high - low;
}

/// The mean over an array's components, whose channels `before` and `after` hold from `channel` on.
vae::statistics::Quality Compare(const vae::Volume& before,
  const std::vector<vae::OutputChannel>& after, std::size_t channel, std::size_t components,
  vae::statistics::Comparison what, const std::vector<vae::OutputChannel>& errors,
  const std::vector<vae::OutputChannel>& absolutes, const vae::statistics::Work& work)
{
  vae::statistics::Quality mean;
  double squares = 0;
  const auto n = static_cast<double>(components);
  for (std::size_t c = channel; c < channel + components; ++c)
  {
    what.before = before.channels[c];
    const vae::OutputChannel& made = after[c];
    what.after = { made.data, made.type, made.stride, made.owner, made.array, made.component,
      made.components };
    what.error = errors.empty() ? vae::OutputChannel() : errors[c];
    what.absolute = absolutes.empty() ? vae::OutputChannel() : absolutes[c];
    const double from = static_cast<double>(c - channel) / n;
    const vae::statistics::Quality q =
      vae::statistics::compare(what, before.dims, work.part(from, from + 1 / n));
    mean.equal += q.equal / n;
    mean.ssim += q.ssim / n;
    squares += std::pow(10, -q.psnr / 10) / n;
  }
  mean.psnr = -10 * std::log10(squares);
  return mean;
}

vtkSmartPointer<vtkDoubleArray> NewField(const char* name)
{
  auto field = vtkSmartPointer<vtkDoubleArray>::New();
  field->SetName(name);
  return field;
}

} // namespace

//----------------------------------------------------------------------------
void vtkVAEReconstruct::CheckMemory(
  const vae::ModelInfo& info, const std::array<std::int64_t, 3>& voxels, bool scaled) const
{
  const int ofChannels = this->ComputeError + this->ComputeAbsoluteError +
    this->ComputeStandardDeviation + this->ComputeEntropy + this->ComputeExceedance;
  const int ofAll = (this->ComputeAnomaly + this->ComputeCellAnomaly) * (scaled ? 2 : 1);
  const double added = (ofChannels * static_cast<double>(info.channels.size()) + ofAll) *
    sizeof(float) * static_cast<double>(vae::voxels(voxels));
  vae::requireMemory("The output of " + vae::toString(voxels) + " voxels",
    added + vtkVAELatentImage::VolumeBytes(voxels, info, this->ComputeProbability) +
      vae::latentBytes(voxels, 0, info));
}

//----------------------------------------------------------------------------
int vtkVAEReconstruct::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkImageData* output = vtkImageData::GetData(outputVector);
  vtkDataArray* first = nullptr; // of the input
  const auto give = [&](const Internals::Made& made)
  {
    vtkDataSetAttributes* attributes = made.CellData
      ? static_cast<vtkDataSetAttributes*>(output->GetCellData())
      : output->GetPointData();
    for (const auto& array : made.Arrays)
    {
      attributes->AddArray(array);
    }
    attributes->SetActiveScalars(made.Arrays[0]->GetName());
    for (const auto& field : made.Fields)
    {
      output->GetFieldData()->AddArray(field);
    }
  };
  try
  {
    vtkImageData* input = vtkVAEBridge::ImageOf(vtkDataObject::GetData(inputVector[0]));
    output->ShallowCopy(input); // what there is while a training has no model yet
    for (const bool cells : { true, false })
    {
      vtkDataSetAttributes* attributes =
        cells ? static_cast<vtkDataSetAttributes*>(input->GetCellData()) : input->GetPointData();
      for (int i = 0; i < attributes->GetNumberOfArrays(); ++i)
      {
        vtkDataArray* array = attributes->GetArray(i);
        first = this->Internal->Find(array) != this->Internal->Kept.end() ? array : first;
      }
    }
    const vae::Model& model = vtkVAEBridge::ModelOf(vtkDataObject::GetData(inputVector[1]));
    const vae::ModelInfo& info = model.info();
    Internals::Made made;
    const std::vector<vtkDataArray*> arrays = vtkVAEBridge::ArraysFor(input, info, made.CellData);
    made.Of = arrays[0];
    if (const auto old = this->Internal->Find(arrays[0]); old != this->Internal->Kept.end())
    {
      this->Internal->Kept.erase(old); // its memory is needed
    }
    const vae::Volume volume = vtkVAEBridge::VolumeOf(input, arrays, made.CellData);
    const vtkIdType count = vae::voxels(volume.dims);
    this->PlanMemory(model, volume.dims);

    const bool phases = info.hasPhases();
    const bool scaled = model.hasAnomalyScale();
    this->CheckMemory(info, volume.dims, scaled);
    vae::ReconstructOutputs wanted;
    std::vector<vae::OutputChannel> errors, absolutes;
    const auto add = [&](bool asked, const char* suffix, std::vector<vae::OutputChannel>& views,
                       int type = VTK_FLOAT)
    {
      if (asked)
      {
        const auto added = vtkVAEBridge::NewArrays(info, suffix, type, count, views);
        made.Arrays.insert(made.Arrays.end(), added.begin(), added.end());
      }
    };
    const auto addOne = [&](bool asked, const char* suffix, vae::OutputChannel& view)
    {
      if (asked)
      {
        std::vector<vae::OutputChannel> views;
        made.Arrays.push_back(
          vtkVAEBridge::NewArray(info.channels[0].array + suffix, VTK_FLOAT, 1, count, views));
        view = views[0];
      }
    };
    add(true, "_reconstruction", wanted.values, VTK_VOID);
    add(this->ComputeError, "_error", errors);
    add(this->ComputeAbsoluteError, "_absolute_error", absolutes);
    if (this->ComputeProbability)
    {
      const auto added = vtkVAEBridge::NewProbabilities(info, count, wanted.probability);
      made.Arrays.insert(made.Arrays.end(), added.begin(), added.end());
    }
    add(this->ComputeStandardDeviation, "_stddev", wanted.stddev);
    add(this->ComputeEntropy, "_entropy", wanted.entropy);
    add(this->ComputeExceedance, "_exceedance", wanted.exceedance);
    addOne(this->ComputeAnomaly, "_anomaly", wanted.anomaly);
    addOne(this->ComputeAnomaly && scaled, "_anomaly_percentile", wanted.anomalyPercentile);
    addOne(this->ComputeCellAnomaly, "_anomaly_cell", wanted.cellAnomaly);
    addOne(
      this->ComputeCellAnomaly && scaled, "_anomaly_cell_percentile", wanted.cellAnomalyPercentile);

    vtkVAEBridge::Progress reconstructing(this, 0, 0.9), comparing(this, 0.9, 1);
    model.reconstruct(
      volume, this->Internal->Options, wanted, this->Run(), reconstructing.Monitor());

    auto accuracy = NewField("Accuracy"), psnr = NewField("PSNR"), ssim = NewField("SSIM"),
         ratio = NewField("Compression Ratio");
    vae::statistics::Comparison what;
    what.ssim = this->ComputeSSIM;
    vtkDataArray* ghosts = (made.CellData ? static_cast<vtkDataSetAttributes*>(input->GetCellData())
                                          : input->GetPointData())
                             ->GetArray(vtkDataSetAttributes::GhostArrayName());
    const vae::Volume ghostVolume =
      ghosts ? vtkVAEBridge::VolumeOf(input, { ghosts }, made.CellData) : vae::Volume();
    if (ghosts)
    {
      what.ghosts = ghostVolume.channels[0];
    }
    const vae::statistics::Work work(0, comparing.Monitor());
    double bytes = 0;
    std::size_t channel = 0;
    for (const vtkVAEBridge::ArrayLayout& layout : vtkVAEBridge::LayoutOf(info))
    {
      const auto components = static_cast<std::size_t>(layout.Components);
      what.range = RangeOf(info, layout.Name);
      const double all = static_cast<double>(volume.channels.size());
      const vae::statistics::Quality quality =
        Compare(volume, wanted.values, channel, components, what, errors, absolutes,
          work.part(
            static_cast<double>(channel) / all, static_cast<double>(channel + components) / all));
      accuracy->InsertNextValue(quality.equal);
      psnr->InsertNextValue(quality.psnr);
      ssim->InsertNextValue(quality.ssim);
      vtkDataArray* array = arrays[static_cast<std::size_t>(accuracy->GetNumberOfTuples() - 1)];
      bytes += static_cast<double>(array->GetNumberOfValues()) * array->GetDataTypeSize();
      channel += components;
    }
    const vae::Dims cells = vae::latentDims(volume.dims, info.network);
    ratio->InsertNextValue(
      bytes / (static_cast<double>(vae::voxels(cells)) * info.latentChannels() * sizeof(float)));
    if (phases)
    {
      made.Fields.push_back(accuracy);
    }
    made.Fields.push_back(psnr);
    if (this->ComputeSSIM)
    {
      made.Fields.push_back(ssim);
    }
    made.Fields.push_back(ratio);
    give(made);
    this->Internal->Kept.push_back(std::move(made));
    return 1;
  }
  catch (const vtkVAEBridge::Pending&)
  {
    // A training has begun anew: what the one before it gave stays in view until it has a model.
    if (first)
    {
      give(*this->Internal->Find(first));
    }
    return 1;
  }
  vtkVAECatchMacro
}
