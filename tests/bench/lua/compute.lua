-- SPDX-License-Identifier: Apache-2.0
-- wrk ... -s compute.lua URL: GET /heavy_computation/?n=1000, about a tenth of a millisecond of work each.
local folder = debug.getinfo(1, "S").source:match("@(.*)/") or "."
local report = dofile(folder .. "/report.lua")

local text
function init()
   text = wrk.format("GET", "/heavy_computation/?n=1000")
end

function request()
   return text
end

done = report.done
