#pragma once

#include <memory>

#include "probes/probe.h"
#include "probes/probe_context.h"
#include "probes/probe_spec.h"

namespace codex {

/// The probe that `spec` asks for: one explicit switch over its kind.
std::unique_ptr<Probe> make_probe(const ProbeSpec& spec, const ProbeContext& context);

}  // namespace codex
