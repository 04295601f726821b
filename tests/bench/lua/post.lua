-- SPDX-License-Identifier: Apache-2.0
-- wrk ... -s post.lua URL -- BASE: POST /items/ with ids never used before, from BASE on.
local folder = debug.getinfo(1, "S").source:match("@(.*)/") or "."
local report = dofile(folder .. "/report.lua")

setup = report.setup

local id
function init(args)
   id = report.first_id(args[1])
end

function request()
   id = id + 1
   return report.post(id)
end

done = report.done
