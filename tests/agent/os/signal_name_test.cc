#include "agent/os/signal_name.h"

#include <gtest/gtest.h>

#include <csignal>

namespace codex {
namespace {

TEST(SignalName, IsThatOfTheManual) {
  EXPECT_EQ(signal_name(SIGTERM), "SIGTERM");
  EXPECT_EQ(signal_name(SIGKILL), "SIGKILL");
}

TEST(SignalName, WhatHasNoneIsANumber) {
  EXPECT_EQ(signal_name(40), "SIG40");
}

}  // namespace
}  // namespace codex
