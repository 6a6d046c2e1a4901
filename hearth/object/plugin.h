// What a library of classes exports, for `hearth worker --plugin FILE.so`:
//
//   HEARTH_PLUGIN(registry) {
//     registry.Add<Counter>();
//     return absl::OkStatus();
//   }
//
// Link it against hearth's headers and Abseil alone: what it calls of Hearth is
// compiled into it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hearth/base/version.h"
#include "hearth/object/declare.h"

namespace hearth {

// The classes that a plugin adds. Passed across the library's border, so its
// layout is part of kPluginVersion.
struct PluginRegistry {
  std::vector<std::shared_ptr<const Class>> classes;

  template <class T>
  void Add() {
    classes.push_back(ClassOf<T>());
  }
};

// Grows with every change to what crosses the border: Class, Value, this.
inline constexpr std::uint32_t kPluginVersion = 2;

// The symbol that is looked for.
inline constexpr char kPluginSymbol[] = "hearth_plugin";

struct PluginEntry {
  std::uint32_t version;
  const char* hearth;  // the version that it was built with, for the message
  void (*add)(PluginRegistry& registry, absl::Status& status);
};

// Loads `path`, checks its version, and returns its classes. The library stays
// loaded until the process ends.
//
// Fails: FILE_MISSING with the loader's words; VERSION_MISMATCH naming both;
//        NAME_TAKEN for a class that `known` has.
absl::StatusOr<std::vector<std::shared_ptr<const Class>>> LoadPlugin(
    const std::string& path,
    const std::vector<std::shared_ptr<const Class>>& known);

}  // namespace hearth

#define HEARTH_PLUGIN(registry)                                            \
  static absl::Status HearthPluginAdd(::hearth::PluginRegistry& registry); \
  extern "C" const ::hearth::PluginEntry hearth_plugin;                    \
  extern "C" __attribute__((visibility("default"), used))                  \
  const ::hearth::PluginEntry hearth_plugin = {                            \
      ::hearth::kPluginVersion, ::hearth::kVersion,                        \
      [](::hearth::PluginRegistry& classes, absl::Status& status) {        \
        status = HearthPluginAdd(classes);                                 \
      }};                                                                  \
  static absl::Status HearthPluginAdd(::hearth::PluginRegistry& registry)
