// Whether the time of a refusal tells how close a key was: 200,000 samples of
// each kind, in random order, compared by Welch's t. At p = 0.001 a difference
// has |t| > 3.29.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "service/keys/authenticator.h"
#include "service/keys/key_file.h"
#include "service/keys/key_text.h"

namespace sam3 {
namespace {

constexpr int kSamples = 200'000;
// One comparison is shorter than the clock's step.
constexpr int kComparisonsPerSample = 50;

struct Moments {
  double mean = 0;
  double variance_of_mean = 0;
};

// Of the faster nine tenths: what takes longer was interrupted.
Moments MomentsOf(std::vector<double> values) {
  const auto kept = static_cast<std::ptrdiff_t>(values.size() * 9 / 10);
  std::nth_element(values.begin(), values.begin() + kept, values.end());
  values.resize(static_cast<size_t>(kept));
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const auto n = static_cast<double>(values.size());
  return {mean, squares / (n - 1) / n};
}

// `prepare` makes one kind or the other, at the same place in memory, for
// `measured` to look at.
void Compare(const std::string& name,
             const std::function<void(bool other)>& prepare,
             const std::function<void()>& measured) {
  std::mt19937 random(1);
  std::vector<double> times[2];
  while (times[0].size() < kSamples || times[1].size() < kSamples) {
    const bool second = random() % 2 != 0;
    prepare(second);
    const int64_t start = absl::GetCurrentTimeNanos();
    measured();
    times[second ? 1 : 0].push_back(
        static_cast<double>(absl::GetCurrentTimeNanos() - start));
  }
  const Moments a = MomentsOf(times[0]);
  const Moments b = MomentsOf(times[1]);
  const double t =
      (a.mean - b.mean) / std::sqrt(a.variance_of_mean + b.variance_of_mean);
  std::printf("%-44s %8.1f ns %8.1f ns  t = %5.2f\n", name.c_str(), a.mean,
              b.mean, t);
}

void CompareDigests() {
  const SecretDigest right = DigestOf("secret");
  SecretDigest wrong_at_once = right;
  wrong_at_once.front() ^= 1;
  SecretDigest wrong_at_last = right;
  wrong_at_last.back() ^= 1;
  SecretDigest presented{};
  bool found = false;
  const auto compare = [&right, &presented, &found] {
    for (int i = 0; i < kComparisonsPerSample; ++i) {
      found = found || SameDigest(right, presented);
    }
  };
  Compare(
      "the same digest against itself",
      [&](bool) { presented = wrong_at_once; }, compare);
  Compare(
      "digest wrong in its first byte, in its last",
      [&](bool other) { presented = other ? wrong_at_last : wrong_at_once; },
      compare);
  if (found) std::abort();
}

void CompareRefusals(const std::string& file) {
  const auto known = MakeKey("known");
  const auto wrong = MakeKey("known");
  const auto unknown = MakeKey("other");
  KeyRecord key;
  key.id = "known";
  key.secret_digest = known->digest;
  key.scopes = {Scope::kAll};
  std::ofstream(file) << FormatKeyFile({key});
  RealClock clock;
  KeyMetrics metrics;
  auto ring = KeyRing::Open({file}, metrics, nullptr);
  if (!ring.ok()) std::abort();
  Authenticator gate(**ring, clock, metrics, nullptr);
  std::string presented;
  Compare(
      "wrong secret of a known id, of an unknown one",
      [&](bool other) { presented = (other ? unknown : wrong)->text.Reveal(); },
      [&] {
        if (gate.Admit({{presented}, "127.0.0.1"}, Scope::kSegment).ok()) {
          std::abort();
        }
      });
}

}  // namespace
}  // namespace sam3

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "key_timing FILE_FOR_A_KEY\n");
    return 2;
  }
  sam3::CompareDigests();
  sam3::CompareRefusals(argv[1]);
  return 0;
}
