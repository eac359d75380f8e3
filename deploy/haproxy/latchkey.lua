-- Asks Latchkey whether to allow a request: http-request lua.latchkey proxy=haproxy&role=editor
--
-- Sets txn.latchkey_status to Latchkey's status (0: no answer), and txn.latchkey_sign_in to the address
-- of the sign-in page if the request is for a page. The request gets the identity headers only at 200:
-- deny all other requests. If Latchkey refuses a person, the client gets Latchkey's page.
--
-- Also refuses requests with trailers: filter lua.no-trailers

local COOKIE_NAME = "jwt" -- as in Latchkey's settings
local ASKED = { "cookie", "authorization", "accept", "sec-fetch-mode" }
local TOLD = {
    "remote-user", "remote-groups", "remote-name", "remote-email",
    "x-auth-request-user", "x-auth-request-groups", "x-auth-request-email",
    "x-latchkey-assertion",
}

local SHOWN = {
    "content-type", "content-security-policy", "cache-control", "referrer-policy", "vary",
    "www-authenticate", "x-content-type-options", "x-request-id",
}

-- Of the cookies, Latchkey gets the session, and those that could be taken for it.
local SESSION = "%f[%w_%-]" .. COOKIE_NAME:gsub("[^%w]", "%%%0") .. "%f[^%w_%-]"

local function session_of(line)
    local kept = {}
    for pair in line:gmatch("[^;]+") do
        if pair:find(SESSION) or pair:find("^[^=]*%%") then
            table.insert(kept, (pair:gsub("^ +", "")))
        end
    end
    return table.concat(kept, "; ")
end

local function question(txn)
    local headers = {
        ["host"] = { "latchkey" },
        ["x-forwarded-for"] = { txn.sf:src() },
        ["x-original-method"] = { txn.sf:method() },
        ["x-original-url"] = { txn:get_var("txn.latchkey_site") .. txn.sf:pathq() },
    }
    local given = txn.http:req_get_headers()
    for _, name in ipairs(ASKED) do
        if given[name] ~= nil then
            headers[name] = {}
            for line = 0, #given[name] do
                local value = given[name][line]
                table.insert(headers[name], name == "cookie" and session_of(value) or value)
            end
        end
    end
    return headers
end

-- Ends the request with Latchkey's page.
local function show(txn, answer)
    local reply = txn:reply{ status = answer.status }
    for _, name in ipairs(SHOWN) do
        if answer.headers[name] ~= nil then
            reply:add_header(name, answer.headers[name][0])
        end
    end
    reply:set_body(answer.body)
    txn:done(reply)
end

local function check(txn, asked)
    txn:set_var("txn.latchkey_status", 0)
    local answer = core.httpclient():get{
        url = "http://latchkey/auth/verify?" .. asked,
        headers = question(txn),
        dst = "abns@latchkey",
        timeout = 10000, -- longer than that of latchkey_questions, which answers 504 then
    }
    if answer.status == 200 then
        for _, name in ipairs(TOLD) do
            txn.http:req_set_header(name, answer.headers[name][0])
        end
    elseif answer.status == 401 and answer.headers["location"] ~= nil then
        txn:set_var("txn.latchkey_sign_in", answer.headers["location"][0])
    elseif (answer.status == 401 or answer.status == 403) and answer.body ~= "" then
        show(txn, answer)
    end
    txn:set_var("txn.latchkey_status", answer.status)
end

core.register_action("latchkey", { "http-req" }, check, 1)

-- Trailers are header lines after a chunked body. HAProxy passes them on, and http-request rules do not
-- see them: a client could send `Remote-User: admin` there, and some applications read trailers as
-- headers. HAProxy 3.2 can drop them (option http-drop-request-trailers). 2.6 cannot, so this filter
-- ends a request with trailers before its last part reaches the application.

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

-- HAProxy adds all trailers and their end mark at once, also to a body without trailers.
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

-- An error ends the request with 400. The return value is ignored.
function NoTrailers:http_payload(txn)
    if has_trailers(txn.f) then
        error("a request with trailers was refused", 0)
    end
end

core.register_filter("no-trailers", NoTrailers, function(self)
    return self
end)
