#pragma once

namespace codex {

/// How closely to look: each level costs more than the one before.
struct HangDepth {
  bool group = false;     ///< who serves may be somebody else: all descriptors of the tree, once a second
  bool accept = false;    ///< open an accept-probe, if none is open: 30 us
  bool process = false;   ///< 15 us
  bool threads = false;   ///< 6 us a thread
  bool debugger = false;  ///< is a client connected to the inspector: a walk of the socket table
  bool requests = false;  ///< a walk of the socket table, 0.7 ms, and our own descriptors
  bool outgoing = false;  ///< another one, and the process's descriptors
};

}  // namespace codex
