#include "agent/output/line_splitter.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace codex {
namespace {

using Pieces = std::vector<std::pair<std::string, bool>>;

Pieces split(LineSplitter& splitter, std::string_view bytes) {
  Pieces pieces;
  splitter.feed(bytes, [&](std::string_view line, bool complete) { pieces.emplace_back(line, complete); });
  return pieces;
}

TEST(LineSplitter, GivesLinesWithoutTheirNewlines) {
  LineSplitter splitter;
  EXPECT_EQ(split(splitter, "one\n\ntwo\r\nthr"), (Pieces{{"one", true}, {"", true}, {"two\r", true}}));
  EXPECT_EQ(split(splitter, "ee\n"), (Pieces{{"three", true}}));
  EXPECT_EQ(splitter.partial_bytes(), 0U);
}

TEST(LineSplitter, CutsALineOnlyWhenItIsLongerThanAllowed) {
  LineSplitter splitter(4);
  EXPECT_EQ(split(splitter, "abc\nabcd\nabcde\n"),
            (Pieces{{"abc", true}, {"abcd", true}, {"abcd", false}, {"e", true}}));
  EXPECT_EQ(split(splitter, "abcd"), Pieces{});
  EXPECT_EQ(split(splitter, "\n"), (Pieces{{"abcd", true}}));
}

TEST(LineSplitter, GivesTheSamePiecesHoweverTheBytesArrive) {
  const std::string text = "a\nabcd\nabcdefghijkl\n\nabcdefgh\nx";
  LineSplitter whole(4);
  const Pieces expected = split(whole, text);
  for (std::size_t step = 1; step < text.size(); ++step) {
    LineSplitter splitter(4);
    Pieces pieces;
    for (std::size_t i = 0; i < text.size(); i += step) {
      for (auto& piece : split(splitter, std::string_view(text).substr(i, step))) pieces.push_back(piece);
    }
    EXPECT_EQ(pieces, expected) << "step " << step;
    EXPECT_EQ(splitter.take_partial(), "x");
  }
}

TEST(LineSplitter, HoldsNoMoreThanOnePieceOfAMegabyteWithoutNewline) {
  LineSplitter splitter(1024);
  std::size_t emitted = 0;
  for (int i = 0; i < 1024; ++i) {
    for (const auto& [piece, complete] : split(splitter, std::string(1024, 'x'))) {
      EXPECT_FALSE(complete);
      EXPECT_EQ(piece.size(), 1024U);
      emitted += piece.size();
    }
  }
  EXPECT_EQ(emitted, 1023U * 1024);
  EXPECT_EQ(splitter.take_partial().size(), 1024U);
}

TEST(LineSplitter, ContinuesALineWhosePartialWasTaken) {
  LineSplitter splitter;
  EXPECT_EQ(split(splitter, "prompt> "), Pieces{});
  EXPECT_EQ(splitter.take_partial(), "prompt> ");
  EXPECT_EQ(splitter.take_partial(), "");
  EXPECT_EQ(split(splitter, "answer\n"), (Pieces{{"answer", true}}));
}

}  // namespace
}  // namespace codex
