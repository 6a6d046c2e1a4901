#pragma once

#include <cstdint>

#include "hearth/base/unique_fd.h"

namespace hearth::worker {

// Asks the kernel who else has a memfd open or mapped.
//
// The kernel grants a write lease on a file only while nobody else has it open,
// and a mapping or a descriptor in a socket's queue counts as open. It counts
// open *descriptions*: two descriptors that were duplicated, sent or forked are
// one. So a keeper opens a description of its own, hands out fresh ones, and
// can tell whether any of those is left. What it can't see is the description
// that memfd_create itself made.
//
// A lease that somebody's open() breaks raises SIGIO: ignore that signal.

enum class Holders : std::uint8_t { kSome, kNone, kCannotTell };

// Of the segment behind `fd`, besides `fd` and its duplicates.
Holders CountOtherHolders(int fd);

// A description of our own for the memfd behind `fd`, with the same access;
// invalid for what is no memfd (a file's open() could block or be seen by
// others), or without /proc.
UniqueFd ReopenMemfd(int fd);

// Whether this kernel can tell at all.
bool KernelCountsHolders();

}  // namespace hearth::worker
