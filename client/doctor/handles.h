#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/doctor/check.h"
#include "hearth/base/address.h"
#include "hearth/transport/handover/segment_card.h"

namespace hearth::client {

// Pure. Where keepers listen, from the text of /proc/net/unix: abstract names
// as those of keepers are, other users' and other programs' among them.
std::vector<Address> KeepersIn(absl::string_view proc_net_unix);

// What this user's keepers hold of shared arrays, the bytes of each once for
// every handle that was given out of them. Keepers that don't answer within a
// second are left out.
std::vector<HeldSegment> ReadHandles();

// Pure. `name_of` names a process: "python3".
Check JudgeHandles(const std::vector<HeldSegment>& held,
                   std::string (*name_of)(int process));
std::string NameOfProcess(int process);

}  // namespace hearth::client
