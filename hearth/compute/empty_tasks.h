#pragma once

#include <memory>

#include "hearth/compute/operation.h"

namespace hearth {

// Computes nothing, one row block at a time: what a task costs by itself, for
// bench/task_bench. Reads nothing; its result is one int64, the block count.
std::unique_ptr<Plan> PlanEmptyTasks(const MatrixLayout& layout);

}  // namespace hearth
