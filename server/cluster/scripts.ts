/**
 * What Redis does in one go. The scripts compare numbers and move texts; what
 * is in the texts they do not read.
 *
 * Keys, all behind the prefix:
 *
 * | key | type | what it holds |
 * |---|---|---|
 * | `nodes` | hash | by node: `incarnation|renewed at|lingers until`, the last empty while the node is there |
 * | `delivered` | number | of the last delivery; the first has the time, in microseconds, so that none is given again when the facts were lost |
 * | `wall` | number | the highest wall clock that any node has shown |
 * | `person:<tenant>/<id>` | hash | `v` version, `l` lineage, `f` facts, `at` when they were chosen; `s:<node>`: `incarnation|written at|sources`; `x:<source>`: why it was ended |
 * | `held:<node>` | set | the people of whom a node holds something |
 *
 * Instants are Unix milliseconds on the clock of Redis, and only their
 * differences leave it. Everything expires that nobody writes or renews.
 * Deliveries are published on the channel `deliveries`, behind the prefix too.
 */
export interface Script {
  readonly text: string;
  readonly keys: number;
}

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local micros = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end
local function member(value)
  local incarnation, renewed, lingers = string.match(value or '', '^(%d+)|(%d+)|(%d*)$')
  return tonumber(incarnation), tonumber(renewed), tonumber(lingers)
end`;

/** What is delivered is numbered. The body is JSON without its braces. */
const DELIVER = `
local function deliver(key, channel, body)
  local number = redis.call('INCR', key)
  if number == 1 then
    number = micros
    redis.call('SET', key, text(number))
  end
  redis.call('PUBLISH', channel, '{"number":' .. text(number) .. ',' .. body .. '}')
end`;

const VIEW = `
local function view(nodes, delivered, wall)
  return { text(now), redis.call('GET', delivered) or '0', redis.call('GET', wall) or '0', redis.call('HGETALL', nodes) }
end
local function show(key, value, ttl)
  if tonumber(value) > tonumber(redis.call('GET', key) or 0) then redis.call('SET', key, value) end
end`;

/** KEYS: nodes, delivered, wall. ARGV: node, the incarnation to be above, wall. Answers the incarnation and a view. */
export const JOIN: Script = {
  keys: 3,
  text: `${NOW}${VIEW}
local known = member(redis.call('HGET', KEYS[1], ARGV[1]) or '')
local incarnation = math.max(known or 0, tonumber(ARGV[2])) + 1
redis.call('HSET', KEYS[1], ARGV[1], text(incarnation) .. '|' .. text(now) .. '|')
redis.call('SET', KEYS[2], text(micros), 'NX')
show(KEYS[3], ARGV[3])
return { text(incarnation), view(KEYS[1], KEYS[2], KEYS[3]) }`,
};

/**
 * KEYS: nodes, delivered, wall, held. ARGV: node, incarnation, wall, lease, how long who is no more is remembered.
 * Answers a view, or nothing when the incarnation is over.
 */
export const RENEW: Script = {
  keys: 4,
  text: `${NOW}${VIEW}
local incarnation, renewed, lingers = member(redis.call('HGET', KEYS[1], ARGV[1]) or '')
if incarnation ~= tonumber(ARGV[2]) or lingers or now - renewed > tonumber(ARGV[4]) then return false end
redis.call('HSET', KEYS[1], ARGV[1], text(incarnation) .. '|' .. text(now) .. '|')
redis.call('PEXPIRE', KEYS[4], ARGV[5])
show(KEYS[3], ARGV[3])
local all = redis.call('HGETALL', KEYS[1])
for index = 1, #all, 2 do
  local _, _, until_ = member(all[index + 1])
  if until_ and until_ + tonumber(ARGV[5]) <= now then redis.call('HDEL', KEYS[1], all[index]) end
end
return view(KEYS[1], KEYS[2], KEYS[3])`,
};

/** KEYS: nodes, delivered. ARGV: channel, node, incarnation, lease (empty: whatever it is), for how long who was connected lingers. */
export const RETIRE: Script = {
  keys: 2,
  text: `${NOW}${DELIVER}
local incarnation, renewed, lingers = member(redis.call('HGET', KEYS[1], ARGV[2]) or '')
if incarnation ~= tonumber(ARGV[3]) or lingers then return 0 end
local since = now
if ARGV[4] ~= '' then
  if now - renewed <= tonumber(ARGV[4]) then return 0 end
  since = renewed
end
local until_ = since + tonumber(ARGV[5])
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. '|' .. text(renewed) .. '|' .. text(until_))
deliver(KEYS[2], ARGV[1], '"kind":"gone","owner":{"node":' .. cjson.encode(ARGV[2]) .. ',"incarnation":' .. ARGV[3] .. '},"lingers_ms":' .. text(math.max(0, until_ - now)))
return 1`,
};

/**
 * KEYS: nodes, delivered, person, held. ARGV: channel, node, incarnation, name, known version, lineage, facts, chosen
 * at, sources (empty: none), lifetime; then, in pairs, what was ended and why. Answers 0 when the incarnation is over.
 */
export const WRITE: Script = {
  keys: 4,
  text: `${NOW}${DELIVER}
local incarnation, _, lingers = member(redis.call('HGET', KEYS[1], ARGV[2]) or '')
if incarnation ~= tonumber(ARGV[3]) or lingers then return 0 end
local person = KEYS[3]
local known = redis.call('HMGET', person, 'v', 'at', 'l')
local set = { 'v', text(math.max(tonumber(known[1] or 0), tonumber(ARGV[5])) + 1) }
if not known[3] then set[3], set[4] = 'l', ARGV[6] end
if tonumber(ARGV[8]) >= tonumber(known[2] or 0) then
  set[#set + 1], set[#set + 2], set[#set + 3], set[#set + 4] = 'at', ARGV[8], 'f', ARGV[7]
end
local share = 's:' .. ARGV[2]
if ARGV[9] == '' then
  redis.call('HDEL', person, share)
  redis.call('SREM', KEYS[4], ARGV[4])
else
  set[#set + 1], set[#set + 2] = share, ARGV[3] .. '|' .. text(now) .. '|' .. ARGV[9]
  redis.call('SADD', KEYS[4], ARGV[4])
  redis.call('PEXPIRE', KEYS[4], ARGV[10])
end
for index = 11, #ARGV, 2 do set[#set + 1], set[#set + 2] = 'x:' .. ARGV[index], ARGV[index + 1] end
redis.call('HSET', person, unpack(set))
redis.call('PEXPIRE', person, ARGV[10])
local all, fields, shares, ended = redis.call('HGETALL', person), {}, {}, {}
for index = 1, #all, 2 do
  local field, value = all[index], all[index + 1]
  local kind, name = string.sub(field, 1, 2), string.sub(field, 3)
  local isKept = true
  if kind == 's:' then
    isKept = name == ARGV[2] or (member(redis.call('HGET', KEYS[1], name) or '') or 0) >= tonumber(string.match(value, '^%d+'))
    if isKept then shares[#shares + 1] = value end
  elseif kind == 'x:' then
    isKept = nil
    ended[name] = value
  end
  if isKept then fields[#fields + 1], fields[#fields + 2] = field, value
  elseif isKept == false then redis.call('HDEL', person, field) end
end
for id, why in pairs(ended) do
  local isListed = false
  for _, each in ipairs(shares) do isListed = isListed or string.find(each, '"id":"' .. id .. '"', 1, true) end
  if isListed then fields[#fields + 1], fields[#fields + 2] = 'x:' .. id, why
  else redis.call('HDEL', person, 'x:' .. id) end
end
deliver(KEYS[2], ARGV[1], '"kind":"person","name":' .. cjson.encode(ARGV[4]) .. ',"now":' .. text(now) .. ',"fields":' .. cjson.encode(fields))
return 1`,
};

/** KEYS: nodes, person. Answers the time, the fields of the record, and the nodes. */
export const READ: Script = {
  keys: 2,
  text: `${NOW}
return { text(now), redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[1]) }`,
};

/** KEYS: delivered. ARGV: channel, body. */
export const SEND: Script = {
  keys: 1,
  text: `${NOW}${DELIVER}
deliver(KEYS[1], ARGV[1], ARGV[2])
return 1`,
};
