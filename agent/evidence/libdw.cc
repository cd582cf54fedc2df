#include "agent/evidence/libdw.h"

#include <dlfcn.h>

#include <stdexcept>

namespace codex {

namespace {

template <typename Function>
void find(void* library, const char* name, Function& function) {
  void* const found = ::dlsym(library, name);
  if (found == nullptr) throw std::runtime_error(std::string("libdw.so.1 has no ") + name);
  function = reinterpret_cast<Function>(found);
}

}  // namespace

const Libdw& Libdw::load() {
  static const Libdw library;
  return library;
}

Libdw::Libdw() {
  void* const library = ::dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw std::runtime_error("native stacks need libdw.so.1; install it: apt-get install libdw1");
  find(library, "dwfl_begin", begin);
  find(library, "dwfl_end", end);
  find(library, "dwfl_errmsg", errmsg);
  find(library, "dwfl_linux_proc_report", linux_proc_report);
  find(library, "dwfl_linux_proc_find_elf", linux_proc_find_elf);
  find(library, "dwfl_report_end", report_end);
  find(library, "dwfl_attach_state", attach_state);
  find(library, "dwfl_getthreads", getthreads);
  find(library, "dwfl_thread_getframes", thread_getframes);
  find(library, "dwfl_thread_state_registers", thread_state_registers);
  find(library, "dwfl_frame_pc", frame_pc);
  find(library, "dwfl_addrmodule", addrmodule);
  find(library, "dwfl_module_addrinfo", module_addrinfo);
  find(library, "dwfl_module_info", module_info);
}

std::string Libdw::trouble() const {
  const char* const message = errmsg(-1);
  return message != nullptr ? message : "unknown error of libdw";
}

}  // namespace codex
