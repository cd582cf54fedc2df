#pragma once

#include <vector>

#include "probes/database/postgres_settings.h"
#include "probes/resolver.h"

namespace codex {

/// The addresses of one server of a database URL; none and no trouble if it needs none. May block as
/// resolve_host() does.
Resolution resolve_if_needed(const PostgresHost& host);

/// Every address of every host becomes one entry, so that libpq tries them all and resolves none.
/// `found`: the resolutions of `hosts`, in their order.
std::vector<PostgresHost> with_addresses(const std::vector<PostgresHost>& hosts,
                                         const std::vector<Resolution>& found);

}  // namespace codex
