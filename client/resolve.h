// From what a user typed to what a coordinator is told.
#pragma once

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "client/handles.h"
#include "client/hearth.h"
#include "hearth/shm/file_source.h"
#include "protos/matrix.pb.h"

namespace hearth::client {

// A file that holds one matrix, opened and its header read.
struct MatrixFile {
  FileSource source;
  MatrixLayout layout;
  std::int64_t payload_offset = 0;
  std::string member = {};  // of an archive; empty: it is none
};

// A name in the cluster, or a file that exists and whose header is sound.
// BAD_USAGE for a text that is neither, FILE_MISSING, BAD_FILE.
using ResolvedMatrix = std::variant<std::string, MatrixFile>;
absl::StatusOr<ResolvedMatrix> Resolve(const MatrixArgumentSource& argument);

proto::MatrixRecord RecordOf(const MatrixFile& file);
absl::StatusOr<Matrix> MapFile(MatrixFile file);
// Of a handle that stands for a file.
absl::StatusOr<Matrix> MapOpenedFile(OpenedHandle opened);
// Of any; BAD_USAGE for one that is not sealed.
absl::StatusOr<Matrix> MapOpened(OpenedHandle opened);

}  // namespace hearth::client
