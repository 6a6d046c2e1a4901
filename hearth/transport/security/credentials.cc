#include "hearth/transport/security/credentials.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "hearth/base/environment.h"
#include "hearth/base/error.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"
#include "hearth/base/status.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/security/identity.h"
#include "hearth/transport/security/pem.h"

namespace hearth {
namespace {

constexpr char kMakeThem[] =
    "make them with \"hearth security init\", name another directory with "
    "--tls-dir, or say --insecure at both ends to go without";
constexpr char kIssueAnew[] = "issue it anew with \"hearth security issue\"";

std::string PathOf(absl::string_view directory, absl::string_view name) {
  return absl::StrCat(directory, "/", name);
}

absl::Status Bad(absl::string_view directory, absl::string_view name,
                 absl::string_view finding, absl::string_view advice) {
  ERR_clear_error();
  return Error(Reason::kBadCredentials,
               absl::StrCat("use ", Quoted(PathOf(directory, name)), ": ",
                            finding, "; ", advice));
}

absl::Status CannotRead(absl::string_view directory, absl::string_view name) {
  const int error = errno;
  const std::string attempt =
      absl::StrCat("read ", Quoted(PathOf(directory, name)), ": ");
  if (error != ENOENT && error != ENOTDIR) {
    return Error(
        Reason::kFileMissing,
        absl::StrCat(attempt, std::strerror(error), "; check who may read it"));
  }
  struct stat found {};
  if (stat(std::string(directory).c_str(), &found) != 0 ||
      !S_ISDIR(found.st_mode)) {
    return Error(Reason::kFileMissing,
                 absl::StrCat("read the credentials in ", Quoted(directory),
                              ": there is no such directory; ", kMakeThem));
  }
  return Error(
      Reason::kFileMissing,
      absl::StrCat(attempt, "there is no such file; ",
                   name == kAuthorityKeyFile
                       ? "only the directory of \"hearth security init\" has "
                         "it: run this where the authority lives"
                       : kMakeThem));
}

absl::StatusOr<std::string> ReadBounded(absl::string_view directory,
                                        absl::string_view name,
                                        bool is_secret) {
  const std::string path = PathOf(directory, name);
  // Non-blocking: a pipe of that name must not hold us up.
  const UniqueFd fd(
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat found {};
  if (!fd.valid() || fstat(fd.get(), &found) != 0) {
    return CannotRead(directory, name);
  }
  if (!S_ISREG(found.st_mode)) {
    return Bad(directory, name, "it is not a regular file", kMakeThem);
  }
  if (is_secret && (found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Error(
        Reason::kNotAllowed,
        absl::StrCat("use ", Quoted(path), ": its mode ",
                     absl::StrFormat("%04o", found.st_mode & 07777U),
                     " lets others at the key; run \"chmod 600\" on it, and "
                     "issue a new one if anybody may have read it"));
  }
  if ((found.st_mode & S_IWOTH) != 0) {
    return Error(Reason::kNotAllowed,
                 absl::StrCat("use ", Quoted(path),
                              ": anybody may write it, and so could add an "
                              "authority; run \"chmod 644\" on it and look at "
                              "what it holds"));
  }
  std::string text(static_cast<std::size_t>(limits::kPemBytesMax) + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return CannotRead(directory, name);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > static_cast<std::size_t>(limits::kPemBytesMax)) {
    return Bad(directory, name,
               absl::StrCat("it is longer than ", limits::kPemBytesMax,
                            " bytes, more than any certificate"),
               kMakeThem);
  }
  text.resize(size);
  return text;
}

// Expired, or not valid yet?
absl::Status CheckDates(const Credentials& credentials, absl::string_view name,
                        const X509& certificate, absl::Time now) {
  const CertificateFacts facts = FactsOf(certificate);
  if (now > facts.not_after) {
    return Bad(
        credentials.directory, name,
        absl::StrCat("it expired on ", absl::FormatTime(facts.not_after)),
        name == kAuthorityFile
            ? "make a new authority with \"hearth security init\" and "
              "issue all nodes anew"
            : kIssueAnew);
  }
  if (now < facts.not_before) {
    return Bad(credentials.directory, name,
               absl::StrCat("it is not valid before ",
                            absl::FormatTime(facts.not_before)),
               "set this host's clock right");
  }
  return absl::OkStatus();
}

absl::Status CheckSignature(const Credentials& credentials, X509& leaf,
                            const std::vector<X509Ptr>& authorities,
                            const std::vector<X509Ptr>& chain, absl::Time now) {
  using StorePtr = std::unique_ptr<X509_STORE, OpenSslFree<X509_STORE_free>>;
  using ContextPtr =
      std::unique_ptr<X509_STORE_CTX, OpenSslFree<X509_STORE_CTX_free>>;
  const StorePtr store(X509_STORE_new());
  for (const X509Ptr& authority : authorities) {
    X509_STORE_add_cert(store.get(), authority.get());
  }
  const auto free_stack = [](STACK_OF(X509) * stack) { sk_X509_free(stack); };
  const std::unique_ptr<STACK_OF(X509), decltype(free_stack)> others(
      sk_X509_new_null(), free_stack);
  for (std::size_t i = 1; i < chain.size(); ++i) {
    sk_X509_push(others.get(), chain[i].get());
  }
  const ContextPtr context(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), store.get(), &leaf, others.get()) !=
      1) {
    ERR_clear_error();
    return Error(Reason::kInternal, "check a certificate: out of memory");
  }
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(rules, absl::ToTimeT(now));
  if (X509_verify_cert(context.get()) != 1) {
    return Bad(credentials.directory, kNodeFile,
               absl::StrCat("it is not signed by the ca.pem beside it (",
                            X509_verify_cert_error_string(
                                X509_STORE_CTX_get_error(context.get())),
                            ")"),
               "copy all files of one \"hearth security issue\"");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCredentials(const Credentials& credentials, absl::Time now) {
  const std::string& directory = credentials.directory;
  const auto authorities = ParseCertificates(credentials.authority);
  if (!authorities.ok()) {
    return Bad(directory, kAuthorityFile, authorities.status().message(),
               kMakeThem);
  }
  const auto chain = ParseCertificates(credentials.certificate);
  if (!chain.ok()) {
    return Bad(directory, kNodeFile, chain.status().message(), kIssueAnew);
  }
  const auto key = ParseKey(credentials.key);
  if (!key.ok()) {
    return Bad(directory, kNodeKeyFile, key.status().message(), kIssueAnew);
  }
  X509& leaf = *chain->front();
  if (X509_check_private_key(&leaf, key->get()) != 1) {
    return Bad(directory, kNodeKeyFile, "it is not the key of node.pem",
               "copy both from one \"hearth security issue\"");
  }
  HEARTH_RETURN_IF_ERROR(
      CheckDates(credentials, kAuthorityFile, *authorities->front(), now));
  HEARTH_RETURN_IF_ERROR(CheckDates(credentials, kNodeFile, leaf, now));
  HEARTH_RETURN_IF_ERROR(
      CheckSignature(credentials, leaf, *authorities, *chain, now));
  if (X509_check_host(&leaf, kClusterName, 0, 0, nullptr) != 1) {
    return Bad(directory, kNodeFile,
               absl::StrCat("it lacks the name ", kClusterName,
                            ", by which nodes know each other"),
               kIssueAnew);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadCertificateFile(absl::string_view directory,
                                                absl::string_view name) {
  return ReadBounded(directory, name, /*is_secret=*/false);
}

absl::StatusOr<std::string> ReadKeyFile(absl::string_view directory,
                                        absl::string_view name) {
  return ReadBounded(directory, name, /*is_secret=*/true);
}

absl::StatusOr<Credentials> ReadCredentials(absl::string_view directory,
                                            absl::Time now) {
  Credentials credentials{.directory = std::string(directory)};
  HEARTH_ASSIGN_OR_RETURN(credentials.authority,
                          ReadCertificateFile(directory, kAuthorityFile));
  HEARTH_ASSIGN_OR_RETURN(credentials.certificate,
                          ReadCertificateFile(directory, kNodeFile));
  HEARTH_ASSIGN_OR_RETURN(credentials.key,
                          ReadKeyFile(directory, kNodeKeyFile));
  HEARTH_RETURN_IF_ERROR(CheckCredentials(credentials, now));
  return credentials;
}

std::string CredentialsDirectory(absl::string_view named) {
  if (!named.empty()) return std::string(named);
  if (auto told = EnvironmentVariable("HEARTH_TLS_DIR")) return *told;
  if (auto configuration = EnvironmentVariable("XDG_CONFIG_HOME")) {
    return absl::StrCat(*configuration, "/hearth/tls");
  }
  if (auto home = EnvironmentVariable("HOME")) {
    return absl::StrCat(*home, "/.config/hearth/tls");
  }
  return "/etc/hearth/tls";  // a service without a home
}

}  // namespace hearth
