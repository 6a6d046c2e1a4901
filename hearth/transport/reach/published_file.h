#pragma once

#include "hearth/shm/file_sample.h"
#include "hearth/shm/file_source.h"
#include "protos/matrix.pb.h"

namespace hearth {

// What a file was when it was published, as a message says; to be compared with
// what a host finds under its path (file_sample.h). Nothing is checked here.
FileIdentity PublishedIdentity(const proto::FileSource& file);
FileSample PublishedSample(const proto::FileSource& file);

}  // namespace hearth
