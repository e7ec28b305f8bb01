#include "service/http/answer_json.h"

#include <utility>

namespace sam3 {
namespace {

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) +
         static_cast<double>(duration.nanos()) * 1e-9;
}

}  // namespace

double WorkSeconds(const v1::Timings& timings) {
  return Seconds(timings.decode()) + Seconds(timings.encode()) +
         Seconds(timings.ground()) + Seconds(timings.post());
}

void WriteTimings(const v1::Timings& timings, JsonWriter* out) {
  const std::pair<const char*, const google::protobuf::Duration*> stages[] = {
      {"decode", &timings.decode()}, {"queue", &timings.queue()},
      {"encode", &timings.encode()}, {"ground", &timings.ground()},
      {"post", &timings.post()},     {"total", &timings.total()}};
  out->BeginObject();
  for (const auto& [name, duration] : stages) {
    out->Key(name).Number(Seconds(*duration));
  }
  out->EndObject();
}

}  // namespace sam3
