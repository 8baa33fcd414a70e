import { sameEncoding } from "./_compare.ts";
import { differentialFamily } from "./_family.ts";
import {
  among,
  key,
  oneOf,
  type Part,
  repeat,
  row,
  sequence,
  value,
} from "./_generate.ts";

/** Elements that are new, or that were added before. */
const element: Part = ({ random }) => [
  random.chance(0.1)
    ? random.pick(["", "\x00", "\xff".repeat(300), "1", "a"])
    : `element ${random.below(random.pick([20, 3000]))}`,
];
const many: Part = ({ random }) => {
  const from = random.below(10_000);
  return Array.from(
    { length: random.pick([30, 100, 100, 1500]) },
    (_, i) => `element ${from + i}`,
  );
};

const HEADER = "HYLL";
const UNKNOWN = "\x00".repeat(7) + "\x80";

/**
 * Keys of what looks like a HyperLogLog and may not be one. At most one element
 * at a time is added there: of several, the reference adds some before it
 * notices.
 */
const doubtful = among("{t}doubtful", "{u}doubtful");
const raw: Part = ({ random }) => [
  random.pick([
    "HYLL",
    `${HEADER}\x01\x00\x00\x00${UNKNOWN}\x7f\xff`,
    `${HEADER}\x01\x00\x00\x00${UNKNOWN}\x80\x7f\xfe`,
    `${HEADER}\x01\x00\x00\x00${UNKNOWN}\xff\x7f\xfb`,
    // Not all of the registers, and too many of them.
    `${HEADER}\x01\x00\x00\x00${UNKNOWN}\x7f\x00`,
    `${HEADER}\x01\x00\x00\x00${UNKNOWN}\x7f\xff\x80`,
    `${HEADER}\x01\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x7f\xff`,
    `${HEADER}\x00\x00\x00\x00${UNKNOWN}` + "\x00".repeat(12_288),
    `${HEADER}\x00\x00\x00\x00${UNKNOWN}` + "\x82".repeat(12_288),
    `${HEADER}\x00\x00\x00\x00${UNKNOWN}` + "\x00".repeat(12_287),
    `${HEADER}\x02\x00\x00\x00${UNKNOWN}\x7f\xff`,
    `HYLM\x01\x00\x00\x00${UNKNOWN}\x7f\xff`,
  ]),
];

/** A byte of the header, the encoding's aside. */
const headerByte = sequence(
  among("5", "8", "14", "15"),
  among("\x00", "\x01", "\x80", "\xff", "7"),
);
const anyByte = sequence(
  among("3", "4", "16", "17", "18"),
  among("\x00", "\x01", "\x80", "\xff", "7"),
);

differentialFamily("hyperloglog", [
  row("PFADD", [key, repeat(element, 0, 6)], { weight: 8 }),
  row("PFADD", [key, many], { weight: 2 }),
  row("PFCOUNT", [key], { weight: 3 }),
  row("PFCOUNT", [repeat(key, 1, 4)], { weight: 2 }),
  row("PFMERGE", [key, repeat(key, 0, 3)], { weight: 4 }),
  row("PFDEBUG", [among("ENCODING", "encoding"), key], { weight: 2 }),
  row("PFDEBUG", [among("DECODE"), key], { weight: 2 }),
  row("PFDEBUG", [among("TODENSE"), key]),
  row("PFDEBUG", [among("GETREG"), key], { weight: 0.1 }),
  row("PFDEBUG", [among("NOTHING", ""), key]),
  row("GET", [key], { weight: 5 }),
  row("GETRANGE", [key, among("0"), among("40", "15")], { weight: 2 }),
  row("STRLEN", [key]),
  row("OBJECT ENCODING", [key], { check: sameEncoding }),
  row("SETRANGE", [key, headerByte]),
  row("SET", [key, value]),
  row("SET", [doubtful, raw], { weight: 4 }),
  row("SETRANGE", [doubtful, anyByte]),
  row("PFADD", [doubtful, element], { weight: 2, keepsArity: true }),
  row("PFCOUNT", [doubtful], { weight: 2 }),
  row("PFCOUNT", [repeat(oneOf(doubtful, key), 1, 3)]),
  row("PFMERGE", [oneOf(doubtful, key), repeat(oneOf(doubtful, key), 0, 2)], {
    weight: 2,
  }),
  row("PFDEBUG", [
    among("ENCODING", "DECODE", "TODENSE"),
    doubtful,
  ]),
  row("GET", [doubtful], { weight: 2 }),
  row("COPY", [key, doubtful]),
  row("DEL", [repeat(key, 1, 3)]),
  row("COPY", [key, key]),
], { smallLimits: true });
