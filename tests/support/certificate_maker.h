#pragma once

#include <string>
#include <utility>

namespace sam3 {

struct ProgramRun {
  int exit_status = -1;
  std::string output;
};

// Runs a shell command; standard error is part of the output. Blocks.
ProgramRun RunProgram(const std::string& command);

// Makes authorities and certificates in a folder: NAME.pem and NAME.key. Blocks
// while openssl runs.
class CertificateMaker {
 public:
  explicit CertificateMaker(std::string folder) : folder_(std::move(folder)) {}

  void Authority(const std::string& name) const;
  void Signed(const std::string& name, const std::string& authority,
              const std::string& subject, int days = 2) const;

  std::string Path(const std::string& name) const;
  std::string Text(const std::string& name) const;

 private:
  std::string NewKey(const std::string& name) const;

  const std::string folder_;
};

}  // namespace sam3
