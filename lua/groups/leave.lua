#!lua flags=allow-oom
-- groups.leave: a worker goes; what it still holds is free at once.
--
-- KEYS[1] leases   hash  shard -> row
-- KEYS[2] workers  hash
-- ARGV[1] worker
-- ARGV[2] now_ms   '' in production; the clock of a test
--
-- Reply   how many leases it held
-- Errors  none
-- Cost    O(leases)
--@include lib/base
--@include lib/group

local leases, workers = KEYS[1], KEYS[2]
local now_ms, count = math.floor(now_us(ARGV[2]) / 1000), 0
call('HDEL', workers, ARGV[1])
local all = call('HGETALL', leases)
for i = 1, #all, 2 do
  local row = read_row(all[i + 1])
  if row.owner == ARGV[1] then
    row.owner, row.want, row.since, count = '-', '-', now_ms, count + 1
    call('HSET', leases, all[i], pack_row(row))
  end
end
return count
