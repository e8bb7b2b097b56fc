// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Preloaded into ParaView by a test: how long was the window's event loop kept from its events?
// A timer of 10 ms in that loop; every gap above 50 ms is a line "end length" in seconds since the
// epoch, in the file that VAE_EVENT_LOOP_LOG names.
#include <QCoreApplication>
#include <QTimer>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace
{

double now()
{
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void watch()
{
  std::FILE* log = std::fopen(std::getenv("VAE_EVENT_LOOP_LOG"), "w");
  auto timer = new QTimer(QCoreApplication::instance());
  QObject::connect(timer, &QTimer::timeout, [log, last = now()]() mutable
  {
    const double t = now();
    if (log && t - last > 0.05)
    {
      std::fprintf(log, "%.3f %.3f\n", t, t - last);
      std::fflush(log);
    }
    last = t;
  });
  timer->start(10);
}

struct Preloaded
{
  Preloaded()
  {
    if (!std::getenv("VAE_EVENT_LOOP_LOG"))
    {
      return;
    }
    std::thread([]
    {
      while (!QCoreApplication::instance())
      {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
      QMetaObject::invokeMethod(QCoreApplication::instance(), watch, Qt::QueuedConnection);
    }).detach();
  }
} preloaded;

} // namespace
