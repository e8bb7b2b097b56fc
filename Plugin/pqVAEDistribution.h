// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef pqVAEDistribution_h
#define pqVAEDistribution_h

#include <QVector>
#include <QWidget>

/**
 * The distribution of a latent channel, and where a value lies in it: a histogram of the posterior
 * means over the training volume, N(0, 1) as a line, and at the value the width of the posterior.
 * From -4 to 4 standard deviations of the channel about its mean.
 */
class pqVAEDistribution : public QWidget
{
  Q_OBJECT
  typedef QWidget Superclass;

public:
  explicit pqVAEDistribution(QWidget* parent = nullptr);

  static constexpr double Limit = 4; ///< standard deviations to either side

  /// Quantiles are at equally spaced normal scores in [-4, 4]; without them nothing is drawn of
  /// them.
  void setChannel(
    double mean, double stddev, double posteriorStddev, const QVector<double>& quantiles);
  /// Standard deviations from the mean.
  void setOffset(double offset);
  /// Pixels left free on each side, so that values stand above those of a slider.
  void setMargin(int pixels);

  QSize sizeHint() const override;

protected:
  void paintEvent(QPaintEvent* e) override;

private:
  Q_DISABLE_COPY(pqVAEDistribution)

  double Mean = 0, Stddev = 1, PosteriorStddev = 0, Offset = 0;
  int Margin = 0;
  QVector<double> Density; ///< of the posterior means, a standard deviation, in equal bins
};

#endif
