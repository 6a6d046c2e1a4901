#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace hearth {

// What one node proves itself with, and whom it believes: PEM texts.
//
// Kind: value. Holds a private key: never print one.
struct Credentials {
  std::string directory;    // where they lie, for messages
  std::string authority;    // peers must be signed by one of these
  std::string certificate;  // ours, and what leads from it to the authority
  std::string key;
};

// Whether they belong together and are good at `now`: parseable, the key of
// this certificate, not expired, signed by this authority, a Hearth node's.
//
// Fails: bad-credentials, naming the file.
absl::Status CheckCredentials(const Credentials& credentials, absl::Time now);

// ca.pem, node.pem and node.key of `directory`, checked.
//
// Fails: file-missing where one is not there or can't be read; not-allowed for
//        a key that others may read, or a file that anybody may write; else as
//        CheckCredentials.
absl::StatusOr<Credentials> ReadCredentials(absl::string_view directory,
                                            absl::Time now);

// One of a directory's files. A key's mode is looked at first.
absl::StatusOr<std::string> ReadCertificateFile(absl::string_view directory,
                                                absl::string_view name);
absl::StatusOr<std::string> ReadKeyFile(absl::string_view directory,
                                        absl::string_view name);

// Where credentials are looked for: `named`, else $HEARTH_TLS_DIR, else
// hearth/tls in the user's configuration.
std::string CredentialsDirectory(absl::string_view named);

}  // namespace hearth
