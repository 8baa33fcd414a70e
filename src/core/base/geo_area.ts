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
/** What bounds are wider than the area: relative, and in radians. */
const MARGIN = 1 + 1e-9;
const ANGLE_SLACK = 2e-14;
/** Angles up to which haversines tell areas apart. */
const HAVERSINE_ANGLE_MAX = 2.5;

const TWO_TO_32 = 2 ** 32;
/** Scores below it are whole, and have nothing but bits of coordinates. */
const PLAIN_END = 2 ** 53;
/** Bits of a word of a score that say the latitude, and the longitude. */
const LATITUDE_BITS = 0x55555555;
const LONGITUDE_BITS = 0xaaaaaaaa | 0;

/** Steps to the neighbours, in the order in which Redis searches them. */
const NEIGHBOURS_X = [0, 0, 0, 1, -1, 1, -1, 1, -1];
const NEIGHBOURS_Y = [0, 1, -1, 0, 0, 1, 1, -1, -1];

/**
 * A circle or a box around a place; lengths are in some unit. Once all is set,
 * {@linkcode GeoArea.prepare} gets it ready to be asked for distances.
 *
 * Nearly all places that are asked for lie outside. Bounds that are a little
 * wider than the area tell most of them before sines are needed; what is near
 * the edge is decided by Redis's own sums.
 */
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
  /** The centre in radians, and the cosine of its latitude. */
  #x = 0.5;
  #y = 0.5;
  #cosine = 0.5;
  #halfWidth = 0.5;
  #halfHeight = 0.5;
  /** Bounds in degrees from the centre. */
  #eastMost = 0.5;
  #northMost = 0.5;
  /** Bound of the haversine of half the width. */
  #haversineMost = 0.5;
  /** Bounds of the bits of scores that say the longitude, and the latitude. */
  #westBits = 0.5;
  #eastBits = 0.5;
  #southBits = 0.5;
  #northBits = 0.5;

  /** Metres from the centre to a side of the box, or the radius. */
  get halfWidth(): number {
    return this.unitMetres * (this.isBox ? this.width / 2 : this.radius);
  }

  /** Metres from the centre to top or bottom of the box, or the radius. */
  get halfHeight(): number {
    return this.unitMetres * (this.isBox ? this.height / 2 : this.radius);
  }

  /** Gets ready for {@linkcode GeoArea.distanceTo}. */
  prepare(): void {
    this.#x = this.longitude * RADIANS;
    this.#y = this.latitude * RADIANS;
    this.#cosine = Math.cos(this.#y);
    this.#halfWidth = this.halfWidth;
    this.#halfHeight = this.halfHeight;
    const north = boundOf(this.#halfHeight);
    const east = boundOf(this.#halfWidth);
    this.#northMost = north / RADIANS;
    this.#eastMost = this.isBox || Math.abs(this.#y) + east >= Math.PI / 2
      ? Infinity
      : Math.asin(Math.sin(east) / this.#cosine) * MARGIN / RADIANS;
    this.#boundBits();
    // Beyond, a haversine says too little about its angle.
    this.#haversineMost = east < HAVERSINE_ANGLE_MAX
      ? Math.sin(east / 2) ** 2 * MARGIN
      : Infinity;
  }

  /**
   * Whether the place that a score says may lie in the area, which its distance
   * decides; tells most of them apart without finding out where they are.
   */
  mayHold(score: number): boolean {
    if (!(score >= 0 && score < PLAIN_END)) return true;
    const high = Math.floor(score / TWO_TO_32);
    const low = score - high * TWO_TO_32;
    const y = (high & LATITUDE_BITS) * TWO_TO_32 + (low & LATITUDE_BITS);
    if (y < this.#southBits || y > this.#northBits) return false;
    const x = (high & LONGITUDE_BITS) * TWO_TO_32 +
      ((low & LONGITUDE_BITS) >>> 0);
    return x >= this.#westBits && x <= this.#eastBits;
  }

  /** Metres from the centre to a place, or -1 if that is outside. */
  distanceTo(point: GeoPoint): number {
    const north = Math.abs(point.latitude - this.latitude);
    if (north > this.#northMost) return -1;
    const east = Math.abs(point.longitude - this.longitude);
    if ((east > 180 ? 360 - east : east) > this.#eastMost) return -1;
    const y = point.latitude * RADIANS;
    const v = Math.sin((point.longitude * RADIANS - this.#x) / 2);
    if (this.isBox && !this.#isInBox(y, v)) return -1;
    if (v === 0) {
      const distance = EARTH_RADIUS_M * Math.abs(y - this.#y);
      return !this.isBox && distance > this.#halfWidth ? -1 : distance;
    }
    const u = Math.sin((y - this.#y) / 2);
    const haversine = u * u + this.#cosine * Math.cos(y) * v * v;
    if (!this.isBox && haversine > this.#haversineMost) return -1;
    const distance = distanceOf(haversine);
    return !this.isBox && distance > this.#halfWidth ? -1 : distance;
  }

  /** Bits of the bounds, which are in the order of the coordinates. */
  #boundBits(): void {
    const north = this.#northMost;
    const east = this.#eastMost;
    const { latitude, longitude } = this;
    this.#southBits = geohashOf(0, boundIndex(latitude - north, -1, true));
    this.#northBits = geohashOf(0, boundIndex(latitude + north, 1, true));
    const crosses = !(longitude - east >= -LONGITUDE_MAX &&
      longitude + east <= LONGITUDE_MAX);
    this.#westBits = crosses
      ? 0
      : geohashOf(boundIndex(longitude - east, -1, false), 0);
    this.#eastBits = crosses
      ? Infinity
      : geohashOf(boundIndex(longitude + east, 1, false), 0);
  }

  /** Height on the meridian, width on the place's own circle of latitude. */
  #isInBox(y: number, v: number): boolean {
    const height = EARTH_RADIUS_M * Math.abs(this.#y - y);
    if (height > this.#halfHeight) return false;
    const cosine = Math.cos(y);
    const haversine = cosine * cosine * v * v;
    return haversine <= this.#haversineMost &&
      distanceOf(haversine) <= this.#halfWidth;
  }
}

/** Metres between two places. */
export function geoDistance(a: GeoPoint, b: GeoPoint): number {
  const v = Math.sin((b.longitude * RADIANS - a.longitude * RADIANS) / 2);
  const y1 = a.latitude * RADIANS;
  const y2 = b.latitude * RADIANS;
  if (v === 0) return EARTH_RADIUS_M * Math.abs(y2 - y1);
  const u = Math.sin((y2 - y1) / 2);
  return distanceOf(u * u + Math.cos(y1) * Math.cos(y2) * v * v);
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
    const { longitude, latitude, unitMetres } = area;
    const reach = area.isBox
      ? Math.sqrt((area.width / 2) ** 2 + (area.height / 2) ** 2)
      : area.radius;
    const dy = area.halfHeight / EARTH_RADIUS_M / RADIANS;
    // A box is widest in degrees at the side that is nearer to a pole.
    const widest = latitude < 0 ? latitude - dy : latitude + dy;
    const dx = area.halfWidth / EARTH_RADIUS_M / Math.cos(widest * RADIANS) /
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

/** Metres that a haversine says. */
function distanceOf(haversine: number): number {
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(haversine));
}

/** The index of a bound, and `by` more, as scores have it. */
function boundIndex(degrees: number, by: number, isLatitude: boolean): number {
  const max = isLatitude ? LATITUDE_MAX : LONGITUDE_MAX;
  const bound = Math.min(Math.max(degrees, -max), max);
  return Math.max(0, indexOf(bound, max, GEOHASH_STEPS) + by);
}

/** A length as an angle, with room for all roundings. */
function boundOf(metres: number): number {
  return (metres / EARTH_RADIUS_M + ANGLE_SLACK) * MARGIN;
}

/** The nearest integer, the even one of two. */
function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
