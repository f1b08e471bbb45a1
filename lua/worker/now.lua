#!lua flags=no-writes
-- worker.now: the time of the node that has a key.
--
-- KEYS[1] state     any
-- ARGV[1] now_ms    '' in production; the clock of a test
--
-- Reply   ms since 1970
-- Errors  none
-- Cost    O(1)
--@include lib/base

call('EXISTS', KEYS[1])
return int(math.floor(now_us(ARGV[1]) / 1000))
