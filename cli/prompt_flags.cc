#include "cli/prompt_flags.h"

#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "inference/base/status_macros.h"

namespace sam3 {
absl::StatusOr<v1::Exemplar> ParseBox(absl::string_view text) {
  const absl::string_view whole = text;
  v1::Exemplar exemplar;
  exemplar.set_label(absl::ConsumeSuffix(&text, ":neg")
                         ? v1::Exemplar::LABEL_NEGATIVE
                         : v1::Exemplar::LABEL_POSITIVE);
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  float values[4] = {};
  bool good = parts.size() == 4;
  for (size_t i = 0; good && i < 4; ++i) {
    good = absl::SimpleAtof(parts[i], &values[i]);
  }
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("--box ", whole,
                     ": must be x,y,width,height in pixels, optionally with "
                     ":neg, as in --box 10,20,64,48:neg"));
  }
  auto* box = exemplar.mutable_box()->mutable_xywh();
  box->set_x(values[0]);
  box->set_y(values[1]);
  box->set_width(values[2]);
  box->set_height(values[3]);
  return exemplar;
}

void AddSecurityFlags(CLI::App* app, ConnectionOptions* options) {
  app->add_option("--api-key-file", options->api_key_file,
                  "File with the key to present (default: what SAM3_API_KEY "
                  "holds)");
  app->add_flag("--tls", options->tls,
                "Encrypt, and trust what the system does");
  app->add_option_function<std::string>(
      "--tls-ca",
      [options](const std::string& file) {
        options->tls = true;
        options->tls_ca_file = file;
      },
      "Encrypt, and trust the certificates of this file (PEM)");
  app->add_option("--tls-cert", options->tls_certificate_file,
                  "Certificate to present to the server (PEM)");
  app->add_option("--tls-key", options->tls_private_key_file,
                  "Its private key (PEM)");
  app->add_flag("--plaintext", options->plaintext,
                "Send the key to other hosts unencrypted");
}

void AddConnectionFlags(CLI::App* app, ConnectionOptions* options) {
  app->add_option("--server", options->server, "Address of the server")
      ->capture_default_str();
  AddSecurityFlags(app, options);
  app->add_option_function<std::string>(
      "--model",
      [options](const std::string& folder) {
        options->model_dir = folder;
        options->in_process = true;
      },
      "Run in this process with the model of this folder; no server needed");
  app->add_flag_callback(
      "--demo", [options] { options->in_process = true; },
      "Run in this process with the embedded demo model");
  app->add_option("--device", options->device, "cpu or cuda:N (in process)")
      ->capture_default_str();
  app->add_option("--dtype", options->dtype, "auto, fp32 or bf16 (in process)")
      ->check(CLI::IsMember({"auto", "fp32", "bf16"}))
      ->capture_default_str();
}

void AddEngineFlags(CLI::App* app, EngineOptions* engine) {
  app->add_option("--device", engine->device, "cpu or cuda:N")
      ->capture_default_str();
  app->add_option_function<std::string>(
         "--dtype",
         [engine](const std::string& name) {
           engine->dtype = name == "fp32"   ? DtypeChoice::kFp32
                           : name == "bf16" ? DtypeChoice::kBf16
                                            : DtypeChoice::kAuto;
         },
         engine->dtype == DtypeChoice::kFp32 ? "Default: fp32"
                                             : "Default: auto, bf16 on a GPU")
      ->check(CLI::IsMember({"auto", "fp32", "bf16"}));
}

void AddPromptFlags(CLI::App* app, PromptFlags* flags) {
  app->add_option("--text", flags->texts,
                  "A short English noun phrase; repeat for more")
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option("--box", flags->boxes,
                  "An example: x,y,width,height in pixels[:neg]; repeat for "
                  "more")
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option("--threshold", flags->threshold,
                  "Lowest score, 0 to 1 (default: 0.5)");
  app->add_option("--nms", flags->nms,
                  "Suppress masks that overlap more than this, 0 to 1");
  app->add_option("--max", flags->max_instances,
                  "Most instances per prompt (default: no limit)");
  app->add_option("--mask", flags->mask, "rle, polygon, png, bits or none")
      ->check(CLI::IsMember({"rle", "polygon", "png", "bits", "none"}))
      ->capture_default_str();
  app->add_flag("--allow-truncation", flags->allow_truncation,
                "Cut texts of more than 32 tokens");
}

absl::StatusOr<std::vector<v1::ConceptPrompt>> MakePrompts(
    const PromptFlags& flags) {
  if (flags.texts.empty() && flags.boxes.empty()) {
    return absl::InvalidArgumentError(
        "say what to look for: --text \"red circle\", or an example --box "
        "x,y,width,height");
  }
  std::vector<v1::Exemplar> exemplars;
  for (const std::string& box : flags.boxes) {
    SAM3_ASSIGN_OR_RETURN(v1::Exemplar exemplar, ParseBox(box));
    exemplars.push_back(std::move(exemplar));
  }
  std::vector<v1::ConceptPrompt> prompts;
  for (const std::string& text :
       flags.texts.empty() ? std::vector<std::string>{""} : flags.texts) {
    v1::ConceptPrompt prompt;
    prompt.set_text(text);
    prompt.set_allow_truncation(flags.allow_truncation);
    for (const v1::Exemplar& exemplar : exemplars) {
      *prompt.add_exemplars() = exemplar;
    }
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

absl::StatusOr<v1::MaskOptions> MakeMaskOptions(const std::string& name) {
  v1::MaskOptions options;
  v1::MaskOptions::Format format;
  if (!v1::MaskOptions::Format_Parse(
          absl::StrCat("FORMAT_", absl::AsciiStrToUpper(name)), &format)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--mask ", name, ": unknown format"));
  }
  options.set_format(format);
  return options;
}

std::vector<std::string> MakeLabels(const PromptFlags& flags) {
  if (flags.texts.empty()) return {"example"};
  return flags.texts;
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
  }
  std::ostringstream text;
  text << stream.rdbuf();
  // A folder can be opened, but not read.
  if (text.bad()) {
    return absl::NotFoundError(
        absl::StrCat(path, ": cannot be read; is it a file?"));
  }
  return std::move(text).str();
}

}  // namespace sam3
