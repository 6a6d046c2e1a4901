#include "hearth/transport/reach/published_file.h"

namespace hearth {

FileIdentity PublishedIdentity(const proto::FileSource& file) {
  return {file.device(), file.inode(), file.size(), file.mtime_ns()};
}

FileSample PublishedSample(const proto::FileSource& file) {
  return {.seed = file.sample_seed(),
          .checksums = {file.sample_checksums().begin(),
                        file.sample_checksums().end()}};
}

}  // namespace hearth
