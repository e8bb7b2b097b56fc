// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "pqVAEDistribution.h"

#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace
{

constexpr int Bins = 80;
constexpr double BinWidth = 2 * pqVAEDistribution::Limit / Bins;

double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

double NormalDensity(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi); }

} // namespace

//-----------------------------------------------------------------------------
pqVAEDistribution::pqVAEDistribution(QWidget* parentObject) : Superclass(parentObject)
{
  this->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

//-----------------------------------------------------------------------------
void pqVAEDistribution::setChannel(
  double mean, double stddev, double posteriorStddev, const QVector<double>& quantiles)
{
  this->Mean = mean;
  this->Stddev = std::max(stddev, 1e-12);
  this->PosteriorStddev = posteriorStddev;
  // What lies between two quantiles is spread evenly over the bins between them.
  this->Density = QVector<double>(quantiles.size() > 1 ? Bins : 0, 0.);
  const double step = 8. / std::max<double>(1, quantiles.size() - 1);
  for (int i = 0; i + 1 < quantiles.size(); ++i)
  {
    const double mass = NormalCdf(-4 + (i + 1) * step) - NormalCdf(-4 + i * step);
    const auto bin = [this](double z)
    { return ((z - this->Mean) / this->Stddev + Limit) / BinWidth; };
    const double low = bin(quantiles[i]), high = std::max(bin(quantiles[i + 1]), low + 1e-6);
    for (int b = std::max(0, static_cast<int>(low)); b < Bins && b < high; ++b)
    {
      const double overlap = std::min<double>(high, b + 1) - std::max<double>(low, b);
      this->Density[b] += std::max(overlap, 0.) / (high - low) * mass / BinWidth;
    }
  }
  this->update();
}

//-----------------------------------------------------------------------------
void pqVAEDistribution::setOffset(double offset)
{
  this->Offset = offset;
  this->update();
}

void pqVAEDistribution::setMargin(int pixels) { this->Margin = pixels; }

//-----------------------------------------------------------------------------
QSize pqVAEDistribution::sizeHint() const { return QSize(120, 2 * this->fontMetrics().height()); }

//-----------------------------------------------------------------------------
void pqVAEDistribution::paintEvent(QPaintEvent*)
{
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const QPalette colours = this->palette();
  const QRectF area = QRectF(this->rect()).adjusted(this->Margin, 2, -this->Margin, 0);
  painter.fillRect(area, colours.color(QPalette::Base));
  painter.setClipRect(area);
  const auto x = [&](double deviations)
  { return area.left() + area.width() * (deviations + Limit) / (2 * Limit); };
  // N(0, 1) of z, in standard deviations of the channel.
  const auto prior = [&](double deviations)
  { return NormalDensity(this->Mean + deviations * this->Stddev) * this->Stddev; };
  double top = NormalDensity(0);
  for (const double d : this->Density)
  {
    top = std::max(top, std::min(d, 2.)); // a channel that is not used is a spike
  }
  const auto y = [&](double density)
  { return area.bottom() - 0.95 * area.height() * density / top; };

  QColor colour = colours.color(QPalette::Highlight);
  if (!this->Density.isEmpty())
  {
    QPainterPath path(area.bottomLeft());
    for (int b = 0; b < Bins; ++b)
    {
      path.lineTo(x(b * BinWidth - Limit), y(this->Density[b]));
      path.lineTo(x((b + 1) * BinWidth - Limit), y(this->Density[b]));
    }
    path.lineTo(area.bottomRight());
    QColor fill = colour;
    fill.setAlpha(110);
    painter.fillPath(path, fill);
  }
  QPainterPath curve;
  for (int b = 0; b <= Bins; ++b)
  {
    const double d = b * BinWidth - Limit;
    const QPointF point(x(d), y(prior(d)));
    b == 0 ? curve.moveTo(point) : curve.lineTo(point);
  }
  painter.setPen(QPen(colours.color(QPalette::PlaceholderText), 1, Qt::DashLine));
  painter.drawPath(curve);

  const double width = this->PosteriorStddev / this->Stddev;
  QColor band = colours.color(QPalette::WindowText);
  band.setAlpha(60);
  painter.fillRect(QRectF(QPointF(x(this->Offset - width), area.top()),
                     QPointF(x(this->Offset + width), area.bottom())),
    band);
  painter.setPen(QPen(colours.color(QPalette::WindowText), 1.5));
  painter.drawLine(QPointF(x(this->Offset), area.top()), QPointF(x(this->Offset), area.bottom()));
}
