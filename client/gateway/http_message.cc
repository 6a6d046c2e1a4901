#include "client/gateway/http_message.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "hearth/base/limits.h"
#include "hearth/base/quoted.h"

namespace hearth::client {
namespace {

constexpr absl::string_view kHeadEnd = "\r\n\r\n";

// What a name of a header or a method may be made of.
bool IsToken(absl::string_view text) {
  constexpr absl::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::StrContains(kOthers, c);
  });
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// %XX as bytes, and in a query + as a blank; none for what is no such text, or
// no text at all.
std::optional<std::string> Decoded(absl::string_view text, bool in_query) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%') {
      if (at + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[at + 1]);
      const int low = HexDigit(text[at + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      at += 2;
    } else {
      out.push_back(in_query && text[at] == '+' ? ' ' : text[at]);
    }
  }
  if (!IsPrintable(out)) return std::nullopt;
  return out;
}

absl::string_view Phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

}  // namespace

absl::string_view HttpRequest::Header(absl::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

bool HttpRequest::Has(absl::string_view name) const {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& header) { return header.first == name; });
}

HttpAnswer ErrorAnswer(int status, absl::string_view type,
                       absl::string_view message) {
  using Json = nlohmann::ordered_json;
  const Json error = {{"type", std::string(type)},
                      {"message", std::string(message)},
                      {"stack", Json::array()},
                      {"correlation", ""}};
  const Json body = {{"error", error}};
  return {
      .status = status,
      .body = body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

std::string FormatHead(const HttpAnswer& answer, std::ptrdiff_t length,
                       bool keep_alive, bool chunked) {
  std::string head =
      absl::StrCat("HTTP/1.1 ", answer.status, " ", Phrase(answer.status),
                   "\r\nContent-Type: ", answer.type,
                   "\r\nCache-Control: no-store"
                   "\r\nX-Content-Type-Options: nosniff");
  for (const auto& [name, value] : answer.headers) {
    absl::StrAppend(&head, "\r\n", name, ": ", value);
  }
  if (length >= 0) {
    absl::StrAppend(&head, "\r\nContent-Length: ", length);
  } else if (chunked) {
    absl::StrAppend(&head, "\r\nTransfer-Encoding: chunked");
  }
  absl::StrAppend(
      &head, "\r\nConnection: ", keep_alive ? "keep-alive" : "close", kHeadEnd);
  return head;
}

HttpReader::State HttpReader::Feed(absl::string_view bytes) {
  if (state_ == State::kRefused) return state_;
  buffer_.append(bytes.data(), bytes.size());
  Advance();
  return state_;
}

HttpRequest HttpReader::Take() {
  HttpRequest request = std::move(request_);
  request_ = {};
  body_bytes_ = 0;
  state_ = State::kHead;
  Advance();
  return request;
}

void HttpReader::Advance() {
  if (state_ == State::kHead) {
    const std::size_t end =
        buffer_.find(kHeadEnd.data(), searched_, kHeadEnd.size());
    const std::size_t head_bytes =
        end == std::string::npos ? buffer_.size() : end;
    if (head_bytes > limits::kHttpHeadBytesMax) {
      Refuse(431, absl::StrCat("its head has more than ",
                               limits::kHttpHeadBytesMax, " bytes"));
      return;
    }
    if (end == std::string::npos) {
      searched_ = buffer_.size() < 3 ? 0 : buffer_.size() - 3;
      return;
    }
    const std::string head = buffer_.substr(0, end);
    buffer_.erase(0, end + kHeadEnd.size());
    searched_ = 0;
    ReadHead(head);
  }
  if (state_ == State::kBody && buffer_.size() >= body_bytes_) {
    request_.body = buffer_.substr(0, body_bytes_);
    buffer_.erase(0, body_bytes_);
    state_ = State::kWhole;
  }
}

void HttpReader::ReadHead(absl::string_view head) {
  bool is_first = true;
  for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
    if (!(is_first ? ReadRequestLine(line) : ReadHeaderLine(line))) return;
    is_first = false;
  }
  if (ReadLengths()) state_ = State::kBody;
}

bool HttpReader::ReadRequestLine(absl::string_view line) {
  const std::vector<absl::string_view> parts = absl::StrSplit(line, ' ');
  if (parts.size() != 3 || !IsToken(parts[0]) ||
      !absl::StartsWith(parts[2], "HTTP/")) {
    return Refuse(400, "its first line is no \"METHOD /PATH HTTP/1.1\"");
  }
  if (parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0") {
    return Refuse(505, "its version is neither HTTP/1.1 nor HTTP/1.0");
  }
  request_.method = std::string(parts[0]);
  request_.may_be_chunked = parts[2] == "HTTP/1.1";
  const absl::string_view target = parts[1];
  const bool is_printable =
      std::all_of(target.begin(), target.end(), [](char c) {
        return absl::ascii_isgraph(static_cast<unsigned char>(c));
      });
  if (!absl::StartsWith(target, "/") || !is_printable) {
    return Refuse(400, "its target is no path that begins with \"/\"");
  }
  const std::vector<absl::string_view> halves =
      absl::StrSplit(target, absl::MaxSplits('?', 1));
  for (const absl::string_view part :
       absl::StrSplit(halves[0].substr(1), '/', absl::AllowEmpty())) {
    const auto decoded = Decoded(part, /*in_query=*/false);
    if (!decoded.has_value())
      return Refuse(400, "its path is no text, or has a broken \"%\"");
    request_.path.push_back(*decoded);
  }
  // "/objects/" is "/objects".
  if (request_.path.back().empty()) request_.path.pop_back();
  if (halves.size() < 2) return true;
  for (const absl::string_view pair :
       absl::StrSplit(halves[1], '&', absl::SkipEmpty())) {
    const std::vector<absl::string_view> sides =
        absl::StrSplit(pair, absl::MaxSplits('=', 1));
    const auto key = Decoded(sides[0], /*in_query=*/true);
    const auto value =
        Decoded(sides.size() > 1 ? sides[1] : "", /*in_query=*/true);
    if (!key.has_value() || !value.has_value()) {
      return Refuse(400, "its query is no text, or has a broken \"%\"");
    }
    request_.query.emplace_back(*key, *value);
  }
  return true;
}

bool HttpReader::ReadHeaderLine(absl::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == absl::string_view::npos || !IsToken(line.substr(0, colon))) {
    return Refuse(400, "a line of its head is no \"Name: value\"");
  }
  if (request_.headers.size() >= limits::kHttpHeadersMax) {
    return Refuse(431, absl::StrCat("it has more than ",
                                    limits::kHttpHeadersMax, " headers"));
  }
  const absl::string_view value =
      absl::StripAsciiWhitespace(line.substr(colon + 1));
  const bool is_plain = std::none_of(value.begin(), value.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\t';
  });
  if (!is_plain) return Refuse(400, "a header has control characters");
  const std::string name = absl::AsciiStrToLower(line.substr(0, colon));
  for (const absl::string_view once :
       {"host", "content-length", "transfer-encoding", "connection", "expect",
        "authorization", "origin"}) {
    if (name == once && request_.Has(name)) {
      return Refuse(400, absl::StrCat("it has ", once, " twice"));
    }
  }
  request_.headers.emplace_back(name, std::string(value));
  return true;
}

bool HttpReader::ReadLengths() {
  const std::string connection =
      absl::AsciiStrToLower(request_.Header("connection"));
  request_.keep_alive =
      request_.may_be_chunked ? !absl::StrContains(connection, "close") : false;
  // Whether they are there, not what they say: an empty one is one too, and who
  // stands before this may have read it otherwise.
  if (request_.Has("transfer-encoding")) {
    return Refuse(411, "its body comes in chunks; send a Content-Length");
  }
  request_.expects_continue = request_.Has("expect");
  if (request_.expects_continue &&
      absl::AsciiStrToLower(request_.Header("expect")) != "100-continue") {
    return Refuse(417, "it expects something else than 100-continue");
  }
  if (!request_.Has("content-length")) return true;
  const absl::string_view length = request_.Header("content-length");
  const bool is_number =
      !length.empty() && std::all_of(length.begin(), length.end(), [](char c) {
        return absl::ascii_isdigit(static_cast<unsigned char>(c));
      });
  if (!is_number) return Refuse(400, "its Content-Length is no number");
  if (!absl::SimpleAtoi(length, &body_bytes_) ||
      body_bytes_ > body_bytes_max_) {
    return Refuse(413, absl::StrCat("its body has more than ", body_bytes_max_,
                                    " bytes; put large arrays as matrices"));
  }
  return true;
}

bool HttpReader::Refuse(int status, absl::string_view message) {
  state_ = State::kRefused;
  buffer_.clear();
  refusal_ = ErrorAnswer(status, "bad-usage",
                         absl::StrCat("read the request: ", message));
  return false;
}

}  // namespace hearth::client
