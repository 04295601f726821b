-- SPDX-License-Identifier: Apache-2.0
-- wrk ... -s mixed.lua URL -- COUNT BASE: four GET /items/{id} of items 1..COUNT to one POST /items/ with an id never used before.
local folder = debug.getinfo(1, "S").source:match("@(.*)/") or "."
local report = dofile(folder .. "/report.lua")

local threads = 0
function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

local count, id, turn, read = 0, 0, 0, 0
local get, post = {}, { ["Content-Type"] = "application/json" }
function init(args)
   count = tonumber(args[1])
   id = tonumber(args[2]) + number * 100000000
   read = number * 7919 % count -- threads do not ask for the same item at the same time
end

function request()
   turn = (turn + 1) % 5
   if turn == 0 then
      id = id + 1
      return wrk.format("POST", "/items/", post, string.format('{"id":%.0f,"name":"an item of the benchmark","description":"x"}', id))
   end
   read = read % count + 1
   return wrk.format("GET", "/items/" .. read, get)
end

done = report.done
