// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "pqVAESparkLine.h"

#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <cmath>

//-----------------------------------------------------------------------------
pqVAESparkLine::pqVAESparkLine(QWidget* parentObject) : Superclass(parentObject)
{
  this->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

//-----------------------------------------------------------------------------
void pqVAESparkLine::setValues(const QVector<double>& values)
{
  if (values != this->Values)
  {
    this->Values = values;
    this->update();
  }
}

//-----------------------------------------------------------------------------
QSize pqVAESparkLine::sizeHint() const { return QSize(120, 3 * this->fontMetrics().height()); }

//-----------------------------------------------------------------------------
void pqVAESparkLine::paintEvent(QPaintEvent*)
{
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const QPalette colours = this->palette();
  painter.fillRect(this->rect(), colours.color(QPalette::Base));
  QVector<double> finite;
  std::copy_if(this->Values.begin(), this->Values.end(), std::back_inserter(finite),
    [](double v) { return std::isfinite(v); });
  if (finite.size() < 2)
  {
    return;
  }
  const auto [low, high] = std::minmax_element(finite.begin(), finite.end());
  const double range = std::max(*high - *low, 1e-12);
  const QRectF area = QRectF(this->rect()).adjusted(5, 5, -5, -5);
  const auto at = [&](int i)
  {
    return QPointF(area.left() + area.width() * i / (finite.size() - 1),
      area.bottom() - area.height() * (finite[i] - *low) / range);
  };
  QPainterPath line(at(0));
  for (int i = 1; i < finite.size(); ++i)
  {
    line.lineTo(at(i));
  }
  painter.setPen(QPen(colours.color(QPalette::Highlight), 1.5));
  painter.drawPath(line);
  painter.setBrush(colours.color(QPalette::Highlight));
  painter.drawEllipse(at(static_cast<int>(finite.size()) - 1), 2.5, 2.5);
}
