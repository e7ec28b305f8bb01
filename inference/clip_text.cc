#include "inference/clip_text.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#include <array>

#include "absl/status/status.h"
#include "absl/strings/match.h"

namespace sam3 {
namespace {

// Character by character, as the reference does: the context rules of a
// language (a sigma at the end of a Greek word) do not apply.
void AppendLower(UChar32 c, icu::UnicodeString* out) {
  out->append(icu::UnicodeString(c).toLower(icu::Locale::getRoot()));
}

enum class CharacterKind { kSpace, kLetter, kNumber, kOther };

CharacterKind KindOf(UChar32 c) {
  if (u_isUWhiteSpace(c)) return CharacterKind::kSpace;
  const uint32_t mask = U_GET_GC_MASK(c);
  if ((mask & U_GC_L_MASK) != 0) return CharacterKind::kLetter;
  if ((mask & U_GC_N_MASK) != 0) return CharacterKind::kNumber;
  return CharacterKind::kOther;
}

// The name in "<|name|>" at the front of `text`, empty if it is not there.
absl::string_view SpecialTokenName(absl::string_view text) {
  for (const absl::string_view token : {"<|startoftext|>", "<|endoftext|>"}) {
    if (absl::StartsWith(text, token)) {
      return text.substr(2, token.size() - 4);
    }
  }
  return {};
}

// Bytes of the contraction at the front of `text`, 0 if there is none.
size_t ContractionSize(absl::string_view text) {
  static constexpr std::array<absl::string_view, 7> kContractions = {
      "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
  for (const absl::string_view contraction : kContractions) {
    if (absl::StartsWith(text, contraction)) return contraction.size();
  }
  return 0;
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    UChar32 c = 0;
    U8_NEXT(text.data(), i, size, c);
    if (c < 0) return false;
  }
  return true;
}

absl::StatusOr<std::string> NormalizeClipText(absl::string_view text) {
  if (!IsUtf8(text)) {
    return absl::InvalidArgumentError("the text is not valid UTF-8");
  }
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  const icu::UnicodeString composed =
      nfc->normalize(icu::UnicodeString::fromUTF8(icu::StringPiece(
                         text.data(), static_cast<int32_t>(text.size()))),
                     error);
  if (U_FAILURE(error)) {
    return absl::InternalError("Unicode normalisation failed");
  }
  icu::UnicodeString lower;
  bool in_space = false;
  for (int32_t i = 0; i < composed.length();) {
    const UChar32 c = composed.char32At(i);
    i += U16_LENGTH(c);
    const bool space = u_isUWhiteSpace(c);
    if (!space) {
      AppendLower(c, &lower);
    } else if (!in_space) {
      lower.append(static_cast<UChar32>(' '));
    }
    in_space = space;
  }
  std::string result;
  lower.toUTF8String(result);
  return result;
}

std::vector<std::string> SplitClipWords(absl::string_view normalized) {
  std::vector<std::string> words;
  CharacterKind run = CharacterKind::kSpace;
  const auto size = static_cast<int32_t>(normalized.size());
  for (int32_t i = 0; i < size;) {
    // A contraction is only looked for where a word may begin: inside a run of
    // symbols its apostrophe belongs to the run.
    if (run != CharacterKind::kOther) {
      // A special token's name that was not recognised in the raw text, being
      // in capitals, splits into its parts here, whatever follows.
      const absl::string_view name =
          SpecialTokenName(normalized.substr(static_cast<size_t>(i)));
      if (!name.empty()) {
        words.insert(words.end(), {"<|", std::string(name), "|>"});
        i += static_cast<int32_t>(name.size()) + 4;
        run = CharacterKind::kSpace;
        continue;
      }
      const size_t contraction =
          ContractionSize(normalized.substr(static_cast<size_t>(i)));
      if (contraction > 0) {
        words.emplace_back(
            normalized.substr(static_cast<size_t>(i), contraction));
        i += static_cast<int32_t>(contraction);
        run = CharacterKind::kSpace;
        continue;
      }
    }
    const int32_t begin = i;
    UChar32 c = 0;
    U8_NEXT(normalized.data(), i, size, c);
    const CharacterKind kind = KindOf(c);
    const absl::string_view bytes = normalized.substr(
        static_cast<size_t>(begin), static_cast<size_t>(i - begin));
    if (kind == CharacterKind::kSpace) {
      run = kind;
    } else if (kind == run && kind != CharacterKind::kNumber) {
      words.back().append(bytes.data(), bytes.size());
    } else {
      words.emplace_back(bytes);
      run = kind;
    }
  }
  return words;
}

}  // namespace sam3
