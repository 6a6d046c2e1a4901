// Everything has a limit; they live here, each with its reason. Reaching one is
// a named error (Reason::kTooLarge), never silence.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::limits {

inline constexpr std::int64_t kKiB = 1024;
inline constexpr std::int64_t kMiB = 1024 * kKiB;
inline constexpr std::int64_t kGiB = 1024 * kMiB;

// NumPy allows 64 axes from version 2 on; more can't come from there.
inline constexpr int kAxisCountMax = 64;

// A row block is what a task computes between two looks at its cancel flag: at
// 1 GB/s, 16 ms.
inline constexpr std::int64_t kRowBlockBytesMax = 16 * kMiB;
inline constexpr std::int64_t kRowBlockBytesMin = 1 * kMiB;
inline constexpr std::int64_t kRowBlocksAimedAt = 256;

// A matrix that is no larger may be mapped whole however little memory is free:
// its pages are read once and given back. 4 GiB of them take 1 s at 4 GB/s, so
// that reading some twice is no calamity.
inline constexpr std::int64_t kWholeMatrixBytesMax = 4 * kGiB;

// What is placed, fetched again or lost as one: at 10 Gbit/s, a second.
inline constexpr std::int64_t kShardBytesMax = 1 * kGiB;

// Partials and results up to here ride in messages; larger ones stay in
// segments at the workers.
inline constexpr std::int64_t kInlineBytesMax = 64 * kKiB;

// A dense partial: the Gram matrix of 8,192 float64 columns. Combining needs
// two of them in a worker at once.
inline constexpr std::int64_t kPartialBytesMax = 512 * kMiB;
// One of a reduction, which is read and written in order.
inline constexpr std::int64_t kReductionPartialBytesMax = 1 * kGiB;

// A name fits a path component and a line of a table.
inline constexpr int kNameBytesMax = 128;

// Different attempts at one task before its job fails with their stories.
inline constexpr int kAttemptsMax = 3;

// gRPC's own default, said aloud: a message never carries bulk bytes.
inline constexpr int kMessageBytesMax = 4 * static_cast<int>(kMiB);

// A chunk of streamed rows: at 1 GB/s a millisecond between two looks at its
// checksum, and little to send again when a link breaks.
inline constexpr std::int64_t kChunkBytesMax = 1 * kMiB;

// .npy 2.0 and later allow 4 GiB of header; a dtype we accept and 64 axes need
// under 2 KiB.
inline constexpr std::int64_t kNpyHeaderBytesMax = 64 * kKiB;

// Kept back of each memory limit: the page tables of a segment are 0.2 % of it
// in each process that maps it, and others run there too.
inline constexpr std::int64_t kMemoryHeadroomDivisor = 64;
inline constexpr std::int64_t kMemoryHeadroomBytesMin = 8 * kMiB;
inline constexpr std::int64_t kMemoryHeadroomBytesMax = 512 * kMiB;

// Filling a segment looks at the memory limits again each time it has touched
// this much: 30 ms of work for each look of 0.1 ms.
inline constexpr std::int64_t kFillCheckBytes = 64 * kMiB;

// The directory of a .npz is read whole: 200,000 arrays of middling names.
inline constexpr std::int64_t kNpzDirectoryBytesMax = 16 * kMiB;
// Mapped at once of a file that is read by windows, in each thread: eight
// threads stay below 200 MiB.
inline constexpr std::int64_t kWindowBytes = 16 * kMiB;

// More values than this as JSON are refused without -o FILE, and as arguments:
// one takes some 160 bytes.
inline constexpr std::int64_t kJsonValuesMax = 1'000'000;

// What travels beside a segment's descriptor: an element type and a shape, or
// how NumPy names the fields of a record: a hundred of them.
inline constexpr int kSegmentNoteBytesMax = 4 * static_cast<int>(kKiB);

// Segments and tickets that one keeper holds; each is a descriptor, so the
// hard RLIMIT_NOFILE may lower it.
inline constexpr int kSegmentsHeldMax = 1 << 18;

// Connections that one keeper serves at once: a few for each of a host's
// processes. More wait in the listener's queue.
inline constexpr int kKeeperConnectionsMax = 4096;

// Tokens in one batch, lines in one page of a list: 64 KiB at most, well under
// what a Unix socket takes as one packet.
inline constexpr int kHandoverBatchMax = 1024;

// Ancestors that a ticket's life may hang on: deeper trees of processes than
// this are not met.
inline constexpr int kTicketAncestorsMax = 30;

// A worker that crashed this often within a minute is not started again: its
// next start would end the same way.
inline constexpr int kCrashesPerMinuteMax = 3;

// Looks, one a second, at which a worker that had been heard on its lifeline
// was not any more: then it is hung, and its keeper kills it and starts
// another. Six times the lease by which its coordinator gives it up and its
// work to others, so that one that swaps, or was stopped for a moment, comes
// back by itself. Looks, not time: a keeper that stood still itself heard
// nobody.
inline constexpr int kSilentLooksMax = 30;

// A worker's last words that its story keeps.
inline constexpr int kStoryLinesMax = 20;
inline constexpr int kStoryLineBytesMax = 1024;

// Worker processes that one host may be asked for: far more than its cores.
inline constexpr int kWorkersOfHostMax = 1024;

// Lines of a hosts file. Beyond that a scheduler of clusters does it better.
inline constexpr std::size_t kLaunchHostsMax = 1024;

// ssh connections that are made at the same time: sshd, on a host that all of
// them go through, begins to drop at ten.
inline constexpr int kSshStartsMax = 10;

// What one host may write to us, without a newline: a shell's greeting that
// never ends must not become our memory.
inline constexpr std::size_t kHostLineBytesMax = 64 * 1024;

// A file of certificates: twenty of the longest kind.
inline constexpr std::int64_t kPemBytesMax = 64 * kKiB;
// Names and addresses in one certificate: it travels with every connection.
inline constexpr std::size_t kCertificateHostsMax = 100;

// Nesting of an argument or a result: no struct that people write is deeper, a
// reader that calls itself so often needs 20 KiB of stack, and Protobuf reads
// 100 messages in each other, two of which are one of ours.
inline constexpr int kValueDepthMax = 40;

// An argument or a result as one message, without its large arrays.
inline constexpr std::int64_t kCallBytesMax = 64 * kMiB;

// Arrays from that size on travel beside the message, as a sealed segment where
// both ends are on one host, else in pieces: below, a copy costs less than a
// segment does (bench/results/calls.md).
inline constexpr std::int64_t kArrayInlineBytesMax = 512 * kKiB;
inline constexpr std::int64_t kPieceBytesMax = 1 * kMiB;

// Descriptors beside one message: the kernel takes 253. And of those whose
// message has not come yet, at most so many are held.
inline constexpr std::int64_t kDescriptorsBesideMax = 64;
inline constexpr std::int64_t kDescriptorsHeldMax = 512;

// Calls and answers that are ready together go as one message of at most so
// many bytes, unless one alone has more. Oneway calls wait for room once so
// much waits to be written: their host reads more slowly than they are made.
inline constexpr std::int64_t kEnvelopeBytesMax = 4 * kMiB;
inline constexpr std::int64_t kOnewayBytesMax = 16 * kMiB;

// Values in one message, at every depth: each takes some 100 bytes of memory
// where it took two on the wire.
inline constexpr std::int64_t kCallValuesMax = 4'000'000;

// Calls in one batch: a batch is one message and one turn of its object.
inline constexpr int kBatchCallsMax = 100'000;

// Metadata and names travel with every call of a chain.
inline constexpr std::int64_t kCallMetadataBytesMax = 16 * kKiB;

// An error's stack: a hundred hops.
inline constexpr std::int64_t kErrorStackBytesMax = 16 * kKiB;

// Results of exactly-once calls that an object server keeps for clients that
// have not confirmed them.
inline constexpr std::int64_t kOnceResultBytesMax = 64 * kMiB;

// Items of one stream that its taker has not confirmed, at either end.
inline constexpr std::int64_t kStreamBytesMax = 1 * kMiB;
inline constexpr std::uint64_t kStreamItemsMax = 4096;

// Objects, and names in the directory, at 1 KiB each.
inline constexpr std::size_t kObjectsMax = 1'000'000;

// Tags of one name.
inline constexpr int kTagsMax = 64;

// Threads that run methods of one object server: more calls than that at once
// wait their turn.
inline constexpr int kCallThreadsMax = 256;

// The gateway's requests. A browser's cookies fit into a head; a body is read
// into values, each of which takes some hundred bytes where it took two.
inline constexpr std::size_t kHttpHeadBytesMax = 16 * 1024;
inline constexpr std::size_t kHttpHeadersMax = 100;
inline constexpr std::size_t kHttpBodyBytesMax = 8 * 1024 * 1024;

// Its answers: what the call itself may carry. And of one that comes in parts,
// what its client has not taken yet.
inline constexpr std::size_t kHttpAnswerBytesMax = 64 * 1024 * 1024;
inline constexpr std::size_t kHttpPendingBytesMax = 256 * 1024;

// Its clients at once, and those of them whose calls run: each of these has a
// thread that waits.
inline constexpr std::size_t kHttpConnectionsMax = 512;
inline constexpr int kHttpCallsMax = 64;

}  // namespace hearth::limits
