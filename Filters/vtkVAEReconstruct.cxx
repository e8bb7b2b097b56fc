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
#include <cmath>
#include <numeric>

vtkStandardNewMacro(vtkVAEReconstruct);

//----------------------------------------------------------------------------
struct vtkVAEReconstruct::Internals
{
  vae::ReconstructOptions Options;

  bool Several() const
  {
    return this->Options.reconstructFrom == vae::ReconstructFrom::PosteriorSample &&
      this->Options.realizations > 1;
  }
  /// The options with the number of the realization that a time step asks for.
  /// \throws std::invalid_argument if the time steps are those of the input
  vae::ReconstructOptions OptionsAt(vtkInformation* input, vtkInformation* output) const;

  /// What was made of an image, of which a pipeline of blocks or time steps has many: without the
  /// arrays of the image itself, which may go.
  struct Made
  {
    vtkWeakPointer<vtkDataArray> Of;
    std::vector<vtkSmartPointer<vtkDataArray>> Arrays;
    std::vector<vtkSmartPointer<vtkDataArray>> Fields;
    bool CellData;

    void GiveTo(vtkImageData* output) const;
    /// A new array of the model's, by array of the data, or one for all of them.
    void Add(const vae::ModelInfo& info, const char* suffix, int type, vtkIdType count,
      std::vector<vae::OutputChannel>& views);
    void AddOne(
      const vae::ModelInfo& info, const char* suffix, vtkIdType count, vae::OutputChannel& view);
  };
  std::vector<Made> Kept;

  /// Where a reconstruction and its comparison go.
  struct Outputs : vae::ReconstructOutputs
  {
    std::vector<vae::OutputChannel> Errors, Absolutes;
  };
  static Outputs Allocate(
    const vtkVAEReconstruct& self, const vae::Model& model, vtkIdType count, Made& made);

  /// Fields of how good it is, and arrays of the errors.
  static void Compare(const vtkVAEReconstruct& self, const vae::ModelInfo& info,
    const vae::Volume& volume, const vae::Channel& ghosts, const Outputs& outputs,
    const vae::Monitor& monitor, Made& made);

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
vtkVAEOptionMacro(vtkVAEReconstruct, ReconstructFrom, int, Options.reconstructFrom);
vtkVAEOptionMacro(vtkVAEReconstruct, Realizations, int, Options.realizations);
vtkVAEOptionMacro(vtkVAEReconstruct, Strength, double, Options.strength);
vtkVAEOptionMacro(vtkVAEReconstruct, Samples, int, Options.samples);
vtkVAEOptionMacro(vtkVAEReconstruct, Seed, int, Options.seed);
vtkVAEOptionMacro(vtkVAEReconstruct, Threshold, double, Options.threshold);
vtkVAEOptionMacro(vtkVAEReconstruct, AnomalyMeasure, int, Options.anomalyMeasure);

//----------------------------------------------------------------------------
void vtkVAEReconstruct::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "ReconstructFrom: " << this->GetReconstructFrom() << "\n";
  os << indent << "Realizations: " << this->GetRealizations() << "\n";
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

namespace
{

/// Whether there is more than one time step.
bool IsSeries(vtkInformation* input)
{
  return input->Has(vtkStreamingDemandDrivenPipeline::TIME_STEPS()) &&
    input->Length(vtkStreamingDemandDrivenPipeline::TIME_STEPS()) > 1;
}

} // namespace

//----------------------------------------------------------------------------
vae::ReconstructOptions vtkVAEReconstruct::Internals::OptionsAt(
  vtkInformation* input, vtkInformation* output) const
{
  vae::ReconstructOptions options = this->Options;
  if (!this->Several())
  {
    return options;
  }
  if (IsSeries(input))
  {
    throw std::invalid_argument("Realizations is " + std::to_string(options.realizations) +
      ", but the input is a time series, whose time steps the output has; Realizations must be 1");
  }
  if (output->Has(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP()))
  {
    const double time = output->Get(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP());
    options.realization = static_cast<std::int64_t>(
      vtkVAEBridge::Within(std::floor(time + 1e-6), 0., options.realizations - 1.));
  }
  return options;
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
  const Internals& mine = *this->Internal;
  out->CopyEntry(in, vtkStreamingDemandDrivenPipeline::TIME_STEPS());
  out->CopyEntry(in, vtkStreamingDemandDrivenPipeline::TIME_RANGE());
  if (!IsSeries(in) && mine.Several())
  {
    std::vector<double> times(static_cast<std::size_t>(mine.Options.realizations));
    std::iota(times.begin(), times.end(), 0.);
    out->Set(
      vtkStreamingDemandDrivenPipeline::TIME_STEPS(), times.data(), mine.Options.realizations);
    const double range[2] = { times.front(), times.back() };
    out->Set(vtkStreamingDemandDrivenPipeline::TIME_RANGE(), range, 2);
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEReconstruct::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  vtkInformation* in = inputVector[0]->GetInformationObject(0);
  vtkVAEBridge::RequestWholeExtent(in);
  if (!IsSeries(in) && this->Internal->Several())
  {
    vtkVAEBridge::RequestFirstTimeStep(in); // the time that is asked for is a realization
  }
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
vae::statistics::Quality CompareArray(const vae::Volume& before,
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
void vtkVAEReconstruct::Internals::Made::GiveTo(vtkImageData* output) const
{
  vtkDataSetAttributes* attributes = this->CellData
    ? static_cast<vtkDataSetAttributes*>(output->GetCellData())
    : output->GetPointData();
  for (const auto& array : this->Arrays)
  {
    attributes->AddArray(array);
  }
  attributes->SetActiveScalars(this->Arrays[0]->GetName());
  for (const auto& field : this->Fields)
  {
    output->GetFieldData()->AddArray(field);
  }
}

//----------------------------------------------------------------------------
void vtkVAEReconstruct::Internals::Made::Add(const vae::ModelInfo& info, const char* suffix,
  int type, vtkIdType count, std::vector<vae::OutputChannel>& views)
{
  const auto added = vtkVAEBridge::NewArrays(info, suffix, type, count, views);
  this->Arrays.insert(this->Arrays.end(), added.begin(), added.end());
}

//----------------------------------------------------------------------------
void vtkVAEReconstruct::Internals::Made::AddOne(
  const vae::ModelInfo& info, const char* suffix, vtkIdType count, vae::OutputChannel& view)
{
  std::vector<vae::OutputChannel> views;
  this->Arrays.push_back(
    vtkVAEBridge::NewArray(info.channels[0].array + suffix, VTK_FLOAT, 1, count, views));
  view = views[0];
}

//----------------------------------------------------------------------------
vtkVAEReconstruct::Internals::Outputs vtkVAEReconstruct::Internals::Allocate(
  const vtkVAEReconstruct& self, const vae::Model& model, vtkIdType count, Made& made)
{
  const vae::ModelInfo& info = model.info();
  const bool scaled = model.hasAnomalyScale();
  Outputs to;
  made.Add(info, "_reconstruction", VTK_VOID, count, to.values);
  const auto add = [&](bool asked, const char* suffix, std::vector<vae::OutputChannel>& views)
  {
    if (asked)
    {
      made.Add(info, suffix, VTK_FLOAT, count, views);
    }
  };
  const auto addOne = [&](bool asked, const char* suffix, vae::OutputChannel& view)
  {
    if (asked)
    {
      made.AddOne(info, suffix, count, view);
    }
  };
  add(self.ComputeError, "_error", to.Errors);
  add(self.ComputeAbsoluteError, "_absolute_error", to.Absolutes);
  if (self.ComputeProbability)
  {
    const auto added = vtkVAEBridge::NewProbabilities(info, count, to.probability);
    made.Arrays.insert(made.Arrays.end(), added.begin(), added.end());
  }
  add(self.ComputeStandardDeviation, "_stddev", to.stddev);
  add(self.ComputeEntropy, "_entropy", to.entropy);
  add(self.ComputeExceedance, "_exceedance", to.exceedance);
  addOne(self.ComputeAnomaly, "_anomaly", to.anomaly);
  addOne(self.ComputeAnomaly && scaled, "_anomaly_percentile", to.anomalyPercentile);
  addOne(self.ComputeCellAnomaly, "_anomaly_cell", to.cellAnomaly);
  addOne(self.ComputeCellAnomaly && scaled, "_anomaly_cell_percentile", to.cellAnomalyPercentile);
  return to;
}

//----------------------------------------------------------------------------
void vtkVAEReconstruct::Internals::Compare(const vtkVAEReconstruct& self,
  const vae::ModelInfo& info, const vae::Volume& volume, const vae::Channel& ghosts,
  const Outputs& outputs, const vae::Monitor& monitor, Made& made)
{
  auto accuracy = NewField("Accuracy"), psnr = NewField("PSNR"), ssim = NewField("SSIM"),
       ratio = NewField("Compression Ratio");
  vae::statistics::Comparison what;
  what.ssim = self.ComputeSSIM;
  what.ghosts = ghosts;
  const vae::statistics::Work work(0, monitor);
  const auto all = static_cast<double>(volume.channels.size());
  std::size_t channel = 0;
  double bytes = 0; // of the data
  for (const vtkVAEBridge::ArrayLayout& layout : vtkVAEBridge::LayoutOf(info))
  {
    const auto components = static_cast<std::size_t>(layout.Components);
    what.range = RangeOf(info, layout.Name);
    const vae::statistics::Quality quality = CompareArray(volume, outputs.values, channel,
      components, what, outputs.Errors, outputs.Absolutes,
      work.part(
        static_cast<double>(channel) / all, static_cast<double>(channel + components) / all));
    accuracy->InsertNextValue(quality.equal);
    psnr->InsertNextValue(quality.psnr);
    ssim->InsertNextValue(quality.ssim);
    const double each = vae::dispatch(
      volume.channels[channel].type, [](auto t) { return static_cast<double>(sizeof t); });
    bytes += static_cast<double>(vae::voxels(volume.dims)) * static_cast<double>(components) * each;
    channel += components;
  }
  const vae::Dims cells = vae::latentDims(volume.dims, info.network);
  ratio->InsertNextValue(
    bytes / (static_cast<double>(vae::voxels(cells)) * info.latentChannels() * sizeof(float)));
  if (info.hasPhases())
  {
    made.Fields.push_back(accuracy);
  }
  made.Fields.push_back(psnr);
  if (self.ComputeSSIM)
  {
    made.Fields.push_back(ssim);
  }
  made.Fields.push_back(ratio);
}

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
  Internals& mine = *this->Internal;
  try
  {
    vtkImageData* input = vtkVAEBridge::ImageOf(vtkDataObject::GetData(inputVector[0]));
    output->ShallowCopy(input); // what there is while a training has no model yet
    const auto attributesOf = [&](bool cells)
    {
      return cells ? static_cast<vtkDataSetAttributes*>(input->GetCellData())
                   : input->GetPointData();
    };
    for (const bool cells : { true, false })
    {
      for (int i = 0; i < attributesOf(cells)->GetNumberOfArrays(); ++i)
      {
        vtkDataArray* array = attributesOf(cells)->GetArray(i);
        first = mine.Find(array) != mine.Kept.end() ? array : first;
      }
    }
    const vae::Model& model = vtkVAEBridge::ModelOf(vtkDataObject::GetData(inputVector[1]));
    const vae::ModelInfo& info = model.info();
    const vae::ReconstructOptions options = mine.OptionsAt(
      inputVector[0]->GetInformationObject(0), outputVector->GetInformationObject(0));
    Internals::Made made;
    const std::vector<vtkDataArray*> arrays = vtkVAEBridge::ArraysFor(input, info, made.CellData);
    made.Of = arrays[0];
    if (const auto old = mine.Find(arrays[0]); old != mine.Kept.end())
    {
      mine.Kept.erase(old); // its memory is needed
    }
    const vae::Volume volume = vtkVAEBridge::VolumeOf(input, arrays, made.CellData);
    this->PlanMemory(model, volume.dims);
    this->CheckMemory(info, volume.dims, model.hasAnomalyScale());
    const Internals::Outputs outputs =
      Internals::Allocate(*this, model, vae::voxels(volume.dims), made);

    vtkVAEBridge::Progress reconstructing(this, 0, 0.9), comparing(this, 0.9, 1);
    model.reconstruct(volume, options, outputs, this->Run(), reconstructing.Monitor());

    vtkDataArray* ghosts =
      attributesOf(made.CellData)->GetArray(vtkDataSetAttributes::GhostArrayName());
    const vae::Channel ghostChannel = ghosts
      ? vtkVAEBridge::VolumeOf(input, { ghosts }, made.CellData).channels[0]
      : vae::Channel();
    Internals::Compare(*this, info, volume, ghostChannel, outputs, comparing.Monitor(), made);
    made.GiveTo(output);
    mine.Kept.push_back(std::move(made));
    if (mine.Several())
    {
      output->GetInformation()->Set(
        vtkDataObject::DATA_TIME_STEP(), static_cast<double>(options.realization));
    }
    return 1;
  }
  catch (const vtkVAEBridge::Pending&)
  {
    // A training has begun anew: what the one before it gave stays in view until it has a model.
    if (first)
    {
      mine.Find(first)->GiveTo(output);
    }
    return 1;
  }
  vtkVAECatchMacro
}
