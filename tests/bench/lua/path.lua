-- SPDX-License-Identifier: Apache-2.0
-- wrk ... -s path.lua URL -- PATH: GET PATH.
local folder = debug.getinfo(1, "S").source:match("@(.*)/") or "."
local report = dofile(folder .. "/report.lua")

local text
function init(args)
   text = wrk.format("GET", args[1])
end

function request()
   return text
end

done = report.done
