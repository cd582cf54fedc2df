#include "probes/js_stack/js_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/probes/js_stack/v8_image.h"

namespace codex {
namespace {

constexpr auto smi = V8Image::smi;

struct Heap {
  explicit Heap(std::size_t stack_words = 256) : image(stack_words) {}
  V8Image image;
  V8Heap heap{image.metadata(), image};
};

TEST(V8Heap, ReadsEveryKindOfString) {
  Heap h;
  const auto hello = h.image.one_byte("hello "), world = h.image.two_byte(u"w\u00f6rld \U0001f600");
  EXPECT_EQ(h.heap.text(hello, 100), "hello ");
  EXPECT_EQ(h.heap.text(world, 100), "w\u00f6rld \U0001f600");
  EXPECT_EQ(h.heap.text(h.image.cons(hello, world, 14), 100), "hello w\u00f6rld \U0001f600");
  EXPECT_EQ(h.heap.text(h.image.sliced(hello, 1, 3), 100), "ell");
  EXPECT_EQ(h.heap.text(h.image.thin(world, 8), 100), "w\u00f6rld \U0001f600");
  EXPECT_EQ(h.heap.text(h.image.external("outside"), 100), "outside");
  EXPECT_EQ(h.heap.text(h.image.one_byte("\xe9t\xe9"), 100), "\u00e9t\u00e9");
  EXPECT_EQ(h.heap.text(h.image.two_byte(std::u16string(1, 0xd800)), 100), "\ufffd");
}

TEST(V8Heap, CutsTextAtACharacter) {
  Heap h;
  const auto text = h.image.two_byte(u"a\u00e9b");
  EXPECT_EQ(h.heap.text(text, 1), "a");
  EXPECT_EQ(h.heap.text(text, 2), "a");
  EXPECT_EQ(h.heap.text(text, 3), "a\u00e9");
  EXPECT_EQ(h.heap.text(h.image.one_byte(std::string(30'000, 'x')), 256), std::string(256, 'x'));
}

TEST(V8Heap, WhatIsNoStringHasNoText) {
  Heap h;
  for (const TaggedValue value : {TaggedValue{0}, smi(7), h.image.undefined(), TaggedValue{0x41},
                                  ~TaggedValue{0}, TaggedValue{V8Image::kHeap + 3}, h.image.undefined() + 8})
    EXPECT_EQ(h.heap.text(value, 100), std::nullopt) << value;
}

TEST(V8Heap, RopeThatContainsItselfEnds) {
  Heap h;
  // A slice of itself: the object made next lies behind its map, at the same distance as the one before.
  const auto before = h.image.sliced(0, 0, 10), probe = h.image.sliced(0, 0, 10);
  const auto itself = h.image.sliced(probe + (probe - before), 0, 10);
  EXPECT_EQ(h.heap.text(itself, 100), "");
}

TEST(V8Function, TellsNameFileAndStart) {
  Heap h;
  const auto none = h.image.undefined();
  const auto script = h.image.script(h.image.one_byte("/app/a.js"), h.image.one_byte("x"));
  const auto name = h.image.one_byte("handle"), inferred = h.image.one_byte("Server.handle");
  struct Case {
    std::vector<TaggedValue> slots;
    std::string name;
    std::optional<std::uint32_t> start;
  };
  const Case cases[] = {
      {{smi(1), smi(0), smi(0), name, smi(-1), none, smi(10), smi(20), none}, "handle", 10},
      {{smi(1), smi(0), smi(0), name, smi(3), smi(10), smi(20), none}, "handle", 10},
      {{smi(1), smi(0), smi(0), inferred, smi(10), smi(20), none}, "Server.handle", 10},
      {{smi(1), smi(0), smi(0), none, smi(10), smi(20), none}, "", 10},
      {{smi(1), smi(0), smi(2), name, name, smi(0), smi(1), inferred, smi(7), none, smi(0), smi(9), none},
       "Server.handle",
       0},
      {{smi(1), smi(0), smi(0), smi(5), name, smi(-1), none, smi(10), smi(20), none}, "handle", 10},
      {{smi(1), smi(0), smi(-1), name, smi(10), smi(20), none}, "", std::nullopt},
      {{smi(1), smi(0), smi(1'000'000), name, smi(10), smi(20), none}, "", std::nullopt},
      {{smi(1), smi(0), smi(0), name, smi(20), smi(10), none}, "handle", std::nullopt},
      {{}, "", std::nullopt},
  };
  for (const auto& c : cases) {
    const auto function =
        read_v8_function(h.heap, h.image.function(h.image.scope_info(c.slots), script), 100);
    ASSERT_TRUE(function);
    EXPECT_EQ(function->name, c.name);
    EXPECT_EQ(function->start_position, c.start);
    EXPECT_EQ(function->script_name, "/app/a.js");
  }
}

TEST(V8Function, BuiltinHasANameAndNoScript) {
  Heap h;
  const auto function = read_v8_function(h.heap, h.image.function(h.image.one_byte("test"), smi(0)), 100);
  ASSERT_TRUE(function);
  EXPECT_EQ(function->name, "test");
  EXPECT_FALSE(function->script);
}

TEST(V8Function, WhatIsNoFunctionIsNone) {
  Heap h;
  EXPECT_FALSE(read_v8_function(h.heap, h.image.one_byte("function"), 100));
  EXPECT_FALSE(read_v8_function(h.heap, smi(1), 100));
  EXPECT_FALSE(read_v8_function(h.heap, 0xdeadbeef0001, 100));
}

TEST(V8Lines, CountAcrossPiecesAndContinueFromWhatIsKnown) {
  Heap h;
  std::string source;
  for (int i = 0; i < 9'999; ++i) source += "line\r\n";
  const auto script = h.image.script(smi(0), h.image.external(source));
  V8Lines lines(h.heap);
  EXPECT_EQ(lines.line(script, 0), 1U);
  EXPECT_EQ(lines.line(script, 6 * 5'000), 5'001U);
  EXPECT_EQ(lines.line(script, 6 * 5'000 - 1), 5'000U);
  EXPECT_EQ(lines.line(script, 6 * 9'000 + 3), 9'001U);
  EXPECT_EQ(lines.line(script, 6 * 9'999), 10'000U);
  EXPECT_EQ(lines.line(script, 6 * 9'999 + 1), std::nullopt) << "behind the end";
  EXPECT_EQ(lines.line(smi(1), 0), std::nullopt);
}

TEST(JsFrames, AreFoundFromTheFramePointerAndWithout) {
  for (const bool known : {true, false}) {
    Heap h;
    const auto inner = make_two_frames(h.image);
    // Without a frame pointer the innermost frame is searched; a stack that waits begins near it.
    auto stack = h.image.stack();
    stack.words = stack.words.subspan(90);
    stack.begin += 8 * 90;
    auto found =
        find_js_frames(h.heap, stack, known ? std::optional(inner) : std::nullopt, &V8Image::code_at, known);
    EXPECT_TRUE(found.complete);
    const auto frames = with_lines(h.heap, std::move(found.frames));
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_EQ(frames[0].function, "inner");
    EXPECT_EQ(frames[0].file, "/app/server.js");
    EXPECT_EQ(frames[0].kind, JsFrameKind::kScript);
    EXPECT_EQ(frames[0].line, 4U);
    EXPECT_EQ(frames[0].line_is, JsLine::kFunction);
    EXPECT_EQ(frames[1].function, "outer");
    EXPECT_EQ(frames[1].line, 2U);
    EXPECT_EQ(frames[1].line_is, JsLine::kCurrent);
  }
}

TEST(JsFrames, RemnantsOfOldCallsAreNotTakenForTheStack) {
  Heap h;
  make_two_frames(h.image);
  // A complete chain without JavaScript from the top to main(); the two frames lie unused in a hole.
  h.image.frame(12, 200, 0);
  h.image.frame(200, 252, 0);
  h.image.frame(252, 0, 0);
  const auto found = find_js_frames(h.heap, h.image.stack(), std::nullopt, &V8Image::code_at, false);
  EXPECT_TRUE(found.complete);
  EXPECT_TRUE(found.frames.empty());
}

TEST(JsFrames, NamesAreFitToBeShown) {
  Heap h;
  const auto script = h.image.script(h.image.one_byte("node:\x1b[2J"), h.image.one_byte(""));
  h.image.frame(100, 250, h.image.function(h.image.one_byte("a\nb"), script));
  h.image.frame(250, 0, 0);
  const auto found =
      find_js_frames(h.heap, h.image.stack(), V8Image::stack_address(100), &V8Image::code_at, true);
  ASSERT_EQ(found.frames.size(), 1U);
  EXPECT_EQ(found.frames[0].frame.kind, JsFrameKind::kNode);
  EXPECT_EQ(found.frames[0].frame.function, "a\\x0ab");
  EXPECT_EQ(found.frames[0].frame.file, "node:\\x1b[2J");
}

TEST(JsFrames, OptimisedLoopInTheFrameOfTheInterpreterHasNoCurrentLine) {
  for (const auto& [code, expected] :
       {std::pair(V8Image::kCode, JsLine::kCurrent), std::pair(V8Image::kGenerated, JsLine::kFunction)}) {
    Heap h;
    const auto inner = make_two_frames(h.image);
    h.image.frame(100, 140, 0, 0, 0, code);
    const auto found = find_js_frames(h.heap, h.image.stack(), inner, &V8Image::code_at, true);
    ASSERT_EQ(found.frames.size(), 1U);
    EXPECT_EQ(found.frames[0].frame.function, "outer");
    EXPECT_EQ(found.frames[0].frame.line_is, expected);
  }
}

TEST(JsFrames, EndAtTheirLimit) {
  Heap h(1'024);
  const auto function = h.image.function(h.image.one_byte("deep"), smi(0));
  for (std::size_t word = 8; word <= 8 + 7 * 100; word += 7) h.image.frame(word, word + 7, function);
  const auto found =
      find_js_frames(h.heap, h.image.stack(), V8Image::stack_address(8), &V8Image::code_at, true);
  EXPECT_EQ(found.frames.size(), kMaxJsFrames);
  EXPECT_TRUE(found.truncated);
}

TEST(FrameChains, EndInGarbage) {
  Heap h;
  struct Case {
    std::size_t word;
    std::uint64_t caller;
  };
  for (const auto& [word, caller] : {Case{100, V8Image::stack_address(100)},      // itself
                                     Case{100, V8Image::stack_address(50)},       // backwards
                                     Case{100, V8Image::stack_address(120) + 4},  // not aligned
                                     Case{100, V8Image::stack_address(255)},      // no return address
                                     Case{100, ~std::uint64_t{0}}, Case{100, 0}}) {
    std::vector<std::uint64_t> words(256);
    words[word] = caller;
    words[word + 1] = V8Image::kCode;
    const StackImage stack{V8Image::kStack, words, 0};
    FrameChains chains(stack, V8Image::stack_address(word), &V8Image::code_at);
    const auto chain = chains.next();
    ASSERT_TRUE(chain);
    EXPECT_EQ(chain->frames.size(), 1U);
    EXPECT_FALSE(chain->complete);
    while (chains.next()) {
    }
  }
  const StackImage empty;
  EXPECT_FALSE(FrameChains(empty, 0x1000, &V8Image::code_at).next());
}

TEST(BoundedReader, ReadsNothingPastALimit) {
  V8Image image;
  BoundedReader few(image, {.reads = 2, .bytes = 1'000, .out_of_time = {}});
  EXPECT_TRUE(few.number<std::uint64_t>(V8Image::kStack));
  EXPECT_TRUE(few.number<std::uint64_t>(V8Image::kStack));
  EXPECT_FALSE(few.number<std::uint64_t>(V8Image::kStack));
  EXPECT_TRUE(few.exhausted());
  BoundedReader small(image, {.reads = 100, .bytes = 15, .out_of_time = {}});
  EXPECT_TRUE(small.number<std::uint64_t>(V8Image::kStack));
  EXPECT_FALSE(small.number<std::uint64_t>(V8Image::kStack));
  BoundedReader late(image, {.reads = 100, .bytes = 100, .out_of_time = [] { return true; }});
  EXPECT_FALSE(late.number<std::uint64_t>(V8Image::kStack));
}

TEST(V8Metadata, NamesTheConstantThatIsMissingOrStrange) {
  using Error = V8MetadataResult::Error;
  const auto complete = node20_constants();
  EXPECT_EQ(v8_metadata(complete).error, Error::kNone);
  EXPECT_EQ(v8_metadata(complete).metadata->version, "11.3.244");
  auto compressed = complete;
  compressed.values["v8dbg_TaggedSize"] = 4;
  EXPECT_EQ(v8_metadata(compressed).error, Error::kUnsupportedVersion);
  EXPECT_EQ(v8_metadata(compressed).detail, "TaggedSize");
  auto far = complete;
  far.values["v8dbg_off_fp_function"] = 1 << 30;
  EXPECT_EQ(v8_metadata(far).detail, "off_fp_function");
  auto arm = complete;
  arm.machine = 183;  // EM_AARCH64
  EXPECT_EQ(v8_metadata(arm).error, Error::kUnsupportedArchitecture);
  ElfConstants stripped;
  stripped.values["_ZN2v88internal7Version6major_E"] = 11;
  EXPECT_EQ(v8_metadata(stripped).error, Error::kStripped);
  EXPECT_EQ(v8_metadata({}).error, Error::kNotV8);
  for (const auto& [name, value] : complete.values) {
    auto without = complete;
    without.values.erase(name);
    const auto result = v8_metadata(without);
    EXPECT_EQ(result.metadata.has_value(), result.error == Error::kNone) << name;
  }
}

}  // namespace
}  // namespace codex
