#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/support/loopback_listener.h"

namespace sam3 {

// H.264 in a byte stream (Annex B, one slice a picture) as RTP packets of
// payload type 96, whose clock goes on by `ticks` a picture from `first_tick`.
std::vector<std::string> PacketizeH264(absl::string_view stream,
                                       uint32_t first_tick, uint32_t ticks);

// What DESCRIBE is answered with for them.
std::string DescribeH264();

// An RTSP server on a free port of 127.0.0.1 that behaves as the test says. One
// thread a connection.
class ScriptedCamera {
 public:
  struct Behaviour {
    // Asked for by a digest challenge, unless empty.
    std::string user = {};
    std::string password = {};
    // Where DESCRIBE sends its client, unless empty.
    std::string location = {};
    std::string description = {};
    // Sent in place of every answer, unless empty.
    std::string garbage = {};
    // Of SETUP's answer.
    std::string transport = "RTP/AVP/TCP;unicast;interleaved=0-1";
    std::string session = "12345678;timeout=60";
    // Sent once PLAY was answered.
    std::vector<std::string> packets = {};
    // Between packets; requests are answered meanwhile.
    int pace_milliseconds = 0;
    // Then the connection is kept, or closed.
    bool keeps_connection = false;
  };

  explicit ScriptedCamera(Behaviour behaviour);

  int port() const { return listener_.port(); }
  // "rtsp://127.0.0.1:PORT/live", with `user_part` and "@" unless it is empty.
  std::string Url(absl::string_view user_part = "") const;

  // For connections from now on.
  void Behave(Behaviour behaviour);

  // Heads of all requests so far, in order.
  std::vector<std::string> requests() const;

 private:
  void Serve(int socket);
  // False when the client has gone.
  bool Converse(int socket, const Behaviour& behaviour, bool* plays);
  bool Play(int socket, const Behaviour& behaviour);
  std::string Answer(const Behaviour& behaviour, const std::string& request,
                     bool* plays) const;

  mutable absl::Mutex mutex_;
  Behaviour behaviour_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  // Last: its threads use the others.
  LoopbackListener listener_;
};

}  // namespace sam3
