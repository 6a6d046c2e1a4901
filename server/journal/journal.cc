#include "server/journal/journal.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "hearth/base/error.h"
#include "hearth/base/status.h"
#include "hearth/base/unique_fd.h"

namespace hearth::server {
namespace {

constexpr int kSchema = 1;
constexpr char kFileName[] = "journal.sqlite";

struct Closes {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
  }
};
using Database = std::unique_ptr<sqlite3, Closes>;
using Statement = std::unique_ptr<sqlite3_stmt, Closes>;

absl::Status MakeDirectory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) == 0) return absl::OkStatus();
  struct stat found {};
  const int error = errno;
  if (error == EEXIST && stat(directory.c_str(), &found) == 0 &&
      S_ISDIR(found.st_mode)) {
    return absl::OkStatus();
  }
  const std::string attempt =
      absl::StrCat("make the state directory ", directory, ": ");
  if (error == EEXIST) {
    return Error(Reason::kNotAllowed,
                 absl::StrCat(attempt,
                              "there is something else of that name; "
                              "choose another --state-dir"));
  }
  if (error == ENOENT || error == ENOTDIR) {
    return Error(Reason::kFileMissing,
                 absl::StrCat(attempt,
                              "the folder that it is to be in is not "
                              "there; make that one, or choose "
                              "another --state-dir"));
  }
  return Error(Reason::kNotAllowed,
               absl::StrCat(attempt, std::strerror(error),
                            "; choose a --state-dir that you may write"));
}

}  // namespace

struct Journal::Parts {
  std::string path;
  Database database;
  Statement put;
  Statement erase;
  Survives survives = Survives::kProcess;

  absl::Status Problem(absl::string_view attempt, int code) const {
    const std::string what =
        absl::StrCat(attempt, " the journal ", path, ": ",
                     database == nullptr ? sqlite3_errstr(code)
                                         : sqlite3_errmsg(database.get()));
    switch (code & 0xff) {
      case SQLITE_BUSY:
        return Error(Reason::kNameTaken,
                     absl::StrCat(attempt, " the journal ", path,
                                  ": another coordinator uses it; end that "
                                  "one, or choose another --state-dir"));
      case SQLITE_FULL:
      case SQLITE_IOERR:
        return Error(Reason::kOutOfDisk,
                     absl::StrCat(what, "; see that its disk has room"));
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        return Error(Reason::kBadFile,
                     absl::StrCat(what,
                                  "; move the file away to start with "
                                  "nothing"));
      case SQLITE_READONLY:
      case SQLITE_CANTOPEN:
      case SQLITE_PERM:
        return Error(Reason::kNotAllowed,
                     absl::StrCat(what,
                                  "; see who may write there, or choose "
                                  "another --state-dir"));
      default:
        return Error(Reason::kInternal,
                     absl::StrCat(what, "; please report it"));
    }
  }

  absl::Status Run(absl::string_view attempt, const char* sql) const {
    const int code =
        sqlite3_exec(database.get(), sql, nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? absl::OkStatus() : Problem(attempt, code);
  }

  absl::Status Prepare(const char* sql, Statement& statement) const {
    sqlite3_stmt* prepared = nullptr;
    const int code =
        sqlite3_prepare_v2(database.get(), sql, -1, &prepared, nullptr);
    if (code != SQLITE_OK) return Problem("open", code);
    statement.reset(prepared);
    return absl::OkStatus();
  }

  absl::StatusOr<int> SchemaOf() const {
    Statement version;
    HEARTH_RETURN_IF_ERROR(Prepare("PRAGMA user_version", version));
    const int code = sqlite3_step(version.get());
    if (code != SQLITE_ROW) return Problem("read", code);
    return sqlite3_column_int(version.get(), 0);
  }

  absl::Status Apply(const Change& change) const {
    sqlite3_stmt* statement =
        change.value.has_value() ? put.get() : erase.get();
    const absl::Cleanup again = [&] {
      sqlite3_reset(statement);
      sqlite3_clear_bindings(statement);
    };
    sqlite3_bind_int(statement, 1, static_cast<int>(change.kind));
    sqlite3_bind_blob64(statement, 2, change.key.data(), change.key.size(),
                        SQLITE_STATIC);
    if (change.value.has_value()) {
      sqlite3_bind_blob64(statement, 3, change.value->data(),
                          change.value->size(), SQLITE_STATIC);
    }
    const int code = sqlite3_step(statement);
    return code == SQLITE_DONE ? absl::OkStatus() : Problem("write", code);
  }
};

Journal::Journal() : parts_(std::make_unique<Parts>()) {}
Journal::~Journal() = default;

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(
    const std::string& directory) {
  HEARTH_RETURN_IF_ERROR(MakeDirectory(directory));
  std::unique_ptr<Journal> journal(new Journal);
  Parts& parts = *journal->parts_;
  parts.path = absl::StrCat(directory, "/", kFileName);
  {
    // SQLite gives its other files this one's mode. Closed before SQLite opens
    // it: closing any descriptor of a file ends the process's locks on it.
    const UniqueFd file(
        open(parts.path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    if (!file.valid()) {
      return ErrnoStatus(absl::StrCat("open the journal ", parts.path));
    }
  }
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(
      parts.path.c_str(), &database,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
      nullptr);
  parts.database.reset(database);
  if (code != SQLITE_OK) return parts.Problem("open", code);
  // Locked for as long as this process lives, however it ends.
  HEARTH_RETURN_IF_ERROR(parts.Run("open",
                                   "PRAGMA locking_mode = EXCLUSIVE;"
                                   "PRAGMA journal_mode = WAL;"
                                   "PRAGMA synchronous = NORMAL;"
                                   "BEGIN IMMEDIATE; COMMIT;"));
  HEARTH_ASSIGN_OR_RETURN(const int schema, parts.SchemaOf());
  if (schema > kSchema) {
    return Error(Reason::kVersionMismatch,
                 absl::StrCat("open the journal ", parts.path,
                              ": a newer version of hearth wrote it; use that "
                              "one, or choose another --state-dir"));
  }
  HEARTH_RETURN_IF_ERROR(
      parts.Run("open",
                "CREATE TABLE IF NOT EXISTS rows (kind INTEGER NOT NULL, key "
                "BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key)) "
                "WITHOUT ROWID;"
                "PRAGMA user_version = 1"));
  HEARTH_RETURN_IF_ERROR(
      parts.Prepare("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", parts.put));
  HEARTH_RETURN_IF_ERROR(parts.Prepare(
      "DELETE FROM rows WHERE kind = ? AND key = ?", parts.erase));
  return journal;
}

absl::StatusOr<std::vector<Journal::Row>> Journal::Read() {
  Statement all;
  HEARTH_RETURN_IF_ERROR(
      parts_->Prepare("SELECT kind, key, value FROM rows", all));
  const auto bytes = [&](int column) {
    const void* data = sqlite3_column_blob(all.get(), column);
    const int size = sqlite3_column_bytes(all.get(), column);
    return std::string(static_cast<const char*>(data),
                       static_cast<std::size_t>(size));
  };
  std::vector<Row> rows;
  int code = sqlite3_step(all.get());
  for (; code == SQLITE_ROW; code = sqlite3_step(all.get())) {
    rows.push_back({static_cast<Kind>(sqlite3_column_int(all.get(), 0)),
                    bytes(1), bytes(2)});
  }
  if (code != SQLITE_DONE) return parts_->Problem("read", code);
  return rows;
}

absl::Status Journal::Write(std::span<const Change> changes,
                            Survives survives) {
  Parts& parts = *parts_;
  if (parts.survives != survives) {
    HEARTH_RETURN_IF_ERROR(parts.Run("write", survives == Survives::kMachine
                                                  ? "PRAGMA synchronous = FULL"
                                                  : "PRAGMA synchronous = "
                                                    "NORMAL"));
    parts.survives = survives;
  }
  HEARTH_RETURN_IF_ERROR(parts.Run("write", "BEGIN IMMEDIATE"));
  absl::Status written;
  for (const Change& change : changes) {
    written = parts.Apply(change);
    if (!written.ok()) break;
  }
  if (written.ok()) written = parts.Run("write", "COMMIT");
  if (!written.ok()) {
    sqlite3_exec(parts.database.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return written;
}

}  // namespace hearth::server
