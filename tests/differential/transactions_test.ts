import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  key,
  oneOf,
  repeat,
  row,
  sequence,
  value,
} from "./_generate.ts";

const database = among("0", "1", "2", "99", "x");

differentialFamily("transactions", [
  row("MULTI", [], { weight: 4 }),
  row("EXEC", [], { weight: 4 }),
  row("DISCARD"),
  row("WATCH", [repeat(key, 1, 3)], { weight: 2 }),
  row("UNWATCH"),
  row("SET", [key, value], { weight: 3 }),
  row("GET", [key], { weight: 2 }),
  row("MGET", [repeat(key, 1, 4)]),
  row("MSET", [repeat(sequence(key, value), 1, 4)]),
  row("INCRBY", [key, integer], { weight: 2 }),
  row("APPEND", [key, value]),
  row("DEL", [repeat(key, 1, 3)]),
  row("RENAME", [key, key]),
  row("COPY", [key, key]),
  row("EXPIRE", [key, among("100000", "-1", "x")]),
  row("PERSIST", [key]),
  row("SELECT", [database]),
  row("SWAPDB", [database, database]),
  row("DBSIZE"),
  row("FLUSHDB"),
  row("EXISTS", [repeat(key, 1, 3)]),
  row("PING"),
  row("NOSUCH", [oneOf(key, value)], { weight: 0.3 }),
  row("RESET", [], { weight: 0.2 }),
]);
