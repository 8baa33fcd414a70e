import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  key,
  maybe,
  oneOf,
  options,
  repeat,
  row,
  sequence,
  value,
  word,
} from "./_generate.ts";
import { sameElements, sameType } from "./_compare.ts";

const database = oneOf(
  ...[among("0", "1", "2", "15"), among("0", "1"), among("0", "1", "2")],
  oneOf(among("16", "-1", "abc", "", "1.5"), integer),
);
const flushMode = options(word("ASYNC"), word("SYNC"));

differentialFamily("databases", [
  row("SELECT", [database], { weight: 5 }),
  row("SWAPDB", [database, database], { weight: 3 }),
  row("SET", [key, value], { weight: 6 }),
  row("MSET", [repeat(sequence(key, value), 1, 6)], { weight: 2 }),
  row("GET", [key], { weight: 4 }),
  row("DEL", [key]),
  row("EXISTS", [repeat(key, 1, 4)]),
  row("DBSIZE", [], { weight: 3 }),
  row("KEYS", [among("*", "k*")], { check: sameElements }),
  row("RANDOMKEY", [], { check: sameType }),
  row("MOVE", [key, database], { weight: 3 }),
  row("COPY", [
    key,
    key,
    options(word("REPLACE"), sequence(word("DB"), database)),
  ], { weight: 3 }),
  row("FLUSHDB", [maybe(flushMode)], { weight: 0.5 }),
  row("FLUSHALL", [maybe(flushMode)], { weight: 0.3 }),
  row("SCAN", [among("0")], { scan: true }),
]);
