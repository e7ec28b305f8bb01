#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace sam3 {

// Words of any language that stand for English ones, which are what SAM 3
// understands. A table is a text of lines
//
//   backpack<TAB>バックパック, リュックサック, Rucksack, sac à dos
//
// English first, then what means it; "#" starts a comment. How words are
// written does not matter: compatibility forms, case and white space are
// evened out (NFKC, case folding). A line without words after the tab takes
// nothing away; a later line wins over an earlier one.
//
// Threads: any. Only Reload() blocks, on the file.
class ConceptAliases {
 public:
  // The table that comes with the program, and over it that of `file`, if there
  // is one. INVALID_ARGUMENT names the line that is no entry, NOT_FOUND a file
  // that cannot be read.
  static absl::StatusOr<std::unique_ptr<ConceptAliases>> Load(
      const std::string& file);

  // The English that stands for `text`, if the table has an entry for the
  // whole of it.
  std::optional<std::string> Find(absl::string_view text) const;

  // Reads the file again if it is another one than last time: true when a new
  // table is in force. After an error the old one stays.
  absl::StatusOr<bool> Reload();

  size_t size() const;

 private:
  using Table = absl::flat_hash_map<std::string, std::string>;
  // Tells whether a file is still the one that was read.
  struct FileVersion {
    uint64_t inode = 0;
    int64_t size = 0;
    int64_t modified_ns = 0;
    bool operator==(const FileVersion&) const = default;
  };

  explicit ConceptAliases(std::string file) : file_(std::move(file)) {}
  absl::Status Read();
  absl::StatusOr<FileVersion> Look() const;

  const std::string file_;
  FileVersion version_;  // Reload() is called from one thread
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Table> table_ ABSL_GUARDED_BY(mutex_);
};

// `text` as the table sees it. INVALID_ARGUMENT when it is not UTF-8.
absl::StatusOr<std::string> FoldConcept(absl::string_view text);

}  // namespace sam3
