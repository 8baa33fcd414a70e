import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { asciiOf } from "../../../../src/core/base/bytes.ts";
import {
  decodeGeohash,
  encodeGeohash,
  formatCoordinate,
  GEOHASH_TEXT_BYTES,
  LATITUDE_MAX,
  LONGITUDE_MAX,
  writeGeohashText,
} from "../../../../src/core/base/geohash.ts";
import { type Random, seeded } from "../../../_harness.ts";

/** Score, text of the geohash and coordinates, as redis-server has them. */
const PLACES: readonly (readonly [
  longitude: number,
  latitude: number,
  score: number,
  text: string,
  longitudeText: string,
  latitudeText: string,
])[] = [
  [
    ...[13.361389, 38.115556, 3479099956230698] as const,
    ...["sqc8b49rny0", "13.36138933897018433", "38.11555639549629859"] as const,
  ],
  [
    ...[15.087269, 37.502669, 3479447370796909] as const,
    ...["sqdtr74hyu0", "15.08726745843887329", "37.50266842333162032"] as const,
  ],
  [
    ...[180, 85.05112878, 13510798882111488] as const,
    ...["bp05b5048p0", "180", "85.0511287799999991"] as const,
  ],
  [
    ...[-180, -85.05112878, 0] as const,
    ...["00bh0hbj200", "-179.99999731779098511"] as const,
    "-85.05112751263942528",
  ],
  [
    ...[-0.1, -0.1, 1125898266565805] as const,
    ...["7zzzmtz1my0", "-0.10000079870223999", "-0.10000108653881767"] as const,
  ],
  [
    ...[0, 0, 3377699720527872] as const,
    ...["s0000000000", "0.00000268220901489", "0.00000126736058093"] as const,
  ],
];

function textOf(score: number): string[] {
  const point = { longitude: 0, latitude: 0 };
  decodeGeohash(score, point);
  const out = new Uint8Array(GEOHASH_TEXT_BYTES);
  writeGeohashText(point, out);
  return [
    asciiOf(out, 0, out.length),
    formatCoordinate(point.longitude),
    formatCoordinate(point.latitude),
  ];
}

Deno.test("geohashes of places are those of redis-server", () => {
  for (const [longitude, latitude, score, ...texts] of PLACES) {
    assertEquals(encodeGeohash(longitude, latitude), score);
    assertEquals(textOf(score), texts);
  }
});

Deno.test("decodeGeohash() takes any number for a score, as redis-server", () => {
  const farNorth = "85.0511287799999991";
  const rows: [number, string, string, string][] = [
    [-1, "bp05b5048p0", "180", farNorth],
    [1e19, "bp05b5048p0", "180", farNorth],
    [9.3e18, "bp05b5048p0", "180", farNorth],
    [2 ** 52, "bp05b5048p0", "-179.99999731779098511", farNorth],
    [1.5, "00bh0hbj210", "-179.99999731779098511", "-85.05112497791824921"],
    [
      ...[-Infinity, "00bh0hbj200", "180"] as const,
      "-85.05112751263942528",
    ],
    [
      ...[Infinity, "00bh0hbj200", "-179.99999731779098511"] as const,
      "-85.05112751263942528",
    ],
  ];
  for (const [score, ...texts] of rows) assertEquals(textOf(score), texts);
});

Deno.test("formatCoordinate() rounds half of the last digit to an even one", () => {
  const rows: [number, string][] = [
    [0, "0"],
    [-0, "0"],
    [-1e-19, "0"],
    [1.5, "1.5"],
    [-180, "-180"],
    [100, "100"],
    [2 ** -18, "0.00000381469726562"],
    [3 * 2 ** -18, "0.00001144409179688"],
    [-(2 ** -18), "-0.00000381469726562"],
  ];
  for (const [degrees, text] of rows) {
    assertEquals(formatCoordinate(degrees), text);
  }
});

seeded(
  "a decoded geohash is near the place, and encodes to itself",
  (random) => {
    const point = { longitude: 0, latitude: 0 };
    for (let i = 0; i < 5_000; i++) {
      const longitude = between(random, LONGITUDE_MAX);
      const latitude = between(random, LATITUDE_MAX);
      const score = encodeGeohash(longitude, latitude);
      assert(score >= 0 && score < 2 ** 52);
      decodeGeohash(score, point);
      assertAlmostEquals(point.longitude, longitude, 180 / 2 ** 26 + 1e-12);
      assertAlmostEquals(
        point.latitude,
        latitude,
        LATITUDE_MAX / 2 ** 26 + 1e-12,
      );
      assertEquals(encodeGeohash(point.longitude, point.latitude), score);
    }
  },
);

function between(random: Random, max: number): number {
  return (random.uint32() / 2 ** 32 * 2 - 1) * max;
}
