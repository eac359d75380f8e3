-- HAProxy refuses a request that has trailers: filter lua.no-trailers
--
-- Trailers are header lines after a chunked body. HAProxy passes them on, and no http-request rule
-- sees them: a client could write `Remote-User: admin` there, and some applications read trailers as
-- headers. HAProxy 3.2 can drop them (option http-drop-request-trailers); 2.6 cannot, so a request
-- that has some is ended before its last part is sent to the application.

local MOST_BLOCKS = 16384 -- more than a buffer of 128 kB can hold

local NoTrailers = { id = "latchkey: no trailers", flags = filter.FLT_CFG_FL_HTX }
NoTrailers.__index = NoTrailers

function NoTrailers:new()
    return setmetatable({}, NoTrailers)
end

function NoTrailers:start_analyze(_, channel)
    if not channel:is_resp() then
        filter.register_data_filter(self, channel)
    end
end

-- HAProxy adds all trailers and the mark of their end at once, also to a body that has none.
local function has_trailers(fetches)
    if fetches:internal_htx_blk_type("tail") ~= "HTX_BLK_EOT" then
        return false
    end
    for position = 0, MOST_BLOCKS do
        local kind = fetches:internal_htx_blk_type(tostring(position))
        if kind == "HTX_BLK_EOT" then
            return false
        elseif kind == "HTX_BLK_TLR" then
            return true
        end
    end
    return true
end

-- An error ends the request with 400. What this function returns is not looked at.
function NoTrailers:http_payload(txn)
    if has_trailers(txn.f) then
        error("a request with trailers was refused", 0)
    end
end

core.register_filter("no-trailers", NoTrailers, function(self)
    return self
end)
