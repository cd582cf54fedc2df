#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <span>

#include "probes/js_stack/elf_symbols.h"
#include "probes/js_stack/js_frames.h"
#include "probes/js_stack/memory_maps.h"
#include "probes/js_stack/thread_stop.h"
#include "tests/probes/js_stack/v8_image.h"

namespace {

using namespace codex;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::size_t kReads = 20'000, kBytes = 8 << 20;

/// Whatever memory holds: an end within the limits, and frames that are fit to be shown.
void look(MemoryReader& memory, const StackImage& stack, std::optional<std::uint64_t> frame_pointer) {
  static const V8Metadata metadata = *v8_metadata(node20_constants()).metadata;
  BoundedReader reader(memory, {kReads, kBytes, {}});
  V8Heap heap(metadata, reader);
  auto found = find_js_frames(heap, stack, frame_pointer, &V8Image::code_at, frame_pointer.has_value());
  const auto frames = with_lines(heap, std::move(found.frames));
  require(frames.size() <= kMaxJsFrames);
  require(reader.reads() <= kReads && reader.bytes() <= kBytes);
  for (const JsFrame& frame : frames) {
    require(frame.function.size() <= kMaxJsText && frame.file.size() <= kMaxJsText);
    require((frame.line == 0) == (frame.line_is == JsLine::kUnknown));
  }
}

/// Memory that repeats the input for ever, at every address.
class Endless final : public MemoryReader {
 public:
  explicit Endless(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::size_t read(std::uint64_t address, std::span<std::byte> out) override {
    for (auto& byte : out) byte = std::byte{bytes_[address++ % bytes_.size()]};
    return out.size();
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// The two frames with bytes changed: three of the input say where and to what.
void look_at_changed_image(std::span<const std::uint8_t> changes) {
  static const auto pristine = [] {
    V8Image image;
    const auto frame = make_two_frames(image);
    return std::pair(image, frame);
  }();
  V8Image image = pristine.first;
  for (std::size_t i = 0; i + 3 <= changes.size(); i += 3)
    image.set_byte((changes[i] | std::size_t{changes[i + 1]} << 8) % image.size(), changes[i + 2]);
  look(image, image.stack(), pristine.second);
  look(image, image.stack(), std::nullopt);
}

/// Eight times as many changes of one to twelve bytes as the first number says, from all as the seed. Half of
/// them write what a pointer to another object would be.
void look_at_random_changes(std::span<const std::uint8_t> input) {
  std::seed_seq seed(input.begin(), input.end());
  std::mt19937 random(seed);
  const std::size_t rounds = input.empty() ? 0 : input[0] * std::size_t{8};
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<std::uint8_t> changes(3 * (1 + random() % 12));
    for (auto& byte : changes) byte = static_cast<std::uint8_t>(random());
    if (round % 2 == 0) {
      // The low two bytes of an aligned word: another place of the heap, tagged as an object.
      const auto at = (random() % 0x1200) & ~7U;
      const auto target = (random() & 0x0ff8U) | 1U;
      changes = {static_cast<std::uint8_t>(at),
                 static_cast<std::uint8_t>(at >> 8),
                 static_cast<std::uint8_t>(target),
                 static_cast<std::uint8_t>(at + 1),
                 static_cast<std::uint8_t>((at + 1) >> 8),
                 static_cast<std::uint8_t>(target >> 8)};
    }
    look_at_changed_image(changes);
  }
}

void look_at_endless(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return;
  Endless memory(bytes);
  std::vector<std::uint64_t> words(256);
  memory.read(V8Image::kStack, std::as_writable_bytes(std::span(words)));
  look(memory, {V8Image::kStack, words, V8Image::kStack + 2'048}, V8Image::stack_address(16));
}

void parse_files(std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const MemoryMaps maps(text);
  for (const auto& mapping : maps.all())
    require(mapping.begin < mapping.end && maps.find(mapping.begin) == &mapping);
  parse_proc_syscall(text);
}

/// A file that ends.
class File final : public MemoryReader {
 public:
  explicit File(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::size_t read(std::uint64_t address, std::span<std::byte> out) override {
    if (address >= bytes_.size()) return 0;
    const auto n = std::min<std::size_t>(out.size(), bytes_.size() - address);
    std::copy_n(std::as_bytes(bytes_).begin() + static_cast<std::ptrdiff_t>(address), n, out.begin());
    return n;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace

/// The first byte selects: 'c' changes to a small image, 'r' seeded random changes to it, 'e' memory without
/// end, 'm' the text of /proc files, 'x' an ELF file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto rest = std::span(data, size).subspan(1);
  switch (data[0]) {
    case 'c':
      look_at_changed_image(rest);
      break;
    case 'r':
      look_at_random_changes(rest);
      break;
    case 'e':
      look_at_endless(rest);
      break;
    case 'm':
      parse_files(rest);
      break;
    case 'x': {
      File file(rest);
      static constexpr std::string_view kPrefixes[] = {"v8dbg_", "_ZN2v88internal7Version"};
      if (const auto constants = read_elf_constants(file, kPrefixes)) v8_metadata(*constants);
      break;
    }
    default:
      break;
  }
  return 0;
}
