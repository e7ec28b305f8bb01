#include "service/concept_aliases.h"

#include <sys/stat.h>
#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "inference/base/status_macros.h"
#include "inference/clip_text.h"
#include "service/embedded_files.h"

namespace sam3 {
namespace {

// Lays the entries of `text` over `table`; `name` is for messages.
absl::Status AddEntries(absl::string_view text, absl::string_view name,
                        absl::flat_hash_map<std::string, std::string>* table) {
  int number = 0;
  for (const absl::string_view whole : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(whole);
    if (line.empty() || line[0] == '#') continue;
    const std::pair<absl::string_view, absl::string_view> entry =
        absl::StrSplit(line, absl::MaxSplits('\t', 1));
    const absl::string_view english = absl::StripAsciiWhitespace(entry.first);
    if (entry.second.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ":", number, ": needs English, a tab, and words for it"));
    }
    for (const absl::string_view word :
         absl::StrSplit(entry.second, ',', absl::SkipWhitespace())) {
      const absl::StatusOr<std::string> folded = FoldConcept(word);
      if (!folded.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat(name, ":", number, ": is not UTF-8"));
      }
      (*table)[*folded] = std::string(english);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FoldConcept(absl::string_view text) {
  if (!IsUtf8(text)) return absl::InvalidArgumentError("is not UTF-8");
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfkc =
      icu::Normalizer2::getNFKCCasefoldInstance(error);
  const icu::UnicodeString folded =
      nfkc->normalize(icu::UnicodeString::fromUTF8(icu::StringPiece(
                          text.data(), static_cast<int32_t>(text.size()))),
                      error);
  if (U_FAILURE(error)) return absl::InternalError(u_errorName(error));
  std::string utf8;
  folded.toUTF8String(utf8);
  // Compatibility forms of white space have become plain spaces.
  absl::RemoveExtraAsciiWhitespace(&utf8);
  return utf8;
}

absl::StatusOr<std::unique_ptr<ConceptAliases>> ConceptAliases::Load(
    const std::string& file) {
  std::unique_ptr<ConceptAliases> aliases(new ConceptAliases(file));
  SAM3_RETURN_IF_ERROR(aliases->Read());
  return aliases;
}

std::optional<std::string> ConceptAliases::Find(absl::string_view text) const {
  const absl::StatusOr<std::string> folded = FoldConcept(text);
  if (!folded.ok()) return std::nullopt;
  std::shared_ptr<const Table> table;
  {
    const absl::MutexLock lock(&mutex_);
    table = table_;
  }
  const auto found = table->find(*folded);
  if (found == table->end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<bool> ConceptAliases::Reload() {
  if (file_.empty()) return false;
  SAM3_ASSIGN_OR_RETURN(const FileVersion now, Look());
  if (now == version_) return false;
  SAM3_RETURN_IF_ERROR(Read());
  return true;
}

size_t ConceptAliases::size() const {
  const absl::MutexLock lock(&mutex_);
  return table_->size();
}

absl::Status ConceptAliases::Read() {
  auto table = std::make_shared<Table>();
  SAM3_RETURN_IF_ERROR(
      AddEntries(BuiltInConceptAliases(), "concept_aliases.tsv", table.get()));
  if (!file_.empty()) {
    // Before reading, so that a change in between is seen the next time.
    SAM3_ASSIGN_OR_RETURN(version_, Look());
    std::ifstream stream(file_, std::ios::binary);
    if (!stream) {
      return absl::NotFoundError(absl::StrCat(file_, ": cannot open"));
    }
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    SAM3_RETURN_IF_ERROR(AddEntries(text, file_, table.get()));
  }
  const absl::MutexLock lock(&mutex_);
  table_ = std::move(table);
  return absl::OkStatus();
}

absl::StatusOr<ConceptAliases::FileVersion> ConceptAliases::Look() const {
  struct stat facts {};
  if (::stat(file_.c_str(), &facts) != 0) {
    return absl::NotFoundError(absl::StrCat(file_, ": cannot open"));
  }
  return FileVersion{
      facts.st_ino, facts.st_size,
      facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec};
}

}  // namespace sam3
