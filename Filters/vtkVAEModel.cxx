// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkVAEModel.h"

#include "Model.h"

#include "vtkDoubleArray.h"
#include "vtkFieldData.h"
#include "vtkIntArray.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkVAEBridge.h"

#include <cmath>
#include <set>

vtkStandardNewMacro(vtkVAEModel);

//----------------------------------------------------------------------------
vtkVAEModel::vtkVAEModel() = default;
vtkVAEModel::~vtkVAEModel() = default;

//----------------------------------------------------------------------------
void vtkVAEModel::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent
     << "Model: " << (this->Model ? vae::toJson(this->Model->info()) : std::string("(none)"))
     << "\n";
}

//----------------------------------------------------------------------------
vtkVAEModel* vtkVAEModel::GetData(vtkInformation* info)
{
  return vtkVAEModel::SafeDownCast(vtkDataObject::GetData(info));
}

vtkVAEModel* vtkVAEModel::GetData(vtkInformationVector* vector, int index)
{
  return vtkVAEModel::SafeDownCast(vtkDataObject::GetData(vector, index));
}

//----------------------------------------------------------------------------
void vtkVAEModel::Initialize()
{
  this->Superclass::Initialize();
  this->Model.reset();
  this->Pending = false;
}

//----------------------------------------------------------------------------
void vtkVAEModel::ShallowCopy(vtkDataObject* source)
{
  this->Superclass::ShallowCopy(source);
  auto other = vtkVAEModel::SafeDownCast(source);
  this->Model = other ? other->Model : nullptr;
  this->Pending = other && other->Pending;
}

//----------------------------------------------------------------------------
void vtkVAEModel::DeepCopy(vtkDataObject* source)
{
  this->Superclass::DeepCopy(source);
  auto other = vtkVAEModel::SafeDownCast(source);
  this->Model = other ? other->Model : nullptr;
  this->Pending = other && other->Pending;
}

//----------------------------------------------------------------------------
void vtkVAEModel::SetModel(std::shared_ptr<const vae::Model> model)
{
  if (model)
  {
    this->SetHistory(model->info());
  }
  this->Model = std::move(model);
}

//----------------------------------------------------------------------------
void vtkVAEModel::SetHistory(const vae::ModelInfo& info)
{
  this->Initialize();
  const bool phases = info.hasPhases();
  using Row = vae::EpochRecord;
  const auto column = [&](const char* name, auto member)
  {
    using T = std::remove_cvref_t<decltype(std::declval<Row>().*member)>;
    using Array = std::conditional_t<std::is_integral_v<T>, vtkIntArray, vtkDoubleArray>;
    vtkNew<Array> array;
    array->SetName(name);
    for (const Row& row : info.history)
    {
      array->InsertNextValue(static_cast<typename Array::ValueType>(row.*member));
    }
    this->AddColumn(array);
  };
  column("Epoch", &Row::epoch);
  column("Step", &Row::step);
  column("Time (s)", &Row::seconds);
  column("Loss", &Row::loss);
  column("Reconstruction Loss", &Row::reconstruction);
  column("KL Divergence", &Row::kl);
  column("Validation Loss", &Row::validationLoss);
  column(phases ? "Validation Accuracy" : "Validation PSNR (dB)", &Row::validationQuality);
  if (info.options.bestBy == vae::BestBy::Statistics)
  {
    column("Validation Statistics Error", &Row::statisticsError);
  }
  column("KL Weight", &Row::klWeight);
  column("Learning Rate", &Row::learningRate);
  column("Sigma", &Row::sigma);
  column("Active Latents", &Row::activeLatents);
  column("Mutual Information", &Row::mutualInformation);
  column("MMD", &Row::mmd);
  column("Prior Loss", &Row::priorLoss);
  vtkNew<vtkDoubleArray> latents;
  latents->SetName("KL of Latents");
  latents->SetNumberOfComponents(info.latentChannels());
  std::set<std::string> measures;
  for (const Row& row : info.history)
  {
    for (int i = 0; i < info.latentChannels(); ++i)
    {
      const auto index = static_cast<std::size_t>(i);
      latents->InsertNextValue(
        index < row.klOfLatents.size() ? row.klOfLatents[index] : std::nan(""));
    }
    for (const auto& [name, value] : row.measures)
    {
      measures.insert(name);
    }
  }
  this->AddColumn(latents);
  for (const std::string& name : measures)
  {
    vtkNew<vtkDoubleArray> array;
    array->SetName(name.c_str());
    for (const Row& row : info.history)
    {
      const auto found = row.measures.find(name);
      array->InsertNextValue(found == row.measures.end() ? std::nan("") : found->second);
    }
    this->AddColumn(array);
  }
  column("Voxels per Second", &Row::voxelsPerSecond);

  const auto fact = [this](const char* name, const std::string& value)
  { vtkVAEBridge::AddField(this->GetFieldData(), name, value); };
  fact("Device", info.device);
  fact("Objective", info.options.objective);
  fact("Likelihood", vae::name(info.likelihood));
  fact("Likelihood Reason", info.likelihoodReason);
  fact("Symmetry Reason", info.symmetryReason);
  fact("Network", vae::name(info.network.architecture));
  fact("Array", info.channels.empty() ? std::string() : info.channels[0].array);
  fact("Parameters", std::to_string(info.parameters));
  fact("Fingerprint", info.fingerprint);
  fact("Best Epoch", std::to_string(info.bestEpoch));
  fact("Ending", vae::name(info.ending));
  fact("Start Reason", info.startReason);
  fact("Warning", info.warning);
  fact("Verdict", vae::verdictInWords(info));
  if (info.verdict.judged())
  {
    vtkVAEBridge::AddField(this->GetFieldData(), "Verdict Score", info.verdict.generated);
  }
}
