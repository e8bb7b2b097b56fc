// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef pqVAESparkLine_h
#define pqVAESparkLine_h

#include <QVector>
#include <QWidget>

/**
 * A small line chart of a loss without axes. The last value is marked.
 */
class pqVAESparkLine : public QWidget
{
  Q_OBJECT
  typedef QWidget Superclass;

public:
  explicit pqVAESparkLine(QWidget* parent = nullptr);

  void setValues(const QVector<double>& values);
  QSize sizeHint() const override;

protected:
  void paintEvent(QPaintEvent* event) override;

private:
  Q_DISABLE_COPY(pqVAESparkLine)
  QVector<double> Values;
};

#endif
