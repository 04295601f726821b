-- SPDX-License-Identifier: Apache-2.0
-- wrk ... -s get.lua URL -- COUNT: GET /items/{id} of items 1..COUNT in turn; murmur2 spreads them over all partitions.
local folder = debug.getinfo(1, "S").source:match("@(.*)/") or "."
local report = dofile(folder .. "/report.lua")

setup = report.setup

local requests, next_request = {}, 0
function init(args)
   local count = tonumber(args[1])
   for id = 1, count do
      requests[id] = wrk.format("GET", "/items/" .. id)
   end
   next_request = number * 7919 % count -- threads do not ask for the same item at the same time
end

function request()
   next_request = next_request % #requests + 1
   return requests[next_request]
end

done = report.done
