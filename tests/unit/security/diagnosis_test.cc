// Against servers of this process: a thread that answers one connection.
#include "hearth/transport/security/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "hearth/base/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/unique_fd.h"
#include "hearth/transport/security/openssl.h"
#include "hearth/transport/security/pem.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/security/made_credentials.h"

namespace hearth {
namespace {

using ::hearth::testing::IsOk;
using ::hearth::testing::MadeAuthority;
using ::hearth::testing::MadeCredentials;
using ::testing::HasSubstr;

// Answers one connection on 127.0.0.1 with `serve`, and ends.
class OneShotServer {
 public:
  explicit OneShotServer(std::function<void(int fd)> serve)
      : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), raw, size), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    EXPECT_EQ(getsockname(listener_.get(), raw, &size), 0);
    address_ = {Address::Kind::kTcp, "127.0.0.1", ntohs(address.sin_port)};
    thread_ = std::thread([this, serve = std::move(serve)] {
      const UniqueFd fd(accept(listener_.get(), nullptr, nullptr));
      serve(fd.get());
    });
  }
  ~OneShotServer() { thread_.join(); }

  const Address& address() const { return address_; }

 private:
  UniqueFd listener_;
  Address address_;
  std::thread thread_;
};

void Say(int fd, const std::string& text) {
  send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  char rest[4096];
  while (recv(fd, rest, sizeof(rest), 0) > 0) {
  }
}

struct TlsServerOptions {
  Credentials credentials;
  bool http2 = true;
};

// Mutual TLS as a coordinator does it; greets whom it takes with one byte.
std::function<void(int)> TlsServer(const TlsServerOptions& options) {
  return [options](int fd) {
    const SslContextPtr context(SSL_CTX_new(TLS_server_method()));
    const auto chain = ParseCertificates(options.credentials.certificate);
    const auto key = ParseKey(options.credentials.key);
    const auto authority = ParseCertificates(options.credentials.authority);
    SSL_CTX_use_certificate(context.get(), chain->front().get());
    SSL_CTX_use_PrivateKey(context.get(), key->get());
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()),
                        authority->front().get());
    SSL_CTX_set_verify(context.get(),
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       nullptr);
    if (options.http2) {
      SSL_CTX_set_alpn_select_cb(
          context.get(),
          [](SSL*, const unsigned char** out, unsigned char* size,
             const unsigned char*, unsigned, void*) {
            *out = reinterpret_cast<const unsigned char*>("h2");
            *size = 2;
            return SSL_TLSEXT_ERR_OK;
          },
          nullptr);
    }
    const SslPtr ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) == 1) {
      SSL_write(ssl.get(), "x", 1);
      char rest = 0;
      SSL_read(ssl.get(), &rest, 1);
    }
  };
}

class ExplainFailureTest : public ::testing::Test {
 protected:
  void Expect(const absl::Status& status, Reason reason,
              const std::string& finding) {
    EXPECT_EQ(ReasonOf(status), reason) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(finding));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("connect to 127.0.0.1:"));
  }

  const absl::Time now_ = WallTime();
  const KeyedCertificate authority_ = MadeAuthority(now_);
  const Credentials client_ = MadeCredentials(authority_, now_);
  const Credentials server_ = MadeCredentials(authority_, now_);
};

TEST_F(ExplainFailureTest, FindsNothingWrongWithACoordinatorOfOurs) {
  OneShotServer server(TlsServer({.credentials = server_}));
  EXPECT_THAT(ExplainFailure(server.address(), &client_), IsOk());
}

TEST_F(ExplainFailureTest, NobodyListens) {
  std::optional<Address> address;
  {
    OneShotServer server([](int) {});
    address = server.address();
    ExplainFailure(*address, nullptr, absl::Seconds(1)).IgnoreError();
  }
  Expect(ExplainFailure(*address, &client_), Reason::kClusterUnreachable,
         "nobody listens there");
}

TEST_F(ExplainFailureTest, AHostThatIsUnknown) {
  const absl::Status status = ExplainFailure(
      {Address::Kind::kTcp, "no.such.host.invalid", 1}, &client_);
  EXPECT_EQ(ReasonOf(status), Reason::kClusterUnreachable);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the host name is unknown"));
}

TEST_F(ExplainFailureTest, ItSpeaksNoTls) {
  // gRPC without TLS begins with a SETTINGS frame; others with words.
  for (const std::string& greeting :
       {std::string("\0\0\x12\4\0\0\0\0\0", 9),
        std::string("HTTP/1.1 400 Bad Request\r\n\r\n"),
        std::string("SSH-2.0-OpenSSH_9.2\r\n")}) {
    OneShotServer server([greeting](int fd) { Say(fd, greeting); });
    Expect(ExplainFailure(server.address(), &client_), Reason::kBadCredentials,
           "it speaks no TLS");
  }
  OneShotServer server([](int) {});  // hangs up at once
  Expect(ExplainFailure(server.address(), &client_), Reason::kBadCredentials,
         "it speaks no TLS");
}

TEST_F(ExplainFailureTest, ItSaysNothing) {
  OneShotServer server([](int fd) { Say(fd, ""); });
  Expect(ExplainFailure(server.address(), &client_, absl::Milliseconds(100)),
         Reason::kClusterUnreachable, "says nothing");
}

TEST_F(ExplainFailureTest, ItIsOfAnotherAuthority) {
  OneShotServer server(
      TlsServer({.credentials = MadeCredentials(MadeAuthority(now_), now_)}));
  Expect(ExplainFailure(server.address(), &client_), Reason::kBadCredentials,
         "its certificate is of another authority");
}

TEST_F(ExplainFailureTest, ItsCertificateHasExpired) {
  const KeyedCertificate old = MadeAuthority(now_ - absl::Hours(24 * 500));
  const Credentials client = MadeCredentials(old, now_);
  OneShotServer server(TlsServer(
      {.credentials = MadeCredentials(old, now_ - absl::Hours(24 * 400))}));
  Expect(ExplainFailure(server.address(), &client), Reason::kBadCredentials,
         "its certificate has expired");
}

TEST_F(ExplainFailureTest, ItRefusesOurs) {
  // It is of our authority, and believes another one.
  Credentials server_credentials = server_;
  server_credentials.authority = MadeAuthority(now_).certificate;
  OneShotServer server(TlsServer({.credentials = server_credentials}));
  Expect(ExplainFailure(server.address(), &client_), Reason::kBadCredentials,
         "it refused our certificate \"d/node.pem\"");
}

TEST_F(ExplainFailureTest, ItRefusesOursAsExpired) {
  const KeyedCertificate old = MadeAuthority(now_ - absl::Hours(24 * 500));
  const Credentials expired =
      MadeCredentials(old, now_ - absl::Hours(24 * 400));
  OneShotServer server(TlsServer({.credentials = MadeCredentials(old, now_)}));
  Expect(ExplainFailure(server.address(), &expired), Reason::kBadCredentials,
         "it refused our certificate \"d/node.pem\" as expired");
}

TEST_F(ExplainFailureTest, ItIsNoCoordinator) {
  OneShotServer server(TlsServer({.credentials = server_, .http2 = false}));
  Expect(ExplainFailure(server.address(), &client_), Reason::kBadCredentials,
         "is no coordinator");
}

TEST_F(ExplainFailureTest, ItWantsTlsAndWeGoWithout) {
  OneShotServer server(TlsServer({.credentials = server_}));
  Expect(ExplainFailure(server.address(), nullptr), Reason::kBadCredentials,
         "it wants TLS");
}

TEST_F(ExplainFailureTest, FindsNothingWrongWhereNeitherHasTls) {
  OneShotServer server(
      [](int fd) { Say(fd, std::string("\0\0\x12\4\0\0\0\0\0", 9)); });
  EXPECT_THAT(ExplainFailure(server.address(), nullptr), IsOk());
}

}  // namespace
}  // namespace hearth
