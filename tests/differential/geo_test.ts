import { tagsOnDistinctSlots } from "../_harness.ts";
import { plain } from "../_resp_reply.ts";
import { anyOf, type Check, sameEncoding, sameNumbers } from "./_compare.ts";
import { pooled } from "./_elements.ts";
import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  key,
  maybe,
  oneOf,
  options,
  type Part,
  repeat,
  row,
  sequence,
  value,
  word,
} from "./_generate.ts";
import type { Random } from "../_random.ts";

const TAGS = tagsOnDistinctSlots(3);
const geoKey = oneOf(
  among("geo", `{${TAGS[0]}}geo`, `{${TAGS[1]}}geo`, `{${TAGS[2]}}geo`),
  key,
);
const member = among(
  ...["a", "b", "c", "d", "e", "f", "g", "h", "1", "2", "30", "", "\xff\x00"],
);

function between(random: Random, max: number): number {
  return (random.uint32() / 2 ** 32 * 2 - 1) * max;
}

/** A few places of a script, so that some are equal and others near. */
const places = pooled(
  "place",
  (random) => {
    if (random.chance(0.15)) {
      return random.pick([
        "180 85.05112878",
        "-180 -85.05112878",
        "0 0",
        "180 0",
      ]);
    }
    const reach = random.pick([1, 0.1, 0.001, 0.00001]);
    return `${between(random, 180 * reach)} ${between(random, 85 * reach)}`;
  },
  3,
  9,
);
const wrongPlace = among(
  ...["180.1 0", "0 85.06", "0 -86", "nan 0", "x 0", "0 x", "inf 0", "1e22 0"],
  ...["-200.0078125 0", "0 -1e30", "0x10 0x10", "+1 .5", "1e1 1e1"],
);
const place: Part = (context) => {
  const from = context.random.chance(0.93) ? places : wrongPlace;
  return from(context)[0]!.split(" ");
};

const unit = oneOf(
  among("m", "km", "ft", "mi", "M", "Km"),
  among("m", "km"),
  among("m", "km"),
  among("yd", ""),
);
const length = oneOf(
  among("0", "1", "100", "1000", "5000", "0.5", "20000", "1e7", "166274.1516"),
  among("1", "100", "1000", "1e5", "1e6", "21000000"),
  among("-1", "x", "", "inf", "nan", "1e300", "1e-300"),
);
const radius = sequence(length, unit);
const count = sequence(
  word("COUNT"),
  oneOf(among("1", "2", "3", "5", "100"), among("1", "2", "3"), integer),
);
const usual = [
  ...[word("WITHDIST"), word("WITHHASH"), word("WITHCOORD")],
  ...[word("ASC"), word("DESC"), count, sequence(count, word("ANY"))],
];
const store = sequence(oneOf(word("STORE"), word("STOREDIST")), geoKey);
const centre = oneOf(
  sequence(word("FROMMEMBER"), member),
  sequence(word("FROMLONLAT"), place),
);
const shape = oneOf(
  sequence(word("BYRADIUS"), radius),
  sequence(word("BYBOX"), length, length, unit),
);

/** Since 7.2, GEOADD counts its arguments, members named twice among them. */
const isLarge: Check = (_, actual) => plain(actual) === "skiplist";

differentialFamily("geo", [
  row("GEOADD", [geoKey, repeat(sequence(place, member), 1, 6)], {
    weight: 9,
  }),
  row("GEOADD", [
    geoKey,
    options(word("NX"), word("XX"), word("CH")),
    repeat(sequence(place, member), 0, 3),
  ], { weight: 3 }),
  row("ZADD", [
    geoKey,
    among("-1", "1.5", "1e19", "4503599627370496", "-inf", "inf", "0"),
    member,
  ], { weight: 0.3 }),
  row("ZREM", [geoKey, member]),
  row("GEOPOS", [geoKey, repeat(member, 0, 4)], { weight: 3 }),
  row("GEOHASH", [geoKey, repeat(member, 0, 4)], { weight: 2 }),
  row("GEODIST", [geoKey, member, member, maybe(unit)], { weight: 4 }),
  row("GEORADIUS", [geoKey, place, radius, options(...usual)], { weight: 4 }),
  row("GEORADIUS", [
    geoKey,
    place,
    radius,
    options(word("DESC"), count, store),
    store,
  ], { weight: 3 }),
  row("GEORADIUS_RO", [
    geoKey,
    place,
    radius,
    options(...usual),
    maybe(store, 0.1),
  ]),
  row("GEORADIUSBYMEMBER", [
    geoKey,
    member,
    radius,
    options(...usual),
    maybe(store),
  ], { weight: 3 }),
  row("GEORADIUSBYMEMBER_RO", [geoKey, member, radius, options(...usual)]),
  row("GEOSEARCH", [geoKey, centre, shape, options(...usual)], { weight: 8 }),
  row("GEOSEARCH", [geoKey, options(centre, shape, ...usual)], { weight: 2 }),
  row("GEOSEARCHSTORE", [
    geoKey,
    geoKey,
    centre,
    shape,
    options(word("ASC"), word("DESC"), count, word("STOREDIST")),
  ], { weight: 4 }),
  row("GEOSEARCHSTORE", [
    geoKey,
    geoKey,
    options(centre, shape, word("STOREDIST"), store, ...usual),
  ]),
  row("ZRANGE", [geoKey, among("0"), among("-1"), word("WITHSCORES")], {
    weight: 3,
    check: sameNumbers,
  }),
  row("OBJECT ENCODING", [geoKey], { check: anyOf(sameEncoding, isLarge) }),
  row("SET", [key, value]),
  row("DEL", [geoKey]),
], { smallLimits: true });
