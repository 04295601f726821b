-- SPDX-License-Identifier: Apache-2.0
-- wrk ... -s mixed.lua URL -- COUNT BASE: four GET /items/{id} of items 1..COUNT to one POST /items/ with an id never used before.
local folder = debug.getinfo(1, "S").source:match("@(.*)/") or "."
local report = dofile(folder .. "/report.lua")

setup = report.setup

local count, id, turn, read = 0, 0, 0, 0
function init(args)
   count = tonumber(args[1])
   id = report.first_id(args[2])
   read = number * 7919 % count -- threads do not ask for the same item at the same time
end

function request()
   turn = (turn + 1) % 5
   if turn == 0 then
      id = id + 1
      return report.post(id)
   end
   read = read % count + 1
   return wrk.format("GET", "/items/" .. read)
end

done = report.done
