// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "pqVAEChartBehavior.h"

#include "pqApplicationCore.h"
#include "pqDataRepresentation.h"
#include "pqOutputPort.h"
#include "pqPipelineSource.h"
#include "pqServerManagerModel.h"
#include "pqUndoStack.h"
#include "pqView.h"
#include "vtkDataObject.h"
#include "vtkPVArrayInformation.h"
#include "vtkPVDataInformation.h"
#include "vtkPVDataSetAttributesInformation.h"
#include "vtkSMPropertyHelper.h"
#include "vtkSMProxy.h"
#include "vtkSMStringVectorProperty.h"

#include <cstring>
#include <memory>
#include <vector>

namespace
{

struct Series
{
  const char* Name;
  double Red, Green, Blue;
  bool RightAxis;
};
constexpr Series Shown[] = {
  { "Loss", 0.12, 0.47, 0.71, false },
  { "Reconstruction Loss", 0.20, 0.63, 0.17, false },
  { "KL Divergence", 0.60, 0.31, 0.64, false },
  { "Validation Loss", 0.89, 0.10, 0.11, false },
  { "Learning Rate", 0.6, 0.6, 0.6, true },
};

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
pqVAEChartBehavior::pqVAEChartBehavior(QObject* parentObject)
  : Superclass(parentObject)
{
}

//-----------------------------------------------------------------------------
void pqVAEChartBehavior::onStartup()
{
  this->connect(pqApplicationCore::instance()->getServerManagerModel(),
    &pqServerManagerModel::representationAdded, this, &pqVAEChartBehavior::onRepresentationAdded);
}

//-----------------------------------------------------------------------------
void pqVAEChartBehavior::onRepresentationAdded(pqRepresentation* representation)
{
  auto chart = qobject_cast<pqDataRepresentation*>(representation);
  pqPipelineSource* source = chart ? chart->getInput() : nullptr;
  // Of the first Apply: what a state file brings has been arranged by its user.
  if (!source || source->modifiedState() != pqProxy::UNINITIALIZED ||
    strcmp(source->getProxy()->GetXMLName(), "VAETrain") != 0 ||
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
bool pqVAEChartBehavior::arrange(pqDataRepresentation* chart)
{
  vtkPVDataInformation* info = chart->getOutputPortFromInput()->getDataInformation();
  if (!info || info->GetNumberOfRows() < 2 || !chart->getView())
  {
    return false;
  }
  BEGIN_UNDO_EXCLUDE();
  vtkSMProxy* proxy = chart->getProxy();
  Set(proxy, "UseIndexForXAxis", 0);
  Set(proxy, "XArrayName", "Epoch");
  QList<QByteArray> visible, corner, colour;
  bool positive = true;
  vtkPVDataSetAttributesInformation* columns = info->GetRowDataInformation();
  for (int i = 0; i < columns->GetNumberOfArrays(); ++i)
  {
    vtkPVArrayInformation* array = columns->GetArrayInformation(i);
    const Series* series = nullptr;
    for (const Series& s : Shown)
    {
      series = strcmp(array->GetName(), s.Name) == 0 ? &s : series;
    }
    visible << array->GetName() << (series ? "1" : "0");
    if (series)
    {
      corner << array->GetName() << (series->RightAxis ? "1" : "0");
      colour << array->GetName() << QByteArray::number(series->Red)
             << QByteArray::number(series->Green) << QByteArray::number(series->Blue);
      positive = positive && !(array->GetComponentRange(0)[0] <= 0);
    }
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
  assign("SeriesPlotCorner", corner);
  assign("SeriesColor", colour);
  proxy->UpdateVTKObjects();

  vtkSMProxy* view = chart->getView()->getProxy();
  Set(view, "BottomAxisTitle", "Epoch");
  Set(view, "LeftAxisTitle", "Loss (nats a voxel)");
  Set(view, "RightAxisTitle", "Learning Rate");
  // Densities give losses that may be negative: then the axis stays linear.
  Set(view, "LeftAxisLogScale", positive ? 1 : 0);
  Set(view, "RightAxisLogScale", 1);
  view->UpdateVTKObjects();
  END_UNDO_EXCLUDE();
  chart->getView()->render();
  return true;
}
