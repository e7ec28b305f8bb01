# Imported targets for the libtorch inside a PyPI torch wheel. The wheel's own
# TorchConfig.cmake insists on a full CUDA toolkit even for CPU programs, so the
# few files that matter are named here.
#   sam3_torch: headers (SYSTEM) and libraries of the chosen flavour
if(NOT SAM3_TORCH_DIR)
  execute_process(
    COMMAND "${SAM3_PYTHON}" -c
            "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
    OUTPUT_VARIABLE SAM3_TORCH_FOUND OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET RESULT_VARIABLE SAM3_TORCH_RC)
  if(NOT SAM3_TORCH_RC EQUAL 0)
    message(FATAL_ERROR
      "libtorch not found. Run scripts/deps, or give -DSAM3_TORCH_DIR=FOLDER "
      "(the 'torch' folder of an installed torch 2.11 wheel), or configure "
      "with -DSAM3_TORCH=OFF for the fake engine only.")
  endif()
  set(SAM3_TORCH_DIR "${SAM3_TORCH_FOUND}" CACHE PATH "" FORCE)
endif()
set(SAM3_TORCH_LIB "${SAM3_TORCH_DIR}/lib")
foreach(file include/ATen/ATen.h lib/libtorch_cpu.so lib/libc10.so)
  if(NOT EXISTS "${SAM3_TORCH_DIR}/${file}")
    message(FATAL_ERROR "${SAM3_TORCH_DIR} is not a torch folder: no ${file}")
  endif()
endforeach()

add_library(sam3_torch INTERFACE)
target_include_directories(sam3_torch SYSTEM INTERFACE
  "${SAM3_TORCH_DIR}/include"
  "${SAM3_TORCH_DIR}/include/torch/csrc/api/include")
target_link_libraries(sam3_torch INTERFACE
  "${SAM3_TORCH_LIB}/libtorch_cpu.so" "${SAM3_TORCH_LIB}/libc10.so")
# Without it at::parallel_for, which is in a header, runs on one thread. The
# threads are to be those of libtorch, so the library is the wheel's own where
# it brings one along.
file(GLOB SAM3_TORCH_OPENMP "${SAM3_TORCH_LIB}/libgomp*.so*")
if(NOT SAM3_TORCH_OPENMP)
  set(SAM3_TORCH_OPENMP gomp)
endif()
target_compile_options(sam3_torch INTERFACE -fopenmp)
target_link_libraries(sam3_torch INTERFACE ${SAM3_TORCH_OPENMP})
# RUNPATH, not RPATH: LD_LIBRARY_PATH can then point the same binary at
# another copy of the same wheel. The CPU library needs CUPTI and the CUDA
# runtime that pip puts beside it even when no GPU is used.
file(GLOB SAM3_NVIDIA_LIBS "${SAM3_TORCH_DIR}/../nvidia/*/lib")
target_link_options(sam3_torch INTERFACE -Wl,--enable-new-dtags
                    -Wl,--allow-shlib-undefined)
foreach(dir "${SAM3_TORCH_LIB}" ${SAM3_NVIDIA_LIBS})
  target_link_options(sam3_torch INTERFACE "-Wl,-rpath,${dir}"
                      "-Wl,-rpath-link,${dir}")
endforeach()
if(SAM3_CUDA)
  # nvcc and the headers come from PyPI too (scripts/deps cuda), or from any
  # CUDA 13 toolkit; no GPU is needed to build.
  find_program(SAM3_NVCC nvcc HINTS "$ENV{SAM3_CUDA_HOME}/bin" REQUIRED)
  get_filename_component(cuda_home "${SAM3_NVCC}" DIRECTORY)
  set(SAM3_CUDA_INCLUDE "${cuda_home}/../include")
  file(GLOB cudart "${SAM3_TORCH_DIR}/../nvidia/*/lib/libcudart.so.13"
       "${cuda_home}/../lib*/libcudart.so.13")
  if(NOT cudart)
    message(FATAL_ERROR "libcudart.so.13 is neither beside the torch wheel nor "
                        "beside ${SAM3_NVCC}")
  endif()
  list(GET cudart 0 cudart)
  target_include_directories(sam3_torch SYSTEM INTERFACE "${SAM3_CUDA_INCLUDE}")
  # Nothing names a symbol of libtorch_cuda; loading it registers its kernels.
  target_link_libraries(sam3_torch INTERFACE
    "-Wl,--push-state,--no-as-needed" "${SAM3_TORCH_LIB}/libtorch_cuda.so"
    "${SAM3_TORCH_LIB}/libc10_cuda.so" "${cudart}" "-Wl,--pop-state")
endif()
message(STATUS "libtorch: ${SAM3_TORCH_DIR}")
