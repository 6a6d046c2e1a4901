#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "hearth/matrix/layout.h"
#include "hearth/matrix/partition.h"

namespace hearth {

using Bytes = std::vector<std::byte>;

// One parameter of an operation, as `hearth operations` prints it.
struct ParameterSpec {
  std::string name;
  std::string
      type;  // "axis", "bool", "int", "float", "floats", "dtype", "matrix", ...
  std::string default_value;  // as a user would type it; empty: required
  std::string doc;
};

struct OperationInfo {
  std::string name;
  std::vector<ParameterSpec> parameters;
  std::string doc;  // one sentence; what it computes, result type
};

// A parameter that is itself a matrix (v of matvec), whole, mapped where this
// process can read it.
struct MatrixArgument {
  MatrixLayout layout;  // may be foreign-endian, may be of either order
  // layout.bytes() of them, at any alignment; or none, for a plan that is asked
  // what it would give and computes nothing.
  std::span<const std::byte> bytes = {};
};

// What a user asked for. Views: the bytes outlive every plan made from them.
struct Arguments {
  std::map<std::string, std::string> text;  // key=value, as typed
  std::map<std::string, MatrixArgument>
      matrices;  // for parameters of type "matrix"
};

// A row block's elements where this process can read them, always in native
// byte order.
struct BlockView {
  RowBlock block;
  const std::byte* data =
      nullptr;  // block.element_count elements in storage order; ANY alignment
  // Set for a plan that needs_whole_matrix(), empty for others: layout.bytes()
  // bytes as the matrix lies in memory or file, so at any alignment and in the
  // LAYOUT's byte order, not always in the native one. `data` may be null then.
  std::span<const std::byte> matrix;
};

// Memory a thread reuses from block to block, so that a task allocates once.
//
// Threads: one owner.
class Scratch {
 public:
  // At least `bytes` bytes, aligned to 64, contents unspecified. Valid until
  // the next call.
  std::byte* Get(std::int64_t bytes);

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::int64_t capacity_ = 0;
};

// One array of a result, contiguous in `order`, native byte order.
struct ResultArray {
  std::string
      name;  // "" when the operation has one output; else the field: "counts"
  ElementType type = ElementType::kFloat64;
  Shape shape;
  Order order = Order::kC;
  Bytes bytes =
      {};  // empty in a plan's declaration, and for a concatenated result
};

// What Finish decided: results, or a state to broadcast and another pass over
// the matrix.
struct FinishOutcome {
  std::optional<Bytes> next_round_state;  // set: another pass, with this state
  std::vector<ResultArray> results;       // else: in the declared order
};

// An operation bound to one matrix layout and its arguments: the work itself.
//
// A *leaf* is an aligned run of 2^leaf_blocks_log2() row blocks (the last one
// may be shorter). A task computes leaves; each is Begin, then Accumulate for
// each of its blocks in order. Partials of neighbouring runs are joined by
// Combine in a fixed binary tree over leaf indexes: runs [2k·2^j, (2k+1)·2^j)
// and its right neighbour, so the bits depend on the matrix and the operation
// alone. Finish turns the partial of all leaves into the result.
//
// Kind:    immutable once made. Threads: every method from any thread, each
// with its own Scratch. Bound:   no partial passes partial_bytes_max(), no
// scratch scratch_bytes_max().
class Plan {
 public:
  virtual ~Plan() = default;

  // Concatenate: no partials, no tree; each block writes its own slice of the
  // one result.
  virtual bool concatenates() const { return false; }
  virtual int leaf_blocks_log2() const { return 0; }
  virtual std::int64_t partial_bytes_max() const = 0;  // 0 when it concatenates
  virtual std::int64_t scratch_bytes_max() const = 0;
  virtual bool uses_blas() const { return false; }

  // Some operations can't be computed from one row block alone: the Gram matrix
  // of a column-major matrix needs every pair of columns, but its blocks are
  // runs of columns. Such a plan is given the whole matrix, mapped, with each
  // block; the block's index then only says which share of the work is meant
  // (ShareOf), and the shares of all blocks are the whole work. Each byte is
  // still read about once in all.
  virtual bool needs_whole_matrix() const { return false; }

  // Names, types, shapes and orders of what Finish (or the concatenation)
  // gives; bytes left empty.
  virtual std::vector<ResultArray> DeclareResults() const = 0;

  // --- reduce, rounds ---
  // `state` is empty in round 0, then what the last Finish asked to broadcast.
  virtual Bytes Begin(std::span<const std::byte> state) const;
  virtual absl::Status Accumulate(const BlockView& view,
                                  std::span<const std::byte> state,
                                  Scratch& scratch, Bytes& partial) const;
  // Joins `right`, the partial of the run just after left's, into `left`. Both
  // may have come over a wire: a size or field that no Begin makes is an
  // INTERNAL error, never a crash.
  virtual absl::Status Combine(Bytes& left,
                               std::span<const std::byte> right) const;
  virtual absl::StatusOr<FinishOutcome> Finish(Bytes partial,
                                               std::span<const std::byte> state,
                                               int round) const;

  // --- concatenate ---
  // Where `block`'s slice of the result lies: bytes from the start of the
  // result's payload.
  struct ResultSlice {
    std::int64_t offset = 0;
    std::int64_t bytes = 0;
  };
  virtual ResultSlice SliceOf(const RowBlock& block) const;
  // Whether neighbouring blocks of a leaf may be given as one, with the index
  // of the first and the elements of all, where they lie side by side. Their
  // slices lie side by side then too, and the bits are those of one at a time.
  virtual bool joins_blocks() const { return false; }
  // Writes exactly SliceOf(view.block).bytes bytes to `out` (aligned to 64).
  virtual absl::Status MapBlock(const BlockView& view, Scratch& scratch,
                                std::byte* out) const;
};

// A computation by name: sum, quantile, gram. Stateless; one per name in the
// registry.
class Operation {
 public:
  virtual ~Operation() = default;
  virtual const OperationInfo& info() const = 0;

  // Refuses what no matrix could accept: an unknown parameter, `axis=x`, `q=2`
  // (BAD_USAGE).
  virtual absl::Status CheckUsage(
      const std::map<std::string, std::string>& text) const = 0;

  // Refuses what this matrix can't: `axis=7`, v of another length
  // (BAD_PARAMETER); and partials, scratch or results too large to be held
  // (TOO_LARGE).
  virtual absl::StatusOr<std::unique_ptr<Plan>> Prepare(
      const MatrixLayout& layout, const Arguments& arguments) const = 0;
};

}  // namespace hearth
