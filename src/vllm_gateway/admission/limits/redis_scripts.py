"""The scripts of limits in Redis: each is atomic, takes its time from Redis, and does nothing by halves.

A rate is kept as `used at`, a budget as `used day`, both as text, because Lua writes numbers as text with 14 digits
only. Slots are a sorted set of requests by the time at which they lose their slot. `KEYS[1]` is the open request,
`tokens day`; the meters' keys follow. Times are microseconds.

A request that has reserved tokens is among the leased ones too, a sorted set like that of slots, and what is to be done
should its gateway die is kept beside it: its least tokens, and its meters of tokens.
"""

_TIME = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local today = math.floor(time[1] / 86400)
local function text(number) return string.format('%.17g', number) end
local function whole(number) return string.format('%.0f', math.ceil(number)) end
local function meter(i)
  local base = 4 * (i - 1)
  return ARGV[base], tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2]), tonumber(ARGV[base + 3])
end
local function two(key)
  local kept = redis.call('GET', key)
  if not kept then return nil end
  local first, second = string.match(kept, '^(%S+) (%S+)$')
  return tonumber(first), tonumber(second)
end
local function rate(key, amount, window)
  local used, at = two(key)
  if not used then return 0 end
  return math.max(0, used - math.max(0, now - at) * amount / window)
end
local function keep_rate(key, used, amount, window)
  if used <= 0 then redis.call('DEL', key) return end
  redis.call('SET', key, text(used) .. ' ' .. text(now), 'PX', whole(used * window / amount / 1000 + 1000))
end
local function budget(key)
  local used, day = two(key)
  if not used or day < today then return 0, today end
  return used, day
end
local function keep_budget(key, used, day)
  redis.call('SET', key, text(used) .. ' ' .. text(day), 'EX', 172800)
end
"""

RESERVE = (
    _TIME
    + """
local id, lease, open_for = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local least, leased, held = ARGV[#ARGV - 2], ARGV[#ARGV - 1], ARGV[#ARGV]
local will = {tonumber(least)}
local refused, longest, tokens = 0, 0, 0
local used, days = {}, {}
for i = 2, #KEYS do
  local kind, amount, window, cost = meter(i)
  local wait = 0
  if kind == 's' then
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', whole(now))
    used[i] = redis.call('ZCARD', KEYS[i])
    if used[i] + cost > amount then wait = 1000000 end
  else
    if kind == 'b' then
      used[i], days[i] = budget(KEYS[i])
      if used[i] + cost > amount then wait = (days[i] + 1) * 86400000000 - now end
    else
      used[i] = rate(KEYS[i], amount, window)
      local lacking = used[i] + cost - amount
      if lacking > 1e-6 then wait = lacking * window / amount end
    end
    if cost > amount then wait = math.huge end
  end
  if wait > longest then refused, longest = i - 1, wait end
end
local reply = {refused, text(longest)}
for i = 2, #KEYS do
  local kind, amount, window, cost = meter(i)
  local reset = 0
  if refused == 0 then
    used[i] = used[i] + cost
    if kind == 's' then
      redis.call('ZADD', KEYS[i], whole(now + lease), id)
      redis.call('PEXPIRE', KEYS[i], whole(lease / 1000))
    elseif kind == 'b' then
      keep_budget(KEYS[i], used[i], days[i])
      tokens = cost
      will[#will + 1] = {kind, KEYS[i]}
    else
      keep_rate(KEYS[i], used[i], amount, window)
      if kind == 't' then
        tokens = cost
        will[#will + 1] = {kind, KEYS[i], amount, window}
      end
    end
  end
  if kind == 'b' then
    reset = (days[i] + 1) * 86400000000 - now
  elseif kind ~= 's' then
    reset = used[i] * window / amount
  end
  reply[#reply + 1] = text(used[i])
  reply[#reply + 1] = text(reset)
end
if refused == 0 then
  redis.call('SET', KEYS[1], text(tokens) .. ' ' .. text(today), 'EX', open_for)
  if #will > 1 then
    redis.call('ZADD', leased, whole(now + lease), id)
    redis.call('HSET', held, id, cjson.encode(will))
  end
end
return reply
"""
)
"""Take all, or nothing.

`ARGV`: the request, its lease, and how many seconds it may stay open; for each meter its kind (`q`: rate of requests,
`t`: rate of tokens, `b`: budget, `s`: slots), amount, window and cost; then the tokens that it has used if its gateway
dies, and the keys of the leased requests and of what is to be done for them.

Gives the place of the meter that refuses (0: none), how long to wait, and for each meter what is in use and for how
long.
"""

SETTLE = (
    _TIME
    + """
local reserved, opened = two(KEYS[1])
if not reserved then return 0 end
redis.call('DEL', KEYS[1])
local id, charged = ARGV[1], ARGV[2] == '1'
redis.call('ZREM', ARGV[#ARGV - 1], id)
redis.call('HDEL', ARGV[#ARGV], id)
local more = 0
if not charged then more = -reserved elseif ARGV[3] ~= '' then more = tonumber(ARGV[3]) - reserved end
for i = 2, #KEYS do
  local kind, amount, window, cost = meter(i)
  if kind == 's' then
    redis.call('ZREM', KEYS[i], id)
  elseif kind == 'b' then
    local used, day = two(KEYS[i])
    if used and day == opened then keep_budget(KEYS[i], math.max(0, used + more), day) end
  elseif kind == 't' then
    keep_rate(KEYS[i], math.max(0, rate(KEYS[i], amount, window) + more), amount, window)
  elseif not charged then
    keep_rate(KEYS[i], rate(KEYS[i], amount, window) - cost, amount, window)
  end
end
return 1
"""
)
"""Put a request's account right, and free its slots. `ARGV`: the request, whether it is charged, the tokens that it
used (empty: as reserved), the meters as above, and the two keys. Gives 0 when the request is not open."""

EXTEND = (
    _TIME
    + """
local reserved, opened = two(KEYS[1])
if not reserved then return 1 end
local tokens = tonumber(ARGV[3])
for i = 2, #KEYS do
  local kind, amount = meter(i)
  if kind == 'b' and budget(KEYS[i]) + tokens > amount then return 0 end
end
for i = 2, #KEYS do
  local kind, amount, window = meter(i)
  if kind == 't' then
    keep_rate(KEYS[i], rate(KEYS[i], amount, window) + tokens, amount, window)
  elseif kind == 'b' then
    local used, day = two(KEYS[i])
    if used and day == opened then keep_budget(KEYS[i], used + tokens, day) end
  end
end
redis.call('SET', KEYS[1], text(reserved + tokens) .. ' ' .. text(opened), 'KEEPTTL')
return 1
"""
)
"""Reserve more tokens. `ARGV`: two that are not looked at, the tokens, and the meters as above. Gives 0 when a budget
does not have them."""

RENEW = """
local time = redis.call('TIME')
local until_then = string.format('%.0f', time[1] * 1000000 + time[2] + ARGV[1])
for i = 1, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    redis.call('ZADD', KEYS[i + 1], until_then, ARGV[2 + (i + 1) / 2])
    if KEYS[i + 1] ~= ARGV[2] then redis.call('PEXPIRE', KEYS[i + 1], string.format('%.0f', ARGV[1] / 1000)) end
  end
end
return 1
"""
"""Prolong slots of requests that are still open. `KEYS`: the open request and its slots, or the leased requests, again
and again. `ARGV`: the lease, the key of the leased requests, and each request."""

ANNOUNCE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[2] / 1000))
return redis.call('ZCARD', KEYS[1])
"""
"""Count a gateway in for a while. `ARGV`: its name, and for how long. Gives how many gateways there are."""

RELEASE = (
    _TIME
    + """
local leased, held = KEYS[1], KEYS[2]
local over = redis.call('ZRANGEBYSCORE', leased, '-inf', whole(now), 'LIMIT', 0, ARGV[1])
for _, id in ipairs(over) do
  local open = ARGV[2] .. id
  local reserved, opened = two(open)
  local will = redis.call('HGET', held, id)
  redis.call('ZREM', leased, id)
  redis.call('HDEL', held, id)
  redis.call('DEL', open)
  if reserved and will then
    will = cjson.decode(will)
    local more = math.min(will[1], reserved) - reserved
    for i = 2, #will do
      local kind, key, amount, window = unpack(will[i])
      if kind == 't' then
        keep_rate(key, math.max(0, rate(key, amount, window) + more), amount, window)
      else
        local used, day = two(key)
        if used and day == opened then keep_budget(key, math.max(0, used + more), day) end
      end
    end
  end
end
redis.call('EXPIRE', leased, ARGV[3])
redis.call('EXPIRE', held, ARGV[3])
return #over
"""
)
"""Settle requests whose gateway is gone: they have used the least that they can have. `KEYS`: the leased requests, and
what is to be done for them. `ARGV`: how many at most, what the keys of open requests begin with, and how many seconds
all of this is kept. Gives how many there were."""
