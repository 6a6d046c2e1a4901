// The parts of a zip archive (APPNOTE.TXT 6.3) that a .npz has, as npz_read.cc
// and npz_write.cc share them. Numbers are little-endian, at any alignment.
//
//   local header · name · extra · payload      for each member
//   central header · name · extra · comment    for each member: the directory
//   [zip64 end · zip64 locator]                where 32 or 16 bits don't do
//   end · comment
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace hearth::zip {

inline constexpr absl::string_view kLocalHeader = "PK\x03\x04";
inline constexpr absl::string_view kCentralHeader = "PK\x01\x02";
inline constexpr absl::string_view kZip64End = "PK\x06\x06";
inline constexpr absl::string_view kZip64Locator = "PK\x06\x07";
inline constexpr absl::string_view kEnd = "PK\x05\x06";

// Without the name, extra and comment that follow.
inline constexpr std::int64_t kLocalHeaderBytes = 30;
inline constexpr std::int64_t kCentralHeaderBytes = 46;
inline constexpr std::int64_t kZip64EndBytes = 56;
inline constexpr std::int64_t kZip64LocatorBytes = 20;
inline constexpr std::int64_t kEndBytes = 22;
inline constexpr std::int64_t kCommentBytesMax = 0xFFFF;

// A field that is full says: look in the zip64 record.
inline constexpr std::uint16_t kFull16 = 0xFFFF;
inline constexpr std::uint32_t kFull32 = 0xFFFFFFFF;

inline constexpr std::uint16_t kZip64Extra = 0x0001;
// Padding whose only meaning is alignment, as Android's zipalign writes it.
inline constexpr std::uint16_t kAlignmentExtra = 0xD935;

inline constexpr std::uint16_t kEncryptedFlag = 1 << 0;
inline constexpr std::uint16_t kUtf8Flag = 1 << 11;

inline constexpr std::uint16_t kStored = 0;

}  // namespace hearth::zip
