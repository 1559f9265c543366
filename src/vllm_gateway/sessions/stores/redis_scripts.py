"""What the Redis store has the server do in one go.

A session is one hash: its fields by name, and its messages by place. Times come from the gateway, never from the
server; only the native expiry, which tidies up what no sweep ever reaches, runs on the server's clock.
"""

from dataclasses import fields

from vllm_gateway.sessions.model import Session

FIELDS = tuple(field.name for field in fields(Session))
"""The fields of a session in the order in which scripts return them."""

GRACE_S = 3600
"""How long the server keeps a session beyond its expiry: sweeps have come by long before."""

_NAMES = ", ".join(f"'{name}'" for name in FIELDS)

_TOOLS = f"""
local key = KEYS[1]

-- Returns whether the session has expired, when it does, until when it is leased, and its holder.
local function state(now)
  local read = redis.call('HMGET', key, 'id', 'used', 'ttl_s', 'lease_until', 'holder')
  if not read[1] then return nil end
  local ttl = tonumber(read[3])
  local ends = tonumber(read[2]) + ttl
  local leased = tonumber(read[4] or '0')
  return {{gone = ttl > 0 and ends <= now and leased <= now, ends = ends, leased = leased, holder = read[5]}}
end

local function there(now)
  local found = state(now)
  if found and not found.gone then return found end
  return nil
end

local function session()
  return redis.call('HMGET', key, {_NAMES})
end

local function last_long_enough(lease)
  local ttl = tonumber(redis.call('HGET', key, 'ttl_s'))
  if ttl > 0 then redis.call('EXPIRE', key, math.ceil(ttl + lease) + {GRACE_S}) end
end

-- Returns the messages from place `from` on, up to and without place `to`.
local function messages(from, to)
  local found = {{}}
  for first = from, to - 1, 1000 do
    local places = {{}}
    for place = first, math.min(first + 1000, to) - 1 do places[#places + 1] = string.format('%d', place) end
    for _, message in ipairs(redis.call('HMGET', key, unpack(places))) do found[#found + 1] = message end
  end
  return found
end
"""

CREATE = f"""{_TOOLS}
redis.call('HSET', key, unpack(ARGV))
last_long_enough(0)
return 1
"""
"""Arguments: names and values."""

FIND = f"""{_TOOLS}
if there(tonumber(ARGV[1])) then return session() end
return false
"""
"""Arguments: now."""

CHANGE = f"""{_TOOLS}
if not there(tonumber(ARGV[1])) then return false end
redis.call('HSET', key, 'used', ARGV[1])
local first_null = 3 + tonumber(ARGV[2])
for i = 3, first_null - 1, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
for i = first_null, #ARGV do redis.call('HDEL', key, ARGV[i]) end
last_long_enough(0)
return session()
"""
"""Arguments: now, how many arguments are names and values, those, names of what is taken away."""

DELETE = f"""{_TOOLS}
if not there(tonumber(ARGV[1])) then return false end
local owner = redis.call('HGET', key, 'owner')
redis.call('DEL', key)
return owner
"""
"""Arguments: now. Returns the owner."""

MESSAGES = f"""{_TOOLS}
local all = tonumber(redis.call('HGET', key, 'messages') or '0')
return messages(tonumber(ARGV[1]), math.min(tonumber(ARGV[2]), all))
"""
"""Arguments: the first place, the place behind the last one."""

BEGIN = f"""{_TOOLS}
local now = tonumber(ARGV[1])
local found = there(now)
if not found then return 0 end
if found.leased > now then return 1 end
redis.call('HSET', key, 'holder', ARGV[2], 'lease_until', ARGV[3])
last_long_enough(tonumber(ARGV[4]))
local counts = redis.call('HMGET', key, 'first_kept', 'messages')
return {{session(), messages(tonumber(counts[1]), tonumber(counts[2]))}}
"""
"""Arguments: now, holder, until when, for how long. Returns 0 without a session, 1 when it is taken."""

RENEW = f"""{_TOOLS}
local found = there(tonumber(ARGV[1]))
if not found or found.holder ~= ARGV[2] then return 0 end
redis.call('HSET', key, 'lease_until', ARGV[3])
last_long_enough(tonumber(ARGV[4]))
return 1
"""
"""Arguments: now, holder, until when, for how long."""

FINISH = f"""{_TOOLS}
local found = there(tonumber(ARGV[1]))
if not found or found.holder ~= ARGV[2] then return false end
redis.call('HSET', key, 'used', ARGV[1], 'first_kept', ARGV[3], 'prompt_tokens', ARGV[4])
redis.call('HINCRBY', key, 'input_tokens', ARGV[4])
redis.call('HINCRBY', key, 'output_tokens', ARGV[5])
redis.call('HINCRBY', key, 'turns', 1)
redis.call('HDEL', key, 'holder', 'lease_until', 'replica')
if ARGV[6] == '1' then redis.call('HSET', key, 'replica', ARGV[7]) end
local place = tonumber(redis.call('HGET', key, 'messages'))
for i = 8, #ARGV do
  redis.call('HSET', key, string.format('%d', place), ARGV[i])
  place = place + 1
end
redis.call('HSET', key, 'messages', string.format('%d', place))
last_long_enough(0)
return session()
"""
"""Arguments: at, holder, first_kept, prompt_tokens, output_tokens, whether there is a replica, replica, messages."""

ABANDON = f"""{_TOOLS}
if redis.call('HGET', key, 'holder') == ARGV[1] then redis.call('HDEL', key, 'holder', 'lease_until') end
return 1
"""
"""Arguments: holder."""

EXPIRE = f"""{_TOOLS}
local found = state(tonumber(ARGV[1]))
if not found then return 0 end
if not found.gone then return string.format('%.17g', math.max(found.ends, found.leased)) end
redis.call('DEL', key)
return 1
"""
"""Arguments: now. Returns 0 without a session, 1 when this has deleted it, else the time to look again."""

FOLLOWING = """
local first = 0
if ARGV[1] == '1' then
  local rank = redis.call('ZRANK', KEYS[1], ARGV[2])
  if not rank then return {} end
  first = rank + 1
end
return redis.call('ZRANGE', KEYS[1], first, first + tonumber(ARGV[3]) - 1)
"""
"""Key: an index. Arguments: whether to begin behind a member, the member, how many. Returns members."""
