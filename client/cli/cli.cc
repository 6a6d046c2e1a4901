#include "client/cli/cli.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/cli/checks.h"
#include "client/cli/command.h"
#include "client/cli/interrupt.h"
#include "client/cli/output/display.h"
#include "client/cli/output/table.h"
#include "client/cli/output/wrap.h"
#include "client/cli/surroundings.h"
#include "hearth/base/error.h"
#include "hearth/base/log.h"
#include "hearth/base/version.h"

namespace hearth::client {
namespace {

// One line, whatever a library put into its message or a user into a name: a
// terminal obeys what is not printable.
void PrintError(absl::string_view message) {
  std::fprintf(stderr, "hearth: %s\n", Escaped(message).c_str());
}

void AddSharedOptions(CLI::App& app, Context& context) {
  app.add_flag("--json", context.json, "Print one JSON document");
  app.add_option("--cluster", context.cluster,
                 "Address of a coordinator (or HEARTH_CLUSTER)")
      ->type_name("ADDRESS");
  app.add_option("--tls-dir", context.tls_dir,
                 "Folder with credentials for TCP (or HEARTH_TLS_DIR; "
                 "default ~/.config/hearth/tls)")
      ->type_name("DIR");
  app.add_flag("--insecure", context.insecure,
               "Allow TCP without credentials; both ends must say it");
  app.add_flag("-v,--verbose", context.verbose, "Log to standard error");
}

// Help in lines that a terminal shows as they are.
class HelpText : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    const std::string text =
        CLI::Formatter::make_help(app, std::move(name), mode);
    const auto described_at = static_cast<std::size_t>(get_column_width());
    std::string lines;
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      const bool is_short = line.size() <= std::size_t{kTableWidth};
      const std::size_t head = is_short ? line.size() : described_at;
      absl::StrAppend(
          &lines, line.substr(0, head),
          Wrapped(line.substr(head), static_cast<int>(described_at)), "\n");
    }
    lines.pop_back();  // of what followed the last one
    return lines;
  }
};

// What an unset variable of a shell leaves of an option is refused, instead of
// taken for an option that was not given.
void RefuseEmptyValues(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->nonpositional() && option->get_expected_max() > 0) {
      option->check(IsNotEmpty());
    }
  }
  for (CLI::App* command : app.get_subcommands(nullptr)) {
    RefuseEmptyValues(*command);
  }
}

// CLI11 takes a word in brackets for a list and splits it at its commas. A mark
// before it, which no text of an option keeps, hides the bracket.
constexpr char kBracketMark = '\1';

std::string Unmarked(std::string word) {
  if (!word.empty() && word[0] == kBracketMark) word.erase(0, 1);
  return word;
}

// As CLI11 wants them: the last one first, and without the program's name.
std::vector<std::string> MarkedWords(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = argc - 1; i > 0; --i) {
    std::string word = argv[i];
    if (!word.empty() && (word[0] == '[' || word[0] == kBracketMark)) {
      word.insert(word.begin(), kBracketMark);
    }
    words.push_back(std::move(word));
  }
  return words;
}

// Every value as it was typed, and one with each name of an option.
void TakeValuesAsTheyAre(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_expected_max() == 0) continue;  // a flag
    option->transform(Unmarked);
    if (!option->nonpositional() || !option->get_allow_extra_args()) continue;
    option->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
  }
  for (CLI::App* command : app.get_subcommands(nullptr)) {
    TakeValuesAsTheyAre(*command);
  }
}

// The first word that should have been a command, if it is none.
std::string UnknownCommand(const CLI::App& app, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--cluster" || word == "--tls-dir") {
      ++i;  // its value
    } else if (!word.empty() && word[0] != '-') {
      for (const CLI::App* command :
           app.get_subcommands([](const CLI::App*) { return true; })) {
        if (command->get_name() == word) return "";
      }
      return word;
    }
  }
  return "";
}

// What is wrong with it, in our words where CLI11's name something else first.
std::string FindingOf(const CLI::ParseError& error, const CLI::App& app) {
  if (error.get_name() != "RequiredError") {
    return absl::StrReplaceAll(error.what(),
                               {{std::string(1, kBracketMark) + "[", "["}});
  }
  for (const std::string& word : app.remaining(/*recurse=*/true)) {
    if (absl::StartsWith(word, "-")) {
      return absl::StrCat("there is no option ", word);
    }
  }
  if (app.get_subcommands().empty()) return "it names no command";
  return error.what();
}

absl::Status CheckSecurity(const Context& context) {
  if (!context.insecure) return absl::OkStatus();
  if (!context.tls_dir.empty()) {
    return Error(Reason::kBadUsage,
                 "use --tls-dir and --insecure together: the one asks for "
                 "credentials, the other goes without; leave one of them out");
  }
  if (context.verbose) {
    std::fprintf(stderr,
                 "hearth: --insecure: connections over TCP are neither "
                 "encrypted nor checked\n");
  }
  return absl::OkStatus();
}

// "put m big.npy": a command and the values of its positionals.
std::string AttemptOf(const CLI::App& app) {
  std::string attempt;
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    absl::StrAppend(&attempt, attempt.empty() ? "" : " ", command->get_name());
  }
  for (const CLI::Option* option : command->get_options()) {
    if (option->nonpositional()) continue;
    for (const std::string& value : option->results()) {
      absl::StrAppend(&attempt, " ", Unmarked(value));
    }
  }
  return attempt;
}

int ExitStatusOf(const absl::Status& status) {
  if (InterruptGuard::interrupted()) return kExitInterrupted;
  return ReasonOf(status) == Reason::kBadUsage ? kExitUsage : kExitFailed;
}

}  // namespace

CLI::App* AddCommand(CLI::App& app, CommandLine& line, const std::string& name,
                     const std::string& summary, const std::string& examples,
                     std::function<absl::Status()> run) {
  CLI::App* command = app.add_subcommand(name, summary);
  command->footer("Examples:\n" + examples);
  AddSharedOptions(*command, line.context);
  if (run != nullptr) {
    command->callback([&line, run = std::move(run)] { line.chosen = run; });
  }
  return command;
}

int RunCommandLine(int argc, char** argv, const ProcessMains& mains) {
  PrepareProcess();
  CommandLine line;
  line.mains = &mains;

  CLI::App app("One read-only matrix, every process around it.", "hearth");
  app.formatter(std::make_shared<HelpText>());
  app.set_version_flag("--version", std::string("hearth ") + kVersion);
  app.set_help_flag("-h,--help", "Print this and exit");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  hearth run mean big.npy axis=0        # no server needed\n"
      "  hearth local --workers 5              # a cluster on this machine\n"
      "  hearth --cluster ADDRESS put m big.npy\n"
      "  hearth COMMAND --help");
  AddSharedOptions(app, line.context);
  AddRun(app, line);
  AddPut(app, line);
  AddMake(app, line);
  AddList(app, line);
  AddInfo(app, line);
  AddGet(app, line);
  AddRemove(app, line);
  AddProcesses(app, line);
  AddWorkers(app, line);
  AddJobs(app, line);
  AddCancel(app, line);
  AddDrain(app, line);
  AddTop(app, line);
  AddOperations(app, line);
  AddObjects(app, line);
  AddCall(app, line);
  AddUp(app, line);
  AddStatus(app, line);
  AddDown(app, line);
  AddSecurity(app, line);
  AddDoctor(app, line);
  RefuseEmptyValues(app);
  TakeValuesAsTheyAre(app);

  try {
    app.parse(MarkedWords(argc, argv));
  } catch (const CLI::Success& asked_for_text) {
    const int exit_status = app.exit(asked_for_text);
    std::cout.flush();
    const absl::Status printed = FlushOutput();
    if (printed.ok()) return exit_status;
    PrintError(printed.message());
    return kExitFailed;
  } catch (const CLI::ParseError& error) {
    const std::string unknown = UnknownCommand(app, argc, argv);
    if (!unknown.empty()) {
      PrintError(absl::StrCat("run \"hearth ", unknown,
                              "\": there is no such command; see hearth "
                              "--help for those there are"));
      return kExitUsage;
    }
    PrintError(absl::StrCat("read the command line: ", FindingOf(error, app),
                            "; see hearth --help"));
    return kExitUsage;
  }
  if (line.context.cluster.empty()) {
    if (const char* from_environment = std::getenv("HEARTH_CLUSTER")) {
      line.context.cluster = from_environment;
    }
  }
  // gRPC's own log, unless its user set it up: the one line is ours.
  if (!line.context.verbose) setenv("GRPC_VERBOSITY", "NONE", /*replace=*/0);
  if (line.context.verbose) {
    StartLog(
        absl::StrCat(app.get_subcommands().front()->get_name(), " ", getpid()));
  }
  NameAttempt(AttemptOf(app),
              app.got_subcommand("call")
                  ? "the method may run all the same: look at the object "
                    "before you call it again"
                  : "run it again");
  absl::Status status = CheckSecurity(line.context);
  if (status.ok()) status = CheckProcessLimits();
  if (status.ok()) status = line.chosen();
  if (status.ok()) status = FlushOutput();
  if (status.ok()) return line.exit_status;
  PrintError(status.message());
  return ExitStatusOf(status);
}

}  // namespace hearth::client
