# Compiler launcher, linker and sanitizers; all optional, none changes the
# meaning of the code.
find_program(SAM3_CCACHE ccache)
if(SAM3_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${SAM3_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${SAM3_CCACHE}")
endif()
find_program(SAM3_MOLD mold)
if(SAM3_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Assertions stay on: a server that checks its own invariants is worth the
# fraction of a percent.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O3")

# g++ 12 takes instrumented moves of std::variant for uninitialised reads.
# Optimising instrumented code further takes longer than it saves.
if(SAM3_SANITIZER)
  add_compile_options(-Wno-maybe-uninitialized -O1)
endif()
if(SAM3_SANITIZER STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer
                      -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
elseif(SAM3_SANITIZER STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(SAM3_SANITIZER)
  message(FATAL_ERROR "SAM3_SANITIZER is 'address', 'thread' or empty, "
                      "not '${SAM3_SANITIZER}'")
endif()
