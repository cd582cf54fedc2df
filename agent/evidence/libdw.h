#pragma once

#include <elfutils/libdwfl.h>

#include <string>

namespace codex {

/// The part of elfutils' libdw that unwinds native stacks, loaded when it is wanted: it is rarely, and would
/// make the agent larger and slower to start. Throws std::runtime_error, with what to install, if it is not
/// there.
struct Libdw {
  /// Loaded once, for the rest of the process.
  static const Libdw& load();

  decltype(&::dwfl_begin) begin;
  decltype(&::dwfl_end) end;
  decltype(&::dwfl_errmsg) errmsg;
  decltype(&::dwfl_linux_proc_report) linux_proc_report;
  decltype(&::dwfl_linux_proc_find_elf) linux_proc_find_elf;
  decltype(&::dwfl_report_end) report_end;
  decltype(&::dwfl_attach_state) attach_state;
  decltype(&::dwfl_getthreads) getthreads;
  decltype(&::dwfl_thread_getframes) thread_getframes;
  decltype(&::dwfl_thread_state_registers) thread_state_registers;
  decltype(&::dwfl_frame_pc) frame_pc;
  decltype(&::dwfl_addrmodule) addrmodule;
  decltype(&::dwfl_module_addrinfo) module_addrinfo;
  decltype(&::dwfl_module_info) module_info;

  /// Of the last call of this thread.
  [[nodiscard]] std::string trouble() const;

 private:
  Libdw();
};

}  // namespace codex
