#include <gtest/gtest.h>

#include <string>

#include "client/gateway/http_message.h"
#include "hearth/base/limits.h"

namespace hearth::client {
namespace {

using State = HttpReader::State;

constexpr char kPost[] =
    "POST /objects/a%2Fb/add?x=1+2&y=%C3%A9 HTTP/1.1\r\n"
    "Host: localhost\r\nContent-Length: 3\r\n\r\n[5]";

TEST(HttpReader, ReadsARequest) {
  HttpReader reader(100);
  ASSERT_EQ(reader.Feed(kPost), State::kWhole);
  const HttpRequest request = reader.Take();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, (std::vector<std::string>{"objects", "a/b", "add"}));
  EXPECT_EQ(request.query, (HttpHeaders{{"x", "1 2"}, {"y", "\xC3\xA9"}}));
  EXPECT_EQ(request.Header("host"), "localhost");
  EXPECT_EQ(request.Header("none"), "");
  EXPECT_EQ(request.body, "[5]");
  EXPECT_TRUE(request.keep_alive);
  EXPECT_TRUE(reader.idle());
}

TEST(HttpReader, ReadsTheSameHoweverTheBytesCome) {
  HttpReader reader(100);
  const std::string text = kPost;
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    ASSERT_NE(reader.Feed({&text[at], 1}), State::kWhole) << at;
  }
  EXPECT_EQ(reader.state(), State::kBody);
  ASSERT_EQ(reader.Feed("]"), State::kWhole);
  EXPECT_EQ(reader.request().body, "[5]");
}

TEST(HttpReader, ReadsOneAfterAnother) {
  HttpReader reader(100);
  ASSERT_EQ(reader.Feed(std::string(kPost) + kPost + "GET /"), State::kWhole);
  reader.Take();
  ASSERT_EQ(reader.state(), State::kWhole);
  EXPECT_EQ(reader.Take().body, "[5]");
  EXPECT_EQ(reader.state(), State::kHead);
  EXPECT_FALSE(reader.idle());
}

TEST(HttpReader, KeepsNoOldConnectionOpen) {
  HttpReader reader(100);
  ASSERT_EQ(reader.Feed("GET / HTTP/1.0\r\n\r\n"), State::kWhole);
  const HttpRequest request = reader.Take();
  EXPECT_FALSE(request.keep_alive);
  EXPECT_FALSE(request.may_be_chunked);
  EXPECT_TRUE(request.path.empty());
}

TEST(HttpReader, HoldsNoMoreThanAHeadAndABody) {
  HttpReader endless(100);
  const std::string line(1000, 'x');
  int fed = 0;
  while (endless.Feed(line) == State::kHead) ++fed;
  EXPECT_LE(fed * line.size(), limits::kHttpHeadBytesMax);
  EXPECT_EQ(endless.refusal().status, 431);

  HttpReader large(2);
  ASSERT_EQ(large.Feed(kPost), State::kRefused);
  EXPECT_EQ(large.refusal().status, 413);
  EXPECT_EQ(large.Feed("more"), State::kRefused);
}

TEST(HttpReader, RefusesTwoLengthsAndChunks) {
  for (const char* headers :
       {"Content-Length: 1\r\ncontent-length: 1", "Transfer-Encoding: chunked",
        "Content-Length: +1", "Content-Length: 1, 1",
        "Content-Length:", "Transfer-Encoding:",
        "Transfer-Encoding:\r\nTransfer-Encoding: chunked", "Expect:",
        "Expect: 100-continue\r\nExpect:", "Connection:\r\nConnection: close",
        "Content-Length: 99999999999999999999999999"}) {
    HttpReader reader(100);
    EXPECT_EQ(
        reader.Feed(std::string("POST / HTTP/1.1\r\n") + headers + "\r\n\r\n"),
        State::kRefused)
        << headers;
    EXPECT_EQ(reader.refusal().body.find("9999"), std::string::npos);
  }
}

}  // namespace
}  // namespace hearth::client
