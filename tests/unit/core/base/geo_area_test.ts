import { assert, assertEquals } from "@std/assert";
import {
  formatDistance,
  GeoArea,
  GeoCells,
  geoDistance,
} from "../../../../src/core/base/geo_area.ts";
import {
  decodeGeohash,
  encodeGeohash,
  type GeoPoint,
} from "../../../../src/core/base/geohash.ts";
import { type Random, seeded } from "../../../_harness.ts";

function place(longitude: number, latitude: number) {
  const point = { longitude: 0, latitude: 0 };
  decodeGeohash(encodeGeohash(longitude, latitude), point);
  return point;
}

const PALERMO = place(13.361389, 38.115556);
const CATANIA = place(15.087269, 37.502669);

Deno.test("geoDistance() and formatDistance() say what redis-server says", () => {
  const metres = geoDistance(PALERMO, CATANIA);
  assertEquals(formatDistance(metres), "166274.1516");
  assertEquals(formatDistance(metres / 1000), "166.2742");
  assertEquals(formatDistance(metres / 1609.34), "103.3182");
  assertEquals(formatDistance(metres / 0.3048), "545518.8700");
  assertEquals(formatDistance(geoDistance(PALERMO, PALERMO)), "0.0000");
  const acrossEarth = geoDistance(
    place(180, 85.05112878),
    place(-180, -85.05112878),
  );
  assertEquals(formatDistance(acrossEarth), "18919844.5891");
});

Deno.test("formatDistance() rounds to four digits, half to even", () => {
  const rows: [number, string][] = [
    [0, "0.0000"],
    [0.00004, "0.0000"],
    [0.00006, "0.0001"],
    [0.03125, "0.0312"],
    [0.09375, "0.0938"],
    [12.5, "12.5000"],
    [99.99996, "100.0000"],
  ];
  for (const [distance, text] of rows) {
    assertEquals(formatDistance(distance), text);
  }
});

Deno.test("GeoCells cover a small circle with few cells, the centre's first", () => {
  const area = new GeoArea();
  area.longitude = 15;
  area.latitude = 37;
  area.radius = 100;
  area.unitMetres = 1000;
  const cells = new GeoCells();
  cells.cover(area);
  assert(cells.count >= 1 && cells.count <= 4, `${cells.count} cells`);
  const score = encodeGeohash(15, 37);
  assert(cells.min[0]! <= score && score < cells.end[0]!);
});

Deno.test("a circle around the earth takes all cells, each once", () => {
  const area = new GeoArea();
  area.radius = 30_000;
  area.unitMetres = 1000;
  const cells = new GeoCells();
  cells.cover(area);
  assertEquals(cells.count, 4);
  const ranges = Array.from(
    { length: 4 },
    (_, i) => `${cells.min[i]! / 2 ** 50}-${cells.end[i]! / 2 ** 50}`,
  );
  assertEquals(ranges.sort(), ["0-1", "1-2", "2-3", "3-4"]);
});

/** A place near another, or anywhere. */
function somewhere(random: Random): { longitude: number; latitude: number } {
  return place(
    (random.uint32() / 2 ** 32 - 0.5) * 360,
    // Close to the poles, cells do not cover all of an area.
    (random.uint32() / 2 ** 32 - 0.5) * 120,
  );
}

seeded("what an area holds lies in its cells", (random) => {
  const area = new GeoArea();
  const cells = new GeoCells();
  for (let round = 0; round < 300; round++) {
    const centre = somewhere(random);
    area.longitude = centre.longitude;
    area.latitude = centre.latitude;
    area.isBox = random.chance(0.5);
    area.radius = 2 ** (random.uint32() / 2 ** 32 * 20);
    area.width = area.radius * (0.2 + random.uint32() / 2 ** 32);
    area.height = area.radius * (0.2 + random.uint32() / 2 ** 32);
    cells.cover(area);
    area.prepare();
    const degrees = area.radius / 111_000;
    for (let i = 0; i < 50; i++) {
      const longitude = centre.longitude +
        (random.uint32() / 2 ** 32 - 0.5) * 3 * degrees;
      const latitude = centre.latitude +
        (random.uint32() / 2 ** 32 - 0.5) * 3 * degrees;
      // Nobody looks on the other side of the date line.
      if (Math.abs(longitude) > 180 || Math.abs(latitude) > 85) continue;
      const score = encodeGeohash(longitude, latitude);
      const point = place(longitude, latitude);
      const distance = area.distanceTo(point);
      if (distance < 0) continue;
      assertEquals(distance, geoDistance(area, point));
      const found = cells.min.subarray(0, cells.count).filter((min, cell) =>
        min <= score && score < cells.end[cell]!
      );
      assertEquals(found.length, 1);
    }
  }
});

/** Whether a place is inside, by the sums alone. */
function isInside(area: GeoArea, point: GeoPoint): boolean {
  if (!area.isBox) return geoDistance(area, point) <= area.halfWidth;
  const north = { longitude: point.longitude, latitude: area.latitude };
  const east = { longitude: area.longitude, latitude: point.latitude };
  return geoDistance(point, north) <= area.halfHeight &&
    geoDistance(point, east) <= area.halfWidth;
}

seeded("bounds turn nobody away who is inside", (random) => {
  const area = new GeoArea();
  for (let round = 0; round < 3_000; round++) {
    area.longitude = (random.uint32() / 2 ** 32 - 0.5) * 360;
    area.latitude = (random.uint32() / 2 ** 32 - 0.5) * 170;
    area.isBox = random.chance(0.5);
    const reach = 10 ** (random.uint32() / 2 ** 32 * 17 - 9);
    area.radius = reach;
    area.width = reach;
    area.height = reach * random.between(1, 3);
    area.prepare();
    const degrees = reach / 111_000;
    for (let i = 0; i < 20; i++) {
      const point = {
        longitude: area.longitude +
          (random.uint32() / 2 ** 32 - 0.5) * 3 * degrees,
        latitude: area.latitude +
          (random.uint32() / 2 ** 32 - 0.5) * 3 * degrees,
      };
      if (Math.abs(point.latitude) > 85.1) continue;
      if (Math.abs(point.longitude) > 180) continue;
      const distance = area.distanceTo(point);
      assertEquals(distance >= 0, isInside(area, point));
      if (distance >= 0) assertEquals(distance, geoDistance(area, point));
    }
  }
});

seeded("the bits of a score turn nobody away who is inside", (random) => {
  const area = new GeoArea();
  let passed = 0;
  let turnedAway = 0;
  for (let round = 0; round < 3_000; round++) {
    const isAtEdge = random.chance(0.2);
    area.longitude = isAtEdge
      ? random.pick([-180, 180, -179.999999, 179.999999])
      : (random.uint32() / 2 ** 32 - 0.5) * 360;
    area.latitude = isAtEdge
      ? random.pick([-85.05112878, 85.05112878, 0])
      : (random.uint32() / 2 ** 32 - 0.5) * 170;
    area.isBox = random.chance(0.5);
    const reach = random.chance(0.1)
      ? 0
      : 10 ** (random.uint32() / 2 ** 32 * 12 - 4);
    area.radius = reach;
    area.width = reach;
    area.height = reach * random.between(1, 3);
    area.prepare();
    const degrees = reach / 111_000;
    for (let i = 0; i < 20; i++) {
      const wide = (random.uint32() / 2 ** 32 - 0.5) * 4 * degrees;
      const high = (random.uint32() / 2 ** 32 - 0.5) * 4 * degrees;
      const score = random.chance(0.02)
        ? random.pick([-1, 0.5, 2 ** 52, 2 ** 53, 2 ** 60, -Infinity])
        : encodeGeohash(
          Math.min(180, Math.max(-180, area.longitude + wide)),
          Math.min(85.05112878, Math.max(-85.05112878, area.latitude + high)),
        );
      const point = { longitude: 0, latitude: 0 };
      decodeGeohash(score, point);
      if (area.mayHold(score)) passed++;
      else {
        turnedAway++;
        assertEquals(area.distanceTo(point), -1);
      }
    }
  }
  assert(passed > turnedAway / 10 && turnedAway > passed / 10);
});
