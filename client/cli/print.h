// What commands share in printing: documents and tables.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cli/output/array_view.h"
#include "client/hearth.h"

namespace hearth::client {

using Json = nlohmann::ordered_json;

// Results and names, to standard output: as they are, but for what a terminal
// would obey, which is escaped where that is one. "\n" and "\t" stay.
void PrintText(absl::string_view text);

// To standard output, on one line.
void PrintJson(const Json& document);

Json InfoJson(const MatrixInfo& info);
// One matrix as lines of "field  value".
void PrintInfo(const MatrixInfo& info);

// Views into `result`, which outlives them.
std::vector<ArrayView> ViewsOf(const JobResult& result);

}  // namespace hearth::client
