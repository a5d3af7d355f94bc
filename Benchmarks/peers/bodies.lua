-- For wrk: posts the bodies of a file in turn, one a line, and prints figures that a program can read.
-- wrk … -s bodies.lua URL -- PATH FILE

local requests, turn = {}, 0

function init(arguments)
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    for body in io.lines(arguments[2]) do
        requests[#requests + 1] = wrk.format("POST", arguments[1], nil, body)
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function done(summary, latency)
    local errors = summary.errors
    print(string.format("figures %d %d %d %d %d", summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
