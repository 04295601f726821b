-- SPDX-License-Identifier: Apache-2.0
-- What the loads share: threads that know their number, the item that is made, and the result as JSON, the last line of output, for tests/bench/run.
local report = {}

local threads = 0
function report.setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

-- Ids never used before: each thread has 100 million from `base` on.
function report.first_id(base)
   return tonumber(base) + number * 100000000
end

function report.post(id)
   return wrk.format("POST", "/items/", { ["Content-Type"] = "application/json" },
                     string.format('{"id":%.0f,"name":"an item of the benchmark","description":"x"}', id))
end

function report.done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"count":%d,"duration_us":%d,"p50_us":%.1f,"p99_us":%.1f,"p999_us":%.1f,'
      .. '"status_errors":%d,"socket_errors":%d,"timeouts":%d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
      errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end

return report
