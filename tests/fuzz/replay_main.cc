#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

/// The entry every fuzz target defines (llvm.org/docs/LibFuzzer.html).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kLongInput = 30 * 1024;
// Enough to cut a stat line or a header anywhere; longer inputs are cut at this many places, evenly.
constexpr std::size_t kMaxCuts = 512;

/// Runs inputs and counts them. Each is copied to a block of its exact size, so that AddressSanitizer sees
/// a read past the end.
class Replay {
 public:
  void run(const std::string& input) {
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    ++count_;
  }

  /// The input, and what a deterministic mutator makes of it. The first byte often selects the parser, so
  /// that long inputs repeat all but this one.
  void run_with_mutations(const std::string& input) {
    run(input);
    const std::size_t step = std::max<std::size_t>(1, input.size() / kMaxCuts);
    for (std::size_t at = 0; at < input.size(); at += step) {
      run(input.substr(0, at));
      for (const int flip : {0x01, 0x20, 0x80, 0xff}) {
        auto changed = input;
        changed[at] = static_cast<char>(changed[at] ^ flip);
        run(changed);
      }
      auto without = input;
      run(without.erase(at, 1));
      auto with_zero = input;
      run(with_zero.insert(at, 1, '\0'));
    }
    if (input.size() < 2) return;
    auto repeated = input;
    while (repeated.size() < kLongInput) repeated += input.substr(1);
    run(repeated);
    auto stretched = input;
    run(stretched.insert(input.size() / 2, kLongInput, input[input.size() / 2]));
  }

  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::size_t count_ = 0;
};

std::vector<std::filesystem::path> files_of(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_regular_file()) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

/// Replays every file of the directories given, with mutations; a plain test of a fuzz target's corpus.
/// Ends with 1 if a directory is missing or holds no file, 2 without arguments; a finding aborts.
int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY...\n", argv[0]);
    return 2;
  }
  Replay replay;
  replay.run("");
  for (int i = 1; i < argc; ++i) {
    const auto files = files_of(argv[i]);
    if (files.empty()) {
      std::fprintf(stderr, "%s: no corpus here\n", argv[i]);
      return 1;
    }
    for (const auto& path : files) {
      std::ifstream file(path, std::ios::binary);
      const std::string input((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      if (!file) {
        std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
        return 1;
      }
      replay.run_with_mutations(input);
    }
  }
  std::printf("%zu inputs\n", replay.count());
  return 0;
}
