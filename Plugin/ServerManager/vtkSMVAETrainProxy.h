// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkSMVAETrainProxy
 * @brief   proxy of VAE Train, whose presets and the properties that they set follow each other
 *
 * Where Quality or Purpose is set, the properties that it stands for are set at once (see
 * Model/Presets.h). Where one of those is set, Quality or Purpose becomes the name of the values,
 * or Custom. So what is set last counts, and what a panel, a trace or a state file shows is what is
 * trained. The same holds for the values in a panel that are not applied yet.
 */
#ifndef vtkSMVAETrainProxy_h
#define vtkSMVAETrainProxy_h

#include "vtkSMSourceProxy.h"
#include "vtkVAEServerManagerModule.h" // for export macro

class VTKVAESERVERMANAGER_EXPORT vtkSMVAETrainProxy : public vtkSMSourceProxy
{
public:
  static vtkSMVAETrainProxy* New();
  vtkTypeMacro(vtkSMVAETrainProxy, vtkSMSourceProxy);
  void PrintSelf(ostream& os, vtkIndent indent) override;

protected:
  vtkSMVAETrainProxy();
  ~vtkSMVAETrainProxy() override;

  int ReadXMLAttributes(vtkSMSessionProxyManager* manager, vtkPVXMLElement* element) override;

private:
  vtkSMVAETrainProxy(const vtkSMVAETrainProxy&) = delete;
  void operator=(const vtkSMVAETrainProxy&) = delete;

  void Follow(vtkObject* property, unsigned long event, void*);

  bool Following = false; // what Follow() sets is not followed
};

#endif
