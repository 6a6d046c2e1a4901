#include "hearth/transport/security/pem.h"
#include "tests/fuzz/target.h"

using hearth::fuzz::Require;

HEARTH_FUZZ_TARGET(pem) {
  const auto certificates = hearth::ParseCertificates(input);
  if (certificates.ok()) {
    Require(!certificates->empty());
    for (const auto& certificate : *certificates) {
      Require(hearth::FactsOf(*certificate).fingerprint.size() == 64);
    }
  }
  const auto key = hearth::ParseKey(input);
  if (key.ok()) (void)hearth::FormatKey(**key);
}
