#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "benchmarks/load/request_client.h"

namespace sam3 {

// What a greedy key asks for.
struct GreedyLoad {
  int port = 0;
  std::string key;
  int calls = 0;    // requests under way at all times
  int streams = 0;  // with a frame waiting at all times
  double seconds = 0;
};

// Pictures of 20 KB with something red in them, one prompt each.
std::vector<v1::SegmentConceptsRequest> GreedyKeyRequests();

// Asks for `load` and blocks until its time is over. Says on the standard
// output when it begins, and at the end how many calls were answered and
// refused.
void RunGreedyClient(const GreedyLoad& load);

// The same in a process of its own, which yields the processor to whoever else
// wants it: a client elsewhere takes nothing of the server's machine. One
// thread.
class GreedyProcess {
 public:
  struct Counts {
    int64_t answered = 0;
    int64_t refused = 0;
  };

  // Starts this program again, which must do RunGreedyClient() when it is given
  // --greedy-port, and blocks until it begins. Throws std::runtime_error where
  // it does not.
  GreedyProcess(const GreedyLoad& load, int nice);

  // Blocks until its time is over.
  Counts Wait();

 private:
  struct Close {
    void operator()(std::FILE* pipe) const { pclose(pipe); }
  };
  std::unique_ptr<std::FILE, Close> output_;
};

}  // namespace sam3
