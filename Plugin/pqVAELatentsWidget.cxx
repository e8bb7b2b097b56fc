// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "pqVAELatentsWidget.h"

#include "pqActiveObjects.h"
#include "pqApplicationCore.h"
#include "pqCoreUtilities.h"
#include "pqObjectBuilder.h"
#include "pqOutputPort.h"
#include "pqPipelineSource.h"
#include "pqServerManagerModel.h"
#include "pqUndoStack.h"
#include "pqVAEDistribution.h"
#include "vtkCommand.h"
#include "vtkSMProperty.h"
#include "vtkSMPropertyHelper.h"
#include "vtkSMSourceProxy.h"
#include "vtkSMTrace.h"

#include <QCoreApplication>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSlider>
#include <QStyle>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace
{

constexpr int Ticks = 100; // of a slider, a standard deviation

QVector<double> Values(vtkSMProxy* proxy, const char* property)
{
  const vtkSMPropertyHelper helper(proxy, property);
  QVector<double> values;
  for (unsigned int i = 0; i < helper.GetNumberOfElements(); ++i)
  {
    values.push_back(helper.GetAsDouble(i));
  }
  return values;
}

pqPipelineSource* SourceOf(vtkSMProxy* proxy)
{
  return pqApplicationCore::instance()->getServerManagerModel()->findItem<pqPipelineSource*>(proxy);
}

} // namespace

//-----------------------------------------------------------------------------
pqVAELatentsWidget::pqVAELatentsWidget(
  vtkSMProxy* smproxy, vtkSMPropertyGroup* group, QWidget* parentObject)
  : Superclass(smproxy, group, parentObject)
{
  auto layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  this->Hint = new QLabel(tr("The sliders appear when there is a model."), this);
  this->Hint->setWordWrap(true);
  layout->addWidget(this->Hint);
  this->Grid = new QGridLayout;
  this->Grid->setContentsMargins(0, 0, 0, 0);
  this->Grid->setVerticalSpacing(2);
  this->Grid->setColumnStretch(1, 1);
  layout->addLayout(this->Grid);
  auto buttons = new QHBoxLayout;
  layout->addLayout(buttons);
  this->Reset = new QPushButton(tr("Reset"), this);
  this->Reset->setObjectName("Reset");
  this->Reset->setToolTip(tr("Reset all channels"));
  this->connect(this->Reset, &QPushButton::clicked, this, &pqVAELatentsWidget::reset);
  buttons->addWidget(this->Reset);
  this->Send = new QPushButton(tr("Send to Decode"), this);
  this->Send->setObjectName("SendToDecode");
  this->Send->setToolTip(
    tr("Create a VAE Decode of the whole volume with these offsets. It keeps them "
       "when the sliders move."));
  this->connect(this->Send, &QPushButton::clicked, this, &pqVAELatentsWidget::sendToDecode);
  buttons->addWidget(this->Send);

  this->Render.setSingleShot(true);
  this->Render.setInterval(0);
  this->connect(&this->Render, &QTimer::timeout, this, [this]
  {
    if (pqPipelineSource* source = SourceOf(this->proxy()))
    {
      source->renderAllViews();
    }
  });
  // Undo, Python and state files move the sliders, too.
  pqCoreUtilities::connect(
    smproxy->GetProperty("LatentOffsets"), vtkCommand::ModifiedEvent, this, SLOT(showOffsets()));
  pqCoreUtilities::connect(
    smproxy->GetProperty("Input"), vtkCommand::ModifiedEvent, this, SLOT(showModel()));
  if (auto source = SourceOf(smproxy))
  {
    this->connect(source, qOverload<pqPipelineSource*>(&pqPipelineSource::dataUpdated), this,
      &pqVAELatentsWidget::showModel);
  }
  this->showModel();
}

pqVAELatentsWidget::~pqVAELatentsWidget() = default;

//-----------------------------------------------------------------------------
pqVAELatentsWidget::Row pqVAELatentsWidget::addRow(int channel)
{
  Row row;
  row.Name = new QLabel(QString("z%1").arg(channel), this);
  row.Distribution = new pqVAEDistribution(this);
  row.Distribution->setObjectName(QString("Distribution%1").arg(channel));
  row.Slider = new QSlider(Qt::Horizontal, this);
  row.Slider->setObjectName(QString("Slider%1").arg(channel));
  row.Slider->setRange(static_cast<int>(-pqVAEDistribution::Limit * Ticks),
    static_cast<int>(pqVAEDistribution::Limit * Ticks));
  row.Slider->setPageStep(Ticks / 2);
  row.Slider->setSingleStep(Ticks / 10);
  row.Distribution->setMargin(
    row.Slider->style()->pixelMetric(QStyle::PM_SliderLength, nullptr, row.Slider) / 2);
  row.Offset = new QDoubleSpinBox(this);
  row.Offset->setObjectName(QString("Offset%1").arg(channel));
  row.Offset->setRange(-100, 100);
  row.Offset->setSingleStep(0.1);
  row.Offset->setKeyboardTracking(false);
  row.Offset->setSuffix(QString::fromUtf8(" \xcf\x83")); // sigma
  const int line = 2 * channel;
  this->Grid->addWidget(row.Name, line, 0, 2, 1);
  this->Grid->addWidget(row.Distribution, line, 1);
  this->Grid->addWidget(row.Slider, line + 1, 1);
  this->Grid->addWidget(row.Offset, line, 2, 2, 1);
  this->connect(
    row.Slider, &QSlider::sliderPressed, this, [] { BEGIN_UNDO_SET(tr("Latent Offsets")); });
  this->connect(row.Slider, &QSlider::sliderReleased, this, [this]
  {
    this->traceOffsets();
    END_UNDO_SET();
  });
  this->connect(row.Slider, &QSlider::valueChanged, this,
    [this, channel, slider = row.Slider](int v)
  {
    if (slider->isSliderDown())
    {
      this->setOffset(channel, static_cast<double>(v) / Ticks);
      return;
    }
    BEGIN_UNDO_SET(tr("Latent Offsets"));
    this->setOffset(channel, static_cast<double>(v) / Ticks);
    this->traceOffsets();
    END_UNDO_SET();
  });
  this->connect(row.Offset, &QDoubleSpinBox::valueChanged, this, [this, channel](double v)
  {
    BEGIN_UNDO_SET(tr("Latent Offsets"));
    this->setOffset(channel, v);
    this->traceOffsets();
    END_UNDO_SET();
  });
  return row;
}

//-----------------------------------------------------------------------------
void pqVAELatentsWidget::showModel()
{
  this->proxy()->UpdatePropertyInformation();
  const QVector<double> means = Values(this->proxy(), "ChannelMeans");
  const QVector<double> deviations = Values(this->proxy(), "ChannelDeviations");
  const QVector<double> posterior = Values(this->proxy(), "PosteriorDeviations");
  const QVector<double> quantiles = Values(this->proxy(), "ChannelQuantiles");
  const int channels =
    static_cast<int>(std::min({ means.size(), deviations.size(), posterior.size() }));
  while (this->Rows.size() > channels)
  {
    const Row row = this->Rows.takeLast();
    for (QWidget* w :
      std::initializer_list<QWidget*>{ row.Name, row.Distribution, row.Slider, row.Offset })
    {
      w->hide();
      w->deleteLater();
    }
  }
  while (this->Rows.size() < channels)
  {
    this->Rows.push_back(this->addRow(static_cast<int>(this->Rows.size())));
  }
  const qsizetype each = channels > 0 ? quantiles.size() / channels : 0;
  for (int c = 0; c < channels; ++c)
  {
    const Row& row = this->Rows[c];
    row.Distribution->setChannel(
      means[c], deviations[c], posterior[c], quantiles.mid(c * each, each));
    const QString about =
      tr("Channel %1: mean %2, standard deviation %3 over the training volume (filled: the "
         "encoder's means; "
         "dashed: N(0, 1)); standard deviation of one posterior %4 (grey)%5")
        .arg(c)
        .arg(means[c], 0, 'g', 3)
        .arg(deviations[c], 0, 'g', 3)
        .arg(posterior[c], 0, 'g', 3)
        .arg(posterior[c] > 0.9 * deviations[c] ? tr(": hardly used") : QString());
    for (QWidget* w :
      std::initializer_list<QWidget*>{ row.Name, row.Distribution, row.Slider, row.Offset })
    {
      w->setToolTip(about);
    }
  }
  this->Hint->setVisible(channels == 0);
  this->Reset->setEnabled(channels > 0);
  this->Send->setEnabled(channels > 0);
  this->showOffsets();
}

//-----------------------------------------------------------------------------
QVector<double> pqVAELatentsWidget::offsets() const
{
  return Values(this->proxy(), "LatentOffsets");
}

void pqVAELatentsWidget::showOffsets()
{
  QVector<double> values = this->offsets();
  values.resize(std::max(values.size(), this->Rows.size()));
  for (int c = 0; c < this->Rows.size(); ++c)
  {
    const Row& row = this->Rows[c];
    const QSignalBlocker noSlider(row.Slider), noOffset(row.Offset);
    // A script may have set any number; what cannot be used the filter tells.
    const double shown = std::isnan(values[c]) ? 0 : std::clamp(values[c], -1000., 1000.);
    row.Slider->setValue(static_cast<int>(std::lround(shown * Ticks)));
    row.Offset->setValue(shown);
    row.Distribution->setOffset(shown);
  }
}

//-----------------------------------------------------------------------------
void pqVAELatentsWidget::setOffset(int channel, double offset)
{
  QVector<double> values = this->offsets();
  values.resize(std::max<qsizetype>(values.size(), channel + 1));
  values[channel] = offset;
  this->setOffsets(values);
}

void pqVAELatentsWidget::setOffsets(const QVector<double>& values)
{
  vtkSMPropertyHelper(this->proxy(), "LatentOffsets")
    .Set(values.constData(), static_cast<unsigned int>(values.size()));
  this->proxy()->UpdateVTKObjects();
  this->Render.start();
}

void pqVAELatentsWidget::traceOffsets()
{
  // What a trace records is what is modified while the item lives.
  SM_SCOPED_TRACE(PropertiesModified).arg("proxy", this->proxy());
  this->proxy()->GetProperty("LatentOffsets")->Modified();
}

//-----------------------------------------------------------------------------
void pqVAELatentsWidget::reset()
{
  BEGIN_UNDO_SET(tr("Latent Offsets"));
  this->setOffsets(QVector<double>(this->Rows.size(), 0.));
  this->traceOffsets();
  END_UNDO_SET();
}

//-----------------------------------------------------------------------------
void pqVAELatentsWidget::sendToDecode()
{
  pqPipelineSource* explorer = SourceOf(this->proxy());
  vtkSMPropertyHelper input(this->proxy(), "Input");
  pqPipelineSource* model = SourceOf(input.GetAsProxy());
  if (!explorer || !model)
  {
    return;
  }
  BEGIN_UNDO_SET(tr("Send to Decode"));
  const QMap<QString, QList<pqOutputPort*>> inputs{ { "Input", { explorer->getOutputPort(1) } },
    { "Model", { model->getOutputPort(static_cast<int>(input.GetOutputPort())) } } };
  pqPipelineSource* decode = pqApplicationCore::instance()->getObjectBuilder()->createFilter(
    "filters", "VAEDecode", inputs, explorer->getServer());
  if (decode)
  {
    vtkSMProxy* target = decode->getProxy();
    SM_SCOPED_TRACE(PropertiesModified).arg("proxy", target);
    for (const char* name :
      { "LatentOffsets", "ComputeProbability", "Device", "Precision", "MemoryBudget" })
    {
      target->GetProperty(name)->Copy(this->proxy()->GetProperty(name));
    }
    target->UpdateVTKObjects();
    pqActiveObjects::instance().setActiveSource(decode);
  }
  END_UNDO_SET();
}
