#include "pipeline/video_reader.h"

namespace sam3 {}
