"""What reads before it writes, or must be read at one moment: scripts, each of which Redis runs alone.

KEYS, ARGV: as lakehouse/online/redis_store.py and redis_cluster.py hand them over. The keys of APPEND, UNTIL and REMOVE are of one timeline,
so that they are in one slot of a cluster; PUT and READ take more only where there is no cluster.
"""

PUT = """
local written = 0
for i, key in ipairs(KEYS) do
  local stored = redis.call('GETRANGE', key, 0, 15)
  if stored == '' or tonumber(stored) < tonumber(string.sub(ARGV[i], 1, 16)) then
    redis.call('SET', key, ARGV[i])
    if ARGV[#KEYS + i] ~= '' then redis.call('PEXPIREAT', key, ARGV[#KEYS + i]) end
    written = written + 1
  end
end
return written
"""
APPEND = """
for i = 3, #ARGV, 3 do
  if redis.call('ZADD', KEYS[1], 'NX', ARGV[i], ARGV[i + 1]) == 1 then
    redis.call('HSET', KEYS[2], ARGV[i + 1], ARGV[i + 2])
  end
end
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[1])
if over > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, over - 1)) do
    redis.call('HDEL', KEYS[2], id)
  end
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
end
local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if ARGV[2] ~= '' and newest then
  local ends = string.format('%.0f', newest + ARGV[2])
  redis.call('PEXPIREAT', KEYS[1], ends)
  redis.call('PEXPIREAT', KEYS[2], ends)
end
"""
READ = """
local documents, all = {}, {}
local first = tonumber(ARGV[1]) + 1
for i = 1, first - 1 do
  documents[i] = redis.call('GET', KEYS[i])
end
for i = first, #KEYS, 2 do
  local found = redis.call('ZREVRANGE', KEYS[i], 0, tonumber(ARGV[2]) - 1, 'WITHSCORES')
  for j = 1, #found, 2 do
    found[#found + 1] = redis.call('HGET', KEYS[i + 1], found[j])
  end
  all[#all + 1] = found
end
return {documents, all}
"""
UNTIL = """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for j = 1, #found, 2 do
  found[#found + 1] = redis.call('HGET', KEYS[2], found[j])
end
return found
"""
REMOVE = """
redis.call('HDEL', KEYS[2], unpack(ARGV))
return redis.call('ZREM', KEYS[1], unpack(ARGV))
"""
