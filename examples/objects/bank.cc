// bank ADDRESS: accounts with errors of their own type, and a transfer between
// two of them that is one call.
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/objects.h"
#include "hearth/object/call_error.h"

namespace {

constexpr char kInsufficientFunds[] = "bank.InsufficientFunds";
constexpr char kNoSuchAccount[] = "bank.NoSuchAccount";

struct Account {
  std::string owner;
  std::int64_t cents = 0;
};
auto Describe(hearth::As<Account>) {
  return hearth::Struct("Account", hearth::Field("owner", &Account::owner),
                        hearth::Field("cents", &Account::cents));
}

class Bank {
 public:
  void Open(const Account& account) { accounts_[account.owner] = account; }

  absl::StatusOr<Account> Look(const std::string& owner) {
    const auto found = accounts_.find(owner);
    if (found == accounts_.end()) {
      return hearth::TypedError(kNoSuchAccount,
                                absl::StrCat("nobody is called ", owner));
    }
    return found->second;
  }

  absl::Status Transfer(const std::string& from, const std::string& to,
                        std::int64_t cents) {
    const auto source = Look(from);
    if (!source.ok()) return source.status();
    const auto target = Look(to);
    if (!target.ok()) return target.status();
    if (source->cents < cents) {
      return hearth::TypedError(
          kInsufficientFunds,
          absl::StrCat(from, " has ", source->cents, ", not ", cents));
    }
    accounts_[from].cents -= cents;
    accounts_[to].cents += cents;
    return absl::OkStatus();
  }

 private:
  std::map<std::string, Account> accounts_;
};

hearth::Class Describe(hearth::As<Bank>) {
  return hearth::Declare<Bank>("Bank")
      .Method("open", &Bank::Open, {.parameters = {"account"}})
      .Method("look", &Bank::Look,
              {.parameters = {"owner"}, .idempotent = true})
      .Method("transfer", &Bank::Transfer,
              {.parameters = {"from", "to", "cents"}, .exactly_once = true});
}

absl::Status Run(const char* address) {
  const auto serving = hearth::Objects::Connect(address, {.insecure = true});
  if (!serving.ok()) return serving.status();
  auto server = hearth::ObjectServer::Start(*serving);
  if (!server.ok()) return server.status();
  const auto served = server->Serve("bank", std::make_shared<Bank>());
  if (!served.ok()) return served.status();

  const auto calling = hearth::Objects::Connect(address, {.insecure = true});
  if (!calling.ok()) return calling.status();
  const hearth::Proxy bank = calling->Get("bank");
  auto batch = bank.Batch();
  batch.Add("open", Account{"ann", 1000}).Add("open", Account{"bob", 0});
  if (const auto opened = batch.Run(); !opened.status.ok()) {
    return opened.status;
  }
  absl::Status status = bank.Call<void>("transfer", "ann", "bob", 700);
  if (!status.ok()) return status;
  for (const char* from : {"ann", "carl"}) {
    status = bank.Call<void>("transfer", from, "bob", 700);
    std::printf("%s: %s\n", hearth::TypeOf(status).c_str(),
                std::string(status.message()).c_str());
  }
  const auto bob = bank.Call<Account>("look", "bob");
  if (!bob.ok()) return bob.status();
  std::printf("bob has %lld\n", static_cast<long long>(bob->cents));
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status =
      argc < 2 ? absl::InvalidArgumentError("bank ADDRESS") : Run(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
