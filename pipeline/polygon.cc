#include "pipeline/polygon.h"

#include <opencv2/imgproc.hpp>
#include <vector>

#include "pipeline/mask_raster.h"

namespace sam3 {

PolygonMask TracePolygons(const MaskRuns& runs, const MaskOptions& options) {
  PolygonMask result{runs.width, runs.height, {}};
  MaskRaster raster = CropToBox(runs);
  if (raster.width == 0) return result;
  const cv::Mat image(raster.height, raster.width, CV_8UC1,
                      raster.pixels.data());
  std::vector<std::vector<cv::Point>> contours;
  std::vector<cv::Vec4i> hierarchy;
  cv::findContours(image, contours, hierarchy,
                   options.outer_only ? cv::RETR_EXTERNAL : cv::RETR_TREE,
                   cv::CHAIN_APPROX_NONE, cv::Point(raster.x, raster.y));
  for (size_t i = 0; i < contours.size(); ++i) {
    std::vector<cv::Point> points = std::move(contours[i]);
    if (options.polygon_tolerance > 0) {
      std::vector<cv::Point> simple;
      cv::approxPolyDP(points, simple, options.polygon_tolerance,
                       /*closed=*/true);
      points = std::move(simple);
    }
    PolygonRing ring;
    for (const cv::Point& point : points) {
      ring.xy.push_back(point.x);
      ring.xy.push_back(point.y);
    }
    constexpr int kParent = 3;
    ring.parent = options.outer_only ? -1 : hierarchy[i][kParent];
    result.rings.push_back(std::move(ring));
  }
  return result;
}

}  // namespace sam3
