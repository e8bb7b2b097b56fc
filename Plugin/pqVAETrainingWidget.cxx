// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "pqVAETrainingWidget.h"

#include "pqActiveObjects.h"
#include "pqApplicationCore.h"
#include "pqPipelineSource.h"
#include "pqPropertiesPanel.h"
#include "pqSaveDataReaction.h"
#include "pqServer.h"
#include "pqServerManagerModel.h"
#include "pqVAESparkLine.h"
#include "vtkClientServerStream.h"
#include "vtkPVSession.h"
#include "vtkSMPropertyHelper.h"
#include "vtkSMProxy.h"
#include "vtkSMSession.h"
#include "vtkSMTrace.h"

#include <QCoreApplication>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>
#include <string>

namespace
{

/// Call a method of the server's object that is no property. Nothing is marked modified.
vtkClientServerStream Invoke(vtkSMProxy* proxy, vtkClientServerStream& call)
{
  vtkSMSession* session = proxy->GetSession();
  session->ExecuteStream(vtkPVSession::DATA_SERVER_ROOT, call, /*ignore errors*/ true);
  return session->GetLastResult(vtkPVSession::DATA_SERVER_ROOT);
}

/// Of texts that come from files and arrays: nothing in them is markup.
QLabel* PlainLabel(QWidget* parentObject, const char* name)
{
  auto l = new QLabel(parentObject);
  l->setObjectName(name);
  l->setWordWrap(true);
  l->setTextFormat(Qt::PlainText);
  return l;
}

QString Minutes(double seconds)
{
  const auto s = static_cast<qint64>(std::min(seconds, 1e9) + 0.5);
  return QString("%1:%2").arg(s / 60).arg(s % 60, 2, 10, QChar('0'));
}

} // namespace

//-----------------------------------------------------------------------------
pqVAETrainingWidget::pqVAETrainingWidget(
  vtkSMProxy* smproxy, vtkSMPropertyGroup* group, QWidget* parentObject)
  : Superclass(smproxy, group, parentObject)
{
  auto layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  const auto label = [&](const char* name)
  {
    auto l = PlainLabel(this, name);
    l->setTextInteractionFlags(Qt::TextSelectableByMouse);
    layout->addWidget(l);
    return l;
  };
  this->State = label("State");
  QFont bold = this->State->font();
  bold.setBold(true);
  this->State->setFont(bold);
  this->Progress = new QProgressBar(this);
  this->Progress->setObjectName("Progress");
  this->Progress->setRange(0, 1000);
  layout->addWidget(this->Progress);
  this->Spark = new pqVAESparkLine(this);
  this->Spark->setObjectName("Spark");
  this->Spark->setToolTip(tr("Validation loss of the epochs so far (training loss if nothing is "
                             "held out). The line chart shows more."));
  layout->addWidget(this->Spark);
  this->Form = new QFormLayout;
  this->Form->setContentsMargins(0, 0, 0, 0);
  layout->addLayout(this->Form);
  this->Loss = this->row(tr("Loss"), "Loss");
  this->Parts = this->row(tr("Parts"), "Parts");
  this->Latents = this->row(tr("Latents"), "Latents");
  this->Speed = this->row(tr("Speed"), "Speed");
  this->Device = this->row(tr("Device"), "Device");
  this->Warning = label("Warning");
  QPalette red = this->Warning->palette();
  red.setColor(QPalette::WindowText, QColor(190, 40, 20));
  this->Warning->setPalette(red);
  this->Status = label("Status");

  auto buttons = new QHBoxLayout;
  layout->addLayout(buttons);
  const auto button = [&](const QString& text, const char* name, const QString& tip, auto slot)
  {
    auto b = new QPushButton(text, this);
    b->setObjectName(name);
    b->setToolTip(tip);
    buttons->addWidget(b);
    this->connect(b, &QPushButton::clicked, this, slot);
    return b;
  };
  this->Train = button(tr("Train"), "Train", tr("Train with these settings, from the start"),
    &pqVAETrainingWidget::train);
  this->Stop = button(tr("Stop"), "Stop", tr("Stop and keep the best model; Resume continues"),
    &pqVAETrainingWidget::stop);
  this->Resume = button(
    tr("Resume"), "Resume", tr("Continue the stopped training"), &pqVAETrainingWidget::resume);
  this->Save = button(tr("Save Model..."), "Save",
    tr("Save the newest model in a file (*.safetensors)"), &pqVAETrainingWidget::save);

  this->connect(&this->Timer, &QTimer::timeout, this, &pqVAETrainingWidget::refresh);
  this->Timer.start(500);
  // Opens LibTorch and measures in the background while the user looks at the settings.
  vtkClientServerStream call;
  call << vtkClientServerStream::Invoke << VTKOBJECT(smproxy) << "MeasureDevice"
       << vtkClientServerStream::End;
  Invoke(smproxy, call);
  this->refresh();
}

pqVAETrainingWidget::~pqVAETrainingWidget() = default;

//-----------------------------------------------------------------------------
QLabel* pqVAETrainingWidget::row(const QString& title, const char* name)
{
  auto l = PlainLabel(this, name);
  this->Form->addRow(title, l);
  return l;
}

//-----------------------------------------------------------------------------
QString pqVAETrainingWidget::text(const char* property) const
{
  return QString::fromUtf8(vtkSMPropertyHelper(this->proxy(), property).GetAsString());
}

double pqVAETrainingWidget::value(const char* property) const
{
  return vtkSMPropertyHelper(this->proxy(), property).GetAsDouble();
}

//-----------------------------------------------------------------------------
QString pqVAETrainingWidget::plan() const
{
  vtkClientServerStream call;
  call << vtkClientServerStream::Invoke << VTKOBJECT(this->proxy()) << "DescribePlan";
  for (const char* property : { "Network", "LatentChannels", "LatentStride", "Width", "Blocks",
         "BlockSize", "HiddenUnits", "PatchSize", "BatchSize" })
  {
    vtkSMPropertyHelper helper(this->proxy(), property);
    helper.SetUseUnchecked(true);
    call << helper.GetAsInt();
  }
  for (const char* property : { "TimeBudget", "PriorShare" })
  {
    vtkSMPropertyHelper helper(this->proxy(), property);
    helper.SetUseUnchecked(true);
    call << helper.GetAsDouble();
  }
  call << vtkClientServerStream::End;
  const vtkClientServerStream result = Invoke(this->proxy(), call);
  std::string words;
  if (result.GetNumberOfMessages() == 1 && result.GetNumberOfArguments(0) == 1)
  {
    result.GetArgument(0, 0, &words);
  }
  return QString::fromStdString(words);
}

//-----------------------------------------------------------------------------
void pqVAETrainingWidget::refresh()
{
  auto model = pqApplicationCore::instance()->getServerManagerModel();
  pqServer* server = model->findServer(this->proxy()->GetSession());
  if (!server || server->isProcessingPending() || server->session()->GetPendingProgress())
  {
    return;
  }
  this->proxy()->UpdatePropertyInformation();
  const QString state = this->text("State");
  const bool busy = state == "Preparing" || state == "Training" || state == "Stopping";
  const bool known = this->value("CurrentStep") > 0;
  this->State->setText(state == "Idle" ? tr("Not trained") : state);
  for (QWidget* w : std::initializer_list<QWidget*>{ this->Progress, this->Spark })
  {
    w->setVisible(known || busy);
  }
  for (QLabel* l : { this->Loss, this->Parts, this->Latents, this->Speed, this->Device })
  {
    l->setVisible(known);
    this->Form->labelForField(l)->setVisible(known);
  }
  if (known)
  {
    const double left = this->value("TimeLeft");
    this->Progress->setValue(static_cast<int>(1000 * this->value("TrainingProgress")));
    this->Progress->setFormat(tr("epoch %1, step %2%3")
        .arg(this->value("CurrentEpoch"))
        .arg(this->value("CurrentStep"))
        .arg(busy && left > 0 ? tr(", %1 left").arg(Minutes(left)) : ""));
    QVector<double> losses;
    for (const QString& n : this->text("LossHistory").split(' ', Qt::SkipEmptyParts))
    {
      losses.push_back(n.toDouble());
    }
    this->Spark->setValues(losses);
    const double validation = this->value("ValidationLoss");
    this->Loss->setText(tr("%1 training%2 (nats a voxel)")
        .arg(this->value("TrainingLoss"), 0, 'g', 4)
        .arg(
          std::isnan(validation) ? QString() : tr(", %1 validation").arg(validation, 0, 'g', 4)));
    this->Parts->setText(tr("reconstruction %1, KL divergence %2")
        .arg(this->value("ReconstructionLoss"), 0, 'g', 4)
        .arg(this->value("KLDivergence"), 0, 'g', 3));
    this->Latents->setText(tr("%1 of %2 channels active")
        .arg(this->value("ActiveLatents"))
        .arg(this->value("LatentChannels")));
    this->Speed->setText(
      tr("%1 million voxels/s").arg(this->value("VoxelsPerSecond") / 1e6, 0, 'f', 1));
    this->Device->setText(this->text("DeviceInUse"));
  }
  const QString warning = this->text("Warning");
  this->Warning->setText(warning);
  this->Warning->setVisible(!warning.isEmpty());
  this->Status->setText(state == "Idle" ? this->plan() : this->text("Status"));
  this->Train->setEnabled(!busy);
  this->Stop->setEnabled(state == "Training" || state == "Preparing");
  this->Resume->setEnabled(!busy && this->value("Resumable") != 0);
  this->Save->setEnabled(known && !busy);
}

//-----------------------------------------------------------------------------
void pqVAETrainingWidget::command(const char* name)
{
  SM_SCOPED_TRACE(CallMethod).arg("proxy", this->proxy()).arg("InvokeCommand").arg(name);
  this->proxy()->InvokeCommand(name);
}

//-----------------------------------------------------------------------------
void pqVAETrainingWidget::train()
{
  if (this->text("State") != "Idle")
  {
    this->command("Train");
    this->proxy()->MarkModified(this->proxy());
  }
  for (QWidget* w = this; w; w = w->parentWidget())
  {
    if (auto panel = qobject_cast<pqPropertiesPanel*>(w))
    {
      panel->apply();
    }
  }
  this->refresh();
}

//-----------------------------------------------------------------------------
void pqVAETrainingWidget::stop()
{
  this->command("Stop");
  this->refresh();
}

void pqVAETrainingWidget::resume()
{
  this->command("Resume");
  this->refresh();
}

//-----------------------------------------------------------------------------
void pqVAETrainingWidget::save()
{
  auto model = pqApplicationCore::instance()->getServerManagerModel();
  if (auto source = model->findItem<pqPipelineSource*>(this->proxy()))
  {
    pqActiveObjects::instance().setActiveSource(source);
    pqSaveDataReaction::saveActiveData();
  }
}
