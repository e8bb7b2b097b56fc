// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef pqVAEChartBehavior_h
#define pqVAEChartBehavior_h

#include <QObject>

class pqDataRepresentation;
class pqRepresentation;

/**
 * The line chart that opens with a training shows the losses over the epochs, and the learning
 * rate on an axis of its own; what a user or a state file then sets is left alone.
 */
class pqVAEChartBehavior : public QObject
{
  Q_OBJECT
  typedef QObject Superclass;

public:
  explicit pqVAEChartBehavior(QObject* parent = nullptr);

  void onStartup();
  void onShutdown() {}

private Q_SLOTS:
  void onRepresentationAdded(pqRepresentation* representation);

private:
  Q_DISABLE_COPY(pqVAEChartBehavior)
  bool arrange(pqDataRepresentation* chart); ///< false while there are too few rows
};

#endif
