#pragma once

#include <cstdint>

#include "hearth/base/unique_fd.h"

namespace hearth::worker {

// Asks the kernel who has a memfd open or mapped.
//
// The kernel grants a write lease on a file only while nobody else has it open,
// and a mapping or a descriptor in a socket's queue counts as open. What it
// counts is open *descriptions*: descriptors that were duplicated, sent or
// forked are one, and what memfd_create itself made is none. So a keeper keeps
// a segment alive by an O_PATH descriptor, which counts as nothing (not for
// another keeper that asks about the same segment, either), and opens a
// description for each process that fetches it.
//
// A lease that somebody's open() breaks raises SIGIO: ignore that signal.

enum class Holders : std::uint8_t { kSome, kNone, kCannotTell };

// Of the segment that `kept` keeps.
Holders CountHolders(int kept);

// What can't be told now, for want of a descriptor to ask with, is held: it
// will be asked again.
inline bool MayBeHeld(int kept) { return CountHolders(kept) != Holders::kNone; }

// An uncounted descriptor that keeps the memfd behind `fd` alive; invalid for
// what is no memfd (a file's open() could block or be seen by others), or
// without /proc.
UniqueFd KeepUncounted(int fd);

// Whether this kernel can tell at all.
bool KernelCountsHolders();

}  // namespace hearth::worker
