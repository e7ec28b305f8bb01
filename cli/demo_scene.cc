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

// All lengths are fractions of the picture's side, angles turns.
struct DemoShape {
  ShapeKind kind;
  cv::Scalar colour;
  double x;
  double y;
  double radius;
  double turn = 0;
};

// From the one place, at the clip's beginning, to the other.
struct DemoPath {
  DemoShape from;
  double x;
  double y;
  double turn;
};

const cv::Scalar kRed(214, 48, 49);
const cv::Scalar kBlue(44, 92, 214);
const cv::Scalar kYellow(240, 206, 44);
const cv::Scalar kGreen(46, 168, 74);
const cv::Scalar kPurple(142, 60, 190);

std::vector<DemoShape> SceneShapes() {
  return {{ShapeKind::kCircle, kRed, 0.21, 0.25, 0.125},
          {ShapeKind::kSquare, kBlue, 0.53, 0.19, 0.130, 0.01},
          {ShapeKind::kStar, kYellow, 0.84, 0.32, 0.135, -0.02},
          {ShapeKind::kTriangle, kGreen, 0.21, 0.64, 0.140, 0.01},
          {ShapeKind::kCircle, kRed, 0.49, 0.55, 0.110},
          {ShapeKind::kCross, kPurple, 0.83, 0.70, 0.130, 0.02},
          {ShapeKind::kStar, kBlue, 0.42, 0.85, 0.125, 0.02}};
}

// Later ones are in front.
std::vector<DemoPath> ClipPaths() {
  return {{{ShapeKind::kCross, kPurple, 0.50, 0.22, 0.125}, 0.46, 0.20, 0.10},
          {{ShapeKind::kTriangle, kGreen, 0.46, 0.49, 0.130}, 0.52, 0.50, 0.04},
          {{ShapeKind::kCircle, kRed, 0.14, 0.12, 0.090}, 0.86, 0.12, 0},
          {{ShapeKind::kStar, kYellow, 0.87, 0.45, 0.110}, 0.13, 0.47, 0.15},
          {{ShapeKind::kSquare, kBlue, 0.10, 0.80, 0.075}, 0.86, 0.79, 0.05},
          {{ShapeKind::kCircle, kRed, 0.47, 0.80, 0.155}, 0.44, 0.79, 0}};
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

void Draw(const DemoShape& shape, cv::Mat* canvas) {
  constexpr int kFractionBits = 4;
  const double side = canvas->cols;
  const double x = shape.x * side;
  const double y = shape.y * side;
  const double angle = 2 * kPi * shape.turn;
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

Image DrawShapes(const std::vector<DemoShape>& shapes, int side) {
  HeapAllocator allocator;
  const size_t bytes = static_cast<size_t>(side) * side * Image::kBytesPerPixel;
  const std::shared_ptr<uint8_t> pixels = allocator.Allocate(bytes);
  cv::Mat canvas(side, side, CV_8UC3, pixels.get());
  for (int y = 0; y < side; ++y) {
    const double shade = 186 + 30.0 * y / side;
    canvas.row(y).setTo(cv::Scalar(shade, shade, shade + 6));
  }
  for (const DemoShape& shape : shapes) Draw(shape, &canvas);
  return Image(pixels, side, side);
}

}  // namespace

Image DrawDemoScene(int side) { return DrawShapes(SceneShapes(), side); }

Image DrawDemoClip(int side, double moment) {
  std::vector<DemoShape> shapes;
  for (const DemoPath& path : ClipPaths()) {
    DemoShape shape = path.from;
    shape.x += moment * (path.x - shape.x);
    shape.y += moment * (path.y - shape.y);
    shape.turn += moment * (path.turn - shape.turn);
    shapes.push_back(shape);
  }
  return DrawShapes(shapes, side);
}

}  // namespace sam3
