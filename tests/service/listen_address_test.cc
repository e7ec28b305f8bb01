#include "service/listen_address.h"

#include <gtest/gtest.h>

namespace sam3 {
namespace {

TEST(ListenAddressTest, OnlyThisHostReachesLoopback) {
  for (const char* address :
       {"127.0.0.1:50051", "127.9.8.7:1", "localhost:50051", "[::1]:50051",
        "[::ffff:127.0.0.1]:1", "unix:/run/sam3.sock"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address :
       {"0.0.0.0:50051", "[::]:50051", "10.0.0.7:1", "[fe80::1]:1",
        "[::ffff:10.0.0.7]:1", "127.example.com:1", "localhost.example.com:1",
        "128.0.0.1:1", "example.com:1", "[::1:1", "127.1:1", "", ":1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

}  // namespace
}  // namespace sam3
