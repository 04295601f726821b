-- SPDX-License-Identifier: Apache-2.0
-- What get.lua and post.lua share: the last line of output is the result as JSON, for tests/bench/run.
local report = {}

function report.done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"count":%d,"duration_us":%d,"p50_us":%.1f,"p99_us":%.1f,"p999_us":%.1f,'
      .. '"status_errors":%d,"socket_errors":%d,"timeouts":%d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
      errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end

return report
