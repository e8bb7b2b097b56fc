// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "pqVAETrainingBehavior.h"

#include "pqApplicationCore.h"
#include "pqDataRepresentation.h"
#include "pqOutputPort.h"
#include "pqPipelineSource.h"
#include "pqServerManagerModel.h"
#include "pqServerManagerModelItem.h"
#include "pqUndoStack.h"
#include "pqView.h"
#include "vtkDataObject.h"
#include "vtkPVArrayInformation.h"
#include "vtkPVDataInformation.h"
#include "vtkPVDataSetAttributesInformation.h"
#include "vtkSMPropertyHelper.h"
#include "vtkSMProxy.h"
#include "vtkSMStringVectorProperty.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <vector>

namespace
{

constexpr const char* Losses[] = { "Loss", "Reconstruction Loss", "KL Divergence",
  "Validation Loss" };

bool IsTraining(pqPipelineSource* source)
{
  return strcmp(source->getProxy()->GetXMLName(), "VAETrain") == 0;
}

void Set(vtkSMProxy* proxy, const char* property, const char* value)
{
  if (proxy->GetProperty(property))
  {
    vtkSMPropertyHelper(proxy, property).Set(value);
  }
}

void Set(vtkSMProxy* proxy, const char* property, int value)
{
  if (proxy->GetProperty(property))
  {
    vtkSMPropertyHelper(proxy, property).Set(value);
  }
}

} // namespace

//-----------------------------------------------------------------------------
pqVAETrainingBehavior::pqVAETrainingBehavior(QObject* parentObject) : Superclass(parentObject) {}

//-----------------------------------------------------------------------------
void pqVAETrainingBehavior::onStartup()
{
  auto model = pqApplicationCore::instance()->getServerManagerModel();
  this->connect(model, &pqServerManagerModel::sourceAdded, this, [this](pqPipelineSource* source)
  {
    if (IsTraining(source))
    {
      this->connect(source, &pqPipelineSource::representationAdded, this,
        &pqVAETrainingBehavior::onRepresentationAdded);
      // Its Apply has been undone.
      this->connect(source, &pqPipelineSource::modifiedStateChanged, this,
        [source, was = source->modifiedState()](pqServerManagerModelItem*) mutable
      {
        if (was != pqProxy::UNINITIALIZED && source->modifiedState() == pqProxy::UNINITIALIZED)
        {
          source->getProxy()->InvokeCommand("Stop");
        }
        was = source->modifiedState();
      });
    }
  });
  this->connect(model, &pqServerManagerModel::preSourceRemoved, this, [](pqPipelineSource* source)
  {
    if (IsTraining(source))
    {
      source->getProxy()->InvokeCommand("Stop");
    }
  });
}

//-----------------------------------------------------------------------------
void pqVAETrainingBehavior::onRepresentationAdded(
  pqPipelineSource* source, pqDataRepresentation* chart)
{
  // Of the first Apply: what a state file brings has been arranged by its user.
  if (source->modifiedState() != pqProxy::UNINITIALIZED ||
    !chart->getProxy()->GetProperty("SeriesPlotCorner"))
  {
    return;
  }
  auto connection = std::make_shared<QMetaObject::Connection>();
  *connection =
    this->connect(chart, &pqDataRepresentation::dataUpdated, this, [this, connection, chart]
  {
    if (this->arrange(chart))
    {
      QObject::disconnect(*connection);
    }
  });
}

//-----------------------------------------------------------------------------
bool pqVAETrainingBehavior::arrange(pqDataRepresentation* chart)
{
  vtkPVDataInformation* info = chart->getOutputPortFromInput()->getDataInformation();
  if (!info || info->GetNumberOfRows() < 1 || !chart->getView())
  {
    return false;
  }
  // ParaView reports an error for a line of one point.
  const bool drawable = info->GetNumberOfRows() > 1;
  BEGIN_UNDO_EXCLUDE();
  vtkSMProxy* proxy = chart->getProxy();
  Set(proxy, "UseIndexForXAxis", 0);
  Set(proxy, "XArrayName", "Epoch");
  QList<QByteArray> visible;
  vtkPVDataSetAttributesInformation* columns = info->GetRowDataInformation();
  for (int i = 0; i < columns->GetNumberOfArrays(); ++i)
  {
    const QByteArray name = columns->GetArrayInformation(i)->GetName();
    const bool shown = drawable &&
      (name == "Learning Rate" ||
        std::find(std::begin(Losses), std::end(Losses), name) != std::end(Losses));
    visible << name << (shown ? "1" : "0");
  }
  const auto assign = [&](const char* name, const QList<QByteArray>& values)
  {
    std::vector<const char*> pointers;
    for (const QByteArray& v : values)
    {
      pointers.push_back(v.constData());
    }
    if (auto property = vtkSMStringVectorProperty::SafeDownCast(proxy->GetProperty(name)))
    {
      property->SetElements(pointers.data(), static_cast<unsigned int>(pointers.size()));
    }
  };
  assign("SeriesVisibility", visible);
  assign("SeriesPlotCorner", { "Learning Rate", "1" });
  proxy->UpdateVTKObjects();

  vtkSMProxy* view = chart->getView()->getProxy();
  Set(view, "BottomAxisTitle", "Epoch");
  Set(view, "LeftAxisTitle", "Loss (nats a voxel)");
  Set(view, "RightAxisTitle", "Learning Rate");
  // Losses of probabilities are positive, those of densities (grey data) may become negative.
  Set(view, "LeftAxisLogScale", columns->GetArrayInformation("Validation Accuracy") ? 1 : 0);
  view->UpdateVTKObjects();
  END_UNDO_EXCLUDE();
  if (drawable) // else this is called in an update, before anything is drawn
  {
    chart->getView()->render();
  }
  return drawable;
}
