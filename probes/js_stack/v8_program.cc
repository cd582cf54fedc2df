#include "probes/js_stack/v8_program.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "agent/os/unique_fd.h"
#include "probes/js_stack/process_memory.h"

namespace codex {

namespace {

// Backends run one or two programs; a development machine replaces them a few times.
constexpr std::size_t kMaxKnown = 32;

bool is_libnode(const Mapping& mapping) {
  const auto name = mapping.path.substr(mapping.path.rfind('/') + 1);
  return mapping.inode != 0 && name.starts_with("libnode.so");
}

V8MetadataResult read_metadata(int fd) {
  FileReader file(fd);
  const auto constants = read_elf_constants(file, kV8SymbolPrefixes);
  return constants ? v8_metadata(*constants) : V8MetadataResult{V8MetadataResult::Error::kNotV8, {}, {}};
}

}  // namespace

const V8Programs::Program* V8Programs::load(int fd) {
  struct stat file {};
  if (::fstat(fd, &file) != 0) return nullptr;
  const FileId id{file.st_dev, file.st_ino, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
  auto known = known_.find(id);
  if (known == known_.end()) {
    if (known_.size() >= kMaxKnown) known_.clear();
    auto program = std::make_unique<const Program>(Program{read_metadata(fd), file.st_ino});
    known = known_.emplace(id, std::move(program)).first;
  }
  return known->second.get();
}

const V8Programs::Program* V8Programs::find(int process_fd, const MemoryMaps& maps) {
  const UniqueFd executable(::openat(process_fd, "exe", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!executable) return nullptr;
  const auto* program = load(executable.get());
  if (!program || program->result.error != V8MetadataResult::Error::kNotV8) return program;

  const auto library = std::find_if(maps.all().begin(), maps.all().end(), is_libnode);
  if (library == maps.all().end()) return program;
  // As the process sees the path, which may be another root than ours; the inode says whether it is that
  // file.
  const UniqueFd fd(
      ::openat(process_fd, ("root" + library->path).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat file {};
  if (!fd || ::fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode) || file.st_ino != library->inode)
    return program;
  return load(fd.get());
}

}  // namespace codex
