#pragma once

#include <cstdint>

namespace sam3 {

// What the system says of this process. Read anew with every call; any thread.

// Memory that it may use: the control group's limit, or else the machine's.
int64_t UsableMemoryBytes();

// Memory that it holds now; 0 where the system does not tell.
int64_t ResidentBytes();

// Files and sockets that it has open; 0 where the system does not tell.
int64_t OpenFileCount();

}  // namespace sam3
