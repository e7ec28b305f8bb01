#pragma once

#include <string>
#include <vector>

#include "sam3/v1/result.pb.h"
#include "service/http/compat.h"
#include "service/http/image_json.h"
#include "service/http/json_writer.h"

namespace sam3 {

// Seconds that the request took without waiting for the engine, as the public
// server's `time` has it.
double WorkSeconds(const v1::Timings& timings);

// {"decode": ..., "queue": ..., ...} in seconds.
void WriteTimings(const v1::Timings& timings, JsonWriter* out);

// Members at the top of every answer: `time`, and with kFixed those that the
// public server does not have. `Answer` is one of v1's responses.
template <typename Answer>
void WriteAnswerFields(const Answer& answer, HttpCompat compat,
                       const std::vector<std::string>& warnings,
                       JsonWriter* out) {
  out->Key("time").Number(WorkSeconds(answer.timings()));
  if (compat == HttpCompat::kExact) return;
  out->Key("timings");
  WriteTimings(answer.timings(), out);
  out->Key("image");
  WriteImageInfo(answer.image_info(), out);
  out->Key("embedding_cache")
      .Text(answer.embedding_cache() == v1::EMBEDDING_CACHE_HIT ? "hit"
                                                                : "miss");
  out->Key("warnings").BeginArray();
  for (const std::string& warning : warnings) out->Text(warning);
  if constexpr (requires { answer.warnings(); }) {
    for (const std::string& warning : answer.warnings()) out->Text(warning);
  }
  out->EndArray();
}

}  // namespace sam3
