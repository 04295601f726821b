-- SPDX-License-Identifier: Apache-2.0
-- wrk ... -s post.lua URL -- BASE: POST /items/ with an id never used before; each thread has 100 million from BASE on.
local folder = debug.getinfo(1, "S").source:match("@(.*)/") or "."
local report = dofile(folder .. "/report.lua")

local threads = 0
function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

local id
function init(args)
   id = tonumber(args[1]) + number * 100000000
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   id = id + 1
   local body = string.format('{"id":%.0f,"name":"an item of the benchmark","description":"x"}', id)
   return wrk.format("POST", "/items/", nil, body)
end

done = report.done
