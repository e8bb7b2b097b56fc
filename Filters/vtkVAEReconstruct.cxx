// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEReconstruct.h"

#include "vtkArrayDispatch.h"
#include "vtkCellData.h"
#include "vtkDataArray.h"
#include "vtkDataArrayRange.h"
#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkFloatArray.h"
#include "vtkImageData.h"
#include "vtkInformation.h"
#include "vtkInformationVector.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkPointData.h"
#include "vtkSMPThreadLocal.h"
#include "vtkSMPTools.h"
#include "vtkStreamingDemandDrivenPipeline.h"
#include "vtkVAEBridge.h"

#include <cmath>

vtkStandardNewMacro(vtkVAEReconstruct);

//----------------------------------------------------------------------------
vtkVAEReconstruct::vtkVAEReconstruct()
{
  this->SetNumberOfInputPorts(2);
}

//----------------------------------------------------------------------------
void vtkVAEReconstruct::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "ComputeError: " << this->ComputeError << "\n";
  os << indent << "ComputeProbability: " << this->ComputeProbability << "\n";
}

//----------------------------------------------------------------------------
int vtkVAEReconstruct::FillInputPortInformation(int port, vtkInformation* info)
{
  info->Set(vtkAlgorithm::INPUT_REQUIRED_DATA_TYPE(), port == 0 ? "vtkImageData" : "vtkTable");
  if (port == 1)
  {
    // Optional, so that a missing model is told in our words.
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
  out->CopyEntry(in, vtkStreamingDemandDrivenPipeline::WHOLE_EXTENT());
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

/// error = reconstruction - input, and the sums for a quality measure.
struct Compare
{
  double Squares = 0;
  vtkIdType Equal = 0;

  template <typename A, typename B>
  void operator()(A* input, B* reconstruction, vtkFloatArray* error)
  {
    const auto in = vtk::DataArrayValueRange(input);
    const auto out = vtk::DataArrayValueRange(reconstruction);
    float* e = error ? error->GetPointer(0) : nullptr;
    vtkSMPThreadLocal<std::pair<double, vtkIdType>> sums(std::make_pair(0., vtkIdType(0)));
    vtkSMPTools::For(0, in.size(), [&](vtkIdType begin, vtkIdType end)
    {
      auto& sum = sums.Local();
      for (vtkIdType i = begin; i < end; ++i)
      {
        const double d = static_cast<double>(out[i]) - static_cast<double>(in[i]);
        sum.first += d * d;
        sum.second += d == 0;
        if (e)
        {
          e[i] = static_cast<float>(d);
        }
      }
    });
    for (const auto& sum : sums)
    {
      this->Squares += sum.first;
      this->Equal += sum.second;
    }
  }
};

} // namespace

//----------------------------------------------------------------------------
int vtkVAEReconstruct::RequestData(
  vtkInformation*, vtkInformationVector** inputVector, vtkInformationVector* outputVector)
{
  vtkImageData* input = vtkImageData::GetData(inputVector[0]);
  vtkImageData* output = vtkImageData::GetData(outputVector);
  output->ShallowCopy(input); // what there is while a training has no model yet
  try
  {
    const vae::Model& model = vtkVAEBridge::ModelOf(vtkDataObject::GetData(inputVector[1]));
    this->Last = nullptr; // its memory is needed
    const vae::ModelInfo& info = model.info();
    bool cellData = false;
    const std::vector<vtkDataArray*> arrays = vtkVAEBridge::ArraysFor(input, info, cellData);
    const vae::Volume volume = vtkVAEBridge::VolumeOf(input, arrays, cellData);
    const vtkIdType count = vae::voxels(volume.dims);

    const bool phases = info.likelihood == vae::Likelihood::Bernoulli;
    vae::Outputs wanted;
    const auto values =
      vtkVAEBridge::NewArrays(info, "_reconstruction", VTK_VOID, count, wanted.values);
    std::vector<vtkSmartPointer<vtkDataArray>> probability;
    if (this->ComputeProbability && phases)
    {
      probability =
        vtkVAEBridge::NewArrays(info, "_probability", VTK_FLOAT, count, wanted.probability);
    }

    this->PlanMemory(model, volume.dims);
    vtkVAEBridge::Progress encoding(this, 0, 0.45), decoding(this, 0.45, 0.97);
    const vae::Latent latent = model.encode(volume, this->Run(), encoding.Monitor());
    model.decode(latent, volume.dims, 0, wanted, this->Run(), decoding.Monitor());

    vtkDataSetAttributes* attributes =
      cellData ? static_cast<vtkDataSetAttributes*>(output->GetCellData()) : output->GetPointData();
    vtkNew<vtkDoubleArray> quality;
    quality->SetName(phases ? "Accuracy" : "PSNR");
    const std::vector<vtkVAEBridge::ArrayLayout> layout = vtkVAEBridge::LayoutOf(info);
    for (std::size_t i = 0; i < arrays.size(); ++i)
    {
      attributes->AddArray(values[i]);
      vtkSmartPointer<vtkFloatArray> error;
      if (this->ComputeError)
      {
        error = vtkSmartPointer<vtkFloatArray>::New();
        error->SetName((layout[i].Name + "_error").c_str());
        error->SetNumberOfComponents(arrays[i]->GetNumberOfComponents());
        error->SetNumberOfTuples(count);
      }
      Compare compare;
      if (!vtkArrayDispatch::Dispatch2::Execute(arrays[i], values[i].Get(), compare, error.Get()))
      {
        compare(arrays[i], values[i].Get(), error.Get());
      }
      if (error)
      {
        attributes->AddArray(error);
      }
      if (!probability.empty())
      {
        attributes->AddArray(probability[i]);
      }
      const double total = static_cast<double>(arrays[i]->GetNumberOfValues());
      double low = info.channels[0].minimum, high = info.channels[0].maximum;
      for (const vae::ChannelInfo& c : info.channels)
      {
        if (c.array == layout[i].Name)
        {
          low = std::min(low, c.minimum);
          high = std::max(high, c.maximum);
        }
      }
      quality->InsertNextValue(phases
          ? static_cast<double>(compare.Equal) / total
          : 10 * std::log10((high - low) * (high - low) / (compare.Squares / total)));
    }
    attributes->SetActiveScalars(values[0]->GetName());
    output->GetFieldData()->AddArray(quality);
    this->Last = vtkSmartPointer<vtkImageData>::New();
    this->Last->ShallowCopy(output);
    return 1;
  }
  catch (const vtkVAEBridge::Pending&)
  {
    // A training has begun anew: what the one before it gave stays in view until it has a model.
    if (this->Last && this->Last->GetNumberOfPoints() == input->GetNumberOfPoints())
    {
      output->ShallowCopy(this->Last);
    }
    return 1;
  }
  vtkVAECatchMacro
}
