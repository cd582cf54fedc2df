#include "exporters/prometheus/exposition.h"

#include <zlib.h>

#include <new>
#include <utility>

#include "exporters/prometheus/serializer.h"
#include "exporters/prometheus/snapshot_collectable.h"

namespace codex {

std::string render_exposition(const Snapshot& snapshot, const ExpositionExtras& extras,
                              ExpositionFormat format) {
  const auto self = read_self_process();
  return serialize(SnapshotCollectable(snapshot, extras, self).Collect(), format);
}

std::string gzip(std::string_view text) {
  constexpr int kGzipWindow = 15 + 16;  // zlib.h: 16 more writes a gzip header
  constexpr int kMemoryLevel = 8;
  z_stream stream{};
  // The loop waits for this: the fastest level already makes the page seven times smaller.
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::bad_alloc();
  }
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);  // cannot end early: deflateBound() is enough for one call
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

void add_metrics_route(HttpRoutes& routes, SnapshotSource source, std::function<HttpStats()> http_stats) {
  routes.get("/metrics",
             [source = std::move(source), http_stats = std::move(http_stats)](const HttpRequest& request) {
               const TimePoint begin = Clock::now();
               const auto snapshot = source();
               ExpositionExtras extras{http_stats(), 0};
               extras.collect_seconds = to_seconds(Clock::now() - begin);

               const ExpositionFormat format = negotiate_format(request.header("Accept"));
               HttpResponse response;
               response.content_type = content_type(format);
               response.body = render_exposition(*snapshot, extras, format);
               response.headers.emplace_back("Vary", "Accept, Accept-Encoding");
               if (accepts_gzip(request.header("Accept-Encoding"))) {
                 response.body = gzip(response.body);
                 response.headers.emplace_back("Content-Encoding", "gzip");
               }
               return response;
             });
}

}  // namespace codex
