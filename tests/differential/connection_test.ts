import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  key,
  maybe,
  oneOf,
  repeat,
  row,
  sequence,
  value,
  word,
} from "./_generate.ts";
import { sameHello, sameType } from "./_compare.ts";

const name = among("", "worker-1", "a b", "tab\t", "line\r\n", "\xff", "x~!");
const yesNo = oneOf(word("ON"), word("OFF"), among("maybe", ""));

// HELLO of Redis 7.0 obeys its options one by one, up to the first that is
// wrong; since 7.2 none takes effect then. So no row has two of them.
differentialFamily("connection", [
  row("PING", [], { weight: 2 }),
  row("PING", [value], { weight: 2 }),
  row("PING", [value, value]),
  row("ECHO", [value], { weight: 2 }),
  row("HELLO", [], { check: sameHello }),
  row("HELLO", [
    among("2", "3", "2", "3", "1", "4", "abc", "", "99999999999999999999"),
    maybe(oneOf(
      sequence(word("AUTH"), among("default"), value),
      among("AUTH", "SETNAME"),
    )),
  ], { weight: 2, check: sameHello }),
  row("AUTH", [repeat(oneOf(among("default", "nobody"), value), 1, 2)]),
  row("CLIENT SETNAME", [name], { weight: 2 }),
  row("CLIENT GETNAME", [], { weight: 3 }),
  row("CLIENT ID", [], { check: sameType }),
  row("CLIENT REPLY", [oneOf(word("ON"), word("OFF"), word("SKIP"), yesNo)]),
  row("CLIENT NO-EVICT", [yesNo]),
  row("CLIENT UNPAUSE"),
  row("CLIENT PAUSE", [among("abc", "-1", ""), maybe(among("WRITE", "x"))]),
  row("CLIENT UNBLOCK", [
    oneOf(among("999999"), integer),
    maybe(oneOf(word("TIMEOUT"), word("ERROR"), among("x"))),
  ]),
  row("CLIENT KILL", [
    oneOf(
      among("1.2.3.4:5", "bogus"),
      sequence(word("ID"), among("999999", "0", "abc")),
      sequence(word("TYPE"), among("bogus", "replica")),
      sequence(word("USER"), among("nobody")),
      sequence(word("ADDR"), among("1.2.3.4:5"), among("SKIPME"), yesNo),
    ),
  ]),
  row("CLIENT LIST", [
    oneOf(
      sequence(word("TYPE"), among("replica", "slave", "pubsub", "bogus", "")),
      sequence(word("ID"), repeat(among("999999", "0", "-1", "abc", ""), 1, 3)),
      among("TYPE", "ID", "bogus", ""),
    ),
  ], { check: sameType }),
  row("CLIENT GETREDIR"),
  row("CLIENT TRACKINGINFO"),
  row("CLIENT BOGUS", [maybe(value)]),
  row("COMMAND LIST", [
    word("FILTERBY"),
    oneOf(
      sequence(word("MODULE"), value),
      sequence(word("PATTERN"), among("nosuch*", "ge[t]", "client|i[d]")),
      sequence(word("ACLCAT"), among("bogus")),
      among("bogus"),
    ),
  ], { check: sameType }),
  row("COMMAND INFO", [among("nosuch", "get", "client|id", "ECHO")], {
    check: sameType,
  }),
  row("QUIT", [], { weight: 0.1 }),
  row("CLIENT"),
  row("SELECT", [oneOf(among("0", "9", "16"), integer)]),
  row("SET", [key, value]),
  row("GET", [key]),
  row("RESET"),
  row("NOSUCHCOMMAND", [repeat(value, 0, 4)]),
  row("", [repeat(value, 0, 2)]),
  row("no\r\nsuch\x00command", [repeat(value, 0, 9)]),
], { hasNoEffects: true });
