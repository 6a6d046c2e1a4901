// Workers and jobs, as documents and as tables.
#pragma once

#include <span>
#include <string>

#include "client/cli/output/table.h"
#include "client/cli/print.h"
#include "client/hearth.h"

namespace hearth::client {

Json WorkersJson(std::span<const WorkerInfo> workers);
Json JobsJson(std::span<const JobSummary> jobs);

Table WorkersTable(std::span<const WorkerInfo> workers);
Table JobsTable(std::span<const JobSummary> jobs);

// How each of those that ended did, to stand below the table, whose columns are
// too narrow for it; empty where none has.
std::string EndsText(std::span<const WorkerInfo> workers);

}  // namespace hearth::client
