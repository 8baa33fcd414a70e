/**
 * Feeds bytes to a RequestParser as a connection does: in pieces, with arguments
 * that are streamed, and with what is done dropped from the buffer now and then.
 *
 * @module
 */
import { fromBinary, toBinary } from "../../../_resp_reply.ts";
import { Random } from "../../../_random.ts";
import { Arguments } from "../../../../src/core/resp/arguments.ts";
import {
  BIG,
  INCOMPLETE,
  MALFORMED,
  REQUEST,
  RequestParser,
} from "../../../../src/core/resp/request_parser.ts";

/** What came out: requests as binary strings, and how it ended. */
export interface Outcome {
  requests: string[][];
  /** The protocol error's text, "" if there was none. */
  error: string;
}

/** Says how long the next piece is. */
export type Cut = (left: number) => number;

/** All at once. */
export const whole: Cut = (left) => left;
/** One byte after the other. */
export const bytewise: Cut = () => 1;

/** Pieces of random lengths, short ones most often. */
export function randomCut(seed: number): Cut {
  const random = new Random(seed);
  return () => 1 + random.below(1 << random.below(12));
}

/** The three ways in which every table is run. */
export const CUTS: readonly (readonly [name: string, cut: Cut])[] = [
  ["whole", whole],
  ["byte by byte", bytewise],
  ...[1, 2, 3].map((seed) => [`SEED=${seed}`, randomCut(seed)] as const),
];

/** Parses an input that comes in pieces. */
export function feed(
  input: string,
  cut: Cut,
  prepare: (parser: RequestParser) => void = () => {},
): Outcome {
  const parser = new RequestParser();
  prepare(parser);
  return new Feeder(parser).run(fromBinary(input), cut);
}

/** Pieces after which the buffer is compacted although it has room. */
const MOVED_EVERY = 61;

class Feeder {
  readonly #parser: RequestParser;
  readonly #args = new Arguments();
  readonly #outcome: Outcome = { requests: [], error: "" };
  #pieces = 0;
  #buffer = new Uint8Array(64);
  #end = 0;
  #big: Uint8Array | null = null;
  #bigReceived = 0;
  #streamed: Uint8Array[] = [];

  constructor(parser: RequestParser) {
    this.#parser = parser;
  }

  run(input: Uint8Array, cut: Cut): Outcome {
    for (let at = 0; at < input.length;) {
      const piece = input.subarray(
        at,
        at + Math.max(1, cut(input.length - at)),
      );
      at += piece.length;
      this.#makeRoom(piece.length);
      this.#buffer.set(piece, this.#end);
      this.#end += piece.length;
      if (!this.#readRequests()) break;
    }
    return this.#outcome;
  }

  /** Says whether more input is wanted. */
  #readRequests(): boolean {
    const args = this.#args;
    args.buf = this.#buffer;
    for (;;) {
      if (this.#big !== null) {
        if (!this.#takeBig()) return true;
        if (!this.#parser.isMidRequest) {
          this.#note();
          continue;
        }
      }
      switch (this.#parser.next(args, this.#end)) {
        case INCOMPLETE:
          return true;
        case REQUEST:
          this.#note();
          continue;
        case BIG:
          this.#big = new Uint8Array(this.#parser.bigLength + 2);
          this.#bigReceived = 0;
          continue;
        case MALFORMED:
          this.#outcome.error = this.#parser.error!.text;
          return false;
      }
    }
  }

  #takeBig(): boolean {
    const big = this.#big!;
    const from = this.#parser.position;
    const piece = this.#buffer.subarray(from, this.#end)
      .subarray(0, big.length - this.#bigReceived);
    big.set(piece, this.#bigReceived);
    this.#bigReceived += piece.length;
    if (this.#bigReceived < big.length) {
      this.#end = from;
      return false;
    }
    const ref = this.#streamed.push(big);
    const segments = this.#streamed;
    this.#args.addBig(ref, segments, ref - 1, 0, big.length - 2);
    this.#big = null;
    this.#parser.bigDone(from + piece.length);
    return true;
  }

  #note(): void {
    const args = this.#args;
    if (args.count === 0) return;
    const request: string[] = [];
    for (let i = 0; i < args.count; i++) request.push(toBinary(args.copy(i)));
    this.#outcome.requests.push(request);
    if (args.hasBig) this.#streamed = [];
  }

  /** Drops what no argument needs, into a new buffer; not for every piece. */
  #makeRoom(bytes: number): void {
    const hasRoom = this.#end + bytes <= this.#buffer.length;
    if (hasRoom && ++this.#pieces % MOVED_EVERY !== 0) return;
    const args = this.#args;
    const isBegun = this.#parser.isMidRequest;
    let from = this.#parser.position;
    for (let i = 0; isBegun && i < args.count; i++) {
      if (args.source(i) === args.buf) from = Math.min(from, args.off[i]!);
    }
    const used = this.#end - from;
    const made = new Uint8Array(used + bytes + Math.max(used, MOVED_EVERY));
    made.set(this.#buffer.subarray(from, this.#end));
    this.#buffer = made;
    this.#end -= from;
    this.#parser.shift(from);
    if (isBegun) args.shift(from);
  }
}
