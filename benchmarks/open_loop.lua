-- A load that does not wait for answers, for wrk with as many threads as connections.
--
-- Belongs here: when each connection asks, and what each answer took. Does not belong here: how many
-- connections there are, or the figures (`benchmarks.serving_load`).
--
-- Arguments: path, file with one body a line, requests a second of all connections together, warm-up
-- in seconds. A connection that is not answered yet when its next request is due sends that one late,
-- and what it takes is counted from when it was due.

local ffi = require("ffi")
ffi.cdef([[
  typedef struct { long seconds; long nanoseconds; } instant;
  int clock_gettime(int clock, instant *now);
]])
local MONOTONIC = 1
local instant = ffi.new("instant")

local function now()
  ffi.C.clock_gettime(MONOTONIC, instant)
  return tonumber(instant.seconds) + tonumber(instant.nanoseconds) * 1e-9
end

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

local requests, at, due, waits, began = {}, 0, nil, 0, nil
taken, failed = {}, 0

function init(arguments)
  for body in io.lines(arguments[2]) do
    local headers = { ["Content-Type"] = "application/json" }
    requests[#requests + 1] = wrk.format("POST", arguments[1], headers, body)
  end
  local connections = tonumber(arguments[5])
  interval = connections / tonumber(arguments[3])
  warm_up = tonumber(arguments[4])
  at = number * 131 -- each connection begins with another body
  began = now()
  due = began + interval * number / connections
end

-- Milliseconds until the next request: its moment is where they end, since wrk waits in whole ones.
function delay()
  local left = due - now()
  if left <= 0 then
    return 0
  end
  waits = math.ceil(left * 1e3)
  return waits
end

function request()
  at = at % #requests + 1
  local sent = now()
  if waits > 0 then
    due, waits = sent, 0 -- wrk woke up for it, in time or a moment later: that is the client's
  end
  counts = due - began > warm_up
  return requests[at]
end

function response(status)
  if status ~= 200 then
    failed = failed + 1
  elseif counts then
    taken[#taken + 1] = math.floor((now() - due) * 1e6)
  end
  due = due + interval
end

function done()
  for _, thread in ipairs(threads) do
    io.write("failed ", thread:get("failed"), "\n")
    for _, microseconds in ipairs(thread:get("taken")) do
      io.write("took ", microseconds, "\n")
    end
  end
end
