// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What a save leaves when a system call fails, when its process is killed at one, and when others
// save the same file meanwhile.
#include "Source/AtomicFile.h"
#include "Source/ModelFile.h"
#include "WholeFile.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdarg>
#include <fstream>
#include <optional>
#include <random>
#include <thread>

#include <csignal>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vae;
namespace fs = std::filesystem;

namespace
{

/// What happens at one of the system calls below. They are counted while one is armed.
struct Fault
{
  int at = -1;   ///< which call; none if negative
  int error = 0; ///< it fails with; 0: it succeeds, if it is a write in part
  enum
  {
    Never,
    Before,
    After
  } kill = Never;
};
std::optional<Fault> fault;
int calls = 0;
const char* struck = "";

template <typename Call>
auto at(const char* name, Call&& real)
{
  if (!fault || calls++ != fault->at)
  {
    return real();
  }
  struck = name;
  if (fault->kill == Fault::Before)
  {
    ::raise(SIGKILL);
  }
  if (fault->error != 0)
  {
    errno = fault->error;
    return decltype(real())(-1);
  }
  const auto result = real();
  if (fault->kill == Fault::After)
  {
    ::raise(SIGKILL);
  }
  return result;
}

template <typename F>
F* real(const char* name)
{
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

} // namespace

#define INTERPOSE(name, parameters, arguments)                                                     \
  extern "C" int name parameters                                                                   \
  {                                                                                                \
    static const auto next = real<int parameters>(#name);                                          \
    return at(#name, [&] { return next arguments; });                                              \
  }
// NOLINTBEGIN: the system's own names
INTERPOSE(fsync, (int f), (f))
INTERPOSE(rename, (const char* a, const char* b) noexcept, (a, b))
INTERPOSE(link, (const char* a, const char* b) noexcept, (a, b))
INTERPOSE(unlink, (const char* a) noexcept, (a))
INTERPOSE(fchmod, (int f, ::mode_t m) noexcept, (f, m))
INTERPOSE(fchown, (int f, ::uid_t u, ::gid_t g) noexcept, (f, u, g))
INTERPOSE(stat, (const char* p, struct stat* s) noexcept, (p, s))
INTERPOSE(lstat, (const char* p, struct stat* s) noexcept, (p, s))
INTERPOSE(fstat, (int f, struct stat* s) noexcept, (f, s))

extern "C" int close(int file)
{
  static const auto next = real<int(int)>("close");
  const int result = next(file); // it is closed even when that fails
  return at("close", [&] { return result; });
}

extern "C" int open(const char* path, int flags, ...)
{
  static const auto next = real<int(const char*, int, ...)>("open");
  va_list rest;
  va_start(rest, flags);
  const ::mode_t mode = flags & O_CREAT ? va_arg(rest, ::mode_t) : 0;
  va_end(rest);
  return at("open", [&] { return next(path, flags, mode); });
}

extern "C" int fcntl(int file, int what, ...)
{
  static const auto next = real<int(int, int, ...)>("fcntl");
  va_list rest;
  va_start(rest, what);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  return at("fcntl", [&] { return next(file, what, argument); });
}

extern "C" ssize_t readlink(const char* path, char* to, std::size_t size) noexcept
{
  static const auto next = real<ssize_t(const char*, char*, std::size_t)>("readlink");
  return at("readlink", [&] { return next(path, to, size); });
}

extern "C" ssize_t write(int file, const void* data, std::size_t size)
{
  static const auto next = real<ssize_t(int, const void*, std::size_t)>("write");
  const bool part = fault && calls == fault->at;
  return at("write", [&] { return next(file, data, part ? (size + 1) / 2 : size); });
}
// NOLINTEND

namespace
{

/// A file whose every part says which it is; sizes differ.
ModelFile numbered(int n)
{
  ModelFile file;
  file.metadata["number"] = std::to_string(n);
  const auto count = static_cast<std::size_t>(1000 + 613 * (n % 17));
  for (const char* name : { "a", "b", "c" })
  {
    file.tensors[name] = { { static_cast<std::int64_t>(count) },
      std::vector<float>(count, static_cast<float>(n)) };
  }
  return file;
}

/// The number of a file that is whole, and of one writer. \throws otherwise
int numberOf(const std::string& path)
{
  const ModelFile file = test::readModelFile(path);
  const int n = std::stoi(file.metadata.at("number"));
  const ModelFile whole = numbered(n);
  for (const auto& [name, tensor] : whole.tensors)
  {
    if (file.tensors.at(name).values != tensor.values)
    {
      throw std::runtime_error("tensor " + name + " is of another file than " + std::to_string(n));
    }
  }
  return n;
}

class Saving : public testing::Test
{
protected:
  void SetUp() override
  {
    this->Path = fs::temp_directory_path() / ("vae-saving-" + std::to_string(::getpid()));
    fs::create_directories(this->Path);
    this->File = (this->Path / "m.safetensors").string();
  }
  void TearDown() override
  {
    fault.reset();
    fs::remove_all(this->Path);
  }
  std::ptrdiff_t files() const { return std::distance(fs::directory_iterator(this->Path), {}); }
  /// Save with a fault; whether it succeeded.
  bool save(const std::string& path, int n, const Fault& what)
  {
    calls = 0;
    struck = "";
    fault = what;
    try
    {
      writeModelFile(path, numbered(n));
      fault.reset();
      return true;
    }
    catch (const std::runtime_error& e)
    {
      fault.reset();
      EXPECT_EQ(std::string(e.what()).find(path + ": writing failed: "), 0u) << e.what();
      return false;
    }
  }
  static ::mode_t modeOf(const std::string& path)
  {
    struct stat is = {};
    EXPECT_EQ(::stat(path.c_str(), &is), 0);
    return is.st_mode & 07777;
  }
  static void touch(const fs::path& path) { std::ofstream(path) << "mine"; }
  static std::string textOf(const fs::path& path)
  {
    std::ifstream in(path);
    return { std::istreambuf_iterator<char>(in), {} };
  }

  fs::path Path;
  std::string File;
};

} // namespace

TEST_F(Saving, EachSystemCallFailsOnceAndTheOldFileOrTheNewOneIsThere)
{
  const std::string link = (this->Path / "link").string();
  enum
  {
    New,
    Old,
    BehindALink
  };
  for (const int kind : { New, Old, BehindALink })
  {
    const std::string& path = kind == BehindALink ? link : this->File;
    const std::ptrdiff_t wanted = kind == BehindALink ? 2 : 1;
    if (kind == BehindALink)
    {
      fs::create_symlink("m.safetensors", link);
    }
    const auto prepare = [&]
    {
      fs::remove(this->File);
      if (kind != New)
      {
        writeModelFile(this->File, numbered(1));
        fs::permissions(this->File, fs::perms(0640));
      }
    };
    prepare();
    ASSERT_TRUE(this->save(path, 2, {}));
    const int all = calls;
    ASSERT_GT(all, 10);
    for (int i = 0; i < all; ++i)
    {
      for (const int error : { ENOSPC, EIO, EINTR, EDQUOT, EACCES, 0 })
      {
        prepare();
        const bool saved = this->save(path, 2, { i, error });
        const std::string what = std::string(struck) + ", call " + std::to_string(i) + " of kind " +
          std::to_string(kind) + ", error " + std::to_string(error);
        ASSERT_NE(std::string(struck), "") << what;
        EXPECT_TRUE(saved || error != 0) << what; // a short write, or nothing
        const std::string name = struck;
        EXPECT_TRUE(saved || error != EINTR || (name != "write" && name != "fsync")) << what;
        EXPECT_FALSE(saved && (error == ENOSPC || error == EIO) && name == "write") << what;
        if (saved)
        {
          ASSERT_EQ(numberOf(this->File), 2) << what;
        }
        else if (kind != New)
        {
          ASSERT_EQ(numberOf(this->File), 1) << what;
        }
        else
        {
          EXPECT_FALSE(fs::exists(this->File)) << what;
        }
        EXPECT_TRUE(kind == New || modeOf(this->File) == 0640) << what;
        EXPECT_EQ(fs::is_symlink(link), kind == BehindALink) << what;
        // What it may have left goes with the next save.
        ASSERT_TRUE(this->save(path, 3, {})) << what;
        ASSERT_EQ(this->files(), wanted) << what;
      }
    }
  }
}

TEST_F(Saving, KilledAThousandTimesTheOldFileOrTheNewOneIsThere)
{
  writeModelFile(this->File, numbered(0));
  ASSERT_TRUE(this->save(this->File, 0, {}));
  const int all = calls;
  std::mt19937 random(1);
  int last = 0, replaced = 0;
  for (int n = 1; n <= 1000; ++n)
  {
    Fault kill{ static_cast<int>(random() % static_cast<unsigned>(all)), 0,
      random() % 2 ? Fault::Before : Fault::After };
    const bool first = n % 10 == 0; // there is no old file
    if (first)
    {
      fs::remove(this->File);
    }
    const ::pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0)
    {
      calls = 0;
      fault = kill;
      writeModelFile(this->File, numbered(n));
      ::_exit(0);
    }
    int how = 0;
    ASSERT_EQ(::waitpid(child, &how, 0), child);
    EXPECT_TRUE(WIFSIGNALED(how) || n > 1) << "nothing was killed"; // leftovers change the count
    ASSERT_LE(this->files(), 2); // each removes what the one before has left
    if (first && !fs::exists(this->File))
    {
      writeModelFile(this->File, numbered(last = n));
      continue;
    }
    int now = -1;
    ASSERT_NO_THROW(now = numberOf(this->File)) << "kill " << n << " at call " << kill.at;
    ASSERT_TRUE(now == n || (now == last && !first)) << now << " after kill " << n;
    replaced += now == n;
    last = now;
  }
  EXPECT_GT(replaced, 10); // some came before the new file was there, some after
  EXPECT_LT(replaced, 990);
  writeModelFile(this->File, numbered(1));
  EXPECT_EQ(this->files(), 1);
}

TEST_F(Saving, OfTenThousandReadsBesideWritersEachIsOfOneWriter)
{
  void* shared = ::mmap(
    nullptr, sizeof(std::atomic<bool>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto& over = *new (shared) std::atomic<bool>(false);
  writeModelFile(this->File, numbered(0));
  const auto writeOn = [&](int first)
  {
    for (int n = first; !over; n += 8)
    {
      writeModelFile(this->File, numbered(n));
    }
  };
  std::vector<::pid_t> children;
  for (int process = 0; process < 2; ++process)
  {
    children.push_back(::fork());
    if (children.back() == 0)
    {
      std::thread other(writeOn, 2 * process + 1);
      writeOn(2 * process + 2);
      other.join();
      ::_exit(0);
    }
  }
  std::thread here(writeOn, 5), there(writeOn, 6);
  std::atomic<int> left = 10000, damaged = 0;
  const auto read = [&]
  {
    int last = 0, changes = 0;
    while (left-- > 0)
    {
      try
      {
        const int n = numberOf(this->File);
        changes += n != last;
        last = n;
      }
      catch (const std::exception& e)
      {
        ++damaged;
        ADD_FAILURE() << e.what();
      }
    }
    EXPECT_GT(changes, 10); // there was something to damage
  };
  std::thread reader(read);
  read();
  reader.join();
  over = true;
  here.join();
  there.join();
  for (const ::pid_t child : children)
  {
    int how = 0;
    ::waitpid(child, &how, 0);
    EXPECT_TRUE(WIFEXITED(how) && WEXITSTATUS(how) == 0) << "a writer failed";
  }
  EXPECT_EQ(damaged, 0);
  EXPECT_EQ(this->files(), 1);
  ::munmap(shared, sizeof(std::atomic<bool>));
}

TEST_F(Saving, NobodyComesBetweenTheLookAndTheReplacement)
{
  struct Refused : std::runtime_error
  {
    Refused() : std::runtime_error("another's") {}
  };
  // Many that want to be the first, and to leave alone what another has made.
  for (int round = 0; round < 100; ++round)
  {
    fs::remove(this->File);
    std::atomic<int> saved = 0, ready = 0;
    std::vector<std::thread> writers;
    for (int n = 0; n < 4; ++n)
    {
      writers.emplace_back([&, n]
      {
        AtomicFile out(this->File);
        out.write("x", 1);
        ++ready;
        while (ready < 4)
        {
          std::this_thread::yield();
        }
        try
        {
          out.commit([&]
          {
            if (fs::exists(this->File))
            {
              throw Refused();
            }
          });
          ++saved;
        }
        catch (const Refused&)
        {
        }
      });
    }
    for (std::thread& t : writers)
    {
      t.join();
    }
    ASSERT_EQ(saved, 1);
    ASSERT_EQ(this->files(), 1);
  }
  // And where a file is, one at a time.
  std::atomic<int> inside = 0;
  std::vector<std::thread> writers;
  for (int n = 0; n < 4; ++n)
  {
    writers.emplace_back([&]
    {
      for (int i = 0; i < 50; ++i)
      {
        AtomicFile(this->File)
          .commit([&]
        {
          EXPECT_EQ(++inside, 1);
          std::this_thread::yield();
          --inside;
        });
      }
    });
  }
  for (std::thread& t : writers)
  {
    t.join();
  }
}

TEST_F(Saving, ALockThatStaysIsWaitedForOnlySoLong)
{
  writeModelFile(this->File, numbered(1));
  const int other = ::open(this->File.c_str(), O_RDWR | O_CLOEXEC);
  struct flock whole = {};
  whole.l_type = F_WRLCK;
  ASSERT_EQ(::fcntl(other, F_OFD_SETLK, &whole), 0);
  try
  {
    AtomicFile out(this->File);
    out.write("x", 1);
    out.commit({}, std::chrono::milliseconds(20));
    FAIL();
  }
  catch (const std::runtime_error& e)
  {
    EXPECT_EQ(e.what(), this->File + ": writing failed: another program holds a lock on it");
  }
  ::close(other);
  EXPECT_EQ(numberOf(this->File), 1);
  EXPECT_EQ(this->files(), 1);
}

TEST_F(Saving, ModeOwnerAndLinkOfTheTargetAreKept)
{
  const ::mode_t before = ::umask(027);
  writeModelFile(this->File, numbered(1));
  ::umask(before);
  EXPECT_EQ(modeOf(this->File), 0640u); // as of any new file
  for (const ::mode_t mode : { 0600u, 0664u, 0604u })
  {
    ASSERT_EQ(::chmod(this->File.c_str(), mode), 0);
    writeModelFile(this->File, numbered(2));
    EXPECT_EQ(modeOf(this->File), mode);
  }
  if (::geteuid() == 0)
  {
    ASSERT_EQ(::chown(this->File.c_str(), 1, 2), 0);
    writeModelFile(this->File, numbered(3));
    struct stat is = {};
    ASSERT_EQ(::stat(this->File.c_str(), &is), 0);
    EXPECT_EQ(is.st_uid, 1u);
    EXPECT_EQ(is.st_gid, 2u);
    EXPECT_EQ(modeOf(this->File), 0604u);
  }
  // Links to links, relative and absolute, and one to a file that is still to be.
  const fs::path folder = this->Path / "folder", far = folder / "far.safetensors";
  fs::create_directory(folder);
  fs::create_symlink("folder/near", this->Path / "link");
  fs::create_symlink(far, folder / "near");
  for (const int n : { 4, 5 })
  {
    writeModelFile((this->Path / "link").string(), numbered(n));
    EXPECT_TRUE(fs::is_symlink(this->Path / "link") && fs::is_symlink(folder / "near"));
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(far)));
    EXPECT_EQ(numberOf(far.string()), n);
  }
  fs::create_symlink("round", this->Path / "round");
  EXPECT_THROW(writeModelFile((this->Path / "round").string(), numbered(6)), std::runtime_error);
  EXPECT_THROW(writeModelFile(folder.string(), numbered(6)), std::runtime_error);
}

TEST_F(Saving, LeftoversOfTheDeadGoThoseOfTheLivingAndWhatIsNotOursStay)
{
  const fs::path victim = this->Path / "thesis.txt";
  touch(victim);
  const std::string part = this->File + ".part-";
  const std::string dead = part + "0123456789abcdef", forged = part + "fedcba9876543210",
                    older = part + std::to_string(::getpid()), other = part + "0123456789abcdeg";
  touch(dead);
  touch(other);
  fs::create_symlink(victim, forged);
  fs::create_symlink(victim, older);
  fs::create_directory(part + "00000000000000dd");
  {
    AtomicFile living(this->File); // removes the dead one's
    living.write("x", 1);
    EXPECT_FALSE(fs::exists(dead));
    EXPECT_EQ(this->files(), 6);
    touch(dead);
    writeModelFile(this->File, numbered(1));
    EXPECT_FALSE(fs::exists(dead));
    EXPECT_EQ(this->files(), 7);
    living.commit();
  }
  EXPECT_EQ(textOf(this->File), "x");
  EXPECT_EQ(textOf(victim), "mine");
  EXPECT_EQ(textOf(other), "mine");
  EXPECT_TRUE(fs::is_symlink(forged) && fs::is_symlink(older));
  EXPECT_EQ(this->files(), 6);
}

TEST_F(Saving, NamesOfAnyLengthAndWithoutAFolder)
{
  const fs::path before = fs::current_path();
  fs::current_path(this->Path);
  writeModelFile("here", numbered(1));
  EXPECT_EQ(numberOf("here"), 1);
  fs::current_path(before);
  const std::string longest = (this->Path / std::string(255, 'n')).string();
  writeModelFile(longest, numbered(2));
  EXPECT_EQ(numberOf(longest), 2);
  EXPECT_EQ(this->files(), 2);
}
