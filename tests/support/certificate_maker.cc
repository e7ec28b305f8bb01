#include "tests/support/certificate_maker.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

void OpenSsl(const std::string& arguments) {
  const ProgramRun run = RunProgram("openssl " + arguments);
  ASSERT_EQ(run.exit_status, 0) << run.output;
}

}  // namespace

ProgramRun RunProgram(const std::string& command) {
  ProgramRun run;
  FILE* pipe = ::popen(absl::StrCat(command, " 2>&1").c_str(), "r");
  if (pipe == nullptr) return run;
  char buffer[4096];
  size_t count = 0;
  while ((count = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0) {
    run.output.append(buffer, count);
  }
  run.exit_status = WEXITSTATUS(::pclose(pipe));
  return run;
}

void CertificateMaker::Authority(const std::string& name) const {
  OpenSsl(absl::StrCat("req -x509 -subj /CN=", name, NewKey(name), " -out ",
                       Path(name), ".pem"));
}

void CertificateMaker::Signed(const std::string& name,
                              const std::string& authority,
                              const std::string& subject, int days) const {
  OpenSsl(absl::StrCat("req -subj /CN=", subject, NewKey(name), " -out ",
                       Path(name), ".csr"));
  WriteText(Path(name) + ".ext",
            absl::StrCat("subjectAltName=DNS:", subject, ",IP:127.0.0.1\n"));
  OpenSsl(absl::StrCat("x509 -req -in ", Path(name), ".csr -CA ",
                       Path(authority), ".pem -CAkey ", Path(authority),
                       ".key -CAcreateserial -days ", days, " -extfile ",
                       Path(name), ".ext -out ", Path(name), ".pem"));
}

std::string CertificateMaker::Path(const std::string& name) const {
  return absl::StrCat(folder_, "/", name);
}

std::string CertificateMaker::Text(const std::string& name) const {
  return ReadText(Path(name));
}

std::string CertificateMaker::NewKey(const std::string& name) const {
  return absl::StrCat(
      " -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ",
      Path(name), ".key");
}

}  // namespace sam3
