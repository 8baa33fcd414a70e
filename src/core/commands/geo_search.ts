/**
 * Searches for places: GEOSEARCH, GEOSEARCHSTORE and the older GEORADIUS
 * commands, which are the same search with other arguments.
 *
 * The sorted set is asked for the ranges of scores that cover the area
 * (base/geo_area.ts); what lies within is remembered by reference, with its
 * distance and its score, and sorted by number. Places are decoded anew when
 * they are replied, which costs less than to keep them.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { DOUBLE_ZERO } from "../base/steady_code.ts";
import { formatDistance, GeoArea, GeoCells } from "../base/geo_area.ts";
import { decodeGeohash, type GeoPoint } from "../base/geohash.ts";
import { sortIndexes, sortIndexesBetween } from "../base/index_sort.ts";
import { DEL, GEORADIUSSTORE, GEOSEARCHSTORE } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arena } from "../memory/arena.ts";
import { ByteRefs } from "../memory/byte_refs.ts";
import {
  GEO_ANY_WITHOUT_COUNT,
  GEO_BOX_NEGATIVE,
  GEO_COUNT_NOT_POSITIVE,
  GEO_HEIGHT_NOT_A_NUMBER,
  GEO_MEMBER_MISSING,
  GEO_RADIUS_NEGATIVE,
  GEO_RADIUS_NOT_A_NUMBER,
  GEO_WIDTH_NOT_A_NUMBER,
  geoCentreMissing,
  GEORADIUS_STORE_WITH,
  GEOSEARCHSTORE_WITH,
  geoShapeMissing,
  SYNTAX_ERROR,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_ZSET } from "../types/entry.ts";
import { ScoreRange, type ScoreSieve } from "../types/zset_range.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { georadiusOtherKeys } from "./command_keys.ts";
import {
  type CommandSpec,
  type HeavyTest,
  KEY_RO_ACCESS,
  keyAfter,
  keyAt,
} from "./command_spec.ts";
import { lookFor, looksFor } from "./compared_arguments.ts";
import {
  type ElementWriter,
  replyElements,
  STREAMED_ELEMENTS_MIN,
} from "./element_stream.ts";
import { findPlace, replyPoint } from "./geo.ts";
import { elementsLike, manyElements, quietly } from "./heavy_work.ts";
import { readDouble, readPoint, readUnit } from "./geo_arguments.ts";
import { readEntry, WRONG } from "./typed_entry.ts";

const WITHDIST = bytesOf("withdist");
const WITHHASH = bytesOf("withhash");
const WITHCOORD = bytesOf("withcoord");
const ASC = bytesOf("asc");
const DESC = bytesOf("desc");
const COUNT = bytesOf("count");
const ANY = bytesOf("any");
const STORE = bytesOf("store");
const STOREDIST = bytesOf("storedist");
const FROMMEMBER = bytesOf("frommember");
const FROMLONLAT = bytesOf("fromlonlat");
const BYRADIUS = bytesOf("byradius");
const BYBOX = bytesOf("bybox");

/** Orders of the places found. */
const UNSORTED = 0;
const ASCENDING = 1;
const DESCENDING = -1;

/** Which command searches. */
type Form =
  | "georadius"
  | "georadius_ro"
  | "georadiusbymember"
  | "georadiusbymember_ro"
  | "geosearch"
  | "geosearchstore";

/** `GEORADIUS key longitude latitude radius unit [WITHCOORD] ...` */
function georadiusCommand(call: Call): void {
  new GeoSearch(call, "georadius").run();
}

/** `GEORADIUS_RO key longitude latitude radius unit [WITHCOORD] ...` */
function georadiusRoCommand(call: Call): void {
  new GeoSearch(call, "georadius_ro").run();
}

/** `GEORADIUSBYMEMBER key member radius unit [WITHCOORD] ...` */
function georadiusbymemberCommand(call: Call): void {
  new GeoSearch(call, "georadiusbymember").run();
}

/** `GEORADIUSBYMEMBER_RO key member radius unit [WITHCOORD] ...` */
function georadiusbymemberRoCommand(call: Call): void {
  new GeoSearch(call, "georadiusbymember_ro").run();
}

/** `GEOSEARCH key FROMMEMBER | FROMLONLAT ... BYRADIUS | BYBOX ...` */
function geosearchCommand(call: Call): void {
  new GeoSearch(call, "geosearch").run();
}

/** `GEOSEARCHSTORE destination source FROMMEMBER | FROMLONLAT ...` */
function geosearchstoreCommand(call: Call): void {
  new GeoSearch(call, "geosearchstore").run();
}

/** A search by a command that looks at many members of its sorted set. */
function largeSearch(form: Form): HeavyTest<Call> {
  const key = form === "geosearchstore" ? 1 : 0;
  const manySearched = manyElements(key, STORED_WEIGHT);
  return (call) =>
    manySearched(call) &&
    quietly(call, () => new GeoSearch(call, form).weigh()) >
      call.settings.backgroundThreshold;
}

/** To find a member takes as long as so many are read; to store it, too. */
const FOUND_WEIGHT = 10;
const STORED_WEIGHT = 14;
/** To store a byte of a member takes as long as so many are read. */
const STORED_BYTE_WEIGHT = 2;
const CELLS = new GeoCells();
const RANGE = new ScoreRange();
RANGE.isMaxOpen = true;
const POINT: GeoPoint = { longitude: DOUBLE_ZERO, latitude: DOUBLE_ZERO };
/** Places for which a list is kept for the next search. */
const KEPT_PLACES_MAX = 4096;
/** A list that is not in use. */
let spare: Matches | null = null;

/** One call of a searching command. */
class GeoSearch {
  readonly #call: Call;
  readonly #form: Form;
  readonly #area = new GeoArea();
  readonly #shown = new ShownPlaces();
  #hasCentre: "" | "member" | "coordinates" = "";
  #hasShape: "" | "radius" | "box" = "";
  #order = UNSORTED;
  /** Most places wanted, 0 for all. */
  #count = 0;
  /** Whether any places do, not the nearest. */
  #isAny = false;
  /** The argument that names the key to store to, or 0. */
  #storeAt = 0;
  #storesDistances = false;
  /** The sorted set, or 0. */
  #ref = 0;
  #space: Keyspace;

  constructor(call: Call, form: Form) {
    this.#call = call;
    this.#form = form;
    this.#space = call.keyspace(call.key(form === "geosearchstore" ? 1 : 0));
  }

  /**
   * How much a search has to do, in elements that are only read, which costs little
   * to know; 0 if that is nothing. If it stores them, long ones count for several. What it
   * replies is not meant for anybody.
   */
  weigh(): number {
    const key = this.#call.key(this.#form === "geosearchstore" ? 1 : 0);
    const ref = this.#space.peek(this.#call.db, key);
    if (ref === 0 || this.#space.type(ref) !== TYPE_ZSET) return 0;
    this.#ref = ref;
    const options = this.#readPlaces();
    if (options === 0 || !this.#readOptions(options)) return 0;
    if (!this.#checkOptions()) return 0;
    const { zsets } = this.#space.values;
    const isStored = this.#form === "geosearchstore" || this.#storeAt !== 0;
    const countsBytes = isStored && zsets.longBytes(ref) > 0;
    const { backgroundThreshold } = this.#call.settings;
    let count = 0;
    let bytes = 0;
    CELLS.cover(this.#area);
    for (let cell = 0; cell < CELLS.count; cell++) {
      RANGE.min = CELLS.min[cell]!;
      RANGE.max = CELLS.end[cell]!;
      zsets.rangeOfScores(ref, RANGE);
      const { from, to } = zsets;
      if (to <= from) continue;
      count += to - from;
      if (!countsBytes || count > backgroundThreshold) continue;
      zsets.visit(ref, from, to - from, false, {
        member: (_buf, _off, length) => bytes += length,
      });
    }
    return Math.max(
      count * (isStored ? STORED_WEIGHT : FOUND_WEIGHT),
      elementsLike(this.#call, bytes * STORED_BYTE_WEIGHT),
    );
  }

  /** Looks the sorted set up, reads the arguments, searches and replies. */
  run(): void {
    const call = this.#call;
    const isStore = this.#form === "geosearchstore";
    this.#ref = readEntry(call, isStore ? 1 : 0, TYPE_ZSET);
    if (this.#ref === WRONG) return;
    if (isStore) this.#storeAt = 1;
    const options = this.#readPlaces();
    if (options === 0 || !this.#readOptions(options)) return;
    if (!this.#checkOptions()) return;
    if (this.#ref === 0) {
      if (this.#storeAt === 0) call.reply.array(0);
      else this.#store(new Matches(this.#space.arena), 0);
      return;
    }
    this.#search();
  }

  /** Reads arguments before the options, which begin at the place returned. */
  #readPlaces(): number {
    const call = this.#call;
    switch (this.#form) {
      case "geosearch":
        return 2;
      case "geosearchstore":
        return 3;
      case "georadius":
      case "georadius_ro":
        return readPoint(call, 2, this.#area) && this.#readRadius(4) ? 6 : 0;
      default:
        // Without a sorted set, nobody looks at member and radius.
        if (this.#ref === 0) return 5;
        return this.#readMember(2) && this.#readRadius(3) ? 5 : 0;
    }
  }

  #readOptions(from: number): boolean {
    const call = this.#call;
    for (let i = from; i < call.argc; i++) {
      if (argumentIs(call, i, WITHDIST)) this.#shown.distance = true;
      else if (argumentIs(call, i, WITHHASH)) this.#shown.hash = true;
      else if (argumentIs(call, i, WITHCOORD)) this.#shown.coordinates = true;
      else if (argumentIs(call, i, ANY)) this.#isAny = true;
      else if (argumentIs(call, i, ASC)) this.#order = ASCENDING;
      else if (argumentIs(call, i, DESC)) this.#order = DESCENDING;
      else if (argumentIs(call, i, COUNT) && i + 1 < call.argc) {
        if (!this.#readCount(++i)) return false;
      } else {
        const read = this.#isSearch()
          ? this.#readSearchOption(i)
          : this.#readStoreOption(i);
        if (read < 0) return false;
        if (read === 0) {
          call.reply.error(SYNTAX_ERROR);
          return false;
        }
        i += read - 1;
      }
    }
    return true;
  }

  /** Arguments of an option of GEOSEARCH; 0 for none, -1 after an error. */
  #readSearchOption(i: number): number {
    const call = this.#call;
    const left = call.argc - i - 1;
    if (argumentIs(call, i, STOREDIST) && this.#form === "geosearchstore") {
      this.#storesDistances = true;
      return 1;
    }
    if (
      left >= 1 && this.#hasCentre !== "coordinates" &&
      argumentIs(call, i, FROMMEMBER)
    ) {
      this.#hasCentre = "member";
      return this.#ref === 0 || this.#readMember(i + 1) ? 2 : -1;
    }
    if (
      left >= 2 && this.#hasCentre !== "member" &&
      argumentIs(call, i, FROMLONLAT)
    ) {
      this.#hasCentre = "coordinates";
      return readPoint(call, i + 1, this.#area) ? 3 : -1;
    }
    if (
      left >= 2 && this.#hasShape !== "box" && argumentIs(call, i, BYRADIUS)
    ) {
      this.#hasShape = "radius";
      return this.#readRadius(i + 1) ? 3 : -1;
    }
    if (
      left >= 3 && this.#hasShape !== "radius" && argumentIs(call, i, BYBOX)
    ) {
      this.#hasShape = "box";
      return this.#readBox(i + 1) ? 4 : -1;
    }
    return 0;
  }

  /** Arguments of an option of GEORADIUS; 0 for none. */
  #readStoreOption(i: number): number {
    const call = this.#call;
    if (i + 1 >= call.argc || this.#form.endsWith("_ro")) return 0;
    const isStoreDist = argumentIs(call, i, STOREDIST);
    if (!isStoreDist && !argumentIs(call, i, STORE)) return 0;
    this.#storeAt = i + 1;
    this.#storesDistances = isStoreDist;
    return 2;
  }

  #isSearch(): boolean {
    return this.#form === "geosearch" || this.#form === "geosearchstore";
  }

  /** Makes the member in argument `i` the centre. */
  #readMember(i: number): boolean {
    const call = this.#call;
    const { zsets } = this.#space.values;
    if (findPlace(call.args, zsets, this.#ref, i, this.#area)) return true;
    call.reply.error(GEO_MEMBER_MISSING);
    return false;
  }

  #readRadius(i: number): boolean {
    const call = this.#call;
    const area = this.#area;
    area.isBox = false;
    area.radius = readDouble(call, i, GEO_RADIUS_NOT_A_NUMBER);
    if (Number.isNaN(area.radius)) return false;
    if (area.radius < 0) {
      call.reply.error(GEO_RADIUS_NEGATIVE);
      return false;
    }
    area.unitMetres = readUnit(call, i + 1);
    return !Number.isNaN(area.unitMetres);
  }

  #readBox(i: number): boolean {
    const call = this.#call;
    const area = this.#area;
    area.isBox = true;
    area.width = readDouble(call, i, GEO_WIDTH_NOT_A_NUMBER);
    if (Number.isNaN(area.width)) return false;
    area.height = readDouble(call, i + 1, GEO_HEIGHT_NOT_A_NUMBER);
    if (Number.isNaN(area.height)) return false;
    if (area.width < 0 || area.height < 0) {
      call.reply.error(GEO_BOX_NEGATIVE);
      return false;
    }
    area.unitMetres = readUnit(call, i + 2);
    return !Number.isNaN(area.unitMetres);
  }

  #readCount(i: number): boolean {
    this.#count = readInteger(this.#call, i);
    if (Number.isNaN(this.#count)) return false;
    if (this.#count > 0) return true;
    this.#call.reply.error(GEO_COUNT_NOT_POSITIVE);
    return false;
  }

  /** Whether the options fit together; false after an error reply. */
  #checkOptions(): boolean {
    const { reply, args } = this.#call;
    if (this.#storeAt !== 0 && this.#shown.parts > 0) {
      reply.error(
        this.#isSearch() ? GEOSEARCHSTORE_WITH : GEORADIUS_STORE_WITH,
      );
    } else if (this.#isSearch() && this.#hasCentre === "") {
      reply.error(geoCentreMissing(args.copy(0)));
    } else if (this.#isSearch() && this.#hasShape === "") {
      reply.error(geoShapeMissing(args.copy(0)));
    } else if (this.#isAny && this.#count === 0) {
      reply.error(GEO_ANY_WITHOUT_COUNT);
    } else return true;
    return false;
  }

  #search(): void {
    const call = this.#call;
    const matches = takeMatches(this.#space.arena);
    this.#collect(matches);
    const found = matches.refs.count;
    const wanted = this.#count === 0 ? found : Math.min(this.#count, found);
    // Some of them without an order are the nearest, unless any will do.
    const order = this.#order === UNSORTED && this.#count > 0 && !this.#isAny
      ? ASCENDING
      : this.#order;
    matches.sort(order, wanted);
    if (this.#storeAt !== 0) {
      this.#store(matches, wanted);
      return giveBack(matches);
    }
    call.reply.array(wanted);
    if (wanted === 0) return giveBack(matches);
    this.#shown.matches = matches;
    this.#shown.unitMetres = this.#area.unitMetres;
    replyElements(
      call,
      this.#space,
      this.#ref,
      this.#shown,
      0,
      wanted,
      wanted,
    );
    if (wanted < STREAMED_ELEMENTS_MIN) giveBack(matches);
  }

  /** Finds the members within the area. */
  #collect(matches: Matches): void {
    const { zsets } = this.#space.values;
    const most = this.#isAny ? this.#count : Infinity;
    const collector = new Collector(this.#area, matches, most);
    CELLS.cover(this.#area);
    this.#area.prepare();
    for (let cell = 0; cell < CELLS.count; cell++) {
      zsets.sift(this.#ref, CELLS.min[cell]!, CELLS.end[cell]!, collector);
      if (collector.isFull) return;
    }
  }

  /** Stores the first `wanted` places, or deletes the target if that is 0. */
  #store(matches: Matches, wanted: number): void {
    const call = this.#call;
    const { db, nowMs, reply } = call;
    const target = call.keyAt(this.#storeAt);
    const space = call.keyspace(target);
    if (wanted === 0) {
      const existing = space.lookupQuiet(db, target, nowMs);
      if (existing !== 0) {
        space.delete(db, existing);
        space.hooks.changed(db, target, DEL);
      }
      return reply.integer(0);
    }
    const begun = space.begun.begin(TYPE_ZSET);
    const { zsets } = space.values;
    const { refs, order } = matches;
    for (let at = 0; at < wanted; at++) {
      const i = order[at]!;
      const score = this.#storesDistances
        ? matches.distance(i) / this.#area.unitMetres
        : matches.score(i);
      zsets.add(begun, refs.buf(i), refs.off(i), refs.length(i), score);
    }
    const existing = space.lookupWrite(db, target, nowMs);
    space.begun.store(db, target, existing);
    const event = this.#form === "geosearchstore"
      ? GEOSEARCHSTORE
      : GEORADIUSSTORE;
    space.hooks.changed(db, target, event, wanted);
    reply.integer(wanted);
  }
}

/** Takes those members of a cell that lie within the area. */
class Collector implements ScoreSieve {
  readonly #area: GeoArea;
  readonly #matches: Matches;
  readonly #most: number;
  /** Of the member that is wanted. */
  #distance = 0.5;

  constructor(area: GeoArea, matches: Matches, most: number) {
    this.#area = area;
    this.#matches = matches;
    this.#most = most;
  }

  /** Whether as many were found as are wanted. */
  get isFull(): boolean {
    return this.#matches.refs.count >= this.#most;
  }

  wants(score: number): boolean {
    if (!this.#area.mayHold(score)) return false;
    decodeGeohash(score, POINT);
    this.#distance = this.#area.distanceTo(POINT);
    return this.#distance >= 0;
  }

  member(buf: Uint8Array, off: number, length: number, score: number): void {
    this.#matches.add(buf, off, length, this.#distance, score);
  }
}

/** An empty list of places. */
function takeMatches(arena: Arena): Matches {
  const matches = spare;
  if (matches === null || !matches.refs.isOf(arena)) return new Matches(arena);
  spare = null;
  matches.refs.clear();
  return matches;
}

/** Keeps a list that nobody needs any more. */
function giveBack(matches: Matches): void {
  if (matches.refs.capacity <= KEPT_PLACES_MAX) spare = matches;
}

/** The places found: members, distances in metres, scores. */
class Matches {
  readonly refs: ByteRefs;
  /** Numbers of the places, in the order asked for. */
  order = new Int32Array(0);
  #distances = new Float64Array(16);
  #scores = new Float64Array(16);

  constructor(arena: Arena) {
    this.refs = new ByteRefs(arena);
  }

  /** Adds a place. */
  add(
    buf: Uint8Array,
    off: number,
    length: number,
    distance: number,
    score: number,
  ): void {
    const i = this.refs.count;
    if (i === this.#scores.length) this.#grow();
    this.#distances[i] = distance;
    this.#scores[i] = score;
    this.refs.add(buf, off, length);
  }

  /** Metres from the centre. */
  distance(i: number): number {
    return this.#distances[i]!;
  }

  /** The score in the sorted set. */
  score(i: number): number {
    return this.#scores[i]!;
  }

  /** Puts the first `wanted` places in order by distance. */
  sort(direction: number, wanted: number): void {
    const { count } = this.refs;
    const order = new Int32Array(count);
    for (let i = 0; i < count; i++) order[i] = i;
    this.order = order;
    if (direction === UNSORTED) return;
    const distances = this.#distances;
    const compare = (a: number, b: number): number => {
      const x = distances[a]!;
      const y = distances[b]!;
      return x === y ? 0 : x > y ? direction : -direction;
    };
    if (wanted === count) sortIndexes(order, compare);
    else sortIndexesBetween(order, 0, wanted - 1, compare);
  }

  #grow(): void {
    const distances = new Float64Array(this.#scores.length * 2);
    const scores = new Float64Array(distances.length);
    distances.set(this.#distances);
    scores.set(this.#scores);
    this.#distances = distances;
    this.#scores = scores;
  }
}

/** Writes places as the options say. */
class ShownPlaces implements ElementWriter {
  distance = false;
  hash = false;
  coordinates = false;
  matches: Matches | null = null;
  unitMetres = 1;

  /** What is shown beside the member. */
  get parts(): number {
    return Number(this.distance) + Number(this.hash) +
      Number(this.coordinates);
  }

  write(
    _space: Keyspace,
    _ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    const matches = this.matches!;
    const { refs, order } = matches;
    const { parts } = this;
    let place = from;
    for (; place < to && reply.cost < limit; place++) {
      const i = order[place]!;
      if (parts > 0) reply.array(parts + 1);
      reply.bulk(refs.buf(i), refs.off(i), refs.length(i));
      if (this.distance) {
        reply.bulkAscii(formatDistance(matches.distance(i) / this.unitMetres));
      }
      if (this.hash) reply.integer(Math.trunc(matches.score(i)));
      if (this.coordinates) {
        decodeGeohash(matches.score(i), POINT);
        replyPoint(reply, POINT);
      }
    }
    return place;
  }
}

const UNIT = "unit:('m'|'km'|'ft'|'mi')";
const WITH = "[WITHCOORD] [WITHDIST] [WITHHASH]";
const ORDER = "[order:(ASC|DESC)]";
const STORE_OPTIONS =
  "[store:(STORE storekey{key}:key|STOREDIST storedistkey{key}:key)]";
const FROM =
  "from:(FROMMEMBER member|FROMLONLAT fromlonlat:(longitude:double latitude:double))";
const BY =
  `by:(circle:(BYRADIUS radius:double ${UNIT})|box:(BYBOX width:double height:double ${UNIT}))`;
const COUNT_OPTION = "[count-block:(COUNT count:integer [ANY])]";
const COUNT_OPTION_SINCE = "[count-block:(COUNT count:integer [ANY@6.2.0])]";

/** The member from which GEOSEARCHSTORE looks around, in the source. */
function stageStored(call: Call): void {
  lookFor(call, 3, 1, call.argc, [2]);
}

/** Rows of the commands that search for places. */
export const GEO_SEARCH_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "georadius",
    group: "geo",
    since: "3.2.0",
    summary:
      "Finds the members within a radius of a point, and can store them.",
    complexity: "O(N+log(M))",
    arity: -6,
    flags: ["write", "denyoom"],
    keys: [
      keyAt(1, "RO access"),
      keyAfter("STORE", 6, "OW update"),
      keyAfter("STOREDIST", 6, "OW update"),
    ],
    findOtherKeys: georadiusOtherKeys,
    syntax:
      `key longitude:double latitude:double radius:double ${UNIT} ${WITH} ${COUNT_OPTION_SINCE} ${ORDER} ${STORE_OPTIONS}`,
    replies: ["array", "integer"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    replacedBy: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
    isHeavy: largeSearch("georadius"),
    run: georadiusCommand,
  },
  {
    name: "georadius_ro",
    group: "geo",
    since: "3.2.10",
    summary: "Finds the members within a radius of a point.",
    complexity: "O(N+log(M))",
    arity: -6,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax:
      `key longitude:double latitude:double radius:double ${UNIT} ${WITH} ${COUNT_OPTION_SINCE} ${ORDER}`,
    replies: ["array"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    replacedBy: "`GEOSEARCH` with the `BYRADIUS` argument",
    isHeavy: largeSearch("georadius_ro"),
    run: georadiusRoCommand,
  },
  {
    name: "georadiusbymember",
    group: "geo",
    since: "3.2.0",
    summary:
      "Finds the members within a radius of a member, and can store them.",
    complexity: "O(N+log(M))",
    arity: -5,
    flags: ["write", "denyoom"],
    keys: [
      keyAt(1, "RO access"),
      keyAfter("STORE", 5, "OW update"),
      keyAfter("STOREDIST", 5, "OW update"),
    ],
    findOtherKeys: georadiusOtherKeys,
    syntax:
      `key member radius:double ${UNIT} ${WITH} ${COUNT_OPTION} ${ORDER} ${STORE_OPTIONS}`,
    replies: ["array", "integer"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    replacedBy:
      "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    isHeavy: largeSearch("georadiusbymember"),
    stage: looksFor(2),
    run: georadiusbymemberCommand,
  },
  {
    name: "georadiusbymember_ro",
    group: "geo",
    since: "3.2.10",
    summary: "Finds the members within a radius of a member.",
    complexity: "O(N+log(M))",
    arity: -5,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: `key member radius:double ${UNIT} ${WITH} ${COUNT_OPTION} ${ORDER}`,
    replies: ["array"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    replacedBy: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
    isHeavy: largeSearch("georadiusbymember_ro"),
    stage: looksFor(2),
    run: georadiusbymemberRoCommand,
  },
  {
    name: "geosearch",
    group: "geo",
    since: "6.2.0",
    summary: "Finds the members within a circle or a box.",
    complexity: "O(N+log(M))",
    arity: -7,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: `key ${FROM} ${BY} ${ORDER} ${COUNT_OPTION} ${WITH}`,
    replies: ["array"],
    isHeavy: largeSearch("geosearch"),
    stage: looksFor(2),
    run: geosearchCommand,
  },
  {
    name: "geosearchstore",
    group: "geo",
    since: "6.2.0",
    summary: "Stores the members within a circle or a box.",
    complexity: "O(N+log(M))",
    arity: -8,
    flags: ["write", "denyoom"],
    keys: [keyAt(1, "OW update"), keyAt(2, "RO access")],
    syntax:
      `destination:key source:key ${FROM} ${BY} ${ORDER} ${COUNT_OPTION} [STOREDIST]`,
    replies: ["integer"],
    isHeavy: largeSearch("geosearchstore"),
    stage: stageStored,
    run: geosearchstoreCommand,
  },
];
