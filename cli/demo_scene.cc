#include "cli/demo_scene.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace sam3 {
namespace {

constexpr double kPi = 3.141592653589793;

enum class ShapeKind { kCircle, kSquare, kTriangle, kStar, kCross };

// All lengths are fractions of the picture's side.
struct DemoShape {
  ShapeKind kind;
  cv::Scalar colour;
  double x;
  double y;
  double radius;
  // Orbit of the centre and turns per loop.
  double orbit;
  double turn;
};

const std::vector<DemoShape>& Shapes() {
  static const std::vector<DemoShape> kShapes = {
      {ShapeKind::kCircle, {214, 48, 49}, 0.20, 0.22, 0.125, 0.030, 0},
      {ShapeKind::kSquare, {44, 92, 214}, 0.55, 0.20, 0.130, 0.025, 0.04},
      {ShapeKind::kStar, {240, 206, 44}, 0.83, 0.34, 0.135, 0.020, -0.06},
      {ShapeKind::kTriangle, {46, 168, 74}, 0.20, 0.62, 0.140, 0.025, 0.03},
      {ShapeKind::kCircle, {206, 40, 52}, 0.52, 0.56, 0.110, 0.030, 0},
      {ShapeKind::kCross, {142, 60, 190}, 0.82, 0.72, 0.130, 0.020, 0.05},
      {ShapeKind::kStar, {52, 102, 220}, 0.44, 0.84, 0.125, 0.020, 0.06}};
  return kShapes;
}

// Corners around the origin for a radius of 1; y points down.
std::vector<cv::Point2d> Corners(ShapeKind kind) {
  std::vector<cv::Point2d> corners;
  const auto around = [&corners](int count, double phase, auto radius) {
    for (int i = 0; i < count; ++i) {
      const double angle = phase + 2 * kPi * i / count;
      corners.emplace_back(radius(i) * std::cos(angle),
                           radius(i) * std::sin(angle));
    }
  };
  switch (kind) {
    case ShapeKind::kCircle:
      around(72, 0, [](int) { return 1.0; });
      break;
    case ShapeKind::kSquare:
      around(4, kPi / 4, [](int) { return 1.25; });
      break;
    case ShapeKind::kTriangle:
      around(3, -kPi / 2, [](int) { return 1.2; });
      break;
    case ShapeKind::kStar:
      around(10, -kPi / 2, [](int i) { return i % 2 == 0 ? 1.2 : 0.5; });
      break;
    case ShapeKind::kCross: {
      constexpr double kArm = 0.34;
      corners = {{-kArm, -1},   {kArm, -1},   {kArm, -kArm}, {1, -kArm},
                 {1, kArm},     {kArm, kArm}, {kArm, 1},     {-kArm, 1},
                 {-kArm, kArm}, {-1, kArm},   {-1, -kArm},   {-kArm, -kArm}};
      break;
    }
  }
  return corners;
}

void Draw(const DemoShape& shape, double moment, cv::Mat* canvas) {
  constexpr int kFractionBits = 4;
  const double side = canvas->cols;
  const double phase = 2 * kPi * (moment + shape.x);
  const double x = (shape.x + shape.orbit * std::cos(phase)) * side;
  const double y = (shape.y + shape.orbit * std::sin(phase)) * side;
  const double angle = 2 * kPi * shape.turn * std::sin(2 * kPi * moment);
  std::vector<cv::Point> points;
  for (const cv::Point2d& corner : Corners(shape.kind)) {
    const double px = corner.x * std::cos(angle) - corner.y * std::sin(angle);
    const double py = corner.x * std::sin(angle) + corner.y * std::cos(angle);
    points.emplace_back(
        cvRound((x + px * shape.radius * side) * (1 << kFractionBits)),
        cvRound((y + py * shape.radius * side) * (1 << kFractionBits)));
  }
  cv::fillPoly(*canvas, points, shape.colour, cv::LINE_AA, kFractionBits);
}

}  // namespace

Image DrawDemoScene(int side, double moment) {
  HeapAllocator allocator;
  const size_t bytes = static_cast<size_t>(side) * side * 3;
  const std::shared_ptr<uint8_t> pixels = allocator.Allocate(bytes);
  cv::Mat canvas(side, side, CV_8UC3, pixels.get());
  for (int y = 0; y < side; ++y) {
    const double shade = 186 + 30.0 * y / side;
    canvas.row(y).setTo(cv::Scalar(shade, shade, shade + 6));
  }
  for (const DemoShape& shape : Shapes()) Draw(shape, moment, &canvas);
  return Image(pixels, side, side);
}

}  // namespace sam3
