#include "probes/js_stack/memory_reader.h"

namespace codex {

std::size_t BoundedReader::read(std::uint64_t address, std::span<std::byte> out) {
  exhausted_ = exhausted_ || reads_ >= limits_.reads || out.size() > limits_.bytes - bytes_ ||
               (limits_.out_of_time && limits_.out_of_time());
  if (exhausted_) return 0;
  const auto got = inner_.read(address, out);
  ++reads_;
  bytes_ += got;
  return got;
}

}  // namespace codex
