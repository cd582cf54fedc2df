#include "agent/os/peeked_fifo.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "agent/os/check.h"
#include "tests/support/temporary_directory.h"

namespace codex {
namespace {

class PeekedFifoTest : public ::testing::Test {
 protected:
  PeekedFifoTest() {
    peeked_.emplace(open(O_RDWR | O_NONBLOCK), [this] { ++settled_; });
  }

  [[nodiscard]] UniqueFd open(int flags) const {
    ::mkfifo((directory_ / "fifo").c_str(), 0600);
    return UniqueFd(check("open", ::open((directory_ / "fifo").c_str(), flags | O_CLOEXEC)));
  }

  void put(std::string_view text) {
    ASSERT_EQ(::write(writer_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  std::string peek(std::size_t budget = 1 << 20) {
    std::string seen;
    const std::size_t n = peeked_->peek(budget, [&](std::string_view bytes) { seen += bytes; });
    EXPECT_EQ(n, seen.size());
    return seen;
  }

  /// What the next reader would find.
  std::string left() {
    std::string text(2 << 20, '\0');
    const ssize_t n = ::read(peeked_->fd(), text.data(), text.size());
    text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return text;
  }

  TemporaryDirectory directory_;
  UniqueFd writer_ = open(O_RDWR);
  int settled_ = 0;
  std::optional<PeekedFifo> peeked_;
};

TEST_F(PeekedFifoTest, ShowsEachByteOnceAndTakesNothing) {
  EXPECT_EQ(peek(), "");
  put("abc");
  EXPECT_EQ(peek(2), "ab");
  EXPECT_TRUE(peeked_->hides_more());
  put("def");
  EXPECT_EQ(peek(), "cdef");
  EXPECT_FALSE(peeked_->hides_more());
  EXPECT_EQ(peek(), "");
  EXPECT_EQ(peeked_->shown(), 6U);
  EXPECT_EQ(left(), "abcdef");
}

TEST_F(PeekedFifoTest, TakesWhatWasClaimedWhenTheClaimIsFulfilled) {
  put("abcdef");
  peek();
  const auto claim = peeked_->claim(4);
  EXPECT_EQ(peeked_->shown(), 2U);
  put("g");
  EXPECT_EQ(peek(), "g");
  EXPECT_TRUE(peeked_->has_claims());
  claim();
  EXPECT_FALSE(peeked_->has_claims());
  EXPECT_EQ(peek(), "");
  EXPECT_EQ(left(), "efg");
}

TEST_F(PeekedFifoTest, AClaimFulfilledEarlyWaitsForThoseBeforeIt) {
  put("abcdef");
  peek();
  const auto first = peeked_->claim(2), second = peeked_->claim(2);
  second();
  put("g");
  EXPECT_EQ(peek(), "g");
  first();
  EXPECT_EQ(left(), "efg");
}

TEST_F(PeekedFifoTest, LateClaimsTakeNothingOfWhatCameAfterThem) {
  put("abcdef");
  peek();
  const auto claim = peeked_->claim(4);
  peeked_->consume_claimed();
  EXPECT_TRUE(peeked_->has_claims());
  peeked_->consume(1);
  claim();
  EXPECT_FALSE(peeked_->has_claims());
  EXPECT_EQ(left(), "f");
}

TEST_F(PeekedFifoTest, ForsakenClaimsTakeNothing) {
  put("abcdef");
  peek();
  const auto claim = peeked_->claim(4);
  peeked_->forsake();
  claim();
  EXPECT_EQ(left(), "abcdef");
}

TEST_F(PeekedFifoTest, ClaimsThatOutliveItTakeNothing) {
  put("abcdef");
  peek();
  const auto claim = peeked_->claim(4);
  ASSERT_TRUE(peeked_->await_settled());
  peeked_.emplace(open(O_RDWR | O_NONBLOCK), [] {});
  claim();
  EXPECT_EQ(settled_, 0);
  EXPECT_EQ(left(), "abcdef");
}

TEST_F(PeekedFifoTest, TellsOnceThatAllClaimsAreFulfilled) {
  EXPECT_FALSE(peeked_->await_settled());
  put("ab");
  peek();
  const auto first = peeked_->claim(1), second = peeked_->claim(1);
  EXPECT_TRUE(peeked_->await_settled());
  first();
  EXPECT_EQ(settled_, 0);
  second();
  EXPECT_EQ(settled_, 1);
  peeked_->claim(0)();
  EXPECT_EQ(settled_, 1);
}

TEST_F(PeekedFifoTest, KnowsWhenTheWriterHasToWait) {
  EXPECT_FALSE(peeked_->is_full());
  const int size = ::fcntl(writer_.get(), F_GETPIPE_SZ);
  put(std::string(static_cast<std::size_t>(size), 'x'));
  EXPECT_TRUE(peeked_->is_full());
  EXPECT_EQ(peek().size(), static_cast<std::size_t>(size));
  peeked_->consume(4096);
  EXPECT_FALSE(peeked_->is_full());
}

TEST_F(PeekedFifoTest, KnowsWhenThePipeIsLargerThanItsView) {
  constexpr int kView = 4096;
  peeked_.emplace(
      open(O_RDWR | O_NONBLOCK), [] {}, kView);
  put(std::string(kView + 1, 'x'));
  EXPECT_EQ(peek().size(), static_cast<std::size_t>(kView));
  EXPECT_TRUE(peeked_->hides_more());
  EXPECT_EQ(peek(), "");
  EXPECT_TRUE(peeked_->hides_more());
  peeked_->consume(kView);
  EXPECT_EQ(peek(), "x");
}

TEST_F(PeekedFifoTest, GoesOnAfterAnExceptionOfTheViewer) {
  put(std::string(50'000, 'x') + "end");
  EXPECT_THROW(peeked_->peek(1 << 20, [](std::string_view) { throw std::runtime_error("full"); }),
               std::runtime_error);
  const std::size_t lost = peeked_->shown();
  EXPECT_EQ(peek(), std::string(50'000 - lost, 'x') + "end");
}

}  // namespace
}  // namespace codex
