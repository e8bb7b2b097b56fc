// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAETwoSampleTest.h"

#include "Check.h"
#include "Statistics/Distances.h"

#include "vtkCellData.h"
#include "vtkDataArray.h"
#include "vtkDataArraySelection.h"
#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkFloatArray.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkMultiBlockDataSet.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkPointData.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkStringArray.h"
#include "vtkTable.h"
#include "vtkVAEBridge.h"
#include "vtkVAETrainingInput.h"

#include <algorithm>
#include <array>
#include <format>

vtkStandardNewMacro(vtkVAETwoSampleTest);

namespace
{

constexpr int AccuracyPort = 0, HistoryPort = 1, BlocksPort = 2, TestedPort = 3, DistancesPort = 4,
              Ports = 5;

/// One of the two inputs as far as it has been looked at.
struct Side
{
  std::vector<double> Times; // of its time steps
  std::vector<vae::Volume> Volumes;
  std::vector<vtkSmartPointer<vtkDataArray>> Arrays; // of each volume

  std::size_t Steps() const { return std::max<std::size_t>(1, this->Times.size()); }
};

} // namespace

//----------------------------------------------------------------------------
struct vtkVAETwoSampleTest::Internals
{
  vae::TwoSampleOptions Options;
  vae::RunOptions Run;
  vtkMTimeType Told = 0; // of the last refusal of these
  std::array<Side, 2> Sides;
  std::size_t Step = 0; // how far RequestData has come through the time steps

  void Restart()
  {
    this->Step = 0;
    for (Side& side : this->Sides)
    {
      side.Volumes.clear();
      side.Arrays.clear();
    }
  }

  /// Append what both inputs have at this time step.
  void Look(vtkAlgorithm* self, const std::function<vtkDataArray*(vtkImageData*)>& chosen,
    vtkInformationVector** inputVector)
  {
    vtkNew<vtkDataArraySelection> none;
    for (int port = 0; port < 2; ++port)
    {
      Side& side = this->Sides[static_cast<std::size_t>(port)];
      if (this->Step >= side.Steps())
      {
        continue;
      }
      vtkVAETrainingInput::Choice choice;
      choice.Algorithm = self;
      choice.Additional = none;
      choice.Scalars = chosen;
      if (port == 1)
      {
        choice.Scalars = [first = this->Sides[0].Arrays.front()](vtkImageData* image)
        {
          bool cells = false;
          return vtkVAEBridge::ArrayLike(image, first, cells, "candidate");
        };
      }
      vtkVAETrainingInput::Arrays seen;
      vtkVAETrainingInput::Look(
        choice, vtkDataObject::GetData(inputVector[port]), side.Volumes, seen);
      for (const auto& [array, time] : seen)
      {
        side.Arrays.emplace_back(array);
      }
    }
  }
};

//----------------------------------------------------------------------------
vtkVAETwoSampleTest::vtkVAETwoSampleTest() : Internal(std::make_unique<Internals>())
{
  this->SetNumberOfInputPorts(2);
  this->SetNumberOfOutputPorts(Ports);
  this->SetInputArrayToProcess(
    0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS_THEN_CELLS, vtkDataSetAttributes::SCALARS);
}

vtkVAETwoSampleTest::~vtkVAETwoSampleTest() = default;

//----------------------------------------------------------------------------
void vtkVAETwoSampleTest::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "BlockSize: " << this->GetBlockSize() << "\n";
  os << indent << "Steps: " << this->GetSteps() << "\n";
  os << indent << "Seed: " << this->GetSeed() << "\n";
  os << indent << "Summary: " << this->Summary << "\n";
}

//----------------------------------------------------------------------------
// Properties are the fields of vae::TwoSampleOptions and vae::RunOptions.
vtkVAEOptionMacro(vtkVAETwoSampleTest, BlockSize, int, Options.blockSize);
vtkVAEOptionMacro(vtkVAETwoSampleTest, Steps, int, Options.steps);
vtkVAEOptionMacro(vtkVAETwoSampleTest, Control, bool, Options.control);
vtkVAEOptionMacro(vtkVAETwoSampleTest, Distances, bool, Options.distances);
vtkVAEOptionMacro(vtkVAETwoSampleTest, SurestBlocks, int, Options.surestBlocks);
vtkVAEOptionMacro(vtkVAETwoSampleTest, Symmetry, int, Options.symmetry);
vtkVAEOptionMacro(vtkVAETwoSampleTest, Seed, int, Options.seed);
vtkVAEOptionMacro(vtkVAETwoSampleTest, Device, std::string, Run.device);
vtkVAEOptionMacro(vtkVAETwoSampleTest, Threads, int, Run.threads);

//----------------------------------------------------------------------------
int vtkVAETwoSampleTest::FillInputPortInformation(int, vtkInformation* info)
{
  // Composite data as a whole: its images are one input.
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), "vtkImageData");
  info->Append(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), "vtkCompositeDataSet");
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAETwoSampleTest::FillOutputPortInformation(int port, vtkInformation* info)
{
  info->Set(
    vtkDataObject::DATA_TYPE_NAME(), port == BlocksPort ? "vtkMultiBlockDataSet" : "vtkTable");
  return 1;
}

//----------------------------------------------------------------------------
vtkTypeBool vtkVAETwoSampleTest::ProcessRequest(
  vtkInformation* request, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  Internals& in = *this->Internal;
  const auto check = [&in]
  {
    vae::check(in.Options);
    vae::check(in.Run);
  };
  return vtkVAEBridge::Refused(this, request, outputVector, check, in.Told)
    ? 0
    : this->Superclass::ProcessRequest(request, inputVector, outputVector);
}

//----------------------------------------------------------------------------
int vtkVAETwoSampleTest::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  using Pipeline = vtkStreamingDemandDrivenPipeline;
  for (int port = 0; port < 2; ++port)
  {
    vtkInformation* info = inputVector[port]->GetInformationObject(0);
    std::vector<double>& times = this->Internal->Sides[static_cast<std::size_t>(port)].Times;
    times.clear();
    if (info->Has(Pipeline::TIME_STEPS()))
    {
      const double* values = info->Get(Pipeline::TIME_STEPS());
      times.assign(values, values + info->Length(Pipeline::TIME_STEPS()));
    }
  }
  // One result of all steps: moving the time slider tests nothing.
  for (int port = 0; port < Ports; ++port)
  {
    vtkInformation* out = outputVector->GetInformationObject(port);
    out->Remove(Pipeline::TIME_STEPS());
    out->Remove(Pipeline::TIME_RANGE());
  }
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAETwoSampleTest::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  const Internals& in = *this->Internal;
  for (int port = 0; port < 2; ++port)
  {
    vtkInformation* info = inputVector[port]->GetInformationObject(0);
    vtkVAEBridge::RequestWholeExtent(info);
    const std::vector<double>& times = in.Sides[static_cast<std::size_t>(port)].Times;
    if (!times.empty())
    {
      info->Set(vtkStreamingDemandDrivenPipeline::UPDATE_TIME_STEP(),
        times[std::min(in.Step, times.size() - 1)]);
    }
  }
  return 1;
}

namespace
{

/// A column of a value of each row.
template <typename Rows, typename F>
void AddColumn(vtkTable* table, const char* name, const Rows& rows, F&& value)
{
  vtkNew<vtkDoubleArray> column;
  column->SetName(name);
  for (const auto& row : rows)
  {
    column->InsertNextValue(static_cast<double>(value(row)));
  }
  table->AddColumn(column);
}

void FillAccuracy(vtkTable* table, const vae::TwoSampleResult& result)
{
  using vae::Accuracy;
  const std::array<const Accuracy*, 2> rows{ &result.accuracy, &result.control };
  vtkNew<vtkStringArray> names;
  names->SetName("Comparison");
  names->InsertNextValue("Real Against Candidate");
  names->InsertNextValue("Real Against Real");
  table->AddColumn(names);
  AddColumn(table, "Accuracy", rows, [](const Accuracy* a) { return a->value; });
  AddColumn(table, "Standard Error", rows, [](const Accuracy* a) { return a->standardError; });
  AddColumn(table, "Standard Error At Chance", rows,
    [](const Accuracy* a) { return a->standardErrorAtChance; });
  AddColumn(table, "P Value", rows, [](const Accuracy* a) { return a->pValue; });
  AddColumn(table, "Tested Blocks", rows, [](const Accuracy* a) { return a->tested; });
}

void FillHistory(vtkTable* table, const vae::TwoSampleResult& result)
{
  using Row = vae::TwoSampleRecord;
  const auto add = [&](const char* name, auto member)
  { AddColumn(table, name, result.history, [&](const Row& row) { return row.*member; }); };
  add("Step", &Row::step);
  add("Loss", &Row::loss);
  add("Training Accuracy", &Row::accuracy);
  add("Control Loss", &Row::controlLoss);
  add("Control Training Accuracy", &Row::controlAccuracy);
}

void FillTested(vtkTable* table, const vae::TwoSampleResult& result)
{
  using Row = vae::TestedBlock;
  const auto add = [&](const char* name, auto value)
  { AddColumn(table, name, result.tested, value); };
  add("Candidate", [](const Row& b) { return b.candidate; });
  add("Volume", [](const Row& b) { return b.volume; });
  add("Origin X", [](const Row& b) { return b.origin[0]; });
  add("Origin Y", [](const Row& b) { return b.origin[1]; });
  add("Origin Z", [](const Row& b) { return b.origin[2]; });
  add("Log Odds", [](const Row& b) { return b.logit; });
  add("Probability Of Candidate", [](const Row& b) { return b.probability(); });
  add("Right", [](const Row& b) { return b.right(); });
}

void FillDistances(vtkTable* table, const std::vector<vae::statistics::Distance>& distances)
{
  using Row = vae::statistics::Distance;
  vtkNew<vtkStringArray> names;
  names->SetName("Distance");
  for (const Row& d : distances)
  {
    names->InsertNextValue(d.name.c_str());
  }
  table->AddColumn(names);
  AddColumn(table, "Value", distances, [](const Row& d) { return d.value; });
  AddColumn(table, "Control", distances, [](const Row& d) { return d.control; });
  AddColumn(table, "P Value", distances, [](const Row& d) { return d.pValue; });
}

/// A block of a volume with its own array, and where the classifier looked.
vtkSmartPointer<vtkImageData> ImageOf(const vae::SureBlock& block, const vae::Dims& dims,
  const vae::Volume& volume, vtkDataArray* array)
{
  auto image = vtkSmartPointer<vtkImageData>::New();
  int points[3];
  for (std::size_t a = 0; a < 3; ++a)
  {
    points[a] = static_cast<int>(dims[a]) + (volume.cellData ? 1 : 0);
  }
  image->SetDimensions(points);
  image->SetSpacing(volume.spacing.data());

  auto values = vtkSmartPointer<vtkDataArray>::Take(array->NewInstance());
  values->SetName(array->GetName());
  values->SetNumberOfComponents(array->GetNumberOfComponents());
  values->SetNumberOfTuples(vae::voxels(dims));
  for (std::int64_t row = 0; row < dims[1] * dims[2]; ++row)
  {
    const std::int64_t y = block.origin[1] + row % dims[1], z = block.origin[2] + row / dims[1];
    values->InsertTuples(
      row * dims[0], dims[0], (z * volume.dims[1] + y) * volume.dims[0] + block.origin[0], array);
  }
  vtkNew<vtkFloatArray> saliency;
  saliency->SetName("Saliency");
  saliency->SetNumberOfTuples(vae::voxels(dims));
  std::copy(block.saliency.begin(), block.saliency.end(), saliency->GetPointer(0));
  vtkDataSetAttributes* data = volume.cellData
    ? static_cast<vtkDataSetAttributes*>(image->GetCellData())
    : image->GetPointData();
  data->SetScalars(values);
  data->AddArray(saliency);

  vtkFieldData* field = image->GetFieldData();
  vtkVAEBridge::AddField(field, "Probability Of Candidate", block.probability());
  vtkVAEBridge::AddField(field, "Candidate", block.candidate ? 1 : 0);
  vtkVAEBridge::AddField(field, "Volume", static_cast<double>(block.volume));
  vtkNew<vtkDoubleArray> origin;
  origin->SetName("Origin In Volume");
  origin->SetNumberOfComponents(3);
  origin->InsertNextTuple3(static_cast<double>(block.origin[0]),
    static_cast<double>(block.origin[1]), static_cast<double>(block.origin[2]));
  field->AddArray(origin);
  return image;
}

/// The blocks side by side in two rows, a quarter of a block apart.
void FillBlocks(vtkMultiBlockDataSet* blocks, const vae::TwoSampleResult& result,
  const std::array<Side, 2>& sides)
{
  constexpr double pitch = 1.25;
  const vae::Dims& dims = result.blockDims;
  const std::size_t across = dims[0] > 1 ? 0 : 1, along = dims[1] > 1 && across == 0 ? 1 : 2;
  const std::size_t row = std::max<std::size_t>(1, result.surest.size() / 2);
  for (std::size_t i = 0; i < result.surest.size(); ++i)
  {
    const vae::SureBlock& block = result.surest[i];
    const Side& side = sides[block.candidate ? 1 : 0];
    const vae::Volume& volume = side.Volumes[block.volume];
    auto image = ImageOf(block, dims, volume, side.Arrays[block.volume]);
    double origin[3] = { 0, 0, 0 };
    const auto place = [&](std::size_t axis, std::size_t number)
    {
      origin[axis] = pitch * static_cast<double>(number) * static_cast<double>(dims[axis]) *
        volume.spacing[axis];
    };
    place(across, i % row);
    place(along, i / row);
    image->SetOrigin(origin);
    const auto number = static_cast<unsigned int>(i);
    blocks->SetBlock(number, image);
    blocks->GetMetaData(number)->Set(vtkCompositeDataSet::NAME(),
      std::format("{}, probability of candidate {:.3f}", block.candidate ? "Candidate" : "Real",
        block.probability()));
  }
}

std::string InWords(const vae::TwoSampleResult& result)
{
  const vae::Accuracy &a = result.accuracy, &c = result.control;
  std::string text =
    std::format("Accuracy {:.3f} +- {:.3f} (real against candidate, {} blocks of {})", a.value,
      a.standardError, a.tested, vae::toString(result.blockDims));
  if (c.tested > 0)
  {
    text += std::format("\nControl {:.3f} +- {:.3f} (real against real, {} blocks; each training:",
      c.value, c.standardError, c.tested);
    for (const double value : result.controls)
    {
      text += std::format(" {:.3f}", value);
    }
    text += ")";
  }
  return text + "\n" + result.symmetry + (result.note.empty() ? "" : "\n" + result.note);
}

} // namespace

//----------------------------------------------------------------------------
int vtkVAETwoSampleTest::RequestData(
  vtkInformation* request, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  Internals& in = *this->Internal;
  using Pipeline = vtkStreamingDemandDrivenPipeline;
  try
  {
    in.Look(this, [this](vtkImageData* image) { return this->GetInputArrayToProcess(0, image); },
      inputVector);
    if (in.Step + 1 < std::max(in.Sides[0].Steps(), in.Sides[1].Steps()))
    {
      ++in.Step;
      request->Set(Pipeline::CONTINUE_EXECUTING(), 1);
      return 1;
    }
    request->Remove(Pipeline::CONTINUE_EXECUTING());
    const double trained = in.Options.distances ? 0.85 : 1;
    vtkVAEBridge::Progress progress(this, 0, trained), more(this, trained, 1);
    const vae::TwoSampleResult result = vae::backend().twoSampleTest(
      { in.Sides[0].Volumes, in.Sides[1].Volumes }, in.Options, in.Run, progress.Monitor());
    std::vector<vae::statistics::Distance> distances;
    if (in.Options.distances)
    {
      distances = vae::statistics::blockDistances(in.Sides[0].Volumes, in.Sides[1].Volumes,
        result.blockDims, static_cast<std::uint64_t>(in.Options.seed),
        vae::statistics::Work(in.Run.threads, more.Monitor()));
    }
    if (!result.note.empty())
    {
      vtkWarningMacro(<< result.note);
    }
    FillAccuracy(vtkTable::GetData(outputVector, AccuracyPort), result);
    FillHistory(vtkTable::GetData(outputVector, HistoryPort), result);
    FillBlocks(vtkMultiBlockDataSet::GetData(outputVector, BlocksPort), result, in.Sides);
    FillTested(vtkTable::GetData(outputVector, TestedPort), result);
    FillDistances(vtkTable::GetData(outputVector, DistancesPort), distances);
    for (int port = 0; port < Ports; ++port)
    {
      vtkFieldData* field = vtkDataObject::GetData(outputVector, port)->GetFieldData();
      vtkVAEBridge::AddField(field, "Accuracy", result.accuracy.value);
      vtkVAEBridge::AddField(field, "Standard Error", result.accuracy.standardError);
      vtkVAEBridge::AddField(field, "Control Accuracy", result.control.value);
      vtkVAEBridge::AddField(field, "Control Standard Error", result.control.standardError);
      for (const vae::statistics::Distance& d : distances)
      {
        vtkVAEBridge::AddField(field, d.name, d.value);
      }
      vtkVAEBridge::AddField(field, "Block Size",
        static_cast<double>(std::max(result.blockDims[0], result.blockDims[1])));
    }
    this->Summary = InWords(result);
    in.Restart();
    return 1;
  }
  catch (...)
  {
    in.Restart();
    request->Remove(Pipeline::CONTINUE_EXECUTING());
    try
    {
      throw;
    }
    vtkVAECatchMacro
  }
}
