/**
 * A transaction: the commands that a session has queued since MULTI, and the
 * keys that it watches.
 *
 * Queued commands lie in one byte buffer, one behind the other, with their
 * places in flat arrays: a command makes no object. A big argument stays in the
 * run that it streamed into.
 *
 * ```text
 * commands   [ index in the table, first argument, shard and hash of the key ] ...
 * arguments  [ offset, length, run or 0 ] ...
 * bytes      request, request, ...  without a big argument: as it came
 * ```
 *
 * @module
 */

import { viewOf } from "../../core/base/byte_view.ts";
import { copyBytes } from "../../core/base/bytes.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import type { WatchCheck } from "./watch_checks.ts";
import { Watches } from "./watches.ts";

const FIRST_BYTES = 1024;
/** Bytes that are copied in one step. */
const STEP = 8;
/** Up to here steps are faster than a call that copies. */
const STEPS_BYTES_MAX = 256;
/** Bytes of a buffer that is kept when the transaction ends. */
const KEPT_BYTES = 16 * 1024;
/** Words of an array that is kept. */
const KEPT_WORDS = 4096;
/** Words of a command: number, first argument, shard and hash of its one key. */
const COMMAND_WORDS = 4;
const SHARD_WORD = 2;
const HASH_WORD = 3;
const ARGUMENT_WORDS = 3;

/** The shard of a command that has not just one key. */
export const NO_SHARD = -1;

/** Adds an argument that lies in the run `run` of the arena. */
export type BigAdder = (args: Arguments, run: number, length: number) => void;

/** What a session has between MULTI and EXEC, and between WATCH and EXEC. */
export class Transaction {
  /** Whether MULTI has been called. */
  isOpen = false;
  /** Whether a command was refused, so that EXEC must refuse as well. */
  isDoomed = false;
  /** Flags of all queued commands. */
  flags = 0;
  #commands = new Int32Array(16);
  #commandCount = 0;
  #arguments = new Int32Array(64);
  #argumentCount = 0;
  #bytes = new Uint8Array(FIRST_BYTES);
  /** The bytes, to be written in steps. */
  #view = new DataView(this.#bytes.buffer);
  #byteCount = 0;
  #bigBytes = 0;
  /** What is known of the watched keys, if they are very many. */
  check: WatchCheck | null = null;
  #watches = new Watches();

  /** Queued commands. */
  get count(): number {
    return this.#commandCount;
  }

  /** Bytes of their arguments, big ones included. */
  get bytes(): number {
    return this.#byteCount + this.#bigBytes;
  }

  /**
   * Queues a command, which is number `index` of the table, and has one key that
   * is hashed (`args.command` is set), or any number of keys.
   */
  queue(index: number, flags: number, args: Arguments): void {
    this.flags |= flags;
    const at = this.#commandCount * COMMAND_WORDS;
    const commands = this.#commands = withRoom(
      this.#commands,
      at + COMMAND_WORDS,
    );
    commands[at] = index;
    commands[at + 1] = this.#argumentCount;
    commands[at + SHARD_WORD] = args.command < 0 ? NO_SHARD : args.shard;
    commands[at + HASH_WORD] = args.hash;
    this.#commandCount++;
    if (args.hasBig) {
      for (let i = 0; i < args.count; i++) this.#add(args, i);
    } else this.#addAll(args);
  }

  /** Shard of the one key of a queued command, or {@linkcode NO_SHARD}. */
  shard(i: number): number {
    return this.#commands[i * COMMAND_WORDS + SHARD_WORD]!;
  }

  /** Hash of that key. */
  hash(i: number): number {
    return this.#commands[i * COMMAND_WORDS + HASH_WORD]!;
  }

  /** Number of a queued command in the table. */
  command(i: number): number {
    return this.#commands[i * COMMAND_WORDS]!;
  }

  /** Fills `args` with those of a queued command; its big ones stay here. */
  load(i: number, args: Arguments, addBig: BigAdder): void {
    args.clear();
    args.buf = this.#bytes;
    const to = this.#argumentsEnd(i);
    for (let a = this.#argumentsStart(i); a < to; a++) {
      const at = a * ARGUMENT_WORDS;
      const length = this.#arguments[at + 1]!;
      const run = this.#arguments[at + 2]!;
      if (run === 0) args.add(this.#arguments[at]!, length);
      else addBig(args, run, length);
    }
  }

  /** Says that the big arguments of a command have changed hands. */
  forgetBig(i: number): void {
    if (this.#bigBytes === 0) return;
    const to = this.#argumentsEnd(i);
    for (let a = this.#argumentsStart(i); a < to; a++) {
      this.#arguments[a * ARGUMENT_WORDS + 2] = 0;
    }
  }

  /** Forgets the queued commands; `freeRun` gets their big arguments. */
  close(freeRun: (run: number) => void): void {
    for (let a = 0; this.#bigBytes > 0 && a < this.#argumentCount; a++) {
      const run = this.#arguments[a * ARGUMENT_WORDS + 2]!;
      if (run !== 0) freeRun(run);
    }
    this.isOpen = this.isDoomed = false;
    this.flags = 0;
    this.#commandCount = this.#argumentCount = 0;
    this.#byteCount = this.#bigBytes = 0;
    if (this.#bytes.length > KEPT_BYTES) {
      this.#setBytes(new Uint8Array(FIRST_BYTES));
    }
    if (this.#arguments.length > KEPT_WORDS) {
      this.#arguments = new Int32Array(64);
      this.#commands = new Int32Array(16);
    }
  }

  /** Keys that are watched. */
  get watchCount(): number {
    return this.#watches.count;
  }

  /** The watched keys. */
  get watches(): Watches {
    return this.#watches;
  }

  /** Notes a watched key: its node in a shard, and the version seen. */
  addWatch(shard: number, node: number, version: number): void {
    this.#watches.add(shard, node, version);
  }

  /** Whether a node is among the watched ones. */
  isWatching(shard: number, node: number): boolean {
    return this.#watches.has(shard, node);
  }

  /** Shard of a watched key. */
  watchShard(i: number): number {
    return this.#watches.shard(i);
  }

  /** Node of a watched key. */
  watchNode(i: number): number {
    return this.#watches.node(i);
  }

  /** Version of a watched key when its watch began. */
  watchVersion(i: number): number {
    return this.#watches.version(i);
  }

  /** Forgets the watched keys, whose nodes have been told. */
  forgetWatches(): void {
    this.#watches.clear();
    this.check = null;
  }

  /** Takes the watched keys, whose nodes are yet to be told. */
  takeWatches(): Watches {
    const watches = this.#watches;
    this.#watches = new Watches();
    this.forgetWatches();
    return watches;
  }

  #argumentsStart(i: number): number {
    return this.#commands[i * COMMAND_WORDS + 1]!;
  }

  #argumentsEnd(i: number): number {
    return i + 1 < this.#commandCount
      ? this.#argumentsStart(i + 1)
      : this.#argumentCount;
  }

  /** The arguments of a request as they came: with what stands between them. */
  #addAll(args: Arguments): void {
    const { count } = args;
    const first = this.#argumentCount * ARGUMENT_WORDS;
    const words = this.#arguments = withRoom(
      this.#arguments,
      first + count * ARGUMENT_WORDS,
    );
    const from = args.off[0]!;
    const length = args.off[count - 1]! + args.length[count - 1]! - from;
    const start = this.#byteCount;
    this.#makeRoom(length + STEP);
    if (length > STEPS_BYTES_MAX || from + length + STEP > args.buf.length) {
      copyBytes(args.buf, from, this.#bytes, start, length);
    } else {
      // The last step may go beyond the bytes: nothing is there yet.
      const source = viewOf(args.buf);
      const to = this.#view;
      for (let done = 0; done < length; done += STEP) {
        const eight = source.getBigUint64(from + done, true);
        to.setBigUint64(start + done, eight, true);
      }
    }
    this.#byteCount = start + length;
    for (let i = 0, at = first; i < count; i++, at += ARGUMENT_WORDS) {
      words[at] = start + args.off[i]! - from;
      words[at + 1] = args.length[i]!;
      words[at + 2] = 0;
    }
    this.#argumentCount += count;
  }

  #add(args: Arguments, i: number): void {
    const at = this.#argumentCount * ARGUMENT_WORDS;
    this.#arguments = withRoom(this.#arguments, at + ARGUMENT_WORDS);
    const length = args.length[i]!;
    const run = args.takeBig(i);
    this.#arguments[at] = this.#byteCount;
    this.#arguments[at + 1] = length;
    this.#arguments[at + 2] = run;
    this.#argumentCount++;
    if (run !== 0) {
      this.#bigBytes += length;
      return;
    }
    this.#makeRoom(length);
    copyBytes(args.buf, args.off[i]!, this.#bytes, this.#byteCount, length);
    this.#byteCount += length;
  }

  #makeRoom(length: number): void {
    const end = this.#byteCount + length;
    if (end <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#byteCount));
    this.#setBytes(grown);
  }

  #setBytes(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

function withRoom(
  words: Int32Array<ArrayBuffer>,
  length: number,
): Int32Array<ArrayBuffer> {
  if (length <= words.length) return words;
  const grown = new Int32Array(Math.max(16, length, words.length * 2));
  grown.set(words);
  return grown;
}
