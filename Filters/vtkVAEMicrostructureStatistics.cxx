// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEMicrostructureStatistics.h"

#include "Check.h"
#include "Statistics/Report.h"
#include "Statistics/Stationarity.h"

#include "vtkDataArray.h"
#include "vtkDataSetAttributes.h"
#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkLogger.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkStringArray.h"
#include "vtkTable.h"
#include "vtkVAEBridge.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <limits>
#include <optional>

vtkStandardNewMacro(vtkVAEMicrostructureStatistics);

namespace
{
constexpr int MeasuresPort = static_cast<int>(vae::statistics::CurvesNumber);
}

//----------------------------------------------------------------------------
struct vtkVAEMicrostructureStatistics::Internals
{
  vae::StatisticsOptions Options;
  vtkMTimeType Told = 0; // of the last refusal of these
};

//----------------------------------------------------------------------------
vtkVAEMicrostructureStatistics::vtkVAEMicrostructureStatistics()
  : Internal(std::make_unique<Internals>())
  , Device(vae::RunOptions().device)
{
  this->SetNumberOfInputPorts(2);
  this->SetNumberOfOutputPorts(MeasuresPort + 1);
  this->SetInputArrayToProcess(
    0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS_THEN_CELLS, vtkDataSetAttributes::SCALARS);
}

vtkVAEMicrostructureStatistics::~vtkVAEMicrostructureStatistics() = default;

//----------------------------------------------------------------------------
void vtkVAEMicrostructureStatistics::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "Phase: " << this->GetPhase() << "\n";
  os << indent << "Value: " << this->GetValue() << "\n";
  os << indent << "Device: " << this->Device << "\n";
  os << indent << "Summary: " << this->Summary << "\n";
}

//----------------------------------------------------------------------------
const char* vtkVAEMicrostructureStatistics::GetPortName(int port)
{
  return port == MeasuresPort
    ? "Measures"
    : vae::statistics::infoOf(static_cast<vae::statistics::Curves>(port)).name;
}

//----------------------------------------------------------------------------
// Properties are the fields of vae::StatisticsOptions.
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, Phase, int, Options.phase);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, Value, double, Options.value);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, Periodic, bool, Options.periodic);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, MaximumLag, int, Options.maximumLag);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, Connectivity, int, Options.connectivity);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, CubeSize, int, Options.cubeSize);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, BlockSize, int, Options.blockSize);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, Thresholds, int, Options.thresholds);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, Radial, bool, Options.radial);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, Cluster, bool, Options.cluster);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, PoreSize, bool, Options.poreSize);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, LocalPercolation, bool, Options.localPercolation);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, Tortuosity, bool, Options.tortuosity);
vtkVAEOptionMacro(vtkVAEMicrostructureStatistics, Threads, int, Options.threads);

//----------------------------------------------------------------------------
int vtkVAEMicrostructureStatistics::FillInputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), "vtkImageData");
  if (port == 1)
  {
    info->Set(vtkAlgorithm::INPUT_IS_OPTIONAL(), 1);
  }
  return 1;
}

//----------------------------------------------------------------------------
vtkTypeBool vtkVAEMicrostructureStatistics::ProcessRequest(
  vtkInformation* request, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  Internals& in = *this->Internal;
  return vtkVAEBridge::Refused(
           this, request, outputVector, [&in] { vae::check(in.Options); }, in.Told)
    ? 0
    : this->Superclass::ProcessRequest(request, inputVector, outputVector);
}

//----------------------------------------------------------------------------
int vtkVAEMicrostructureStatistics::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  for (int port = 0; port < 2; ++port)
  {
    if (inputVector[port]->GetNumberOfInformationObjects() > 0)
    {
      vtkVAEBridge::RequestWholeExtent(inputVector[port]->GetInformationObject(0));
    }
  }
  return 1;
}

namespace
{

using vae::statistics::ComparisonReport;
using vae::statistics::Mask;
using vae::statistics::MeasureComparison;
using vae::statistics::Report;

/// The volume, its summary and its phase.
struct Source
{
  vae::Volume Volume;
  vae::ChannelSummary Summary;
  vae::statistics::PhaseChoice Choice;
};

/// \param like Automatic takes the smaller or the larger value as it did there; may be null
Source SourceOf(vtkImageData* image, vtkDataArray* array, bool cellData,
  const vae::StatisticsOptions& options, const Source* like = nullptr)
{
  vtkVAEBridge::RequireOneComponent(array, "Array");
  Source source;
  source.Volume = vtkVAEBridge::VolumeOf(image, { array }, cellData);
  source.Summary = vae::summarise(source.Volume.channels[0], vae::voxels(source.Volume.dims));
  source.Choice = vae::statistics::choosePhase(
    source.Volume.channels[0], source.Summary, options.phase, options.value);
  if (like && !source.Choice.why.empty())
  {
    const bool larger = like->Choice.value == like->Summary.values[1];
    source.Choice = vae::statistics::choosePhase(source.Volume.channels[0], source.Summary,
      vae::Phase::Label, source.Summary.values[larger ? 1 : 0]);
    source.Choice.why = "as in the Reference: " + like->Choice.why;
  }
  return source;
}

void AddColumn(vtkTable* table, const std::string& name, const std::vector<double>& values)
{
  vtkNew<vtkDoubleArray> column;
  column->SetName(name.c_str());
  column->SetNumberOfTuples(static_cast<vtkIdType>(values.size()));
  std::copy(values.begin(), values.end(), column->GetPointer(0));
  table->AddColumn(column);
}

/// One row a number, then one a curve; with a reference the comparison beside each.
void FillMeasures(vtkTable* table, const ComparisonReport& measured, bool compared)
{
  vtkNew<vtkStringArray> names, groups;
  names->SetName("Measure");
  groups->SetName("Group");
  std::vector<MeasureComparison> rows;
  const double none = std::numeric_limits<double>::quiet_NaN();
  const auto blank = [none](const std::string& name)
  {
    MeasureComparison c;
    c.name = name;
    c.value = c.mean = c.stddev = c.reference = c.referenceMean = c.referenceStddev = none;
    c.relativeError = c.hellinger = c.score = none;
    return c;
  };
  if (compared)
  {
    rows.push_back(blank("All Measures"));
    rows[0].score = measured.score;
    rows[0].scoreInterval = measured.scoreInterval;
  }
  for (const vae::statistics::Scalar& s : measured.report.scalars)
  {
    const auto found = std::find_if(measured.comparisons.begin(), measured.comparisons.end(),
      [&](const MeasureComparison& c) { return c.name == s.name; });
    if (found != measured.comparisons.end())
    {
      rows.push_back(*found);
      continue;
    }
    rows.push_back(blank(s.name));
    rows.back().value = s.value;
    for (const vae::statistics::Scalar& r : measured.reference.scalars)
    {
      rows.back().reference = r.name == s.name ? r.value : rows.back().reference;
    }
  }
  for (const MeasureComparison& c : measured.comparisons)
  {
    if (std::none_of(measured.report.scalars.begin(), measured.report.scalars.end(),
          [&](const vae::statistics::Scalar& s) { return s.name == c.name; }))
    {
      rows.push_back(c);
    }
  }
  for (const MeasureComparison& c : rows)
  {
    names->InsertNextValue(c.name.c_str());
    groups->InsertNextValue(c.measure.c_str());
  }
  table->AddColumn(names);
  const auto add = [&](const char* name, double MeasureComparison::* member)
  {
    std::vector<double> values;
    for (const MeasureComparison& c : rows)
    {
      values.push_back(c.*member);
    }
    AddColumn(table, name, values);
  };
  add("Value", &MeasureComparison::value);
  if (compared)
  {
    table->AddColumn(groups);
    add("Blocks Mean", &MeasureComparison::mean);
    add("Blocks Standard Deviation", &MeasureComparison::stddev);
    add("Reference", &MeasureComparison::reference);
    add("Reference Blocks Mean", &MeasureComparison::referenceMean);
    add("Reference Blocks Standard Deviation", &MeasureComparison::referenceStddev);
    add("Relative Error", &MeasureComparison::relativeError);
    add("Hellinger Distance", &MeasureComparison::hellinger);
    add("Score", &MeasureComparison::score);
    std::vector<double> low, high;
    for (const MeasureComparison& c : rows)
    {
      low.push_back(c.scoreInterval.low);
      high.push_back(c.scoreInterval.high);
    }
    AddColumn(table, "Score Low", low);
    AddColumn(table, "Score High", high);
  }
}

/// What every output says of the whole: the phase and all numbers.
void AddFields(vtkFieldData* data, const Source& source, const ComparisonReport& measured)
{
  vtkVAEBridge::AddPhase(data, source.Choice.text);
  for (const vae::statistics::Scalar& s : measured.report.scalars)
  {
    vtkVAEBridge::AddField(data, s.name, s.value);
  }
}

void AddScores(vtkFieldData* data, const ComparisonReport& measured)
{
  vtkVAEBridge::AddField(data, "Score", measured.score);
  vtkVAEBridge::AddField(data, "Score Low", measured.scoreInterval.low);
  vtkVAEBridge::AddField(data, "Score High", measured.scoreInterval.high);
  for (const MeasureComparison& c : measured.comparisons)
  {
    vtkVAEBridge::AddField(data, "Score of " + c.name, c.score);
  }
}

std::string Line(const std::string& name, double value)
{
  return std::format("\n{} {:.6g}", name, value);
}

std::string InWords(const Source& source, const ComparisonReport& measured, bool compared)
{
  const Report& r = measured.report;
  std::string text = vtkVAEBridge::InWords(source.Choice) + Line("Porosity", r["Porosity"]) +
    Line("Specific surface (Crofton 13)", r["Specific Surface (Crofton 13)"]) +
    Line("Euler number (26, closed border)", r["Euler Number (26, Closed Border)"]);
  if (compared)
  {
    text += Line("Score", measured.score) +
      (std::isfinite(measured.scoreInterval.low)
          ? std::format(
              ", 95 %: {:.3g} to {:.3g}", measured.scoreInterval.low, measured.scoreInterval.high)
          : std::string()) +
      std::format(" ({} blocks against {}; 1: like the reference, larger: unlike it)",
        measured.blocks, measured.referenceBlocks);
  }
  for (const vae::statistics::Scalar& s : r.scalars)
  {
    if (s.name.starts_with("Effective Porosity") || s.name.starts_with("Components") ||
      s.name.starts_with("Tortuosity Factor"))
    {
      text += Line(s.name, s.value);
    }
  }
  return text;
}

} // namespace

//----------------------------------------------------------------------------
int vtkVAEMicrostructureStatistics::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkImageData* input = vtkImageData::GetData(inputVector[0]);
  vtkImageData* reference = inputVector[1]->GetNumberOfInformationObjects() > 0
    ? vtkImageData::GetData(inputVector[1])
    : nullptr;
  try
  {
    const vae::StatisticsOptions& options = this->Internal->Options;
    bool cellData = false;
    vtkDataArray* array = vtkVAEBridge::ScalarsOf(this,
      vtkVAEBridge::NamesRows(this) ? nullptr : this->GetInputArrayToProcess(0, input), input,
      cellData);
    std::optional<Source> theirs;
    Mask other;
    if (reference)
    {
      bool referenceCells = cellData;
      vtkDataArray* match = vtkVAEBridge::ArrayLike(reference, array, referenceCells);
      theirs = SourceOf(reference, match, referenceCells, options);
      other = vae::statistics::maskOf(theirs->Volume, theirs->Choice);
    }
    const Source source = SourceOf(input, array, cellData, options, theirs ? &*theirs : nullptr);
    Mask own = vae::statistics::maskOf(source.Volume, source.Choice);
    vae::statistics::check(options, own.dims);
    vtkLogF(INFO, "Measured phase: %s", vtkVAEBridge::InWords(source.Choice).c_str());

    vae::statistics::Radial radial;
    std::string note;
    if (options.radial)
    {
      try
      {
        vae::Backend& backend = vae::backend();
        vae::RunOptions run;
        run.device = this->Device;
        run.threads = options.threads;
        radial = [&backend, &note, run](
                   const Mask& mask, std::int64_t lag, bool periodic, const vae::Monitor& monitor)
        {
          vae::statistics::RadialS2 s2 = backend.radialS2(mask, lag, periodic, run, monitor);
          note = s2.note.empty() ? note : s2.note;
          return s2;
        };
      }
      catch (const std::runtime_error& e)
      {
        vtkWarningMacro(<< "There is no radial S2: " << vtkVAEBridge::FirstLine(e.what()));
      }
    }
    const auto few = source.Summary.values.size(); // 0: more than can be phases
    const bool grey = options.thresholds > 0 && (few == 0 || few > 2);
    vtkVAEBridge::Progress progress(this, 0, grey ? 0.8 : 1), more(this, 0.8, 1);
    ComparisonReport measured = vae::statistics::measureAgainst(
      own, reference ? &other : nullptr, options, radial, progress.Monitor());
    if (!note.empty())
    {
      vtkWarningMacro(<< note);
    }
    const vae::statistics::Work work(options.threads);
    for (const auto& [name, mask] : { std::pair("", &own), std::pair("The Reference: ", &other) })
    {
      const auto found =
        vae::statistics::stationarity(vae::statistics::quantityOf(*mask, source.Choice.text), work);
      if (!found.warning.empty())
      {
        vtkWarningMacro(<< name << found.warning);
      }
    }
    if (grey)
    {
      measured.report.tables[static_cast<std::size_t>(vae::statistics::Curves::Thresholds)] =
        vae::statistics::measureThresholds(source.Volume, source.Summary, options,
          vae::statistics::Work(options.threads, more.Monitor()));
    }

    for (int port = 0; port <= MeasuresPort; ++port)
    {
      vtkTable* output = vtkTable::GetData(outputVector, port);
      AddFields(output->GetFieldData(), source, measured);
      if (port < MeasuresPort)
      {
        for (const auto& column : measured.report.tables[static_cast<std::size_t>(port)].columns)
        {
          AddColumn(output, column.name, column.values);
        }
      }
      else
      {
        FillMeasures(output, measured, reference != nullptr);
        for (const auto& [value, fraction] :
          vae::statistics::phaseFractions(source.Volume, vae::statistics::Work(options.threads)))
        {
          vtkVAEBridge::AddField(
            output->GetFieldData(), std::format("Phase Fraction of {:.10g}", value), fraction);
        }
      }
      if (reference)
      {
        AddScores(output->GetFieldData(), measured);
      }
    }
    this->Summary = InWords(source, measured, reference != nullptr);
    return 1;
  }
  vtkVAECatchMacro
}
