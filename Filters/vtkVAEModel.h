// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
/**
 * @class   vtkVAEModel
 * @brief   a trained model as data that flows through the pipeline
 *
 * A table with one row an epoch, so that a chart shows the training, which also carries the
 * network by reference: shallow and deep copies share it, nothing is copied to a client. Its
 * field data hold what the model says about itself.
 */
#ifndef vtkVAEModel_h
#define vtkVAEModel_h

#include "vtkTable.h"
#include "vtkVAEFiltersModule.h" // for export macro

#ifndef __VTK_WRAP__
#include <memory> // for std::shared_ptr
namespace vae
{
class Model;
struct ModelInfo;
}
#endif

class VTKVAEFILTERS_EXPORT vtkVAEModel : public vtkTable
{
public:
  static vtkVAEModel* New();
  vtkTypeMacro(vtkVAEModel, vtkTable);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  void Initialize() override;
  void ShallowCopy(vtkDataObject* source) override;
  void DeepCopy(vtkDataObject* source) override;

  ///@{
  /**
   * The VAE model of an information object, null if its data are something else.
   */
  static vtkVAEModel* GetData(vtkInformation* info);
  static vtkVAEModel* GetData(vtkInformationVector* vector, int index = 0);
  ///@}

#ifndef __VTK_WRAP__
  ///@{
  /**
   * The network. Setting it fills the rows with its history and the field data with its facts.
   */
  void SetModel(std::shared_ptr<const vae::Model> model);
  const std::shared_ptr<const vae::Model>& GetModel() const { return this->Model; }
  ///@}
#endif

  ///@{
  /**
   * A training is running that has no model yet: filters downstream wait, without an error.
   */
  void SetPending(bool pending) { this->Pending = pending; }
  bool GetPending() const { return this->Pending; }
  ///@}

protected:
  vtkVAEModel();
  ~vtkVAEModel() override;

private:
  vtkVAEModel(const vtkVAEModel&) = delete;
  void operator=(const vtkVAEModel&) = delete;

  bool Pending = false;
#ifndef __VTK_WRAP__
  void SetHistory(const vae::ModelInfo& info);
  std::shared_ptr<const vae::Model> Model;
#endif
};

#endif
