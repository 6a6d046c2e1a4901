#include "hearth/object/plugin.h"

#include <dlfcn.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"

namespace hearth {

absl::StatusOr<std::vector<std::shared_ptr<const Class>>> LoadPlugin(
    const std::string& path,
    const std::vector<std::shared_ptr<const Class>>& known) {
  // A bare name would be looked for in the system's folders.
  const std::string file =
      path.find('/') == std::string::npos ? absl::StrCat("./", path) : path;
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* words = dlerror();
    return Error(Reason::kFileMissing,
                 absl::StrCat("load the plugin ", path, ": ",
                              words == nullptr ? "it can't be" : words));
  }
  const auto* entry =
      static_cast<const PluginEntry*>(dlsym(library, kPluginSymbol));
  if (entry == nullptr) {
    return Error(Reason::kBadFile,
                 absl::StrCat("load the plugin ", path, ": it exports no ",
                              kPluginSymbol,
                              "; a plugin says HEARTH_PLUGIN(registry) {...}"));
  }
  if (entry->version != kPluginVersion) {
    return Error(
        Reason::kVersionMismatch,
        absl::StrCat("load the plugin ", path, ": it was built with Hearth ",
                     entry->hearth, " (plugin version ", entry->version,
                     "), this is ", kVersion, " (", kPluginVersion,
                     "); build it again"));
  }
  PluginRegistry registry;
  absl::Status added;
  entry->add(registry, added);
  HEARTH_RETURN_IF_ERROR(added);
  for (const auto& of : registry.classes) {
    const bool is_taken =
        std::any_of(known.begin(), known.end(),
                    [&](const auto& other) { return other->name == of->name; });
    if (is_taken) {
      return Error(Reason::kNameTaken,
                   absl::StrCat("load the plugin ", path, ": there is a class ",
                                of->name, " already; rename one of the two"));
    }
  }
  return std::move(registry.classes);
}

}  // namespace hearth
