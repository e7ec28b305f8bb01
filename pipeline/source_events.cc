#include "pipeline/source_events.h"

#include "absl/strings/str_cat.h"

namespace sam3 {

SourceEvent ResolutionChanged(const SourceFacts& facts) {
  return {SourceEventKind::kResolutionChanged,
          0,
          absl::StrCat("frames are now ", facts.width, " x ", facts.height),
          {facts.width, facts.height, 0}};
}

SourceEvent PartsDamaged(int64_t parts) {
  return {SourceEventKind::kDamaged,
          0,
          absl::StrCat(parts, parts == 1 ? " part" : " parts",
                       " of the video could not be decoded"),
          {}};
}

}  // namespace sam3
