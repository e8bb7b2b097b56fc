// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEPermeability.h"

#include "Check.h"
#include "Statistics/Transport.h"

#include "vtkCellData.h"
#include "vtkDataArray.h"
#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkFloatArray.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkLogger.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkPointData.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkStringArray.h"
#include "vtkTable.h"
#include "vtkVAEBridge.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <initializer_list>

vtkStandardNewMacro(vtkVAEPermeability);

//----------------------------------------------------------------------------
struct vtkVAEPermeability::Internals
{
  vae::PermeabilityOptions Options;
  vtkMTimeType Told = 0; // of the last refusal of these
};

//----------------------------------------------------------------------------
vtkVAEPermeability::vtkVAEPermeability() : Internal(std::make_unique<Internals>())
{
  this->SetNumberOfInputPorts(1);
  this->SetNumberOfOutputPorts(2);
  this->SetInputArrayToProcess(
    0, 0, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS_THEN_CELLS, vtkDataSetAttributes::SCALARS);
}

vtkVAEPermeability::~vtkVAEPermeability() = default;

//----------------------------------------------------------------------------
void vtkVAEPermeability::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "Direction: " << this->GetDirection() << "\n";
  os << indent << "Boundary: " << this->GetBoundary() << "\n";
  os << indent << "Tolerance: " << this->GetTolerance() << "\n";
  os << indent << "Summary: " << this->Summary << "\n";
}

//----------------------------------------------------------------------------
// Properties are the fields of vae::PermeabilityOptions.
vtkVAEOptionMacro(vtkVAEPermeability, Phase, int, Options.phase);
vtkVAEOptionMacro(vtkVAEPermeability, Value, double, Options.value);
vtkVAEOptionMacro(vtkVAEPermeability, Direction, int, Options.direction);
vtkVAEOptionMacro(vtkVAEPermeability, Boundary, int, Options.boundary);
vtkVAEOptionMacro(vtkVAEPermeability, Tolerance, double, Options.tolerance);
vtkVAEOptionMacro(vtkVAEPermeability, MaximumIterations, int, Options.maximumIterations);
vtkVAEOptionMacro(vtkVAEPermeability, SpacingInMetres, double, Options.spacingInMetres);
vtkVAEOptionMacro(vtkVAEPermeability, Tortuosity, bool, Options.tortuosity);
vtkVAEOptionMacro(vtkVAEPermeability, Threads, int, Options.threads);

//----------------------------------------------------------------------------
int vtkVAEPermeability::FillInputPortInformation(int, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), "vtkImageData");
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEPermeability::FillOutputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkDataObject::DATA_TYPE_NAME(), port == 0 ? "vtkImageData" : "vtkTable");
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEPermeability::RequestDataObject(
  vtkInformation*, vtkInformationVector**, vtkInformationVector* outputVector)
{
  if (!vtkImageData::GetData(outputVector, 0))
  {
    vtkNew<vtkImageData> image;
    outputVector->GetInformationObject(0)->Set(vtkDataObject::DATA_OBJECT(), image);
  }
  if (!vtkTable::GetData(outputVector, 1))
  {
    vtkNew<vtkTable> table;
    outputVector->GetInformationObject(1)->Set(vtkDataObject::DATA_OBJECT(), table);
  }
  return 1;
}

//----------------------------------------------------------------------------
vtkTypeBool vtkVAEPermeability::ProcessRequest(
  vtkInformation* request, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  Internals& in = *this->Internal;
  return vtkVAEBridge::Refused(
           this, request, outputVector, [&in] { vae::check(in.Options); }, in.Told)
    ? 0
    : this->Superclass::ProcessRequest(request, inputVector, outputVector);
}

//----------------------------------------------------------------------------
int vtkVAEPermeability::RequestInformation(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkInformation* in = inputVector[0]->GetInformationObject(0);
  vtkInformation* out = outputVector->GetInformationObject(0);
  out->CopyEntry(in, vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT());
  out->CopyEntry(in, vtkDataObject::SPACING());
  out->CopyEntry(in, vtkDataObject::ORIGIN());
  out->CopyEntry(in, vtkDataObject::DIRECTION());
  return 1;
}

//----------------------------------------------------------------------------
int vtkVAEPermeability::RequestUpdateExtent(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector*)
{
  vtkVAEBridge::RequestWholeExtent(inputVector[0]->GetInformationObject(0));
  return 1;
}

namespace
{

using vae::statistics::Diffusion;
using vae::statistics::Flow;
using vae::statistics::Mask;
using vae::statistics::Work;

/// The phase of an input, and where its results go.
struct Source
{
  Mask Phase;
  vae::statistics::PhaseChoice Choice;
  bool CellData = false;
};

/// Field arrays with a row for each direction, and a table with two curves for each.
class Results
{
public:
  /// \param metres square of the metres in a unit of the spacing
  Results(const Mask& mask, double metres)
    : Voxel(std::pow(mask.spacing[0] * mask.spacing[1] * mask.spacing[2], 2. / 3))
    , Metres(metres)
  {
    this->Directions->SetName("Direction");
  }

  double InVoxels(double permeability) const { return permeability / this->Voxel; }

  /// \return the permeability in words
  std::string Add(int axis, const Flow& flow)
  {
    const std::string name(1, "xyz"[axis]);
    const double k = flow.permeability[static_cast<std::size_t>(axis)];
    const double inMetres = k * this->Metres, inMillidarcy = inMetres / vae::statistics::Millidarcy;
    this->Directions->InsertNextValue(name.c_str());
    this->Field("Permeability [voxel^2]", { this->InVoxels(k) });
    this->Field("Permeability [m^2]", { inMetres });
    this->Field("Permeability [mD]", { inMillidarcy });
    this->Field("Permeability Tensor [m^2]",
      { flow.permeability[0] * this->Metres, flow.permeability[1] * this->Metres,
        flow.permeability[2] * this->Metres });
    this->Field("Hydraulic Tortuosity", { flow.tortuosity });
    this->Field("Converged", { flow.converged ? 1. : 0. });
    this->Field("Blocked", { flow.blocked ? 1. : 0. });
    std::vector<double> history;
    for (const double v : flow.history)
    {
      history.push_back(this->InVoxels(v));
    }
    this->Curves.push_back({ "Permeability " + name + " [voxel^2]", history });
    this->Curves.push_back({ "Residual " + name, flow.residual });
    if (flow.blocked)
    {
      return name + ": 0, blocked: no part of the phase connects both faces of the volume";
    }
    return std::format(
      "{}: {:.5g} voxel^2, {:.4g} m^2, {:.4g} mD", name, this->InVoxels(k), inMetres, inMillidarcy);
  }

  void Add(const Diffusion& d)
  {
    this->Field("Tortuosity Factor", { d.tortuosity });
    this->Field("Formation Factor", { d.formationFactor });
  }

  void AddTo(vtkFieldData* data) const
  {
    data->AddArray(this->Directions);
    for (const auto& a : this->Fields)
    {
      data->AddArray(a);
    }
  }

  void AddTo(vtkTable* table)
  {
    std::size_t longest = 0;
    for (const Curve& c : this->Curves)
    {
      longest = std::max(longest, c.Values.size());
    }
    std::vector<double> iterations;
    for (std::size_t i = 0; i < longest; ++i)
    {
      iterations.push_back(static_cast<double>(i));
    }
    this->Curves.insert(this->Curves.begin(), { "Iteration", iterations });
    for (Curve& c : this->Curves)
    {
      // A direction that was done earlier stays at its last value.
      c.Values.resize(longest, c.Values.back());
      vtkNew<vtkDoubleArray> column;
      column->SetName(c.Name.c_str());
      column->SetNumberOfTuples(static_cast<vtkIdType>(longest));
      std::copy(c.Values.begin(), c.Values.end(), column->GetPointer(0));
      table->AddColumn(column);
    }
  }

private:
  struct Curve
  {
    std::string Name;
    std::vector<double> Values;
  };

  void Field(const char* name, std::initializer_list<double> row)
  {
    auto field = std::find_if(this->Fields.begin(), this->Fields.end(),
      [&](const auto& a) { return std::string(a->GetName()) == name; });
    if (field == this->Fields.end())
    {
      auto a = vtkSmartPointer<vtkDoubleArray>::New();
      a->SetName(name);
      a->SetNumberOfComponents(static_cast<int>(row.size()));
      field = this->Fields.insert(field, a);
    }
    (*field)->InsertNextTuple(std::data(row));
  }

  const double Voxel, Metres;
  vtkNew<vtkStringArray> Directions;
  std::vector<vtkSmartPointer<vtkDoubleArray>> Fields;
  std::vector<Curve> Curves;
};

/// velocity_along_x and pressure_along_x.
void AddFlow(vtkDataSetAttributes* attributes, int axis, const Flow& flow, bool active)
{
  const auto add = [&](const char* what, const std::vector<float>& values, int components)
  {
    vtkNew<vtkFloatArray> array;
    array->SetName(std::format("{}_along_{}", what, "xyz"[axis]).c_str());
    array->SetNumberOfComponents(components);
    array->SetNumberOfTuples(static_cast<vtkIdType>(flow.pressure.size()));
    std::copy(values.begin(), values.end(), array->GetPointer(0));
    attributes->AddArray(array);
    if (active && components == 3)
    {
      attributes->SetActiveVectors(array->GetName());
    }
  };
  add("velocity", flow.velocity, 3);
  add("pressure", flow.pressure, 1);
}

Source SourceOf(vtkAlgorithm* self, vtkDataArray* named, vtkImageData* input,
  const vae::PermeabilityOptions& options)
{
  Source source;
  vtkDataArray* array = vtkVAEBridge::ScalarsOf(self, named, input, source.CellData);
  vtkVAEBridge::RequireOneComponent(array, "Array");
  const vae::Volume volume = vtkVAEBridge::VolumeOf(input, { array }, source.CellData);
  vae::statistics::check(options, volume.dims);
  const vae::ChannelSummary summary = vae::summarise(volume.channels[0], vae::voxels(volume.dims));
  const vae::statistics::PhaseChoice choice =
    vae::statistics::choosePhase(volume.channels[0], summary, options.phase, options.value);
  source.Phase = vae::statistics::maskOf(volume, choice);
  source.Choice = choice;
  return source;
}

} // namespace

//----------------------------------------------------------------------------
int vtkVAEPermeability::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkImageData* input = vtkImageData::GetData(inputVector[0]);
  vtkImageData* output = vtkImageData::GetData(outputVector, 0);
  vtkTable* table = vtkTable::GetData(outputVector, 1);
  try
  {
    const vae::PermeabilityOptions& options = this->Internal->Options;
    const Source source = SourceOf(this,
      vtkVAEBridge::NamesRows(this) ? nullptr : this->GetInputArrayToProcess(0, input), input,
      options);
    const Mask& mask = source.Phase;
    const std::vector<int> axes = options.direction == vae::FlowDirection::All
      ? vae::statistics::axesOf(mask.dims)
      : std::vector<int>{ static_cast<int>(options.direction) };
    output->ShallowCopy(input);
    vtkDataSetAttributes* attributes = source.CellData
      ? static_cast<vtkDataSetAttributes*>(output->GetCellData())
      : output->GetPointData();
    Results results(mask, options.spacingInMetres * options.spacingInMetres);
    this->Summary = vtkVAEBridge::InWords(source.Choice);
    vtkLogF(INFO, "Flow through the phase %s", this->Summary.c_str());
    for (std::size_t i = 0; i < axes.size(); ++i)
    {
      const char name = "xyz"[axes[i]];
      const double n = static_cast<double>(axes.size()), from = static_cast<double>(i) / n,
                   to = static_cast<double>(i + 1) / n;
      const double split = options.tortuosity ? from + 0.9 * (to - from) : to;
      vtkVAEBridge::Progress progress(this, from, split), last(this, split, to);
      const Flow flow = vae::statistics::solveFlow(mask, axes[i], options,
        Work(options.threads, progress.Monitor()), [&](int iteration, double k, double residual)
      {
        const std::string text =
          std::format("Permeability {}: iteration {}, {:.4g} voxel^2, residual {:.1e}", name,
            iteration, results.InVoxels(k), residual);
        this->SetProgressText(text.c_str());
        vtkLogF(TRACE, "%s", text.c_str());
      });
      if (!flow.converged)
      {
        vtkWarningMacro(<< "The flow along " << name << " has not converged in "
                        << options.maximumIterations << " iterations (residual "
                        << flow.residual.back() << "); raise Maximum Iterations or Tolerance.");
      }
      const std::string line = results.Add(axes[i], flow);
      this->Summary += "\n" + line;
      if (flow.blocked)
      {
        vtkLogF(INFO, "Permeability along %s", line.c_str());
      }
      if (options.tortuosity)
      {
        results.Add(vae::statistics::diffuse(mask, axes[i], Work(options.threads, last.Monitor())));
      }
      AddFlow(attributes, axes[i], flow, i == 0);
    }
    results.AddTo(table);
    for (vtkFieldData* data : { output->GetFieldData(), table->GetFieldData() })
    {
      vtkVAEBridge::AddPhase(data, source.Choice.text);
      results.AddTo(data);
    }
    return 1;
  }
  vtkVAECatchMacro
}
