import { sameEncoding } from "./_compare.ts";
import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  key,
  type Part,
  repeat,
  row,
  sequence,
  value,
  word,
} from "./_generate.ts";

const OPERATIONS = ["AND", "OR", "XOR"];

/** The number of a bit: near, at a boundary, far; or none. */
const bitOffset: Part = ({ random }) => [
  random.chance(0.85)
    ? String(random.below(random.pick([10, 70, 600])))
    : random.pick([
      ...["4096", "80000", "524287", "524288", "600001", "-1", "abc", ""],
      ...["4294967296", "9223372036854775808", "1.5", "01", "#1"],
    ]),
];
const bit = among("0", "1", "0", "1", "0", "1", "0", "1", "2", "-1", "a", "");

/**
 * A position in a range that exists or nearly does. Always a number: where there
 * is no string, the reference does not look at the arguments.
 */
const position: Part = ({ random }) => [
  random.chance(0.9) ? String(random.between(-80, 80)) : random.pick([
    ...["9999", "-9999", "9223372036854775807", "-9223372036854775808"],
    ...["600000", "-600000"],
  ]),
];
const unit = among("BYTE", "BIT", "byte", "Bit");

/** Keys of strings that are longer than others. */
const text = among("{t}text", "{u}text", "{v}text");
const texts: Part = () => [
  ...["{t}text", "\x00\xff\xf0", "{u}text", "\xff".repeat(70)],
  ...["{v}text", "\x00".repeat(9) + "\x10" + "\xff\x00".repeat(40_000)],
];
const fieldType: Part = ({ random }) => [
  random.chance(0.9)
    ? random.pick(["i", "u"]) + String(random.between(1, 64))
    : random.pick([
      ...["i64", "u63", "u64", "i65", "i0", "u0", "i", "u", "8", "I8", "U8"],
      ...["i-1", "i 8", "u08", "i8x", ""],
    ]),
];
const fieldOffset: Part = ({ random }) => [
  random.chance(0.85)
    ? random.pick(["", "", "#"]) + String(random.below(40))
    : random.pick([
      ...["-1", "#-1", "#", "", "abc", "1.5", "4294967296", "#4294967296"],
      ...["700", "#100", "##1", "9223372036854775807"],
    ]),
];
const fieldValue: Part = ({ random }) => [
  random.chance(0.6)
    ? String(random.between(-300, 300))
    : random.chance(0.8)
    ? random.pick([
      ...["9223372036854775807", "-9223372036854775808", "2147483648"],
      ...["-2147483649", "9007199254740993", "-9007199254740993", "65535"],
      ...["4503599627370496", "-4503599627370497", "1099511627776"],
    ])
    : random.pick(["9223372036854775808", "abc", "", "1.5", "01"]),
];
const operation: Part = (context) => {
  const { random } = context;
  const field = [...fieldType(context), ...fieldOffset(context)];
  if (random.chance(0.3)) return ["GET", ...field];
  if (random.chance(0.3)) {
    return ["OVERFLOW", random.pick(["WRAP", "SAT", "FAIL", "sat", "NONE"])];
  }
  return [
    random.pick(["SET", "INCRBY", "incrby", "set"]),
    ...field,
    ...fieldValue(context),
  ];
};
const get = sequence(word("GET"), fieldType, fieldOffset);

differentialFamily("bitmap", [
  row("SETBIT", [key, bitOffset, bit], { weight: 6 }),
  row("GETBIT", [key, bitOffset], { weight: 3 }),
  row("MSET", [texts], { weight: 2 }),
  row("SETBIT", [text, bitOffset, bit], { weight: 2 }),
  row("BITCOUNT", [key], { weight: 2, keepsArity: true }),
  row("BITCOUNT", [key, position, position], { weight: 3, keepsArity: true }),
  row("BITCOUNT", [key, position, position, unit], {
    weight: 3,
    keepsArity: true,
  }),
  row("BITPOS", [key, bit], { weight: 2, keepsArity: true }),
  row("BITPOS", [key, among("0", "1"), position], {
    weight: 2,
    keepsArity: true,
  }),
  row("BITPOS", [key, among("0", "1"), position, position], {
    weight: 3,
    keepsArity: true,
  }),
  row("BITPOS", [key, among("0", "1"), position, position, unit], {
    weight: 3,
    keepsArity: true,
  }),
  row("BITCOUNT", [text, position, position, unit], {
    weight: 2,
    keepsArity: true,
  }),
  row("BITPOS", [text, among("0", "1"), position, position, unit], {
    weight: 2,
    keepsArity: true,
  }),
  row("BITOP", [among(...OPERATIONS, "xor"), key, repeat(key, 1, 4)], {
    weight: 4,
  }),
  row("BITOP", [among(...OPERATIONS), key, repeat(text, 1, 3), key], {
    weight: 2,
  }),
  row("BITOP", [word("NOT"), key, key], { weight: 2 }),
  row("BITOP", [among("NOT", "NAND", ""), key, repeat(key, 1, 2)]),
  row("BITFIELD", [key, repeat(operation, 0, 5)], { weight: 8 }),
  row("BITFIELD", [text, repeat(operation, 1, 3)]),
  row("BITFIELD_RO", [key, repeat(get, 0, 4)], { weight: 2 }),
  row("BITFIELD_RO", [key, repeat(operation, 1, 2)]),
  row("GET", [key], { weight: 4 }),
  row("STRLEN", [key]),
  row("OBJECT ENCODING", [key], { weight: 2, check: sameEncoding }),
  row("SET", [key, value], { weight: 3 }),
  row("INCRBY", [key, integer]),
  row("APPEND", [key, value]),
  row("DEL", [repeat(key, 1, 3)]),
  row("COPY", [key, key]),
]);
