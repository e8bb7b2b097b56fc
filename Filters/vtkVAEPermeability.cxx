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
#include <cstdio>
#include <limits>

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

//----------------------------------------------------------------------------
int vtkVAEPermeability::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkImageData* input = vtkImageData::GetData(inputVector[0]);
  vtkImageData* output = vtkImageData::GetData(outputVector, 0);
  vtkTable* table = vtkTable::GetData(outputVector, 1);
  try
  {
    using namespace vae::statistics;
    const vae::PermeabilityOptions& options = this->Internal->Options;
    bool cellData = false;
    vtkDataArray* array = vtkVAEBridge::ScalarsOf(this,
      vtkVAEBridge::NamesRows(this) ? nullptr : this->GetInputArrayToProcess(0, input), input,
      cellData);
    vtkVAEBridge::RequireOneComponent(array, "Array");
    const vae::Volume volume = vtkVAEBridge::VolumeOf(input, { array }, cellData);
    check(options, volume.dims);
    const vae::ChannelSummary summary =
      vae::summarise(volume.channels[0], vae::voxels(volume.dims));
    const PhaseChoice choice =
      choosePhase(volume.channels[0], summary, options.phase, options.value);
    const Mask mask = maskOf(volume, choice);

    std::vector<int> axes;
    if (options.direction == vae::FlowDirection::All)
    {
      axes = axesOf(mask.dims);
    }
    else
    {
      axes.push_back(static_cast<int>(options.direction));
    }
    output->ShallowCopy(input);
    vtkDataSetAttributes* attributes =
      cellData ? static_cast<vtkDataSetAttributes*>(output->GetCellData()) : output->GetPointData();
    const double voxel = std::pow(mask.spacing[0] * mask.spacing[1] * mask.spacing[2], 2. / 3);
    const double metres = options.spacingInMetres * options.spacingInMetres;
    struct Curve
    {
      std::string Name;
      std::vector<double> Values;
    };
    std::vector<Curve> curves;
    vtkNew<vtkStringArray> directions;
    directions->SetName("Direction");
    const auto field = [](const char* name, int components = 1)
    {
      auto a = vtkSmartPointer<vtkDoubleArray>::New();
      a->SetName(name);
      a->SetNumberOfComponents(components);
      return a;
    };
    const auto inVoxels = field("Permeability [voxel^2]"), inMetres = field("Permeability [m^2]"),
               inMillidarcy = field("Permeability [mD]"),
               tensor = field("Permeability Tensor [m^2]", 3),
               hydraulic = field("Hydraulic Tortuosity"), converged = field("Converged"),
               factor = field("Tortuosity Factor"), formation = field("Formation Factor");
    this->Summary = choice.text;
    for (std::size_t i = 0; i < axes.size(); ++i)
    {
      const int axis = axes[i];
      const auto a = static_cast<std::size_t>(axis);
      const std::string name(1, "xyz"[axis]);
      const double n = static_cast<double>(axes.size()), from = static_cast<double>(i) / n,
                   to = static_cast<double>(i + 1) / n;
      const double split = options.tortuosity ? from + 0.9 * (to - from) : to;
      vtkVAEBridge::Progress progress(this, from, split), last(this, split, to);
      const Flow flow = solveFlow(mask, axis, options, Work(options.threads, progress.Monitor()),
        [&](int iteration, double k, double residual)
      {
        char text[160];
        std::snprintf(text, sizeof text,
          "Permeability %s: iteration %d, %.4g voxel^2, residual %.1e", name.c_str(), iteration,
          k / voxel, residual);
        this->SetProgressText(text);
        vtkLogF(TRACE, "%s", text);
      });
      if (!flow.converged)
      {
        vtkWarningMacro(<< "The flow along " << name << " has not converged in "
                        << options.maximumIterations << " iterations (residual "
                        << flow.residual.back() << "); raise Maximum Iterations or Tolerance.");
      }
      const double k = flow.permeability[a];
      directions->InsertNextValue(name.c_str());
      inVoxels->InsertNextValue(k / voxel);
      inMetres->InsertNextValue(k * metres);
      inMillidarcy->InsertNextValue(k * metres / Millidarcy);
      tensor->InsertNextTuple3(flow.permeability[0] * metres, flow.permeability[1] * metres,
        flow.permeability[2] * metres);
      hydraulic->InsertNextValue(flow.tortuosity);
      converged->InsertNextValue(flow.converged);
      if (options.tortuosity)
      {
        const Diffusion d = diffuse(mask, axis, Work(options.threads, last.Monitor()));
        factor->InsertNextValue(d.tortuosity);
        formation->InsertNextValue(d.formationFactor);
      }
      char text[160];
      std::snprintf(text, sizeof text, "\n%s: %.5g voxel^2, %.4g m^2, %.4g mD", name.c_str(),
        k / voxel, k * metres, k * metres / Millidarcy);
      this->Summary += text;

      vtkNew<vtkFloatArray> velocity, pressure;
      velocity->SetName(("velocity_along_" + name).c_str());
      velocity->SetNumberOfComponents(3);
      velocity->SetNumberOfTuples(mask.count());
      std::copy(flow.velocity.begin(), flow.velocity.end(), velocity->GetPointer(0));
      pressure->SetName(("pressure_along_" + name).c_str());
      pressure->SetNumberOfTuples(mask.count());
      std::copy(flow.pressure.begin(), flow.pressure.end(), pressure->GetPointer(0));
      attributes->AddArray(velocity);
      attributes->AddArray(pressure);
      if (i == 0)
      {
        attributes->SetActiveVectors(velocity->GetName());
      }
      std::vector<double> history = flow.history;
      for (double& v : history)
      {
        v /= voxel;
      }
      curves.push_back({ "Permeability " + name + " [voxel^2]", history });
      curves.push_back({ "Residual " + name, flow.residual });
    }

    std::size_t longest = 0;
    for (const Curve& c : curves)
    {
      longest = std::max(longest, c.Values.size());
    }
    std::vector<double> iterations;
    for (std::size_t i = 0; i < longest; ++i)
    {
      iterations.push_back(static_cast<double>(i));
    }
    curves.insert(curves.begin(), { "Iteration", iterations });
    for (Curve& c : curves)
    {
      // A direction that was done earlier stays at its last value.
      c.Values.resize(longest, c.Values.back());
      vtkNew<vtkDoubleArray> column;
      column->SetName(c.Name.c_str());
      column->SetNumberOfTuples(static_cast<vtkIdType>(longest));
      std::copy(c.Values.begin(), c.Values.end(), column->GetPointer(0));
      table->AddColumn(column);
    }
    for (vtkFieldData* data : { output->GetFieldData(), table->GetFieldData() })
    {
      data->AddArray(directions);
      for (const auto& a : { inVoxels, inMetres, inMillidarcy, tensor, hydraulic, converged })
      {
        data->AddArray(a);
      }
      if (options.tortuosity)
      {
        data->AddArray(factor);
        data->AddArray(formation);
      }
    }
    return 1;
  }
  vtkVAECatchMacro
}
