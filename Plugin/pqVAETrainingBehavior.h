// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef pqVAETrainingBehavior_h
#define pqVAETrainingBehavior_h

#include <QObject>

class pqDataRepresentation;
class pqPipelineSource;

/**
 * What the window does for trainings. The line chart that opens with one shows the losses over the
 * epochs, and the learning rate on its own axis. What a user or a state file sets later is
 * not changed. A training that is deleted stops, although other panels (Find Data, Multi-block
 * Inspector) may still hold it.
 */
class pqVAETrainingBehavior : public QObject
{
  Q_OBJECT
  typedef QObject Superclass;

public:
  explicit pqVAETrainingBehavior(QObject* parent = nullptr);

  void onStartup();
  void onShutdown() {}

private Q_SLOTS:
  void onRepresentationAdded(pqPipelineSource* source, pqDataRepresentation* chart);

private:
  Q_DISABLE_COPY(pqVAETrainingBehavior)
  /// False while there is one row: a line of one point is not drawn.
  bool arrange(pqDataRepresentation* chart);
};

#endif
