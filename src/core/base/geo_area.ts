/**
 * Distances on earth, and areas around a place: circles and boxes.
 *
 * The earth is a sphere here; the distance is the great circle's, by the
 * haversine formula. All constants are Redis's, so that distances agree to the
 * last printed digit.
 *
 * An area is searched cell by cell: the cell of a geohash that holds the centre,
 * at a size at which it and its eight neighbours cover the area, and those of
 * the neighbours that touch it. Each cell is a range of scores, so that a sorted
 * set finds its members; whether one is really within the area is then for its
 * distance to say.
 *
 * Cost: at most nine ranges; the cells cover up to about forty times the area of
 * a circle. Source: geohash_helper.c of Redis.
 *
 * @module
 */

import {
  edgeOf,
  GEOHASH_STEPS,
  geohashOf,
  type GeoPoint,
  indexOf,
  LATITUDE_MAX,
  LONGITUDE_MAX,
} from "./geohash.ts";

const RADIANS = Math.PI / 180;
const EARTH_RADIUS_M = 6372797.560856;
/** Half of the equator, on the map that the steps are estimated by. */
const MERCATOR_MAX = 20037726.37;
/** Digits after the point of a distance. */
const DISTANCE_DIGITS = 4;
const DISTANCE_UNIT = 10 ** DISTANCE_DIGITS;
const CELLS_MAX = 9;

/** Steps to the neighbours, in the order in which Redis searches them. */
const NEIGHBOURS_X = [0, 0, 0, 1, -1, 1, -1, 1, -1];
const NEIGHBOURS_Y = [0, 1, -1, 0, 0, 1, 1, -1, -1];

/** A circle or a box around a place; lengths are in some unit. */
export class GeoArea implements GeoPoint {
  /** Of the centre. */
  longitude = 0;
  /** Of the centre. */
  latitude = 0;
  /** Whether it is a box. */
  isBox = false;
  /** Of a circle. */
  radius = 0;
  /** Of a box, from west to east. */
  width = 0;
  /** Of a box, from south to north. */
  height = 0;
  /** Metres of one unit. */
  unitMetres = 1;

  /** Metres from the centre to a place, or -1 if that is outside. */
  distanceTo(point: GeoPoint): number {
    if (!this.isBox) {
      const distance = geoDistance(this, point);
      return distance > this.radius * this.unitMetres ? -1 : distance;
    }
    const height = latitudeDistance(point.latitude, this.latitude);
    if (height > this.height * this.unitMetres / 2) return -1;
    const width = distanceBetween(
      point.longitude,
      point.latitude,
      this.longitude,
      point.latitude,
    );
    if (width > this.width * this.unitMetres / 2) return -1;
    return geoDistance(this, point);
  }
}

/** Metres between two places. */
export function geoDistance(a: GeoPoint, b: GeoPoint): number {
  return distanceBetween(a.longitude, a.latitude, b.longitude, b.latitude);
}

/** The text of a distance: four digits after the point. */
export function formatDistance(distance: number): string {
  const scaled = roundToEven(distance * DISTANCE_UNIT);
  const whole = Math.floor(scaled / DISTANCE_UNIT);
  const rest = String(scaled - whole * DISTANCE_UNIT);
  return `${whole}.${rest.padStart(DISTANCE_DIGITS, "0")}`;
}

/** The ranges of scores that hold all places of an area, and others. */
export class GeoCells {
  /** How many there are. */
  count = 0;
  /** The least score of each. */
  readonly min: Float64Array = new Float64Array(CELLS_MAX);
  /** The score behind the last of each. */
  readonly end: Float64Array = new Float64Array(CELLS_MAX);
  readonly #x = new Int32Array(CELLS_MAX);
  readonly #y = new Int32Array(CELLS_MAX);

  /** Finds the cells of an area. */
  cover(area: GeoArea): void {
    const { longitude, latitude } = area;
    const { radius, isBox, unitMetres } = area;
    const halfWidth = unitMetres * (isBox ? area.width / 2 : radius);
    const halfHeight = unitMetres * (isBox ? area.height / 2 : radius);
    const reach = isBox
      ? Math.sqrt((area.width / 2) ** 2 + (area.height / 2) ** 2)
      : radius;
    const dy = halfHeight / EARTH_RADIUS_M / RADIANS;
    // A box is widest in degrees at the side that is nearer to a pole.
    const widest = latitude < 0 ? latitude - dy : latitude + dy;
    const dx = halfWidth / EARTH_RADIUS_M / Math.cos(widest * RADIANS) /
      RADIANS;
    const west = longitude - dx;
    const east = longitude + dx;
    const south = latitude - dy;
    const north = latitude + dy;

    let steps = stepsFor(reach * unitMetres, latitude);
    this.#place(longitude, latitude, steps);
    if (steps > 1 && !this.#reaches(west, east, south, north, steps)) {
      this.#place(longitude, latitude, --steps);
    }
    const x = this.#x[0]!;
    const y = this.#y[0]!;
    const cutsSouth = edgeOf(y, LATITUDE_MAX, steps) < south;
    const cutsNorth = edgeOf(y + 1, LATITUDE_MAX, steps) > north;
    const cutsWest = edgeOf(x, LONGITUDE_MAX, steps) < west;
    const cutsEast = edgeOf(x + 1, LONGITUDE_MAX, steps) > east;
    this.count = 0;
    let last = 0;
    for (let i = 0; i < CELLS_MAX; i++) {
      const stepX = NEIGHBOURS_X[i]!;
      const stepY = NEIGHBOURS_Y[i]!;
      if (
        steps >= 2 && (
          stepY < 0 && cutsSouth || stepY > 0 && cutsNorth ||
          stepX < 0 && cutsWest || stepX > 0 && cutsEast
        )
      ) continue;
      // Where cells are huge, a neighbour on one side is that on the other.
      if (
        last !== 0 && this.#x[i] === this.#x[last] &&
        this.#y[i] === this.#y[last]
      ) continue;
      this.#add(i, steps);
      last = i;
    }
  }

  /** Notes the cell of a place and its neighbours. */
  #place(longitude: number, latitude: number, steps: number): void {
    const x = indexOf(longitude, LONGITUDE_MAX, steps);
    const y = indexOf(latitude, LATITUDE_MAX, steps);
    const mask = (1 << steps) - 1;
    for (let i = 0; i < CELLS_MAX; i++) {
      const stepX = NEIGHBOURS_X[i]!;
      const stepY = NEIGHBOURS_Y[i]!;
      // An index that is one too many stays so where there is no step.
      this.#x[i] = stepX === 0 ? x : (x + stepX) & mask;
      this.#y[i] = stepY === 0 ? y : (y + stepY) & mask;
    }
  }

  /** Whether the neighbours reach as far as the area on all four sides. */
  #reaches(
    west: number,
    east: number,
    south: number,
    north: number,
    steps: number,
  ): boolean {
    return !(
      edgeOf(this.#y[1]! + 1, LATITUDE_MAX, steps) < north ||
      edgeOf(this.#y[2]!, LATITUDE_MAX, steps) > south ||
      edgeOf(this.#x[3]! + 1, LONGITUDE_MAX, steps) < east ||
      edgeOf(this.#x[4]!, LONGITUDE_MAX, steps) > west
    );
  }

  #add(i: number, steps: number): void {
    const unused = GEOHASH_STEPS - steps;
    const y = this.#y[i]! << unused;
    // Beyond 2^53, only even scores are exact: each sum is rounded once.
    const even = geohashOf(this.#x[i]! << unused, y & ~1);
    this.min[this.count] = even + (y & 1);
    this.end[this.count] = even + ((y & 1) + 2 ** (2 * unused));
    this.count++;
  }
}

/** Halvings at which nine cells cover a circle around a place, mostly. */
function stepsFor(metres: number, latitude: number): number {
  if (metres === 0) return GEOHASH_STEPS;
  let steps = -1;
  for (let reach = metres; reach < MERCATOR_MAX; reach *= 2) steps++;
  // Towards the poles, cells are narrower than on the map.
  if (latitude > 66 || latitude < -66) {
    steps--;
    if (latitude > 80 || latitude < -80) steps--;
  }
  return Math.min(Math.max(steps, 1), GEOHASH_STEPS);
}

function distanceBetween(
  longitude1: number,
  latitude1: number,
  longitude2: number,
  latitude2: number,
): number {
  const v = Math.sin((longitude2 * RADIANS - longitude1 * RADIANS) / 2);
  if (v === 0) return latitudeDistance(latitude1, latitude2);
  const y1 = latitude1 * RADIANS;
  const y2 = latitude2 * RADIANS;
  const u = Math.sin((y2 - y1) / 2);
  const a = u * u + Math.cos(y1) * Math.cos(y2) * v * v;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(a));
}

/** Metres between two latitudes on one meridian. */
function latitudeDistance(latitude1: number, latitude2: number): number {
  return EARTH_RADIUS_M * Math.abs(latitude2 * RADIANS - latitude1 * RADIANS);
}

/** The nearest integer, the even one of two. */
function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
