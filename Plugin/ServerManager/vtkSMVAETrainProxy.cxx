// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkSMVAETrainProxy.h"

#include "vtkCommand.h"
#include "vtkObjectFactory.h"
#include "vtkSMProperty.h"
#include "vtkSMPropertyHelper.h"

#include "Presets.h"

#include <algorithm>
#include <string>

vtkStandardNewMacro(vtkSMVAETrainProxy);

//----------------------------------------------------------------------------
vtkSMVAETrainProxy::vtkSMVAETrainProxy() = default;
vtkSMVAETrainProxy::~vtkSMVAETrainProxy() = default;

//----------------------------------------------------------------------------
void vtkSMVAETrainProxy::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
}

namespace
{

/// The property with a label, of which its name is made.
vtkSMProperty* Labelled(vtkSMProxy* proxy, std::string label)
{
  std::erase(label, ' ');
  return proxy->GetProperty(label.c_str());
}

double Value(vtkSMProperty* property, bool unchecked)
{
  vtkSMPropertyHelper helper(property);
  helper.SetUseUnchecked(unchecked);
  return helper.GetAsDouble();
}

void Set(vtkSMProperty* property, bool unchecked, double value)
{
  vtkSMPropertyHelper helper(property);
  helper.SetUseUnchecked(unchecked);
  helper.Set(value);
}

} // namespace

//----------------------------------------------------------------------------
int vtkSMVAETrainProxy::ReadXMLAttributes(
  vtkSMSessionProxyManager* manager, vtkPVXMLElement* element)
{
  if (!this->Superclass::ReadXMLAttributes(manager, element))
  {
    return 0;
  }
  const auto observe = [this](const char* label)
  {
    vtkSMProperty* property = Labelled(this, label);
    for (const unsigned long event :
      { vtkCommand::ModifiedEvent, vtkCommand::UncheckedPropertyModifiedEvent })
    {
      property->AddObserver(event, this, &vtkSMVAETrainProxy::Follow);
    }
  };
  for (const vae::Preset& preset : vae::presets())
  {
    observe(preset.label);
    for (const vae::Preset::Setting& setting : preset.entries.front())
    {
      observe(setting.label);
    }
  }
  return 1;
}

//----------------------------------------------------------------------------
void vtkSMVAETrainProxy::Follow(vtkObject* property, unsigned long event, void*)
{
  if (this->Following)
  {
    return;
  }
  this->Following = true;
  const bool unchecked = event == vtkCommand::UncheckedPropertyModifiedEvent;
  const auto of = [this](const char* label) { return Labelled(this, label); };
  const auto value = [&](const char* label) { return Value(of(label), unchecked); };
  for (const vae::Preset& preset : vae::presets())
  {
    const auto& entries = preset.entries;
    if (property == of(preset.label))
    {
      // What is no entry sets nothing; the filter refuses it.
      const double chosen = value(preset.label), count = static_cast<double>(entries.size());
      if (chosen >= 0 && chosen < count)
      {
        for (const vae::Preset::Setting& s : entries[static_cast<std::size_t>(chosen)])
        {
          Set(of(s.label), unchecked, s.value);
        }
      }
    }
    else if (std::ranges::any_of(entries.front(),
               [&](const vae::Preset::Setting& s) { return property == of(s.label); }))
    {
      Set(of(preset.label), unchecked, preset.entryOf(value));
    }
  }
  this->Following = false;
}
