#pragma once

#include <array>
#include <cstdint>

namespace codex {

/// A counter of a process tree whose members hand their totals upward when they end.
///
/// The kernel adds what a process used to its parent's "children" total at the moment the parent waits for
/// it (kernel/exit.c wait_task_zombie). So growth of a children total (credit) is first of all the return of
/// what a vanished member was already counted for (debit), and only the rest is new. A walk of /proc races
/// with this: the debit may be seen some samples before the credit. Debits without a credit after that time
/// belong to processes nobody waited for (SIGCHLD ignored, adopted by init): their usage stays counted.
///
/// By construction the total never goes down. A value; one owner.
class ConservedCounter {
 public:
  /// Usage seen for the first time.
  void add(std::uint64_t amount) { total_ += amount; }

  /// Growth of a children total, or the rusage of a process that the agent itself waited for.
  void credit(std::uint64_t amount) { credit_ += amount; }

  /// Everything that was counted for a member that is gone now.
  void debit(std::uint64_t amount) { debts_.back() += amount; }

  /// Balances credits against debits; call once at the end of every sample.
  void settle() {
    for (auto& debt : debts_) {
      const auto paid = debt < credit_ ? debt : credit_;
      debt -= paid;
      credit_ -= paid;
    }
    total_ += credit_;
    credit_ = 0;
    for (std::size_t i = 0; i + 1 < debts_.size(); ++i) debts_[i] = debts_[i + 1];
    debts_.back() = 0;
  }

  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  std::uint64_t total_ = 0;
  std::uint64_t credit_ = 0;
  std::array<std::uint64_t, 3> debts_{};  // by age, the oldest first
};

}  // namespace codex
