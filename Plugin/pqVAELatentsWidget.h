// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef pqVAELatentsWidget_h
#define pqVAELatentsWidget_h

#include "pqPropertyGroupWidget.h"

#include <QTimer>
#include <QVector>

class QDoubleSpinBox;
class QGridLayout;
class QLabel;
class QPushButton;
class QSlider;
class pqVAEDistribution;

/**
 * The latent explorer: a slider for each latent channel, over its distribution. A slider sets the
 * property Latent Offsets at once, without Apply, and the views follow; a drag is one step of undo
 * and one line of a trace.
 */
class pqVAELatentsWidget : public pqPropertyGroupWidget
{
  Q_OBJECT
  typedef pqPropertyGroupWidget Superclass;

public:
  pqVAELatentsWidget(vtkSMProxy* proxy, vtkSMPropertyGroup* group, QWidget* parent = nullptr);
  ~pqVAELatentsWidget() override;

private Q_SLOTS:
  void showModel();   ///< rows and distributions
  void showOffsets(); ///< of the property
  void reset();
  void sendToDecode();

private:
  Q_DISABLE_COPY(pqVAELatentsWidget)

  struct Row
  {
    QLabel* Name;
    pqVAEDistribution* Distribution;
    QSlider* Slider;
    QDoubleSpinBox* Offset;
  };
  Row addRow(int channel);
  QVector<double> offsets() const;
  void setOffset(int channel, double offset);
  void setOffsets(const QVector<double>& values);
  void traceOffsets();

  QTimer Render; // as soon as the events that wait have been looked at
  QVector<Row> Rows;
  QGridLayout* Grid;
  QLabel* Hint;
  QPushButton *Reset, *Send;
};

#endif
