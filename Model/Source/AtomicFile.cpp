// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "AtomicFile.h"

#include <cerrno>
#include <climits>
#include <format>
#include <random>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

// How writers keep out of each other's way. Each has a temporary file of its own, whose name
// nobody can guess, and holds a lock on it while it lives: what can be locked is a dead writer's,
// and is removed. To replace the target, its old file is locked, looked at again, and renamed over.
// So no lock file lies in the user's folder. The locks are those of open files (F_OFD_SETLK): they
// exclude threads, processes and, on network file systems that know locks, hosts, and end with
// their writer. Where there are no locks nothing is removed, and the last writer wins.
namespace fs = std::filesystem;

namespace vae
{
namespace
{

constexpr std::string_view Mark = ".part-";
constexpr std::size_t Digits = 16, LongestName = 255;

[[noreturn]] void fail(const std::string& path, const std::string& reason)
{
  throw std::runtime_error(path + ": writing failed: " + reason);
}

[[noreturn]] void failSystem(const std::string& path)
{
  fail(path, std::system_category().message(errno));
}

/// A system call, again where a signal has interrupted it.
template <typename F>
auto call(F&& f)
{
  auto result = f();
  while (result == -1 && errno == EINTR)
  {
    result = f();
  }
  return result;
}

struct Descriptor
{
  const int Number;
  explicit Descriptor(int number) : Number(number) {}
  ~Descriptor()
  {
    if (this->Number >= 0)
    {
      ::close(this->Number);
    }
  }
  Descriptor(const Descriptor&) = delete;
  void operator=(const Descriptor&) = delete;
};

int openFile(const std::string& path, int flags, ::mode_t mode = 0)
{
  return call([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
}

enum class Lock
{
  Held,
  Taken, ///< by another writer
  None   ///< this file system has no locks
};

Lock lock(int file)
{
  struct flock l = {};
  l.l_type = F_WRLCK;
  l.l_whence = SEEK_SET;
  l.l_start = off_t{ 1 } << 62; // far behind the end: some systems forbid to read what is locked
  l.l_len = 1;
  if (call([&] { return ::fcntl(file, F_OFD_SETLK, &l); }) == 0)
  {
    return Lock::Held;
  }
  return errno == EAGAIN || errno == EACCES ? Lock::Taken : Lock::None;
}

bool isFile(int file, const std::string& path)
{
  struct stat open = {}, named = {};
  return ::fstat(file, &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
    open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

/// Where a path leads: the last name is followed, for a rename would replace the link.
fs::path behindLinks(const std::string& path)
{
  fs::path target = path;
  for (int links = 0; links <= 40; ++links)
  {
    char to[PATH_MAX];
    const ssize_t n = ::readlink(target.c_str(), to, sizeof to);
    if (n < 0 && (errno == EINVAL || errno == ENOENT)) // no link, nothing
    {
      return target;
    }
    if (n < 0)
    {
      failSystem(path);
    }
    target = target.parent_path() / std::string(to, static_cast<std::size_t>(n));
  }
  errno = ELOOP;
  failSystem(path);
}

/// What the names of a target's temporaries begin with.
std::string partsOf(const fs::path& target)
{
  const std::string name = target.filename().string();
  return name.substr(0, LongestName - Mark.size() - Digits) + std::string(Mark);
}

std::string randomDigits()
{
  std::random_device random;
  return std::format("{:08x}{:08x}", random(), random());
}

/// Remove the temporaries of writers that have ended.
void removeLeftovers(const fs::path& target)
{
  const std::string begin = partsOf(target);
  std::error_code none;
  const fs::path folder = target.parent_path().empty() ? "." : target.parent_path();
  for (fs::directory_iterator i(folder, none), end; !none && i != end; i.increment(none))
  {
    const std::string name = i->path().filename().string();
    if (name.size() != begin.size() + Digits || name.compare(0, begin.size(), begin) != 0 ||
      name.find_first_not_of("0123456789abcdef", begin.size()) != std::string::npos)
    {
      continue;
    }
    const std::string path = i->path().string();
    const Descriptor part(openFile(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    struct stat found = {};
    if (part.Number >= 0 && ::fstat(part.Number, &found) == 0 && S_ISREG(found.st_mode) &&
      found.st_uid == ::geteuid() && lock(part.Number) == Lock::Held && isFile(part.Number, path))
    {
      ::unlink(path.c_str());
    }
  }
}

/// Mode and owner of another file, as far as this user may. Never more open than that one: who is
/// of the group that could not be kept is treated as anybody.
bool makeAlike(int file, const struct stat& other)
{
  struct stat mine = {};
  if (::fstat(file, &mine) != 0)
  {
    return false;
  }
  ::mode_t mode = other.st_mode & 0777;
  if ((mine.st_uid != other.st_uid || mine.st_gid != other.st_gid) &&
    ::fchown(file, other.st_uid, other.st_gid) != 0 &&
    ::fchown(file, static_cast<::uid_t>(-1), other.st_gid) != 0)
  {
    mode &= 0707 | (mode & 07) << 3;
  }
  return (mine.st_mode & 0777) == mode || call([&] { return ::fchmod(file, mode); }) == 0;
}

} // namespace

AtomicFile::AtomicFile(const std::string& path) : Path(path), Target(behindLinks(path))
{
  removeLeftovers(this->Target);
  // A new file has the mode that the system gives new files in this folder; what is to replace
  // another is nobody else's until it has that one's.
  struct stat old = {};
  const ::mode_t mode = ::stat(path.c_str(), &old) == 0 ? 0600 : 0666;
  for (int attempt = 0; attempt < 100; ++attempt)
  {
    this->Part = (this->Target.parent_path() / (partsOf(this->Target) + randomDigits())).string();
    this->File = openFile(this->Part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (this->File < 0 && errno != EEXIST)
    {
      failSystem(path);
    }
    // Before it was locked, another writer may have taken it for a leftover.
    if (this->File >= 0 && lock(this->File) != Lock::Taken && isFile(this->File, this->Part))
    {
      return;
    }
    if (this->File >= 0)
    {
      ::close(this->File);
      this->File = -1;
    }
  }
  fail(path, "no temporary file can be created beside it");
}

AtomicFile::~AtomicFile()
{
  if (this->File >= 0)
  {
    ::unlink(this->Part.c_str());
    ::close(this->File);
  }
}

void AtomicFile::write(const void* data, std::size_t size)
{
  const char* p = static_cast<const char*>(data);
  while (size > 0)
  {
    const ssize_t n = call([&] { return ::write(this->File, p, size); });
    if (n <= 0)
    {
      errno = n == 0 ? ENOSPC : errno;
      failSystem(this->Path);
    }
    p += n;
    size -= static_cast<std::size_t>(n);
  }
}

bool AtomicFile::replace(const std::function<void()>& mayReplace)
{
  const std::string target = this->Target.string();
  // By the path as given: the system may forbid to follow another user's link.
  const Descriptor old(openFile(this->Path, O_RDWR | O_NONBLOCK | O_NOCTTY));
  if (old.Number < 0 && errno != ENOENT)
  {
    failSystem(this->Path);
  }
  if (old.Number < 0)
  {
    if (mayReplace)
    {
      mayReplace();
    }
    if (::link(this->Part.c_str(), target.c_str()) == 0)
    {
      ::unlink(this->Part.c_str());
      return true;
    }
    if (errno == EEXIST)
    {
      return false; // another writer was first
    }
  }
  else
  {
    struct stat is = {};
    if (::fstat(old.Number, &is) != 0)
    {
      failSystem(this->Path);
    }
    if (!S_ISREG(is.st_mode))
    {
      fail(this->Path, "it is not a regular file");
    }
    if (lock(old.Number) == Lock::Taken || !isFile(old.Number, target))
    {
      return false;
    }
    if (mayReplace)
    {
      mayReplace();
    }
    if (!makeAlike(this->File, is))
    {
      failSystem(this->Path);
    }
  }
  if (::rename(this->Part.c_str(), target.c_str()) != 0)
  {
    failSystem(this->Path);
  }
  return true;
}

void AtomicFile::commit(const std::function<void()>& mayReplace, std::chrono::milliseconds patience)
{
  if (call([&] { return ::fsync(this->File); }) != 0)
  {
    failSystem(this->Path);
  }
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!this->replace(mayReplace))
  {
    if (std::chrono::steady_clock::now() > end)
    {
      fail(this->Path, "another program holds a lock on it");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // The lock is kept until here. What close() could say, fsync() has said.
  ::close(this->File);
  this->File = -1;
  // The new name reaches the disk with its folder; not every file system can be asked for that.
  const fs::path folder = this->Target.parent_path();
  const Descriptor d(openFile(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY));
  if (d.Number >= 0)
  {
    call([&] { return ::fsync(d.Number); });
  }
}

} // namespace vae
