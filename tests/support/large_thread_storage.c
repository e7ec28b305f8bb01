/* Preloaded into the server, takes as much static thread-local storage as the
   libraries of CUDA do, which glibc takes out of every thread's stack: threads
   that ask for small stacks cannot be created then. */
__thread volatile char sam3_large_thread_storage[200 * 1024]
    __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void Touch(void) {
  sam3_large_thread_storage[0] = 1;
}
