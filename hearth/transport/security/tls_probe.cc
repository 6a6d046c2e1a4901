#include "hearth/transport/security/tls_probe.h"

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "hearth/base/clock.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/transport/security/identity.h"
#include "hearth/transport/security/pem.h"

namespace hearth {
namespace {

constexpr unsigned char kHttp2[] = {2, 'h', '2'};
constexpr unsigned char kAlertRecord = 0x15;
constexpr unsigned char kHandshakeRecord = 0x16;

absl::Status UseCredentials(SSL_CTX& context, const Credentials& credentials) {
  HEARTH_ASSIGN_OR_RETURN(const auto authorities,
                          ParseCertificates(credentials.authority));
  HEARTH_ASSIGN_OR_RETURN(const auto chain,
                          ParseCertificates(credentials.certificate));
  HEARTH_ASSIGN_OR_RETURN(const KeyPtr key, ParseKey(credentials.key));
  for (const X509Ptr& authority : authorities) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), authority.get());
  }
  SSL_CTX_use_certificate(&context, chain.front().get());
  for (std::size_t i = 1; i < chain.size(); ++i) {
    SSL_CTX_add1_chain_cert(&context, chain[i].get());
  }
  SSL_CTX_use_PrivateKey(&context, key.get());
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, nullptr);
  return absl::OkStatus();
}

// A handshake whose bytes we carry ourselves: OpenSSL's own sockets know
// neither a deadline nor how to write without SIGPIPE.
class Handshake {
 public:
  Handshake(UniqueFd socket, SslPtr ssl, absl::Time deadline)
      : socket_(std::move(socket)), ssl_(std::move(ssl)), deadline_(deadline) {
    incoming_ = BIO_new(BIO_s_mem());
    outgoing_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), incoming_, outgoing_);  // which owns them now
  }

  ProbeResult Run();

 private:
  enum class Step : std::uint8_t { kDone, kFailed, kEnded, kTimedOut };

  // Repeats `action` until it is through, carrying bytes in between.
  template <class Action>
  Step Carry(Action action);
  void Flush();
  Step Receive();

  UniqueFd socket_;
  SslPtr ssl_;
  const absl::Time deadline_;
  BIO* incoming_ = nullptr;
  BIO* outgoing_ = nullptr;
  bool received_any_ = false;
  bool spoke_tls_ = false;
};

void Handshake::Flush() {
  std::array<char, 4096> piece;
  int size = 0;
  while ((size = BIO_read(outgoing_, piece.data(), piece.size())) > 0) {
    // A handshake fits any socket's buffer. Who has hung up may have said why
    // before, so a failure here is left to Receive.
    send(socket_.get(), piece.data(), static_cast<std::size_t>(size),
         MSG_NOSIGNAL);
  }
}

Handshake::Step Handshake::Receive() {
  while (true) {
    std::array<unsigned char, 4096> piece;
    const ssize_t got = recv(socket_.get(), piece.data(), piece.size(), 0);
    if (got > 0) {
      if (!received_any_) {
        spoke_tls_ = piece[0] == kHandshakeRecord || piece[0] == kAlertRecord;
        received_any_ = true;
      }
      BIO_write(incoming_, piece.data(), static_cast<int>(got));
      return Step::kDone;
    }
    if (got == 0) return Step::kEnded;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Step::kEnded;
    const absl::Duration left = deadline_ - Clock::Real().Now();
    if (left <= absl::ZeroDuration()) return Step::kTimedOut;
    pollfd wait = {socket_.get(), POLLIN, 0};
    poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
  }
}

template <class Action>
Handshake::Step Handshake::Carry(Action action) {
  while (true) {
    ERR_clear_error();
    const int result = action(ssl_.get());
    Flush();
    if (result > 0) return Step::kDone;
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        if (const Step step = Receive(); step != Step::kDone) return step;
        break;
      case SSL_ERROR_ZERO_RETURN:
        return Step::kEnded;
      default:
        return Step::kFailed;
    }
  }
}

// The alert that OpenSSL's last error tells of, or -1.
int AlertReceived() {
  const unsigned long error = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(error);
  const bool alert =
      ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET;
  return alert ? reason - SSL_AD_REASON_OFFSET : -1;
}

ProbeResult Handshake::Run() {
  using End = ProbeResult::End;
  ProbeResult result;
  Step step = Carry(SSL_do_handshake);
  result.spoke_tls = spoke_tls_;
  result.verify_error = SSL_get_verify_result(ssl_.get());
  if (step != Step::kDone) {
    result.end = step == Step::kTimedOut ? End::kTimedOut : End::kRefused;
    if (step == Step::kFailed) result.alert = AlertReceived();
    return result;
  }
  const unsigned char* protocol = nullptr;
  unsigned protocol_size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &protocol_size);
  result.chose_http2 = protocol_size > 0;
  // In TLS 1.3 a client is done before the server has looked at its
  // certificate: whether it is welcome shows in what comes next.
  char first = 0;
  step = Carry([&first](SSL* ssl) { return SSL_read(ssl, &first, 1); });
  result.end = step == Step::kDone       ? End::kAnswered
               : step == Step::kTimedOut ? End::kSilent
                                         : End::kBrokenOff;
  if (step == Step::kFailed) result.alert = AlertReceived();
  return result;
}

}  // namespace

absl::StatusOr<ProbeResult> ProbeTls(UniqueFd socket,
                                     const Credentials* credentials,
                                     absl::Time deadline) {
  const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) {
    return Error(Reason::kInternal, "try TLS: OpenSSL refused to");
  }
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_alpn_protos(context.get(), kHttp2, sizeof(kHttp2));
  if (credentials != nullptr) {
    HEARTH_RETURN_IF_ERROR(UseCredentials(*context, *credentials));
  }
  SslPtr ssl(SSL_new(context.get()));
  if (credentials != nullptr) SSL_set1_host(ssl.get(), kClusterName);
  SSL_set_tlsext_host_name(ssl.get(), kClusterName);
  SSL_set_connect_state(ssl.get());
  const ProbeResult result =
      Handshake(std::move(socket), std::move(ssl), deadline).Run();
  ERR_clear_error();
  return result;
}

}  // namespace hearth
