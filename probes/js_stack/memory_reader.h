#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>

namespace codex {

/// Bytes at 64-bit addresses: the memory of a process, a file by offset, an image in a test. What is there is
/// never trusted; that nothing is there is an ordinary answer.
class MemoryReader {
 public:
  virtual ~MemoryReader() = default;

  /// Copies what is readable from `address` on, at most out.size() bytes; returns how many. Never throws.
  virtual std::size_t read(std::uint64_t address, std::span<std::byte> out) = 0;

  /// One little-endian number; nullopt unless all of it is readable.
  template <typename T>
  std::optional<T> number(std::uint64_t address) {
    T value{};
    const auto bytes = std::as_writable_bytes(std::span(&value, 1));
    if (read(address, bytes) != sizeof value) return std::nullopt;
    return value;
  }
};

/// Another reader, up to limits; past them nothing is readable any more, so that whoever follows pointers
/// through garbage comes to an end.
class BoundedReader final : public MemoryReader {
 public:
  struct Limits {
    std::size_t reads = 20'000;
    std::size_t bytes = 8 << 20;
    std::function<bool()> out_of_time;  ///< asked before each read; none: time does not matter
  };

  /// `inner` must outlive this.
  BoundedReader(MemoryReader& inner, Limits limits) : inner_(inner), limits_(std::move(limits)) {}

  std::size_t read(std::uint64_t address, std::span<std::byte> out) override;

  [[nodiscard]] bool exhausted() const { return exhausted_; }
  [[nodiscard]] std::size_t reads() const { return reads_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  MemoryReader& inner_;
  const Limits limits_;
  std::size_t reads_ = 0, bytes_ = 0;
  bool exhausted_ = false;
};

}  // namespace codex
