-- What wrk sends: the requests of a file, one after another from anywhere in it; and what it tells in the end.
local requests = {}
local at = 0

function init(arguments)
  local headers = {}
  for number = 2, #arguments do
    local name, value = arguments[number]:match("^(.-): (.*)$")
    headers[name] = value
  end
  for line in io.lines(arguments[1]) do
    local method, path, body = line:match("^(%u+) (%S+) ?(.*)$")
    if body ~= "" then
      headers["Content-Type"] = "application/json"
    end
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
  math.randomseed(os.time())
  at = math.random(#requests)
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  io.write(string.format(
    "result %d %d %d %d %d %d %d %d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.status, summary.errors.connect, summary.errors.read + summary.errors.write,
    summary.errors.timeout
  ))
end
