#include "agent/evidence/native_stack.h"

#include <cxxabi.h>
#include <fcntl.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>

#include "agent/evidence/libdw.h"
#include "agent/os/files.h"
#include "agent/os/unique_fd.h"
#include "probes/js_stack/thread_stop.h"
#include "probes/process/process_directory.h"
#include "probes/process/thread_files.h"

namespace codex {

namespace {

constexpr std::size_t kMostStacks = 64, kMostFrames = 64, kMostStack = 512 << 10;
constexpr std::uint64_t kRedZone = 128;  // below the stack pointer, psABI 3.2.2
// A thread runs on until it stops.
constexpr auto kStopPatience = std::chrono::milliseconds(100);
// DWARF's numbers, psABI figure 3.36.
constexpr int kStackPointer = 7, kReturnAddress = 16;

/// A thread as it was at one moment.
struct Copy {
  pid_t id = 0;
  std::optional<std::array<std::uint64_t, kDwarfRegisters>> registers;
  ThreadRegisters known;  ///< if only these are
  std::uint64_t bottom = 0;
  std::vector<char> stack;
  std::string error;
};

void copy_stack(int memory, std::uint64_t stack_pointer, Copy& copy) {
  copy.bottom = stack_pointer - kRedZone;
  const ssize_t n = ::pread(memory, copy.stack.data(), copy.stack.size(), static_cast<off_t>(copy.bottom));
  copy.stack.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
}

const char* words_for(ThreadStop::Result result) {
  switch (result) {
    case ThreadStop::Result::kDone:
      return "";
    case ThreadStop::Result::kGone:
      return "it has ended";
    case ThreadStop::Result::kNotPermitted:
      return "it may not be traced";
    case ThreadStop::Result::kTooSlow:
      return "it did not stop in time";
    case ThreadStop::Result::kUnsupported:
      return "not supported on this architecture";
  }
  return "";
}

Copy copy_thread(ProcessDirectory& process, int memory, pid_t pid, pid_t id) {
  Copy copy;
  copy.id = id;
  copy.stack.resize(kMostStack);  // now, while it runs
  ThreadView view;
  if (!ThreadFiles(process, id).look(view)) {
    copy.error = "it has ended";
    return copy;
  }
  if (view.state == 'R' || view.state == 'S') {
    const auto stop = stop_thread(id, kStopPatience, [&](const ThreadRegisters& registers) {
      copy.registers = registers.dwarf;
      copy_stack(memory, registers.stack_pointer, copy);
    });
    copy.error = words_for(stop.result);
    return copy;
  }
  const std::string path = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(id) + "/syscall";
  const auto text = read_proc_file(AT_FDCWD, path.c_str());
  const auto call = text ? parse_proc_syscall(*text) : std::nullopt;
  if (!call || call->running) {
    copy.error = "the kernel does not tell where it is";
    return copy;
  }
  copy.known = call->registers;
  copy_stack(memory, call->registers.stack_pointer, copy);
  return copy;
}

class Unwinder {
 public:
  Unwinder(pid_t pid, std::vector<Copy> threads, TimePoint deadline)
      : threads_(std::move(threads)), deadline_(deadline) {
    callbacks_.find_elf = lib_.linux_proc_find_elf;
    callbacks_.find_debuginfo = no_debuginfo;
    session_.reset(lib_.begin(&callbacks_));
    if (!session_) throw std::runtime_error(lib_.trouble());
    if (lib_.linux_proc_report(session_.get(), pid) != 0 ||
        lib_.report_end(session_.get(), nullptr, nullptr) != 0 ||
        !lib_.attach_state(session_.get(), nullptr, pid, &kThreads, this))
      throw std::runtime_error(lib_.trouble());
  }

  std::vector<NativeThread> unwind() {
    lib_.getthreads(session_.get(), on_thread, this);
    return std::move(found_);
  }

 private:
  struct Found {
    std::string function, module;
    std::size_t offset = 0;
  };

  static Unwinder& self(void* argument) { return *static_cast<Unwinder*>(argument); }
  [[nodiscard]] bool late() const { return Clock::now() >= deadline_; }

  // Separate files of debugging information are not needed for names, and might be looked for on the network.
  static int no_debuginfo(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word,
                          char**) {
    return -1;
  }
  static pid_t next_thread(Dwfl*, void* argument, void** thread);
  static bool memory_read(Dwfl*, Dwarf_Addr address, Dwarf_Word* result, void* argument);
  static bool set_registers(Dwfl_Thread* thread, void* argument);
  static int on_thread(Dwfl_Thread* thread, void* argument);
  static int on_frame(Dwfl_Frame* frame, void* argument);
  [[nodiscard]] Found name_of(std::uint64_t address);

  static constexpr Dwfl_Thread_Callbacks kThreads{next_thread,   nullptr, memory_read,
                                                  set_registers, nullptr, nullptr};

  struct Ender {
    void operator()(Dwfl* session) const { Libdw::load().end(session); }
  };
  const Libdw& lib_ = Libdw::load();
  Dwfl_Callbacks callbacks_{};
  std::unique_ptr<Dwfl, Ender> session_;
  std::vector<Copy> threads_;
  std::size_t next_ = 0;  ///< thread
  const Copy* current_ = nullptr;
  std::vector<NativeThread> found_;
  std::map<std::uint64_t, Found> names_;  ///< a search goes through all symbols
  TimePoint deadline_;
};

pid_t Unwinder::next_thread(Dwfl*, void* argument, void** thread) {
  auto& me = self(argument);
  if (me.next_ == me.threads_.size() || me.late()) return 0;
  me.current_ = &me.threads_[me.next_++];
  *thread = argument;
  return me.current_->id;
}

bool Unwinder::memory_read(Dwfl*, Dwarf_Addr address, Dwarf_Word* result, void* argument) {
  const Copy& copy = *self(argument).current_;
  if (address < copy.bottom || copy.stack.size() < sizeof *result ||
      address - copy.bottom > copy.stack.size() - sizeof *result)
    return false;
  std::memcpy(result, copy.stack.data() + (address - copy.bottom), sizeof *result);
  return true;
}

bool Unwinder::set_registers(Dwfl_Thread* thread, void* argument) {
  auto& me = self(argument);
  const Copy& copy = *me.current_;
  const auto set = [&](int first, const std::uint64_t* values, unsigned number) {
    return me.lib_.thread_state_registers(thread, first, number, values);
  };
  if (copy.registers) return set(0, copy.registers->data(), copy.registers->size());
  return set(kStackPointer, &copy.known.stack_pointer, 1) &&
         set(kReturnAddress, &copy.known.program_counter, 1);
}

int Unwinder::on_thread(Dwfl_Thread* thread, void* argument) {
  auto& me = self(argument);
  auto& found = me.found_.emplace_back();
  found.id = me.current_->id;
  found.error = me.current_->error;
  if (!found.error.empty()) return DWARF_CB_OK;
  const int end = me.lib_.thread_getframes(thread, on_frame, argument);
  // The end of a stack is often told as an error: then its outermost frame has no caller.
  if (end < 0 && found.frames.size() < 2) found.error = me.lib_.trouble();
  if (me.late()) found.error = "no more time";
  return DWARF_CB_OK;
}

int Unwinder::on_frame(Dwfl_Frame* frame, void* argument) {
  auto& me = self(argument);
  Dwarf_Addr address = 0;
  bool innermost = false;
  if (me.late() || !me.lib_.frame_pc(frame, &address, &innermost)) return DWARF_CB_ABORT;
  // A return address may already belong to the next function.
  const auto name = me.name_of(innermost ? address : address - 1);
  auto& frames = me.found_.back().frames;
  frames.push_back({address, name.function, name.module, name.offset + (innermost ? 0 : 1)});
  return frames.size() < kMostFrames ? DWARF_CB_OK : DWARF_CB_ABORT;
}

Unwinder::Found Unwinder::name_of(std::uint64_t address) {
  if (const auto known = names_.find(address); known != names_.end()) return known->second;
  Found found;
  if (Dwfl_Module* const module = lib_.addrmodule(session_.get(), address)) {
    const char* file =
        lib_.module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    if (file != nullptr) found.module = std::filesystem::path(file).filename();
    GElf_Off offset = 0;
    GElf_Sym symbol{};
    const char* name = lib_.module_addrinfo(module, address, &offset, &symbol, nullptr, nullptr, nullptr);
    if (name != nullptr) {
      int status = 0;
      const std::unique_ptr<char, decltype(&std::free)> demangled(
          abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
      found.function = status == 0 && demangled ? demangled.get() : name;
      found.offset = offset;
    }
  }
  return names_.emplace(address, found).first->second;
}

}  // namespace

std::vector<NativeThread> read_native_stacks(pid_t process, Duration limit) {
  const TimePoint deadline = Clock::now() + limit;
  Libdw::load();  // before anything is stopped for it
  const UniqueFd proc(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  ProcessDirectory directory(proc.get(), process);
  if (!directory) throw std::runtime_error("it has ended");
  const UniqueFd memory = directory.open("mem");
  if (!memory) throw std::runtime_error("its memory may not be read");
  auto ids = directory.threads();
  if (ids.size() > kMostStacks) ids.resize(kMostStacks);
  std::vector<Copy> copies;
  for (const pid_t id : ids) {
    if (Clock::now() < deadline) copies.push_back(copy_thread(directory, memory.get(), process, id));
  }
  return Unwinder(process, std::move(copies), deadline).unwind();
}

std::string describe(const NativeFrame& frame) {
  std::array<char, 32> number;
  if (frame.function.empty()) {
    std::snprintf(number.data(), number.size(), "0x%llx", static_cast<unsigned long long>(frame.address));
    return frame.module.empty() ? number.data() : number.data() + (" (" + frame.module + ")");
  }
  std::snprintf(number.data(), number.size(), "+0x%zx", frame.offset);
  return frame.function + number.data() + (frame.module.empty() ? "" : " (" + frame.module + ")");
}

}  // namespace codex
