// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "vtkSMVAEModelDomain.h"

#include "vtkCollection.h"
#include "vtkDataObject.h"
#include "vtkNew.h"
#include "vtkObjectFactory.h"
#include "vtkPVArrayInformation.h"
#include "vtkPVDataInformation.h"
#include "vtkPVDataSetAttributesInformation.h"
#include "vtkPVXMLElement.h"
#include "vtkSMInputProperty.h"
#include "vtkSMPropertyHelper.h"
#include "vtkSMProxyProperty.h"
#include "vtkSMSessionProxyManager.h"
#include "vtkSMSourceProxy.h"

#include <cstring>
#include <string>

vtkStandardNewMacro(vtkSMVAEModelDomain);

//----------------------------------------------------------------------------
vtkSMVAEModelDomain::vtkSMVAEModelDomain() = default;
vtkSMVAEModelDomain::~vtkSMVAEModelDomain() = default;

//----------------------------------------------------------------------------
void vtkSMVAEModelDomain::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
}

namespace
{

bool YieldsModel(vtkSMSourceProxy* source, unsigned int port)
{
  // By name before the first execution, when nothing is known of the output yet.
  const char* name = source->GetXMLName();
  if (name && (!strcmp(name, "VAETrain") || !strcmp(name, "VAEModelReader")))
  {
    return true;
  }
  source->CreateOutputPorts();
  vtkPVDataInformation* info = source->GetDataInformation(port);
  return info && info->DataSetTypeIsA("vtkTable") &&
    info->GetArrayInformation("Fingerprint", vtkDataObject::FIELD) &&
    info->GetArrayInformation("KL Divergence", vtkDataObject::ROW);
}

} // namespace

//----------------------------------------------------------------------------
int vtkSMVAEModelDomain::IsInDomain(vtkSMProperty* property)
{
  auto input = vtkSMProxyProperty::SafeDownCast(property);
  if (!input)
  {
    return vtkSMDomain::NOT_IN_DOMAIN;
  }
  auto ports = vtkSMInputProperty::SafeDownCast(property);
  for (unsigned int i = 0; i < input->GetNumberOfUncheckedProxies(); ++i)
  {
    auto source = vtkSMSourceProxy::SafeDownCast(input->GetUncheckedProxy(i));
    if (!source || !YieldsModel(source, ports ? ports->GetUncheckedOutputPortForConnection(i) : 0))
    {
      return vtkSMDomain::NOT_IN_DOMAIN;
    }
  }
  return vtkSMDomain::IN_DOMAIN;
}

//----------------------------------------------------------------------------
int vtkSMVAEModelDomain::ReadXMLAttributes(vtkSMProperty* property, vtkPVXMLElement* element)
{
  int choose = 1;
  element->GetScalarAttribute("choose_only", &choose);
  this->ChooseOnly = choose != 0;
  return this->Superclass::ReadXMLAttributes(property, element);
}

//----------------------------------------------------------------------------
int vtkSMVAEModelDomain::SetDefaultValues(vtkSMProperty* property, bool use_unchecked_values)
{
  if (!this->ChooseOnly)
  {
    return 0;
  }
  vtkSMProxy* parent = property->GetParent();
  vtkSMSessionProxyManager* manager = parent ? parent->GetSessionProxyManager() : nullptr;
  if (!manager)
  {
    return 0;
  }
  vtkNew<vtkCollection> proxies;
  manager->GetProxies("sources", proxies);
  vtkSMSourceProxy* only = nullptr;
  for (int i = 0; i < proxies->GetNumberOfItems(); ++i)
  {
    auto source = vtkSMSourceProxy::SafeDownCast(proxies->GetItemAsObject(i));
    if (source && source != parent && YieldsModel(source, 0))
    {
      if (only && only != source)
      {
        return 0; // more than one: the user chooses
      }
      only = source;
    }
  }
  if (only)
  {
    vtkSMPropertyHelper helper(property);
    helper.SetUseUnchecked(use_unchecked_values);
    helper.Set(only, 0);
    return 1;
  }
  return 0;
}
