// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef pqVAETrainingWidget_h
#define pqVAETrainingWidget_h

#include "pqPropertyGroupWidget.h"

#include <QTimer>

class QFormLayout;
class QLabel;
class QProgressBar;
class QPushButton;
class pqVAESparkLine;

/**
 * The state of a training, and its buttons: Train, Stop, Resume, Save Model. It shows the
 * information properties of VAE Train twice a second. Before a training it shows the time and
 * memory that the settings in the panel, applied or not, will need.
 */
class pqVAETrainingWidget : public pqPropertyGroupWidget
{
  Q_OBJECT
  typedef pqPropertyGroupWidget Superclass;

public:
  pqVAETrainingWidget(vtkSMProxy* proxy, vtkSMPropertyGroup* group, QWidget* parent = nullptr);
  ~pqVAETrainingWidget() override;

private Q_SLOTS:
  void refresh();
  void train();
  void stop();
  void resume();
  void save();

private:
  Q_DISABLE_COPY(pqVAETrainingWidget)

  void command(const char* name); ///< traced
  QString text(const char* property) const;
  double value(const char* property) const;
  QString plan() const;
  QLabel* row(const QString& title, const char* name);

  QTimer Timer;
  QLabel *State, *Status, *Warning, *Loss, *Parts, *Latents, *Speed, *Device;
  QProgressBar* Progress;
  pqVAESparkLine* Spark;
  QPushButton *Train, *Stop, *Resume, *Save;
  QFormLayout* Form;
};

#endif
