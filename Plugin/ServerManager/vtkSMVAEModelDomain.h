// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkSMVAEModelDomain
 * @brief   domain of an input that wants a VAE model
 *
 * Accepts pipeline objects that yield one: VAE Train, VAE Model Reader, and filters that pass
 * their field data on. When exactly one is in the pipeline it is the default, so that a new
 * VAE Reconstruct needs no choice.
 */
#ifndef vtkSMVAEModelDomain_h
#define vtkSMVAEModelDomain_h

#include "vtkSMDomain.h"
#include "vtkVAEServerManagerModule.h" // for export macro

class vtkSMSourceProxy;

class VTKVAESERVERMANAGER_EXPORT vtkSMVAEModelDomain : public vtkSMDomain
{
public:
  static vtkSMVAEModelDomain* New();
  vtkTypeMacro(vtkSMVAEModelDomain, vtkSMDomain);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  int IsInDomain(vtkSMProperty* property) override;
  int SetDefaultValues(vtkSMProperty* property, bool use_unchecked_values) override;

protected:
  vtkSMVAEModelDomain();
  ~vtkSMVAEModelDomain() override;

  /**
   * choose_only="0": the default is no model, also where there is only one.
   */
  int ReadXMLAttributes(vtkSMProperty* property, vtkPVXMLElement* element) override;

private:
  bool ChooseOnly = true;
  vtkSMVAEModelDomain(const vtkSMVAEModelDomain&) = delete;
  void operator=(const vtkSMVAEModelDomain&) = delete;
};

#endif
