"""The scripts of limits in Redis: each is atomic, takes its time from Redis, and does nothing by halves.

A rate is kept as `used at`, a budget as `used day`, both as text, because Lua writes numbers as text with 14 digits
only. Slots are a sorted set of requests by the time at which they lose their slot. `KEYS[1]` is the open request,
`tokens day`; the meters' keys follow. Times are microseconds.

A request that has reserved tokens is among the leased ones too, a sorted set like that of slots, and what is to be done
should its gateway die is kept beside it: its least tokens, and its meters of tokens.
"""

from collections.abc import Sequence

from vllm_gateway.admission.limits.meters import Kind, Meter

PREFIX = "{vllm-gateway:1:limits}:"
"""What all keys begin with, as a hash tag: in a cluster one node has them all."""
LEASED = f"{PREFIX}leased"
HELD = f"{PREFIX}held"

_TIME = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local today = math.floor(time[1] / 86400)
local function text(number) return string.format('%.17g', number) end
local function whole(number) return string.format('%.0f', math.ceil(number)) end
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

COUNT = (
    _TIME
    + """
local words, read = {}, 0
for each in string.gmatch(ARGV[1], '[^\\n]+') do words[#words + 1] = each end
local function word() read = read + 1 return words[read] end
local function number() return tonumber(word()) end
local lease, open_for = number(), word()
local leased, held = KEYS[1], KEYS[2]
local meters = {}
for i = 1, number() do
  local kind, amount, window = word(), number(), number()
  meters[i] = {kind = kind, amount = amount, window = window, key = KEYS[2 + i], of_tokens = kind == 't' or kind == 'b'}
end
local function some_meters()
  local some = {}
  for i = 1, number() do some[i] = meters[number()] end
  return some
end

local function wait_for(meter, used, day, cost)
  if meter.kind == 's' then return used + cost > meter.amount and 1000000 or 0 end
  if cost > meter.amount then return math.huge end
  if meter.kind == 'b' then return used + cost > meter.amount and (day + 1) * 86400000000 - now or 0 end
  local lacking = used + cost - meter.amount
  return lacking > 1e-6 and lacking * meter.window / meter.amount or 0
end

local function in_use(meter)
  if meter.kind == 'b' then return budget(meter.key) end
  if meter.kind ~= 's' then return rate(meter.key, meter.amount, meter.window) end
  redis.call('ZREMRANGEBYSCORE', meter.key, '-inf', whole(now))
  return redis.call('ZCARD', meter.key)
end

local function take(meter, used, day, id)
  if meter.kind == 's' then
    redis.call('ZADD', meter.key, whole(now + lease), id)
    redis.call('PEXPIRE', meter.key, whole(lease / 1000))
  elseif meter.kind == 'b' then
    keep_budget(meter.key, used, day)
  else
    keep_rate(meter.key, used, meter.amount, meter.window)
  end
end

local function open_request(open, id, tokens, least, some)
  local will, counted = {tonumber(least)}, 0
  for _, meter in ipairs(some) do
    if meter.of_tokens then
      counted = tokens
      will[#will + 1] = {meter.kind, meter.key, meter.amount, meter.window}
    end
  end
  redis.call('SET', open, text(counted) .. ' ' .. text(today), 'EX', open_for)
  if #will > 1 then
    redis.call('ZADD', leased, whole(now + lease), id)
    redis.call('HSET', held, id, cjson.encode(will))
  end
end

local function reserve(open, id, tokens, least, some)
  local refused, longest, used, days = 0, 0, {}, {}
  for i, meter in ipairs(some) do
    used[i], days[i] = in_use(meter)
    local wait = wait_for(meter, used[i], days[i], meter.of_tokens and tokens or 1)
    if wait > longest then refused, longest = i, wait end
  end
  local reply = {refused, text(longest)}
  for i, meter in ipairs(some) do
    if refused == 0 then
      used[i] = used[i] + (meter.of_tokens and tokens or 1)
      take(meter, used[i], days[i], id)
    end
    local reset = 0
    if meter.kind == 'b' then
      reset = (days[i] + 1) * 86400000000 - now
    elseif meter.kind ~= 's' then
      reset = used[i] * meter.window / meter.amount
    end
    reply[#reply + 1] = text(used[i])
    reply[#reply + 1] = text(reset)
  end
  if refused == 0 then open_request(open, id, tokens, least, some) end
  return table.concat(reply, ' ')
end

local function settle(open, id, charged, tokens, some)
  local reserved, opened = two(open)
  if not reserved then return '0' end
  redis.call('DEL', open)
  redis.call('ZREM', leased, id)
  redis.call('HDEL', held, id)
  local more = 0
  if charged ~= '1' then more = -reserved elseif tokens ~= '-' then more = tonumber(tokens) - reserved end
  for _, meter in ipairs(some) do
    local key, amount, window = meter.key, meter.amount, meter.window
    if meter.kind == 's' then
      redis.call('ZREM', key, id)
    elseif meter.kind == 'b' then
      local used, day = two(key)
      if used and day == opened then keep_budget(key, math.max(0, used + more), day) end
    elseif meter.kind == 't' then
      keep_rate(key, math.max(0, rate(key, amount, window) + more), amount, window)
    elseif charged ~= '1' then
      keep_rate(key, rate(key, amount, window) - 1, amount, window)
    end
  end
  return '1'
end

local replies = {}
for i = 1, #KEYS - 2 - #meters do
  local what, id, first, second = word(), word(), word(), word()
  local some, open, done, reply = some_meters(), KEYS[2 + #meters + i], nil, nil
  if what == 'r' then
    done, reply = pcall(reserve, open, id, tonumber(first), second, some)
  else
    done, reply = pcall(settle, open, id, first, second, some)
  end
  if not done then reply = '! ' .. string.gsub(tostring(type(reply) == 'table' and reply.err or reply), '%s+', ' ') end
  replies[i] = reply
end
return table.concat(replies, '\\n')
"""
)
"""Do what several requests wish, one after the other; each takes all that it wants, or nothing.

`KEYS`: the leased requests, what is to be done for them, the meters, and the open request of each wish. `ARGV`: lines.
First the lease, for how many seconds a request may stay open, and how many meters follow; for each its kind (`q`: rate
of requests, `t`: rate of tokens, `b`: budget, `s`: slots), amount and window. Then the wishes. Either `r`, the request,
the tokens that it may come to and those that it has used if its gateway dies; or `s`, the request, whether it is
charged, and the tokens that it used (`-`: as reserved). Each ends with how many meters it has, and which.

Gives a line for each wish. Of `r`: the place of the meter that refuses (0: none), how long to wait, and for each meter
what is in use and for how long. Of `s`: 0 when the request is not open. Of one that failed: `!` and why.
"""

EXTEND = (
    _TIME
    + """
local function meter(i)
  local base = 3 * (i - 1) - 1
  return ARGV[base], tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2])
end
local reserved, opened = two(KEYS[1])
if not reserved then return 1 end
local tokens = tonumber(ARGV[1])
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
"""Reserve more tokens. `KEYS`: the open request and its meters. `ARGV`: the tokens, and the meters as above. Gives 0
when a budget does not have them."""

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


def open_key(name: str) -> str:
    """Return where an open request is kept."""
    return f"{PREFIX}open:{name}"


def meter_key(meter: Meter) -> str:
    """Return where a meter is kept."""
    return PREFIX + meter.key


def told(meter: Meter) -> tuple[str, int, int]:
    """Return a meter's kind, amount and window as the scripts read them."""
    if meter.kind is Kind.RATE:
        kind = "t" if meter.is_of_tokens else "q"
    else:
        kind = "b" if meter.kind is Kind.BUDGET else "s"
    return kind, meter.amount, round(meter.window_s * 1_000_000)


def leases(meters: Sequence[Meter]) -> list[str]:
    """Return where what a request has taken is leased."""
    slots = [meter_key(meter) for meter in meters if meter.kind is Kind.SLOTS]
    return [*slots, LEASED] if any(meter.is_of_tokens for meter in meters) else slots
